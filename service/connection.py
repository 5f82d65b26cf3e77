"""HTTP/1.1 connections on an event loop: whole requests in, WSGI calls, whole answers out.

llhttp (through httptools) does the parsing. A request is buffered completely,
within its limits and its deadline, before the application sees any of it, so
a slow client costs a buffer and never a thread. What takes long goes to a thread
(``dispatch.py``), as long as not too much is there already.
"""

import asyncio
import io
import re
import socket
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, cast

import httptools

from service import dispatch, errors, wsgi
from service.server import Server

MAX_HEAD_BYTES = 32_768  # request line and header fields together
MAX_TARGET_BYTES = 8_190  # of the request line, as common servers have it

# One host, with or without a port (RFC 3986, section 3.2.2, without the comma that joins two).
HOST = re.compile(r"([A-Za-z0-9._~!$&'()*+;=%-]*|\[[A-Za-z0-9._~:%-]+\])(:[0-9]*)?")

# How many bytes a byte of the body may take to be framed in chunks, beside MAX_HEAD_BYTES for
# their extensions and trailers (RFC 9112, section 7.1.1): in a chunk of its own it takes five.
FRAMING = 16

# How much of what a client has sent is parsed at a time: hundreds of requests fit into a packet.
PIECE_BYTES = 4_096

RETRY_SECONDS = 1  # most pictures and explanations take less

IDLE_SECONDS = 75.0  # longer than common proxies keep a connection to a server
LINGER_SECONDS = 2.0  # for a refused client to stop sending and read why

LINGER_NOT = struct.pack("ii", 1, 0)  # struct linger: on, for no time (socket(7))

NEVER = float("inf")
NOTHING = memoryview(b"")

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(slots=True)
class Incoming:
    """The request that is being read. fields: of its head, under their keys in WSGI."""

    begun: bool = False
    target: bytes = b""
    fields: dict[str, str] = field(default_factory=dict)
    body: list[bytes] = field(default_factory=list)  # in pieces
    body_bytes: int = 0
    head_bytes: int = 0
    head_complete: bool = False
    framed_bytes: int = 0  # what has come behind the head


