"""WSGI (PEP 3333): the environment of a request, and one call of an application."""

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes

import httptools

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Environ: TypeAlias = dict[str, Any]
Address: TypeAlias = tuple[str, int]

REFUSAL = "digits.refusal"  # where the application finds the error of a request cut short

# Settled between a connection and its client: no matter of the application.
HOP_BY_HOP = frozenset({"HTTP_CONNECTION", "HTTP_EXPECT", "HTTP_TRANSFER_ENCODING", "HTTP_UPGRADE"})

WITHOUT_PREFIX = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


MAX_KNOWN_BYTES = 64  # of a name that is remembered: nobody is to fill the memory with theirs


def key(name: bytes) -> str:
    """Under which key an environment has the header field ``name``."""
    return _known_key(name) if len(name) <= MAX_KNOWN_BYTES else _key(name)


def _key(name: bytes) -> str:
    known = name.decode("latin-1").upper().replace("-", "_")
    return known if known in WITHOUT_PREFIX else f"HTTP_{known}"


_known_key = lru_cache(maxsize=256)(_key)  # clients send the same few over and over


def surroundings(client: Address, server: Address) -> Environ:
    """What the environments of all requests of one connection have in common."""
    return {
        "SCRIPT_NAME": "",
        "REMOTE_ADDR": client[0],
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def environment(  # noqa: PLR0913 - these are what a request consists of
    surroundings: Mapping[str, Any],
    *,
    method: str,
    target: bytes,
    version: str,
    fields: Mapping[str, str],
    body: bytes,
) -> Environ:
    """The environment of one buffered request.

    fields: of its head, each under its ``key``. The body is whole, so its length is known,
    also where it came in chunks.
    """
    path, query = split_target(target)
    environ: Environ = {
        **surroundings,
        **fields,
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{version}",
        "wsgi.input": io.BytesIO(body),
    }
    if body and "CONTENT_LENGTH" not in fields:
        environ["CONTENT_LENGTH"] = str(len(body))
    for settled in HOP_BY_HOP & fields.keys():
        del environ[settled]
    return environ


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request target in origin or absolute form (RFC 9112, section 3.2)."""
    if target.startswith(b"/"):
        path, _, query = target.partition(b"?")
        return path, query
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        return b"*", b""
    return url.path or b"/", url.query or b""


class Response(NamedTuple):
    """What the application answered."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def call(application: "WSGIApplication", environ: Environ) -> Response:
    """One call of a WSGI application (PEP 3333), its answer put together."""
    started: list[Any] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], _exc_info: object = None
    ) -> Callable[[bytes], object]:
        started[:] = [status, headers]
        return _no_write

    pieces: Iterable[bytes] = application(environ, start_response)
    try:
        body = b"".join(pieces)
    finally:
        close = getattr(pieces, "close", None)
        if close:
            close()
    status, headers = started
    return Response(status, headers, body)


def _no_write(_data: bytes) -> object:
    raise NotImplementedError("the old write() of PEP 3333 is not offered")
