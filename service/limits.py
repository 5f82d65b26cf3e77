"""What one request may ask of the service, and reading its body within that."""

from dataclasses import dataclass
from typing import Any

from service import codings
from service.errors import BodyTooLarge, IncompleteBody, ReadTimeout
from service.settings import Settings


@dataclass(frozen=True)
class Limits:
    """Most bytes of a body, sent and expanded, images of a request, and pixels of an image."""

    max_body_bytes: int
    max_batch: int
    max_image_pixels: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits among the settings."""
        return cls(settings.max_body_bytes, settings.max_batch, settings.max_image_pixels)


def receive(environ: dict[str, Any], max_bytes: int) -> bytes:
    """The body of a WSGI request, whole and expanded where it came compressed.

    Raises BodyError or UnsupportedCoding.
    """
    coding = environ.get("HTTP_CONTENT_ENCODING", "")
    return codings.expand(read_body(environ, max_bytes), coding, max_bytes)


def read_body(environ: dict[str, Any], max_bytes: int) -> bytes:
    """The whole body, chunked or not, of at most ``max_bytes``.

    A body over the limit is refused, never cut: one that announces its length
    before it is read, a chunked one as soon as it has passed the limit.
    Raises BodyTooLarge, IncompleteBody or ReadTimeout.
    """
    announced = environ.get("CONTENT_LENGTH") or None
    length = int(announced) if announced and announced.isdecimal() else None
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)
    if length is None and not environ.get("wsgi.input_terminated"):
        return b""  # neither a length nor chunks: there is no body (RFC 9112, section 6.3)
    try:
        body: bytes = environ["wsgi.input"].read(max_bytes + 1 if length is None else length)
    except BlockingIOError:  # the socket's receive timeout, set by service/worker.py
        raise ReadTimeout("body", "the body did not arrive in time; send it at once") from None
    except Exception:  # noqa: BLE001 - each WSGI server has its own errors for broken framing
        raise IncompleteBody("body", "the body's chunks are malformed; correct them") from None
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    if length is not None and len(body) < length:
        raise IncompleteBody("body", f"the body broke off before its {length} bytes; send it all")
    return body


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge("body", f"the body is over {max_bytes} bytes; send less at a time")
