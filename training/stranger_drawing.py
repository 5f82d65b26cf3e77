"""Ink on a ground: where it is placed in an image, how large, in which shades.

Masks are Pillow images of mode "L", ink 0-255 on a ground of 0; patterns (H, W) float32 in 0-1.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.architecture import FRAME_SIDE
from training.stranger_textures import Pattern, Shape, chance, log_uniform

LARGEST = 300  # pixels: the side of the largest images
BOX = 20 / FRAME_SIDE  # the digit's share of an MNIST frame
CANVAS = 256  # pixels: the side of what strokes are drawn on


def random_side(rng: np.random.Generator) -> int:
    """28 pixels in half of all draws, else up to 300."""
    return FRAME_SIDE if chance(rng, 0.5) else round(log_uniform(rng, FRAME_SIDE, LARGEST))


def random_shape(rng: np.random.Generator) -> Shape:
    """28x28, or a square or rectangle of another size."""
    side = random_side(rng)
    if side == FRAME_SIDE or chance(rng, 0.7):
        return side, side
    return side, round(log_uniform(rng, FRAME_SIDE, LARGEST))


def shaded(ink: Pattern, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Ink 0-1 on its ground: white and black for most, other shades for some; inverted for half."""
    ground, full = (0.0, 255.0) if chance(rng, 0.7) else (rng.uniform(0, 60), rng.uniform(170, 255))
    levels = ground + (full - ground) * ink
    return np.asarray(np.rint(levels if chance(rng, 0.5) else 255 - levels), np.uint8)


def turned(mask: Image.Image, degrees: float) -> Image.Image:
    """A mask turned counter-clockwise; nothing is cut off but empty ground."""
    return cropped(mask.rotate(degrees, Image.Resampling.BICUBIC, expand=True))


def cropped(mask: Image.Image) -> Image.Image:
    """The box of a mask's ink."""
    return mask.crop(mask.getbbox())


def placed(mask: Image.Image, rng: np.random.Generator) -> Pattern:
    """Ink in an image of some size: as in an MNIST frame for half of them, or anywhere."""
    shape = random_shape(rng)
    if chance(rng, 0.5):
        return loosely_placed(mask, shape, rng.uniform(0.5, 0.9), rng)
    side = BOX * min(shape)
    ink = _fitted(mask, (side, side))
    mass = float(ink.sum())
    corner = [
        round(length / 2 - float(ink.sum(axis=1 - axis) @ np.arange(ink.shape[axis])) / mass)
        for axis, length in enumerate(shape)
    ]
    return _pasted(ink, shape, corner)


def loosely_placed(
    mask: Image.Image, shape: Shape, share: float, rng: np.random.Generator
) -> Pattern:
    """Ink that fills a share of an image's height or width, anywhere in it."""
    ink = _fitted(mask, (share * shape[0], share * shape[1]))
    free = np.subtract(shape, ink.shape)
    return _pasted(ink, shape, rng.integers(free + 1).tolist())


def _fitted(mask: Image.Image, room: tuple[float, float]) -> Pattern:
    """A mask scaled to a height or a width, whichever is reached first; its peak is 1."""
    scale = min(room[0] / mask.height, room[1] / mask.width)
    size = max(1, round(mask.width * scale)), max(1, round(mask.height * scale))
    ink = np.asarray(mask.resize(size, Image.Resampling.BICUBIC), np.float32)
    return ink / max(float(ink.max()), 1.0)


def _pasted(ink: Pattern, shape: Shape, corner: Sequence[int]) -> Pattern:
    """Ink on an empty image, moved inside where its corner would leave it outside."""
    top, left = (
        min(max(start, 0), whole - part)
        for start, whole, part in zip(corner, shape, ink.shape, strict=True)
    )
    image = np.zeros(shape, np.float32)
    image[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return image


def stroked(curves: Sequence[NDArray[np.float64]], width: float) -> Image.Image:
    """Curves drawn with a round pen of ``width`` pixels; control points (N, 2) are in 0-1."""
    reach = 2 * CANVAS  # twice as fine, then halved: ``ImageDraw`` has hard edges
    image = Image.new("L", (reach, reach))
    pen = ImageDraw.Draw(image)
    for curve in curves:
        points = [(x, y) for x, y in (0.1 + 0.8 * _smooth(curve)) * reach]
        pen.line(points, 255, round(2 * width), joint="curve")
        for x, y in (points[0], points[-1]):
            pen.ellipse((x - width, y - width, x + width, y + width), 255)
    return image.reduce(2)


def _smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A polygon's corners cut, three times (Chaikin 1974); its ends stay."""
    for _ in range(3):
        near, far = points[:-1], points[1:]
        cut = np.stack([0.75 * near + 0.25 * far, 0.25 * near + 0.75 * far], axis=1)
        points = np.concatenate([points[:1], cut.reshape(-1, 2), points[-1:]])
    return points
