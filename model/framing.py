"""Images of a frame's own size: left as they are, or set right where that is safe.

An image that already is a frame of MNIST is left as it is, to the bit. One on another ground
gets the ground removed, and is moved only where its digit stands alone and elsewhere than in
MNIST: what noise has done to a frame, cropping would make worse.
"""

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from model.frame import INVERTED, LOW_CONTRAST, Finding, Frame, Step, blank
from model.ink import Ink
from model.placement import BOX_SIDE, UINT8_MAX, cropped, place, placed

SMALLEST_BOX = 14  # no digit of MNIST is smaller
OFF_CENTRE = 1.5  # pixels; no digit of MNIST has its centre of mass further from 14 than 0.5
DARK = 64  # a border at most this bright is an MNIST frame's
MIN_CONTRAST = 32  # less between ground and ink is a blank sheet
INK = 64  # of 255, after the contrast is stretched: what counts as a stroke
FAINT = 128  # the least contrast of an MNIST frame
UNEVEN = 0.15  # share of the border that differs from its median by more than
UNEVEN_BY = 8  # a part of the contrast
SMOOTHED = 0.25  # of a side: strokes over the border that are narrower are not its ground
BOTH_WAYS = 0.75  # ink both lighter and darker than an uneven ground, one as much as the other

# Times the pixels of a frame: their sum, and the sums of row and column times pixel.
MOMENTS: Ink = np.stack([np.ones((FRAME_SIDE, FRAME_SIDE)), *np.indices((FRAME_SIDE, FRAME_SIDE))])
MOMENTS = MOMENTS.reshape(3, -1).astype(np.float32)

BLACK_SIDES = bytes(4 * FRAME_SIDE)

# Where the border of a frame is among its 784 pixels.
BORDER = np.flatnonzero(np.pad(np.zeros((FRAME_SIDE - 2,) * 2), 1, constant_values=1))


def reframe(image: NDArray[np.uint8]) -> Frame:
    """The frame of an image (28, 28) uint8."""
    sides = _sides(image.tobytes())
    if sides == BLACK_SIDES:  # as MNIST has it: what follows would find just this
        level, contrast, off = 0.0, float(np.maximum.reduce(image, axis=None)), 0
    else:
        border = np.frombuffer(sides, np.uint8)
        level = _median(border)
        contrast = max(int(image.max()) - level, level - int(image.min()))
        off = int(np.count_nonzero(np.abs(border - level) > contrast / UNEVEN_BY))
    if contrast < MIN_CONTRAST:
        return blank()
    uneven = bool(off > UNEVEN * len(sides))
    dark = level <= DARK and contrast >= FAINT and not uneven
    if dark and not _misplaced(image):
        return Frame(image)
    light = image - (_ground(image) if uneven else np.float32(level))
    contrast = float(np.abs(light).max())
    if contrast < MIN_CONTRAST:
        return blank()
    ink, inverted = _ink(light, both_ways=uneven)
    steps = [
        Step("ground", "uneven, taken away" if uneven else f"grey level {level:.0f}, taken away")
    ]
    warnings: list[Finding] = []
    if inverted:
        steps.append(Step("polarity", INVERTED))
        warnings.append("inverted")
    if contrast < LOW_CONTRAST:
        warnings.append("low_contrast")
    if not dark and (uneven or not _misplaced(ink)) and _box_side(ink) >= SMALLEST_BOX:
        pixels = np.rint(ink).astype(np.uint8)
    else:
        digit = cropped(ink, ink > INK)
        steps.append(placed(digit))
        pixels = place(digit)
    return Frame(pixels, warnings=tuple(warnings), steps=tuple(steps))


