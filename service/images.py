"""Encoded pictures to greyscale uint8 arrays; Pillow does the decoding."""

import io
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from service import containers, small_png
from service.errors import ImageTooLarge, UnreadableImage
from service.greyscale import grey

# Content types and the one Pillow format each may hold: the decoders of all
# other formats are never reached by a request.
FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/gif": "GIF",
}

# How a file of each begins; groups are named as the types.
SIGNATURES = re.compile(
    rb"(?P<png>\x89PNG\r\n\x1a\n)|(?P<jpeg>\xff\xd8\xff)|(?P<webp>RIFF....WEBP)"
    rb"|(?P<bmp>BM)|(?P<gif>GIF8[79]a)",
    re.DOTALL,
)

SMALL_BYTES = 8_192  # what is larger takes its time to decode, whatever is found out before

# What puts a picture upright, by its EXIF orientation (EXIF 2.32, section 4.6.4).
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def recognized(file: bytes) -> str | None:
    """The content type of a file by its first bytes, None where it is none of these."""
    match = SIGNATURES.match(file)
    return None if match is None else f"image/{match.lastgroup}"


def decode(
    file: bytes, max_pixels: int, *, content_type: str | None = None, field: str = "body"
) -> NDArray[np.uint8]:
    """One picture as a greyscale array (H, W) uint8, upright, on opaque ground.

    content_type: what it is said to be, which its first bytes have to bear out; where
    nothing is said, they tell.
    field: what the client calls it. Of an animation, the first frame. The size is
    checked as soon as the header is read, before any pixel is decoded. Raises
    UnreadableImage or ImageTooLarge.
    """
    content_type = content_type or recognized(file)
    if content_type not in FORMATS:
        names = ", ".join(FORMATS.values())
        raise UnreadableImage(
            field, f"{field} is no picture that is read here; send one of {names}"
        )
    name = FORMATS[content_type]
    if recognized(file) != content_type:  # dispatch.py knows pictures in text by this, too
        raise _unreadable(field, name)
    limit = min(max_pixels, Image.MAX_IMAGE_PIXELS or max_pixels)  # Pillow only warns of its own
    if name == "PNG" and len(file) <= SMALL_BYTES:
        small = small_png.decode(file, limit)
        if small is not None:
            return small
    try:
        picture = containers.CUTS[name](file)
        with Image.open(io.BytesIO(picture.file), formats=[name]) as image:
            _check_size(field, image.width, image.height, limit)
            shades = grey(_without_inversion(image))
    except ImageTooLarge:
        raise
    except containers.Excess as excess:
        raise UnreadableImage(field, f"the image {excess}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(field, "more pixels than any picture", limit) from None
    except Exception:  # noqa: BLE001 - decoders raise whatever they trip over in hostile bytes
        raise _unreadable(field, name) from None
    turn = UPRIGHT.get(picture.orientation)
    return np.asarray(shades if turn is None else shades.transpose(turn))


def _unreadable(field: str, name: str) -> UnreadableImage:
    what = "the body" if field == "body" else field
    return UnreadableImage(
        field, f"{what} is not a whole {name} image; send one, or correct its type"
    )


def _check_size(field: str, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise _too_large(field, f"{width} x {height} pixels", max_pixels)


def _too_large(field: str, found: str, max_pixels: int) -> ImageTooLarge:
    return ImageTooLarge(field, f"the image has {found}; send at most {max_pixels} pixels")


def _without_inversion(image: Image.Image) -> Image.Image:
    """A CMYK picture as its writer meant it.

    Adobe's CMYK is inverted, and Pillow takes all JPEG to be Adobe's.
    """
    if image.mode == "CMYK" and "adobe" not in image.info:
        return ImageChops.invert(image)
    return image
