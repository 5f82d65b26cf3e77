"""Pictures within text: base64 (RFC 4648, section 4), bare or as a data URL (RFC 2397)."""

import base64
import binascii
import re

from service import errors, images
from service.batches import Image
from service.documents import kind

DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?P<parameters>(?:;[^;,]*)*),", re.IGNORECASE)

EXPECTED = "send a picture in base64, or a data URL of one"


def picture(text: object, field: str, max_pixels: int) -> Image:
    """The picture (H, W) uint8 in a text; raises WrongType, InvalidBase64 or ImageError.

    A data URL is held to the type that it says.
    """
    if not isinstance(text, str):
        raise errors.WrongType(field, f"{field} is {kind(text)}; {EXPECTED}")
    url = DATA_URL.match(text)
    said = None
    if url:
        said = url["type"].lower() or None
        if not url["parameters"].lower().endswith(";base64"):
            raise errors.InvalidBase64(field, f"{field} is a data URL without ;base64; {EXPECTED}")
        text = text[url.end() :]
    try:
        file = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # a ValueError for what is not ASCII
        raise errors.InvalidBase64(field, f"{field} is not base64; {EXPECTED}") from None
    return images.decode(file, max_pixels, content_type=said, field=field)
