"""From any greyscale image to the frame the networks know.

MNIST's own definition (LeCun et al. 1998, section III.A): the digit, bright
on dark, is scaled into a 20x20 box with its aspect kept and anti-aliased, and
placed so that its centre of mass is the centre of a 28x28 frame.

An image that already is such a frame is left as it is, to the bit. Every
rule has its constant below; what they amount to is ``VERSION``, which the
artifact records, so that a model is never served with other eyes than it was
evaluated with.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from model.errors import InputError

VERSION = 1

BOX_SIDE = 20  # the longer side of the digit within the frame
DARK = 64  # a border at most this bright is an MNIST frame's
MIN_CONTRAST = 32  # less between ground and ink is a blank sheet
INK = 64  # of 255, after the contrast is stretched: what counts as a stroke

Finding: TypeAlias = Literal["inverted", "low_contrast"]
LOW_CONTRAST = 96

UINT8_MAX = 255


@dataclass(frozen=True)
class Frame:
    """What the network sees, and what was done to get there.

    pixels: (28, 28) uint8, bright ink on dark ground. blank: no ink was found.
    warnings: what the caller may want to know.
    """

    pixels: NDArray[np.uint8]
    blank: bool = False
    warnings: tuple[Finding, ...] = ()


def normalize(image: NDArray[np.uint8]) -> Frame:
    """Bring one greyscale image (H, W) uint8 of any size into an MNIST frame.

    Raises InputError when the array is not a non-empty (H, W) uint8 array.
    """
    if image.ndim != 2 or image.dtype != np.uint8 or image.size == 0:  # noqa: PLR2004 - H and W
        raise InputError(
            f"an image is a non-empty (H, W) uint8 array, not {image.dtype} {image.shape}"
        )
    ground = _ground(image)
    brighter, darker = int(image.max()) - ground, ground - int(image.min())
    contrast = max(brighter, darker)
    if contrast < MIN_CONTRAST:
        return Frame(np.zeros((FRAME_SIDE, FRAME_SIDE), np.uint8), blank=True)
    if image.shape == (FRAME_SIDE, FRAME_SIDE) and ground <= DARK:
        return Frame(image)
    warnings: list[Finding] = []
    if darker > brighter:
        image, ground = UINT8_MAX - image, UINT8_MAX - ground
        warnings.append("inverted")
    if contrast < LOW_CONTRAST:
        warnings.append("low_contrast")
    ink = _stretch(image, ground)
    return Frame(_centre(_fit(_crop(ink))), warnings=tuple(warnings))


def _ground(image: NDArray[np.uint8]) -> float:
    """The shade of the ground: the median of the border pixels."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    middle = (len(border) // 2 - 1, len(border) // 2)  # there is always an even number
    border.partition(middle)  # np.median takes ten times as long on so few values
    return float(border[middle[0]]) / 2 + float(border[middle[1]]) / 2


def _stretch(image: NDArray[np.uint8], ground: float) -> NDArray[np.float32]:
    """Ground to 0, the brightest pixel to 255."""
    ink: NDArray[np.float32] = image.astype(np.float32)
    ink -= ground
    np.maximum(ink, 0, out=ink)
    ink *= UINT8_MAX / max(float(ink.max()), 1.0)
    return ink


def _crop(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """The bounding box of all strokes."""
    strokes = ink > INK
    rows, columns = np.flatnonzero(strokes.any(axis=1)), np.flatnonzero(strokes.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fit(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale the longer side to the box by averaging areas; the aspect is kept."""
    height, width = ink.shape
    scale = BOX_SIDE / max(height, width)
    rows = _area_weights(height, max(1, round(height * scale)))
    columns = _area_weights(width, max(1, round(width * scale)))
    return np.asarray(rows @ ink @ columns.T, np.float32)


def _area_weights(inputs: int, outputs: int) -> NDArray[np.float32]:
    """Row i averages the part of the input that output pixel i covers: (outputs, inputs)."""
    edges = np.arange(outputs + 1) * (inputs / outputs)
    starts = np.arange(inputs)
    overlap = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    overlap = np.maximum(overlap, 0)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), np.float32)


def _centre(digit: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Place a digit of at most 20x20 with its centre of mass at the frame's centre."""
    peak = max(float(digit.max()), 1.0)
    total = float(digit.sum())
    frame = np.zeros((FRAME_SIDE, FRAME_SIDE), np.uint8)
    corner = []
    for axis, length in enumerate(digit.shape):
        mass = float(digit.sum(axis=1 - axis) @ np.arange(length)) / total
        start = round(FRAME_SIDE / 2 - mass)
        corner.append(min(max(start, 0), FRAME_SIDE - length))
    top, left = corner
    height, width = digit.shape
    frame[top : top + height, left : left + width] = np.rint(digit * (UINT8_MAX / peak))
    return frame
