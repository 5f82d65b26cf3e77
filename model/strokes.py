"""How wide the strokes of a digit are, and making them as wide as in MNIST before they shrink."""

import numpy as np

from model.ground import block_means
from model.ink import Ink
from model.placement import BOX_SIDE

# Widths in pixels of the frame. Of MNIST's digits, 99 in 100 are between the first two.
THIN, THICK = 1.5, 5.0
WIDENED, NARROWED = 2.2, 4.0
DETAIL = 60  # pixels of the longer side at which strokes are made wider or narrower


def mean_width(ink: Ink) -> float:
    """Mean width in pixels of strokes (H, W) in 0-1: their area over half their outline.

    The outline is the sum of the gradient's length, from differences along both diagonals
    (Roberts 1963), which stand in one place: the same for every direction.
    """
    padded = np.pad(ink, 1)
    falling = padded[1:, 1:] - padded[:-1, :-1]
    rising = padded[1:, :-1] - padded[:-1, 1:]
    falling *= falling
    rising *= rising
    falling += rising
    outline = float(np.sqrt(falling, out=falling).sum()) / 2**0.5
    return 2 * float(ink.sum()) / max(outline, 1e-6)


def evened(digit: Ink) -> tuple[Ink, str]:
    """A digit (H, W), cropped to its ink, with strokes as wide as MNIST's, and what was done.

    Only digits that will shrink are changed, for a thin stroke would fade by that and a loop
    of a thick one fill; there is nothing to gain where pixels are as large as the frame's.
    """
    side = max(digit.shape)
    width = mean_width(digit)
    framed = width * BOX_SIDE / side
    if framed < THIN and side > BOX_SIDE:
        shrink = max(1, int(min(width / 2, side / DETAIL)))
        digit, side, width = block_means(digit, shrink), side / shrink, width / shrink
        radius = (WIDENED * side / BOX_SIDE - width) / (2 - 2 * WIDENED / BOX_SIDE)
        return dilated(digit, radius), f"widened from {framed:.1f} pixels of the frame"
    if framed > THICK and side > 2 * BOX_SIDE and min(digit.shape) > side / 2:
        shrink = max(1, int(side / DETAIL))
        digit, side, width = block_means(digit, shrink), side / shrink, width / shrink
        radius = (width - NARROWED * side / BOX_SIDE) / 2
        return eroded(digit, radius), f"narrowed from {framed:.1f} pixels of the frame"
    return digit, ""


def dilated(ink: Ink, radius: float) -> Ink:
    """Strokes (H, W) wider by ``radius`` pixels on every side, in an image larger by as much.

    Squares and crosses in turn make octagons, which stand for discs (Serra 1982); the last,
    partial step is a blend.
    """
    whole = int(radius)
    out = np.pad(ink, whole + 1)
    for step in range(whole):
        out = _maximum(out, corners=step % 5 in (1, 4))
    return out + np.float32(radius - whole) * (_maximum(out, corners=False) - out)


def eroded(ink: Ink, radius: float) -> Ink:
    """Strokes (H, W) narrower by ``radius`` pixels on every side."""
    margin = int(radius) + 2
    paper = 1 - np.pad(ink, 1)
    return np.asarray(1 - dilated(paper, radius)[margin:-margin, margin:-margin], np.float32)


def _maximum(ink: Ink, *, corners: bool) -> Ink:
    """The most ink in each pixel and the four next to it, or with ``corners`` the eight."""
    out = ink.copy()
    np.maximum(out[1:], ink[:-1], out=out[1:])
    np.maximum(out[:-1], ink[1:], out=out[:-1])
    source = out.copy() if corners else ink
    np.maximum(out[:, 1:], source[:, :-1], out=out[:, 1:])
    np.maximum(out[:, :-1], source[:, 1:], out=out[:, :-1])
    return out
