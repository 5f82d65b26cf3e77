"""From grey levels above the ground to ink: what is stroke, what is paper.

The threshold is the mean of the two classes' means (Ridler and Calvard 1978). Otsu's criterion,
which asks for classes of like size, falls into the noise where a thin stroke is a hundredth of
the sheet.
"""

from dataclasses import dataclass
from itertools import count
from math import gcd
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ink: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

STROKE = 0.5  # ink of which there is more in a stroke than not

SAMPLES = 6_000  # pixels that are looked at to choose the threshold
LEAST_CONTRAST = 24.0  # grey levels: less between paper and ink is a blank sheet
NOISES = 3.5  # standard deviations of the paper above which there is ink
DARKEST = 0.002  # of the pixels: fewer than the thinnest stroke covers, more than specks do
NORMAL = 1.4826  # from a median of deviations to a standard deviation
ROUNDS = 6
SOFT = 0.15  # of the contrast: what differs from paper, or from ink, by no more, is that


@dataclass(frozen=True)
class Strokes:
    """Ink (H, W) in 0-1 with its soft edges, and the grey levels between paper and ink."""

    ink: Ink
    contrast: float


def separate(light: Ink) -> Strokes | None:
    """The ink in ``light`` (H, W), grey levels above the ground; None where there is none."""
    ordered = _sample(light)
    noise = _noise(ordered)
    least = max(NOISES * noise, LEAST_CONTRAST / 2)
    threshold = max(float(ordered[-max(1, round(DARKEST * len(ordered)))]) / 2, least)
    upward = np.cumsum(ordered[::-1], dtype=np.float64)[::-1]
    inked = 0.0
    for _ in range(ROUNDS):
        cut = int(np.searchsorted(ordered, threshold))
        if cut == len(ordered):
            return None
        inked = float(upward[cut]) / (len(ordered) - cut)
        paper = float(upward[0] - upward[cut]) / max(cut, 1)
        threshold = max((inked + min(max(paper, 0), noise)) / 2, least)
    if inked < LEAST_CONTRAST:
        return None
    low = max(SOFT * inked, 2 * noise)
    high = max((1 - SOFT) * inked, low + 1)
    ink = (light - np.float32(low)) * np.float32(1 / (high - low))
    np.clip(ink, 0, 1, out=ink)
    return Strokes(ink, inked)


def median(values: NDArray[np.float32]) -> float:
    """The middle of some values, the upper one of two; ``np.median`` takes ten times as long."""
    middle = values.size // 2
    return float(np.partition(values, middle, axis=None)[middle])


def _sample(light: Ink) -> Ink:
    """Some of the pixels in ascending order, from all over the sheet.

    Every so many in the order in which they lie, a number that has no factor in common with
    the width or its neighbours: else a stroke one pixel wide may stand between all of them.
    """
    width = light.shape[1]
    least = max(1, light.size // SAMPLES)
    step = next(n for n in count(least) if gcd(n, width * (width**2 - 1) or 1) == 1)
    return np.sort(light.reshape(-1)[::step])


def _noise(ordered: Ink) -> float:
    """Standard deviation of the paper: of all pixels, or of those that are no ink for certain.

    The first is too much where there is much ink, the second where the ground is too high.
    """
    middle = ordered[len(ordered) // 2]
    spread = NORMAL * median(np.abs(ordered - middle))
    below = ordered[: np.searchsorted(ordered, 0)]
    return min(spread, float(np.sqrt(below @ below / max(len(below), 1))))
