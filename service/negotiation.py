"""What a body is said to be, and what may be answered (RFC 9110, sections 8.3 and 12.5.1)."""

from collections.abc import Sequence

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from service import errors

ANYTHING = frozenset({None, "", "*/*"})


def media_type(content_type: str | None, read: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The media type of a Content-Type header, one of ``read``, and its parameters.

    Raises MediaTypeError.
    """
    allowed = f"send one of {', '.join(read)}"
    if not content_type:
        raise errors.MissingContentType("Content-Type", f"there is no Content-Type; {allowed}")
    if content_type in read:
        return content_type, {}
    kind, parameters = parse_options_header(content_type)
    if kind.lower() not in read:
        raise errors.UnsupportedMediaType("Content-Type", f"this type is not read here; {allowed}")
    return kind.lower(), parameters


def choose(accept: str | None, written: Sequence[str]) -> str:
    """The one of the media types ``written`` that an Accept header likes best, or the first.

    Raises NotAcceptable.
    """
    if accept in ANYTHING:
        return written[0]
    best = parse_accept_header(accept, MIMEAccept).best_match(written)
    if best is None:
        raise errors.NotAcceptable(
            "Accept", f"none of these types is answered here; accept {' or '.join(written)}"
        )
    return best