def settled(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of the images (N, 28, 28) ``reframe`` leaves as they are, where the border is black.

    It finds what is true of nearly all images of MNIST, in a tenth of the time that it takes
    to look at them one by one, if they are a thousand.
    """
    pixels = np.ascontiguousarray(images.reshape(len(images), -1).T)  # (784, N): long rows
    black = ~np.logical_or.reduce(pixels[BORDER], axis=0)
    strokes = (pixels > INK).reshape(FRAME_SIDE, FRAME_SIDE, -1)
    sides = [_lengths(np.logical_or.reduce(strokes, axis=axis)) for axis in (0, 1)]
    side = np.maximum(*sides)
    in_place = (side > BOX_SIDE) | ((side >= SMALLEST_BOX) & ~_off_centre(pixels))
    return np.asarray(black & (np.maximum.reduce(pixels, axis=0) >= FAINT) & in_place)


def _lengths(lines: NDArray[np.bool_]) -> NDArray[np.int64]:
    """From the first true value to the last of each line (L, N), 0 where there is none."""
    first, behind = lines.argmax(axis=0), lines[::-1].argmax(axis=0)
    some = np.logical_or.reduce(lines, axis=0)
    return np.asarray(np.where(some, len(lines) - behind - first, 0))


def _median(values: NDArray[np.uint8]) -> float:
    middle = (len(values) // 2 - 1, len(values) // 2)  # of borders: an even number
    ordered = np.partition(values, middle)  # np.median takes ten times as long on so few
    return float(ordered[middle[0]]) / 2 + float(ordered[middle[1]]) / 2


def _ground(image: NDArray[np.uint8]) -> Ink:
    """The ground (H, W) behind the ink, from the border: a Coons patch (Coons 1967).

    Whatever light, shadow or stripe runs from one side to the other is followed; a
    stroke that runs over the border is smoothed away by a median along it.
    """
    sides = np.stack([image[0], image[-1], image[:, 0], image[:, -1]])
    top, bottom, left, right = _smoothed(sides)
    down = np.linspace(0, 1, len(left), dtype=np.float32)[:, None]
    across = np.linspace(0, 1, len(top), dtype=np.float32)
    between = (1 - down) * top + down * bottom + (1 - across) * left[:, None]
    between += across * right[:, None]
    upper = (1 - across) * (top[0] + left[0]) / 2 + across * (top[-1] + right[0]) / 2
    lower = (1 - across) * (bottom[0] + left[-1]) / 2 + across * (bottom[-1] + right[-1]) / 2
    return np.asarray(between - (1 - down) * upper - down * lower, np.float32)


def _smoothed(sides: NDArray[np.uint8]) -> Ink:
    """A running median along each of the sides (4, L), over a quarter of it."""
    reach = int(sides.shape[1] * SMOOTHED / 2)
    before, behind = sides[:, reach:0:-1], sides[:, -2 : -2 - reach : -1]  # as in a mirror
    padded = np.concatenate([before, sides, behind], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1)
    return np.sort(windows, axis=-1)[..., reach].astype(np.float32)


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


def _misplaced(ink: NDArray[np.uint8] | Ink) -> bool:
    """Whether a frame's digit stands free, but not where or as large as MNIST has it."""
    side = _box_side(ink)
    if side > BOX_SIDE:
        return False  # it does not stand free
    return side < SMALLEST_BOX or bool(_off_centre(ink.reshape(-1)))


def _off_centre(pixels: NDArray[np.uint8] | Ink) -> NDArray[np.bool_]:
    """Whether the centre of mass is elsewhere than MNIST has it, of pixels (784,) or (784, N)."""
    total, down, across = MOMENTS @ pixels.astype(np.float32)
    middle, most = FRAME_SIDE / 2 * total, OFF_CENTRE * total
    return np.asarray((np.abs(down - middle) > most) | (np.abs(across - middle) > most))


def _box_side(ink: NDArray[np.uint8] | Ink) -> int:
    """The longer side of the bounding box of all strokes."""
    strokes = ink > INK
    return max(_extent(strokes.tobytes()), _extent(strokes.T.tobytes()))


def _extent(strokes: bytes) -> int:
    """From the first row that has a 1 to the last, of rows of 0 and 1."""
    last = strokes.rfind(1)
    return last // FRAME_SIDE - strokes.find(1) // FRAME_SIDE + 1 if last >= 0 else 0


def _sides(pixels: bytes) -> bytes:
    """The four sides of the border of an image, row by row; corners belong to two."""
    left, right = pixels[::FRAME_SIDE], pixels[FRAME_SIDE - 1 :: FRAME_SIDE]
    return pixels[:FRAME_SIDE] + pixels[-FRAME_SIDE:] + left + right