class Connection(asyncio.Protocol):
    """One client. Its requests are answered one after the other, in their order."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._unparsed = NOTHING
        self._waiting: deque[Request] = deque()  # parsed, not yet answered
        self._busy = False  # the request before them is being answered
        self._reads = True  # whether the transport reads what is sent
        self._lingering = False  # what still arrives is thrown away
        self._half_closed = False  # the client will send no more
        self._deadline = 0.0
        self._blocked_since = NEVER  # when the client stopped reading its answers
        self._incoming = Incoming()

    # -- the transport's side -----------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has another base
        client = transport.get_extra_info("peername")
        if client is None or self._server.turns_away():  # None: it was reset meanwhile
            self._transport.abort()
            return
        self._server.connections.add(self)
        self._surroundings = wsgi.surroundings(client, transport.get_extra_info("sockname"))
        self._deadline = self._loop.time() + self._server.read_timeout

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter
        """The connection is gone, whoever ended it."""
        self._server.connections.discard(self)
        self._waiting.clear()
        self._unparsed = NOTHING

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent; while anything is in the way, it is not read."""
        if not self._lingering:
            self._unparsed = memoryview(
                b"".join([self._unparsed, data]) if self._unparsed else data
            )
            self._go_on()

    def eof_received(self) -> bool:
        """The client will send no more; an answer under way is still delivered."""
        self._half_closed = True
        if self._incoming.begun:
            self._refuse(errors.IncompleteBody("body", "the request broke off; send all of it"))
        self._go_on()
        return self._busy or bool(self._waiting)

    def pause_writing(self) -> None:
        """The client does not read its answers: take nothing more from it."""
        self._blocked_since = self._loop.time()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._blocked_since = NEVER
        self._go_on()

    def _go_on(self) -> None:
        """Answer what was parsed and parse what was sent, until something is in the way."""
        while self._blocked_since == NEVER and not (self._busy or self._transport.is_closing()):
            if self._waiting:
                self._answer(self._waiting.popleft())
            elif self._unparsed:
                self._parse_piece()
            else:
                break
        self._read_on(reads=not self._unparsed and self._blocked_since == NEVER)

    def _read_on(self, *, reads: bool) -> None:
        """Take more from the client, or nothing while there is something in the way."""
        if reads != self._reads:
            self._reads = reads
            if reads:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    # -- the parser's side --------------------------------------------------

    def _parse_piece(self) -> None:
        """Feed the parser, which calls the ``on_`` methods below."""
        piece, self._unparsed = self._unparsed[:PIECE_BYTES], self._unparsed[PIECE_BYTES:]
        if self._incoming.head_complete:
            self._incoming.framed_bytes += len(piece)
        else:
            self._incoming.head_bytes += len(piece)
        self._feed(piece)
        incoming = self._incoming  # of the next request, where the piece has ended one
        if not incoming.head_complete and incoming.head_bytes > MAX_HEAD_BYTES:
            self._refuse(
                errors.HeaderTooLarge("headers", f"send headers of at most {MAX_HEAD_BYTES} bytes")
            )
        elif incoming.framed_bytes > MAX_HEAD_BYTES + (1 + FRAMING) * incoming.body_bytes:
            self._refuse(
                errors.BodyTooLarge("body", "most of the body is no content; send larger chunks")
            )
        if self._lingering:
            self._unparsed = NOTHING

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(rest=bytes(data[upgrade.args[0] :]))
        except httptools.HttpParserError:
            self._refuse(self._framing_error())

    def _decline_upgrade(self, rest: bytes) -> None:
        """Read the request again without its wish for another protocol (RFC 9110, section 7.8).

        Java's HttpClient, for one, asks for HTTP/2 on every first request, and
        llhttp takes the body of such a request for the other protocol.
        """
        if self._lingering:  # it was refused for another reason
            return
        old, method = self._incoming, self._parser.get_method()
        if method == b"CONNECT":
            self._finish(keep_alive=False)
            return
        fields = [
            f"{key.removeprefix('HTTP_').replace('_', '-')}: {value}\r\n".encode("latin-1")
            for key, value in old.fields.items()
            if key not in {"HTTP_CONNECTION", "HTTP_UPGRADE"}
        ]
        self._incoming = Incoming()
        self._parser = httptools.HttpRequestParser(self)
        self._feed(b"%s %s HTTP/1.1\r\n%s\r\n" % (method, old.target, b"".join(fields)) + rest)

    def on_message_begin(self) -> None:
        """The first byte of a request: from here on its time counts."""
        self._incoming.begun = True
        self._deadline = self._loop.time() + self._server.read_timeout

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._incoming.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field. Names with an underscore could pose as others and are dropped.

        So are trailers: who has judged the head has not seen them (RFC 9110, section 6.5.1).
        """
        if b"_" not in name and not self._incoming.head_complete:
            key, fields = wsgi.key(name), self._incoming.fields
            text = value.decode("latin-1")
            fields[key] = f"{fields[key]},{text}" if key in fields else text

    def on_headers_complete(self) -> None:
        """The head is there: say at once when the rest is not wanted."""
        self._incoming.head_complete = True
        fields = self._incoming.fields
        if not _is_plain(self._parser.get_http_version(), fields):
            self._refuse(_malformed())
        elif len(self._incoming.target) > MAX_TARGET_BYTES:
            self._refuse(
                errors.TargetTooLong("path", f"send a path of at most {MAX_TARGET_BYTES} bytes")
            )
        elif int(fields.get("CONTENT_LENGTH") or 0) > self._server.max_body_bytes:
            self._finish(keep_alive=False)
        elif fields.get("HTTP_EXPECT", "").lower() == "100-continue":
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A piece of the body; the first one over the limit is the last that is taken."""
        if not self._lingering:
            self._incoming.body.append(body)
            self._incoming.body_bytes += len(body)
            if self._incoming.body_bytes > self._server.max_body_bytes:
                self._finish(keep_alive=False)

    def on_message_complete(self) -> None:
        """A whole request is there."""
        if not self._lingering and not self._parser.should_upgrade():
            self._finish(keep_alive=self._parser.should_keep_alive())

    # -- requests and answers -----------------------------------------------

    def _finish(self, *, keep_alive: bool) -> None:
        """Put what was read among what is to be answered.

        Without ``keep_alive`` nothing after it is read.
        """
        environ = self._environ()
        self._incoming = Incoming()
        self._deadline = self._loop.time() + IDLE_SECONDS
        self._lingering = not keep_alive
        self._waiting.append(Request(environ, keep_alive))

    def _refuse(self, error: errors.RequestError) -> None:
        """Let the application answer a request that could not be read."""
        if not self._lingering:
            environ = _refused(self._environ(), error)
            self._lingering = True
            self._waiting.append(Request(environ, keep_alive=False))

    def _framing_error(self) -> errors.RequestError:
        if self._incoming.head_complete:
            return errors.IncompleteBody("body", "the body's chunks are malformed; correct them")
        return _malformed()

    def _answer(self, request: "Request") -> None:
        server = self._server
        if dispatch.is_quick(request.environ):
            self._answer_soon(request, request.environ)
        elif server.in_flight < server.max_in_flight:
            self._answer_in_thread(request)
        else:
            self._answer_soon(request, _refused(request.environ, _overloaded()))

    def _answer_soon(self, request: "Request", environ: wsgi.Environ) -> None:
        """On the loop, together with what others have asked meanwhile."""
        self._busy = True
        self._server.wait(self._server.application.open(environ), partial(self._done, request))

    def _answer_in_thread(self, request: "Request") -> None:
        self._busy = True
        self._server.in_flight += 1
        application, pool = self._server.application, self._server.pool
        job = self._loop.run_in_executor(pool, application.respond, request.environ)
        job.add_done_callback(partial(self._thread_done, request))

    def _thread_done(self, request: "Request", done: "asyncio.Future[wsgi.Response]") -> None:
        self._server.in_flight -= 1
        self._done(request, done.result())

    def _done(self, request: "Request", response: wsgi.Response | None) -> None:
        """The response to a request is there, or it is known that there will be none."""
        self._busy = False
        if response is None:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._write(request, response)
            self._go_on()

    def _write(self, request: "Request", response: wsgi.Response) -> None:
        self._server.answered()
        more = self._waiting or self._unparsed
        last = not more and (self._server.draining or self._half_closed)
        keep_alive = request.keep_alive and not last
        fields = "".join([f"{name}: {value}\r\n" for name, value in response.headers])
        head = (
            f"HTTP/1.1 {response.status}\r\nDate: {self._server.date}\r\n{fields}"
            f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n"
        ).encode("latin-1")
        is_head = request.environ["REQUEST_METHOD"] == "HEAD"
        self._transport.write(head if is_head else head + response.body)
        if not keep_alive:
            self._linger()

    def _linger(self) -> None:
        """Close in steps, so that the answer is not lost in a reset (RFC 9112, section 9.6)."""
        self._lingering = True
        self._deadline = self._loop.time() + LINGER_SECONDS
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _environ(self) -> wsgi.Environ:
        incoming, parser = self._incoming, self._parser
        return wsgi.environment(
            self._surroundings,
            method=parser.get_method().decode("latin-1") if incoming.head_complete else "GET",
            target=incoming.target,
            version=parser.get_http_version(),
            fields=incoming.fields,
            body=b"".join(incoming.body),
        )

    # -- time ----------------------------------------------------------------

    def check_deadline(self) -> None:
        """End a connection on which what was due has not come."""
        now = self._loop.time()
        if now > self._blocked_since + self._server.read_timeout:
            self._reset()
        elif self._busy or now < self._deadline:
            return
        elif self._incoming.begun and not self._lingering:
            self._refuse(
                errors.ReadTimeout("request", "the request took too long; send it at once")
            )
            self._go_on()
        else:
            self._transport.abort()

    def _reset(self) -> None:
        """Drop a client that does not read, and what the kernel still holds for it."""
        socket_ = self._transport.get_extra_info("socket")
        socket_.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self._transport.abort()

    def close_if_idle(self) -> None:
        """Close the connection unless a request is being read or answered."""
        under_way = self._waiting or self._unparsed or self._incoming.begun
        if not (self._busy or under_way or self._lingering):
            self._transport.close()


