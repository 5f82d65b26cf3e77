"""Encoded pictures to greyscale uint8 arrays; Pillow does the decoding."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from service import containers
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


def decode(body: bytes, content_type: str, max_pixels: int) -> NDArray[np.uint8]:
    """One picture as a greyscale array (H, W) uint8, upright, on opaque ground.

    Of an animation, the first frame. The size is checked as soon as the header is
    read, before any pixel is decoded. Raises UnreadableImage or ImageTooLarge.
    """
    name = FORMATS[content_type]
    limit = min(max_pixels, Image.MAX_IMAGE_PIXELS or max_pixels)  # Pillow only warns of its own
    try:
        picture = containers.CUTS[name](body)
        with Image.open(io.BytesIO(picture.file), formats=[name]) as image:
            _check_size(image.width, image.height, limit)
            shades = grey(_without_inversion(image))
    except ImageTooLarge:
        raise
    except containers.Excess as excess:
        raise UnreadableImage("body", f"the image {excess}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large("more pixels than any picture", limit) from None
    except Exception:  # noqa: BLE001 - decoders raise whatever they trip over in hostile bytes
        raise UnreadableImage(
            "body", f"the body is not a whole {name} image; send one, or correct the Content-Type"
        ) from None
    turn = UPRIGHT.get(picture.orientation)
    return np.asarray(shades if turn is None else shades.transpose(turn))


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise _too_large(f"{width} x {height} pixels", max_pixels)


def _too_large(found: str, max_pixels: int) -> ImageTooLarge:
    return ImageTooLarge("body", f"the image has {found}; send at most {max_pixels} pixels")


def _without_inversion(image: Image.Image) -> Image.Image:
    """A CMYK picture as its writer meant it.

    Adobe's CMYK is inverted, and Pillow takes all JPEG to be Adobe's.
    """
    if image.mode == "CMYK" and "adobe" not in image.info:
        return ImageChops.invert(image)
    return image
