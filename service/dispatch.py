"""What is answered on the event loop, and what in a thread.

On the loop goes what takes less time than a thread takes to be woken, or nearly:
meanwhile all others wait. A request is judged by its head and by a look over its
body, in a few microseconds; what may be a picture goes to a thread, since 34 bytes
of WebP may hold megapixels.
"""

import struct

from service import wsgi

INLINE_BODY_BYTES = 8_192  # a JSON image has 3 kB; what is larger is decoded in a thread

# Answered at once whatever comes with them, and never refused for too much work.
URGENT = frozenset({"/livez", "/readyz", "/healthz", "/health", "/metrics"})
URGENT_BELOW = "/v2/health/"

SLOW_ENDING = "explain"  # /explain, and :explain behind a model: as long as a large batch
# The first one reads the whole description, the third waits for a database; below the others
# are versions of the model, of which one may have to be loaded.
SLOW_BEGINNINGS = ("/openapi.json", "/docs", "/feedback", "/models/", "/v2/repository/models/")
NAMES_VERSION = "/versions/"  # in a path
ASKS_VERSION, ESCAPE = "version", "%"  # in a query, plainly or behind escapes

PICTURE_TYPES = ("image/", "multipart/")

# A picture of so few pixels is decoded and framed in the time that a thread takes to begin.
SMALL_PIXELS = 32 * 32

PNG_BEGINNING = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
PNG_SIZE = struct.Struct(">II")  # width and height, right behind it
PNG_SIZE_END = len(PNG_BEGINNING) + PNG_SIZE.size

# How a picture begins in base64, of each of images.SIGNATURES, and by a letter of it that
# is rare among numbers: to look for that alone takes a tenth of the time.
TEXT_SIGNATURES = {
    b"V": b"iVBORw0KGgo",
    b"/": b"/9j/",
    b"U": b"UklGR",
    b"Q": b"Qk",
    b"R": b"R0lGOD",
}

# Version 2 of the inference protocol has tensors of files and of numbers behind a JSON head.
PROTOCOL = "/v2/"
FILES = b'"BYTES"'
HEAD_LENGTH = "HTTP_INFERENCE_HEADER_CONTENT_LENGTH"


def is_quick(environ: wsgi.Environ) -> bool:
    """Whether the request of a WSGI environment, its body in ``io.BytesIO``, goes on the loop."""
    path = environ["PATH_INFO"]
    if wsgi.REFUSAL in environ or path in URGENT or path.startswith(URGENT_BELOW):
        return True
    body = environ["wsgi.input"].getvalue()
    if path.endswith(SLOW_ENDING) or path.startswith(SLOW_BEGINNINGS) or NAMES_VERSION in path:
        return False
    query = environ.get("QUERY_STRING", "")
    if ASKS_VERSION in query or ESCAPE in query:
        return False
    return not body or (len(body) <= INLINE_BODY_BYTES and not _may_hold_picture(environ, body))


def _may_hold_picture(environ: wsgi.Environ, body: bytes) -> bool:
    if "HTTP_CONTENT_ENCODING" in environ:
        return True
    if environ.get("CONTENT_TYPE", "").strip().lower().startswith(PICTURE_TYPES):
        return not _is_small_png(body)
    if HEAD_LENGTH in environ and environ["PATH_INFO"].startswith(PROTOCOL):
        return _may_be_files(environ[HEAD_LENGTH], body)
    return _may_quote_picture(body)


def _is_small_png(body: bytes) -> bool:
    """Whether a body is a PNG of few pixels by its header (ISO/IEC 15948, section 11.2.2).

    Multipart bodies begin with their boundary, and so are none.
    """
    if not body.startswith(PNG_BEGINNING):
        return False
    width, height = PNG_SIZE.unpack_from(body.ljust(PNG_SIZE_END, b"\xff"), len(PNG_BEGINNING))
    return bool(width * height <= SMALL_PIXELS)


def _may_be_files(head_length: str, body: bytes) -> bool:
    """Whether a binary request may have files for tensors; without a head the body is one."""
    if head_length.strip("0"):  # a head, whose words may be written by their code points
        return FILES in body or b"\\u" in body
    # The master has no use for what reads them.
    from service.images import recognized  # noqa: PLC0415
    from service.protocols.v2_request import RAW_DATATYPES  # noqa: PLC0415

    return len(body) not in RAW_DATATYPES or recognized(body) is not None


def _may_quote_picture(body: bytes) -> bool:
    """Whether a text may hold a picture in base64, plainly or behind a backslash."""
    for letter, signature in TEXT_SIGNATURES.items():
        if letter in body and signature in body:
            return True
    return b"\\" in body
