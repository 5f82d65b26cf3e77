"""Which parts of the ink are the digit: strokes that belong together, without specks."""

from dataclasses import dataclass

import numpy as np

from model.components import Components
from model.ink import Mask

SPECK = 0.004  # of the largest part's area: less is a speck, whatever its shape
SMALL = 0.02  # of the largest part's area: less is a speck, where it is short as well
SHORT = 0.12  # of the largest part's longer side
NEAR = 0.35  # of the largest part's longer side: no stroke of a digit is further from it
MOST = 64  # parts that are looked at

PEER = 0.5  # of the largest part's side, or the tallest one's height: a digit as well, if
PEER_AREA = 0.2  # it has so much of the largest part's area, and is not
FRAGMENT = 0.75  # of the largest part's side: no longer, and cut off by the edge
APART = 0.2  # of the tallest part's height: more paper between two digits than within one


@dataclass(frozen=True)
class Choice:
    """The parts (K,) that are the digit, and whether there are several digits."""

    chosen: Mask
    several: bool


def choose(parts: Components) -> Choice:
    """The digit among the parts of a sheet, of which there is at least one."""
    sides = parts.sides
    large = (parts.areas >= SMALL * parts.areas[0]) | (sides >= SHORT * sides[0])
    large &= parts.areas >= SPECK * parts.areas[0]
    large[MOST:] = False
    across = np.maximum(parts.left - parts.right[0], parts.left[0] - parts.right)
    down = np.maximum(parts.top - parts.bottom[0], parts.top[0] - parts.bottom)
    near = np.maximum(across, down) <= NEAR * sides[0]
    height, width = parts.shape
    cut = (np.minimum(parts.top, parts.left) == 0) | (parts.bottom == height)
    cut |= parts.right == width
    as_large = large & (sides >= PEER * sides[0]) & (parts.areas >= PEER_AREA * parts.areas[0])
    as_large &= ~cut | cut[0] | (sides > FRAGMENT * sides[0])
    far = bool((as_large & ~near).any())
    return Choice(large & near, several=far or _side_by_side(parts, as_large))


def _side_by_side(parts: Components, as_large: Mask) -> bool:
    """Whether parts as tall as digits stand side by side, with much paper between them."""
    tallest = int(parts.heights[as_large].max())
    tall = as_large & (parts.heights >= PEER * tallest)
    order = np.argsort(parts.left[tall])
    left, right = parts.left[tall][order], parts.right[tall][order]
    gaps = left[1:] - np.maximum.accumulate(right)[:-1]
    return bool((gaps >= APART * tallest).any())
