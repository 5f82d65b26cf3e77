"""Encoded pictures to greyscale uint8 arrays; Pillow does the decoding."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from service.errors import ImageTooLarge, UnreadableImage

# Content types and the one Pillow format each may hold: the decoders of all
# other formats are never reached by a request.
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}

MID_GREY = 128
BYTE_MAX = 255


def decode(body: bytes, content_type: str, max_pixels: int) -> NDArray[np.uint8]:
    """One picture as a greyscale array (H, W) uint8, upright, on opaque ground.

    The size is checked as soon as the header is read, before any pixel is
    decoded. Raises UnreadableImage or ImageTooLarge.
    """
    name = FORMATS[content_type]
    try:
        with Image.open(io.BytesIO(body), formats=[name]) as image:
            _check_size(image.width, image.height, max_pixels)
            return _grey(ImageOps.exif_transpose(image))
    except ImageTooLarge:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large("more pixels than any picture", max_pixels) from None
    except Exception:  # noqa: BLE001 - decoders raise whatever they trip over in hostile bytes
        raise UnreadableImage(
            "body", f"the body is not a whole {name} image; send one, or correct the Content-Type"
        ) from None


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise _too_large(f"{width} x {height} pixels", max_pixels)


def _too_large(found: str, max_pixels: int) -> ImageTooLarge:
    return ImageTooLarge("body", f"the image has {found}; send at most {max_pixels} pixels")


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    """Luminance. Transparent pixels take the shade that keeps the ink visible."""
    if image.mode.startswith("I"):  # 16 bits a pixel: keep the upper eight
        return (np.asarray(image).astype(np.int64) >> 8).clip(0, BYTE_MAX).astype(np.uint8)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"))
    pixels = np.asarray(image.convert("LA"))
    shade, opacity = pixels[..., 0].astype(np.float64), pixels[..., 1] / BYTE_MAX
    ink = float((shade * opacity).sum() / max(opacity.sum(), 1.0))
    ground = BYTE_MAX if ink < MID_GREY else 0
    return np.rint(shade * opacity + ground * (1 - opacity)).astype(np.uint8)
