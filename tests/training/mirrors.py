"""Real servers on this machine, good and bad ones, and the file that they stand in with."""

import contextlib
import gzip
import hashlib
import io
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeAlias

from training.download import Limits, Original, download

NAME = "images"
PLAIN = random.Random(7).randbytes(200_000)
BODY = gzip.compress(PLAIN, mtime=0)
ORIGINAL = Original(hashlib.sha256(PLAIN).hexdigest(), len(PLAIN))
HALF = len(BODY) // 2
OLD = b"what was there before"

SHORT = Limits(silence=0.2, file=0.5)
POLL = 0.01


class Answer(BaseHTTPRequestHandler):
    """One request to a mirror; what a behaviour needs to answer it."""

    server: "Mirror"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Range"]))
        with contextlib.suppress(OSError):  # the client may go when it has heard enough
            self.server.behaviour()(self)

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, data: bytes) -> None:
        self.wfile.write(data)
        self.server.sent += len(data)

    def first_byte(self) -> int:
        """The first byte that is asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "bytes=0-")
        assert asked
        return int(asked[1])

    def wait_until_left(self) -> None:
        """Say nothing until the client hangs up."""
        self.connection.recv(1)


Behaviour: TypeAlias = Callable[[Answer], object]


class Mirror(ThreadingHTTPServer):
    """A mirror that behaves in the ways named, one a request, and in the last from then on."""

    daemon_threads = True

    def __init__(self, *behaviours: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.behaviours = list(behaviours)
        self.asked: list[tuple[str, str | None]] = []
        self.sent = 0
        self.url = f"http://127.0.0.1:{self.server_port}/mnist/"

    def behaviour(self) -> Behaviour:
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]

    @property
    def ranges(self) -> list[str | None]:
        return [span for _, span in self.asked]


StartMirror: TypeAlias = Callable[..., Mirror]


@contextlib.contextmanager
def mirrors() -> Iterator[StartMirror]:
    """Starts mirrors, which end with the context."""
    with contextlib.ExitStack() as stack:

        def start(*behaviours: Behaviour) -> Mirror:
            server = stack.enter_context(Mirror(*behaviours))
            threading.Thread(target=server.serve_forever, args=(POLL,), daemon=True).start()
            stack.callback(server.shutdown)
            return server

        yield start


# -- ways to answer ---------------------------------------------------------


def ranged(body: bytes) -> Behaviour:
    """This body, or the part of it that is asked for."""

    def behaviour(answer: Answer) -> None:
        start = answer.first_byte()
        if start >= len(body):
            answer.head(416, Content_Range=f"bytes */{len(body)}", Content_Length=0)
        elif start:
            span = f"bytes {start}-{len(body) - 1}/{len(body)}"
            answer.head(206, Content_Range=span, Content_Length=len(body) - start)
            answer.send(body[start:])
        else:
            whole(body)(answer)

    return behaviour


well = ranged(BODY)


def by_name(behaviours: Mapping[str, Behaviour]) -> Behaviour:
    """Each file in its own way, by the last part of its address; no others."""
    return lambda answer: behaviours.get(answer.path.rpartition("/")[2], status(404))(answer)


def whole(body: bytes) -> Behaviour:
    """This body, as a server sends it that knows no Range."""

    def behaviour(answer: Answer) -> None:
        answer.head(Content_Length=len(body))
        answer.send(body)

    return behaviour


def without_length(body: bytes) -> Behaviour:
    def behaviour(answer: Answer) -> None:
        answer.head()
        answer.send(body)

    return behaviour


def chunked(body: bytes) -> Behaviour:
    """The body in one HTTP/1.1 chunk, without the one that ends it when the body is cut."""

    def behaviour(answer: Answer) -> None:
        answer.protocol_version = "HTTP/1.1"
        answer.close_connection = True
        answer.head(Transfer_Encoding="chunked", Connection="close")
        end = b"\r\n0\r\n\r\n" if body == BODY else b""
        answer.wfile.write(b"%x\r\n%b%b" % (len(BODY), body, end))

    return behaviour


def broken_off(count: int, body: bytes = BODY) -> Behaviour:
    def behaviour(answer: Answer) -> None:
        answer.head(Content_Length=len(body))
        answer.send(body[:count])

    return behaviour


def stalled(count: int, body: bytes = BODY) -> Behaviour:
    def behaviour(answer: Answer) -> None:
        broken_off(count, body)(answer)
        answer.wait_until_left()

    return behaviour


def silent(answer: Answer) -> None:
    answer.wait_until_left()


def dripping(answer: Answer) -> None:
    answer.head(Content_Length=len(BODY))
    for byte in BODY:
        answer.send(bytes([byte]))
        time.sleep(POLL)


def endless(answer: Answer) -> None:
    answer.head()
    while True:
        answer.send(BODY)


def too_large(answer: Answer) -> None:
    whole(bytes(ORIGINAL.most + 1))(answer)


def claiming_too_much(answer: Answer) -> None:
    answer.head(Content_Length=10**15)
    answer.wait_until_left()


def claiming(length: object) -> Behaviour:
    def behaviour(answer: Answer) -> None:
        answer.head(Content_Length=length)
        answer.send(BODY)

    return behaviour


def no_http(answer: Answer) -> None:
    answer.send(b"\x1b[31m220 hello\r\n\x00\x07\r\n")


def gone(answer: Answer) -> None:
    answer.close_connection = True


def redirecting(target: str) -> Behaviour:
    return lambda answer: answer.head(302, Location=target, Content_Length=0)


def status(code: int) -> Behaviour:
    return lambda answer: answer.head(code, Content_Length=0)


def of_other_bytes(answer: Answer) -> None:
    answer.head(206, Content_Range=f"bytes 5-9/{len(BODY)}", Content_Length=5)
    answer.send(BODY[5:10])


# -- the stand-in -----------------------------------------------------------


BOMB = gzip.compress(bytes(100_000_000), 9)  # 97 kB


def get(folder: Path, *mirrors: Mirror | str, limits: Limits = SHORT) -> str:
    """Fetch the stand-in file; returns what was printed."""
    stream = io.StringIO()
    urls = [mirror if isinstance(mirror, str) else mirror.url for mirror in mirrors]
    download(folder / NAME, ORIGINAL, urls, limits=limits, stream=stream)
    return stream.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_fetched(folder: Path) -> None:
    """The file is there and right, and nothing else."""
    assert contents(folder) == {f"{NAME}.gz": BODY}