def _refused(environ: wsgi.Environ, error: errors.RequestError) -> wsgi.Environ:
    """The request for which the application finds an error instead of a body."""
    return environ | {wsgi.REFUSAL: error, "wsgi.input": io.BytesIO()}


def _is_plain(version: str, fields: Mapping[str, str]) -> bool:
    """Whether a parsed head says one thing only: llhttp takes what RFC 9112 does not.

    By section 3.2 HTTP/1.1 has one host, and by section 6.1 HTTP/1.0 has no chunks; another
    coding than chunked would be taken for the body itself.
    """
    coding = fields.get("HTTP_TRANSFER_ENCODING")
    if version == "1.1":
        has_host = HOST.fullmatch(fields.get("HTTP_HOST", ",")) is not None
        return has_host and (coding is None or coding.lower() == "chunked")
    return version == "1.0" and coding is None


def _malformed() -> errors.MalformedRequest:
    return errors.MalformedRequest("request", "this is not HTTP/1.1; send a sound request")


def _overloaded() -> errors.Overloaded:
    return errors.Overloaded(
        "request",
        "the service has as much work as it takes on at once; try again after a while",
        {"Retry-After": str(RETRY_SECONDS)},
    )


class Request(NamedTuple):
    """A request for the application, and whether another may follow it."""

    environ: wsgi.Environ
    keep_alive: bool
