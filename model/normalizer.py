"""From any greyscale image to the frame the networks know.

MNIST's own definition (LeCun et al. 1998, section III.A): the digit, bright
on dark, is scaled into a 20x20 box with its aspect kept and anti-aliased, and
placed so that its centre of mass is the centre of a 28x28 frame.

An image that already is such a frame is left as it is, to the bit. One of that
size on another ground gets the ground removed, and is moved only where its digit
stands alone and elsewhere than in MNIST: what noise has done to a frame, cropping
would make worse. Every rule has its constant below; what they amount to is
``VERSION``, which the artifact records, so that a model is never served with
other eyes than it was evaluated with.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from model.errors import InputError
from model.frame import Finding, Frame, Manner

VERSION = 2

BOX_SIDE = 20  # the longer side of the digit within the frame
SMALLEST_BOX = 14  # no digit of MNIST is smaller
OFF_CENTRE = 1.5  # pixels; no digit of MNIST has its centre of mass further from 14 than 0.5
DARK = 64  # a border at most this bright is an MNIST frame's
MIN_CONTRAST = 32  # less between ground and ink is a blank sheet
INK = 64  # of 255, after the contrast is stretched: what counts as a stroke
FAINT = 128  # the least contrast of an MNIST frame
UNEVEN = 0.15  # share of the border that differs from its median by more than
UNEVEN_BY = 8  # a part of the contrast
SMOOTHED = 0.25  # of a side: strokes over the border that are narrower are not its ground
GRAIN = 0.2  # correlation below which pixels have nothing to do with each other
DENSE = 0.15  # share of a sheet that ink covers, above which strokes are broad:
BROAD = 32  # at least this part of the longer side
BOTH_WAYS = 0.75  # ink both lighter and darker than an uneven ground, one as much as the other

LOW_CONTRAST = 96

UINT8_MAX = 255

Ink: TypeAlias = NDArray[np.float32]

# Times the pixels of a frame: their sum, and the sums of row and column times pixel.
MOMENTS: Ink = np.stack([np.ones((FRAME_SIDE, FRAME_SIDE)), *np.indices((FRAME_SIDE, FRAME_SIDE))])
MOMENTS = MOMENTS.reshape(3, -1).astype(np.float32)


def normalize(image: NDArray[np.uint8], manner: Manner = "auto") -> Frame:
    """Bring one greyscale image (H, W) uint8 of any size into an MNIST frame.

    ``auto`` leaves what already is such a frame as it is, ``always`` makes one of it
    all the same, ``never`` takes it for one. Raises InputError when the array is not a
    non-empty (H, W) uint8 array, and of another size than (28, 28) where it is never
    to be normalized.
    """
    if image.ndim != 2 or image.dtype != np.uint8 or image.size == 0:  # noqa: PLR2004 - H and W
        raise InputError(
            f"an image is a non-empty (H, W) uint8 array, not {image.dtype} {image.shape}"
        )
    if manner == "never":
        return _as_it_is(image)
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    level = _median(border)
    contrast = max(int(image.max()) - level, level - int(image.min()))
    if contrast < MIN_CONTRAST:
        return _blank()
    framed = manner == "auto" and image.shape == (FRAME_SIDE, FRAME_SIDE)
    off = np.count_nonzero(np.abs(border - level) > contrast / UNEVEN_BY)
    uneven = bool(off > UNEVEN * len(border))
    dark = level <= DARK and contrast >= FAINT and not uneven
    if framed and dark and not _misplaced(image):
        return Frame(image)
    light = image - (_ground(image) if uneven else np.float32(level))
    contrast = float(np.abs(light).max())
    if contrast < MIN_CONTRAST:
        return _blank()
    ink, inverted = _ink(light, both_ways=uneven)
    if not framed and _is_grain(image, ink):
        return _blank()
    warnings: list[Finding] = []
    if inverted:
        warnings.append("inverted")
    if contrast < LOW_CONTRAST:
        warnings.append("low_contrast")
    if framed and not dark and (uneven or not _misplaced(ink)) and _box_side(ink) >= SMALLEST_BOX:
        return Frame(np.rint(ink).astype(np.uint8), warnings=tuple(warnings))
    return Frame(_centre(_fit(_crop(ink))), warnings=tuple(warnings))


def _as_it_is(image: NDArray[np.uint8]) -> Frame:
    if image.shape != (FRAME_SIDE, FRAME_SIDE):
        height, width = image.shape
        raise InputError(
            f"an image of {width} x {height} pixels is no frame of {FRAME_SIDE} x {FRAME_SIDE}; "
            "let it be normalized"
        )
    return Frame(image)


def _blank() -> Frame:
    return Frame(np.zeros((FRAME_SIDE, FRAME_SIDE), np.uint8), reason="blank")


def _median(values: NDArray[np.uint8]) -> float:
    middle = (len(values) // 2 - 1, len(values) // 2)  # of borders: an even number
    ordered = np.partition(values, middle)  # np.median takes ten times as long on so few
    return float(ordered[middle[0]]) / 2 + float(ordered[middle[1]]) / 2


def _ground(image: NDArray[np.uint8]) -> Ink:
    """The ground (H, W) behind the ink, from the border: a Coons patch (Coons 1967).

    Whatever light, shadow or stripe runs from one side to the other is followed; a
    stroke that runs over the border is smoothed away by a median along it.
    """
    top, bottom, left, right = map(_smoothed, (image[0], image[-1], image[:, 0], image[:, -1]))
    down = np.linspace(0, 1, len(left), dtype=np.float32)[:, None]
    across = np.linspace(0, 1, len(top), dtype=np.float32)
    between = (1 - down) * top + down * bottom + (1 - across) * left[:, None]
    between += across * right[:, None]
    upper = (1 - across) * (top[0] + left[0]) / 2 + across * (top[-1] + right[0]) / 2
    lower = (1 - across) * (bottom[0] + left[-1]) / 2 + across * (bottom[-1] + right[-1]) / 2
    return np.asarray(between - (1 - down) * upper - down * lower, np.float32)


def _smoothed(side: NDArray[np.uint8]) -> Ink:
    """A running median along one side (L,), over a quarter of it."""
    reach = int(len(side) * SMOOTHED / 2)
    padded = np.pad(side, reach, mode="reflect" if reach < len(side) else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    medians: Ink = np.median(windows, axis=1).astype(np.float32)
    return medians


def _ink(light: Ink, *, both_ways: bool) -> tuple[Ink, bool]:
    """Ink 0-255 of what is lighter or darker than the ground, and whether it is darker."""
    brighter, darker = float(light.max()), -float(light.min())
    largest = max(brighter, darker, 1.0)
    inverted = darker > brighter
    if both_ways and min(brighter, darker) > BOTH_WAYS * largest:
        np.abs(light, out=light)
    elif inverted:
        np.negative(light, out=light)
    np.maximum(light, 0, out=light)
    light *= UINT8_MAX / largest
    return light, inverted


def _is_grain(image: NDArray[np.uint8], ink: Ink) -> bool:
    """Whether all there is on the sheet is noise, of single pixels or, where dense, of blocks.

    Strokes go on from pixel to pixel, and those that cover much of a sheet are broad; in
    noise, neighbours have nothing to do with each other. A frame has too few pixels to
    tell, and the network knows noise there when it sees it.
    """
    centred = image - image.mean(dtype=np.float32)
    if _correlation(centred, 1) < GRAIN:
        return True
    broad = max(1, max(image.shape) // BROAD)
    return bool(ink.mean() > DENSE * UINT8_MAX) and _correlation(centred, broad) < GRAIN


def _correlation(centred: Ink, lag: int) -> float:
    """Of pixels so far apart, in that of the four directions in which it is the highest."""
    height, width = centred.shape
    upper, lower = centred[: max(height - lag, 0)], centred[lag:]
    pairs = (
        (upper, lower),
        (centred[:, : max(width - lag, 0)], centred[:, lag:]),
        (upper[:, : max(width - lag, 0)], lower[:, lag:]),
        (upper[:, lag:], lower[:, : max(width - lag, 0)]),
    )
    alike = max((float(np.vdot(one, other)) for one, other in pairs if one.size), default=0.0)
    return alike / float(np.vdot(centred, centred))


def _misplaced(ink: NDArray[np.uint8] | Ink) -> bool:
    """Whether a frame's digit stands free, but not where or as large as MNIST has it."""
    side = _box_side(ink)
    if side > BOX_SIDE:
        return False  # it does not stand free
    if side < SMALLEST_BOX:
        return True
    total, down, across = MOMENTS @ ink.reshape(-1).astype(np.float32)
    middle = FRAME_SIDE / 2 * total
    return bool(max(abs(down - middle), abs(across - middle)) > OFF_CENTRE * total)


def _box_side(ink: NDArray[np.uint8] | Ink) -> int:
    """The longer side of the bounding box of all strokes."""
    strokes = ink > INK
    rows, columns = strokes.any(axis=1).tobytes(), strokes.any(axis=0).tobytes()
    return max(line.rfind(1) - line.find(1) + 1 if 1 in line else 0 for line in (rows, columns))


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
