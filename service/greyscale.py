"""Any picture to shades of grey in which its ink can be seen.

Luminance is what most pictures need, and a picture of greys gets exactly that.
Two things need more. Where a picture is transparent, there is no telling what
lies behind, so it is laid on a ground that its ink stands out from. And where
ink differs from its ground in colour more than in luminance (yellow on white,
red on green), the picture is projected onto the line from ground to ink.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BYTE_MAX = 255
BYTE_BITS = 8
MID_GREY = 128

SAMPLE_SIDE = 256  # pixels in a row and in a column are enough to know ground and ink
OPAQUE = 128  # what is more opaque than that counts as there
SHEET = 0.5  # share that is there, from which on it may be a sheet, not only ink
APART = 64  # in any channel: shades that are not one

INK = 0.5  # of the largest contrast: what differs so much from the ground is ink
READABLE = 96  # contrast in luminance that needs no help
CARRIED = 0.6  # share of the contrast that luminance has where it is left to it

WHITE, BLACK = (BYTE_MAX,) * 3, (0,) * 3
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow has it


def grey(image: Image.Image) -> Image.Image:
    """A picture of any mode as one of mode L and the same size, on opaque ground.

    Luminance (ITU-R BT.601), except where colour carries the contrast.
    """
    image.load()
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.has_transparency_data:
        return _of_colour(_on_ground(_in_mode(image, "RGBA")))
    if image.mode in {"1", "L"}:
        return _in_mode(image, "L")
    return _of_colour(_in_mode(image, "RGB"))


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # which copies in any case


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of 16 bits a pixel in the upper eight of those that it uses.

    Scanners and cameras of 10 or 12 bits leave the upper ones empty.
    """
    values = np.asarray(image)
    unused = max(int(values.max()).bit_length() - BYTE_BITS, 0)
    shades = Image.fromarray((values >> unused).astype(np.uint8))
    if "transparency" not in image.info:
        return shades
    there = np.where(values == image.info["transparency"], 0, BYTE_MAX).astype(np.uint8)
    return Image.merge("LA", (shades, Image.fromarray(there)))


def _on_ground(image: Image.Image) -> Image.Image:
    """An RGBA picture on an opaque ground (RGB), of its own colour or of one its ink is not of.

    What is there may be a sheet with ink on it, which goes on behind its rounded
    corners, or nothing but ink, which is dark or bright on the whole.
    """
    pixels = _sample(image).reshape(-1, 4)
    opacity = pixels[:, 3]
    there = pixels[opacity >= OPAQUE, :3]
    if len(there) >= SHEET * len(pixels) and np.ptp(there, axis=0).max() >= APART:
        red, green, blue = np.median(there, axis=0).astype(int).tolist()
        ground = (red, green, blue)
    else:
        ink = (pixels[:, :3] @ LUMINANCE) @ opacity / max(float(opacity.sum()), 1.0)
        ground = WHITE if ink < MID_GREY else BLACK
    sheet = Image.new("RGB", image.size, ground)
    sheet.paste(image, mask=image.getchannel("A"))
    return sheet


def _of_colour(image: Image.Image) -> Image.Image:
    """An RGB picture by luminance, or along the line from its ground's colour to its ink's.

    The contrast of a colour is that of the channel that has most of it, and keeps
    its size. What is lighter stays lighter, as far as the colours differ in that.
    """
    ground = _ground(image)
    apart = _sample(image).reshape(-1, 3) - ground  # (N, 3)
    contrast = np.abs(apart).max(axis=1)  # (N,)
    ink = apart[contrast > INK * contrast.max()]  # (M, 3)
    if len(ink) == 0:
        return image.convert("L")
    bright = float(np.abs(ink @ LUMINANCE).mean())
    if bright >= min(READABLE, CARRIED * float(np.abs(ink).max(axis=1).mean())):
        return image.convert("L")
    line = np.linalg.eigh(ink.T @ ink).eigenvectors[:, -1]  # where the squares are largest
    line *= np.abs(line).max() * (1 if line @ LUMINANCE >= 0 else -1)
    along = apart @ line
    low, high = float(along.min()), float(along.max())
    level = float(np.clip(ground @ LUMINANCE, -low, max(BYTE_MAX - high, -low)))
    weights = (*line.tolist(), level - float(ground @ line))
    return image.convert("L", weights)


def _ground(image: Image.Image) -> NDArray[np.float64]:
    """The colour of an RGB picture's ground: per channel, the median of its border."""
    width, height = image.size
    sides = [(0, 0, width, 1), (0, height - 1, width, height)]
    sides += [(0, 0, 1, height), (width - 1, 0, width, height)]
    border = [np.asarray(image.crop(side)).reshape(-1, 3) for side in sides]
    return np.asarray(np.median(np.concatenate(border), axis=0))


def _sample(image: Image.Image) -> NDArray[np.float32]:
    """Pixels of a picture, evenly spread, (h, w, channels): all of a small one's."""
    width, height = image.size
    size = min(width, SAMPLE_SIDE), min(height, SAMPLE_SIDE)
    few = image if size == image.size else image.resize(size, Image.Resampling.NEAREST)
    return np.asarray(few).astype(np.float32)
