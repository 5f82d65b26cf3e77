"""WSGI (PEP 3333): the environment of a request, and one call of an application."""

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote_to_bytes

import httptools

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Environ: TypeAlias = dict[str, Any]
Address: TypeAlias = tuple[str, int]

REFUSAL = "digits.refusal"  # where the application finds the error of a request cut short

# Settled between a connection and its client, or given to WSGI under another name.
HOP_BY_HOP = frozenset(
    {"CONNECTION", "CONTENT_LENGTH", "CONTENT_TYPE", "EXPECT", "TRANSFER_ENCODING", "UPGRADE"}
)


def environment(  # noqa: PLR0913 - these are what a request consists of
    *,
    method: str,
    target: bytes,
    version: str,
    headers: Mapping[str, str],
    body: bytes | bytearray,
    client: Address,
    server: Address,
) -> Environ:
    """The environment of one buffered request.

    ``headers`` are named as in WSGI, without ``HTTP_``. The body is whole, so
    its length is known, also where it came in chunks.
    """
    path, query = split_target(target)
    environ: Environ = {
        f"HTTP_{key}": value for key, value in headers.items() if key not in HOP_BY_HOP
    }
    if "CONTENT_TYPE" in headers:
        environ["CONTENT_TYPE"] = headers["CONTENT_TYPE"]
    if "CONTENT_LENGTH" in headers or body:
        environ["CONTENT_LENGTH"] = headers.get("CONTENT_LENGTH", str(len(body)))
    return environ | {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "REMOTE_ADDR": client[0],
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{version}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


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


@dataclass(frozen=True)
class Response:
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
