"""Content codings (RFC 9110, section 8.4.1): gzip and deflate, within a limit both ways."""

import gzip
import zlib
from collections.abc import Callable, Mapping

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from service.errors import BodyTooLarge, CorruptCoding, UnsupportedCoding

# zlib's wbits: 16 more for gzip's wrapper (RFC 1952), less than 0 for none (RFC 1951).
ZLIB, GZIP, BARE = 15, 31, -15

AS_IT_IS = "identity"

MIN_COMPRESSED_BYTES = 1_400  # a smaller answer fits into one packet as it is
LEVEL = 1  # a fifth of the time of 6, for answers a sixth larger

COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, LEVEL, mtime=0),
    "deflate": lambda body: zlib.compress(body, LEVEL),
}


def preferred(accept_encoding: str | None) -> str | None:
    """The one of ``COMPRESS`` that an Accept-Encoding header likes best, None where none."""
    if not accept_encoding:
        return None
    known = [*COMPRESS, AS_IT_IS]
    best = parse_accept_header(accept_encoding, Accept).best_match(known, AS_IT_IS)
    return None if best == AS_IT_IS else best


def expand(body: bytes, coding: str, max_bytes: int) -> bytes:
    """A body without the coding that its Content-Encoding names, of at most ``max_bytes``.

    Nothing over the limit is ever expanded. Raises UnsupportedCoding, CorruptCoding
    or BodyTooLarge.
    """
    name = coding.strip().lower().removeprefix("x-")
    if name in {"", AS_IT_IS}:
        return body
    if name not in COMPRESS:
        raise UnsupportedCoding(
            "Content-Encoding",
            f"this coding is not read here; send {' or '.join(COMPRESS)}, or the body as it is",
            {"Accept-Encoding": ", ".join(COMPRESS)},  # RFC 9110, section 15.5.16
        )
    if not body:
        return body
    decoder = zlib.decompressobj(GZIP if name == "gzip" else _deflate(body))
    try:
        expanded = decoder.decompress(body, max_bytes + 1)
    except zlib.error:
        raise CorruptCoding("body", f"the body is not {name}; correct its encoding") from None
    if len(expanded) > max_bytes:
        raise BodyTooLarge(
            "body", f"the body expands to over {max_bytes} bytes; send less at a time"
        )
    if not decoder.eof or decoder.unused_data:
        raise CorruptCoding("body", f"the body is not one whole {name} stream; send just that")
    return expanded


def _deflate(body: bytes) -> int:
    """Whether deflate has zlib's wrapper, as the standard says, or none, as some send it."""
    return ZLIB if body[0] & 0x0F == zlib.DEFLATED else BARE
