"""Centre lines of digits, so that a pen of any width can write them again.

What MNIST holds is 28 pixels wide; made larger, its strokes are as broad as MNIST's pens and
as soft as its scans. A line through the middle of the strokes has neither width nor blur.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from model.network import PIXEL_MAX

FINER = 2  # a frame is thinned at twice its resolution: loops of two pixels stay open
INKED = 0.65  # of the darkest ink around, where a stroke ends: small loops stay open
HALF = 0.5  # of full ink
FAINTEST = 0.2  # of full ink, where the faintest stroke ends
AROUND = 3  # pixels of the finer frame to every side
SMOOTHINGS = 4  # rounds that take the pixels' corners out of a line
SHORTEST = 6  # points; what is left of a blot is no line
FARTHEST = 2.0  # pixels of the frame from ink to its line; where it is more, a loop is filled
STRAY = 0.03  # share of the ink that may be farther away

Ink: TypeAlias = NDArray[np.float32]
Masks: TypeAlias = NDArray[np.bool_]  # (N, H, W)


@dataclass(frozen=True)
class CentreLines:
    """The lines of one digit: points (K, 2), x and y in the frame, joined by pairs (E, 2).

    are_faithful: whether the digit can be written along them: broken strokes, blots and filled
    loops leave lines that say too little.
    """

    points: NDArray[np.float64]
    joints: NDArray[np.intp]
    are_faithful: bool


def centre_lines(frames: NDArray[np.uint8]) -> list[CentreLines]:
    """The centre lines of frames (N, 28, 28), bright on dark."""
    weights = _linear_weights()
    ink = frames.astype(np.float32) / np.float32(PIXEL_MAX)
    finer = weights @ ink @ weights.T
    masks = thinned(finer > _limits(finer))
    return [_lines(mask, ink) for mask, ink in zip(masks, finer, strict=True)]


def _limits(ink: Ink) -> Ink:
    """Above what ink (N, H, W) is of a stroke: a share of the darkest around it."""
    padded = np.pad(ink, [(0, 0), (AROUND, AROUND), (AROUND, AROUND)])
    across = sliding_window_view(padded, 2 * AROUND + 1, axis=2).max(axis=-1)
    darkest = sliding_window_view(across, 2 * AROUND + 1, axis=1).max(axis=-1)
    limits: Ink = np.maximum(np.float32(INKED) * darkest, np.float32(FAINTEST))
    return limits


def thinned(masks: Masks) -> Masks:
    """Strokes of masks (N, H, W) worn off until a pixel wide (Zhang and Suen 1984)."""
    padded = np.pad(masks, [(0, 0), (1, 1), (1, 1)])
    inside = padded[:, 1:-1, 1:-1]
    left = -1
    while left != (left := int(np.count_nonzero(inside))):
        for first in (True, False):
            inside &= ~_removable(padded, first=first)
    lines: Masks = inside.copy()
    return lines


def _removable(padded: Masks, *, first: bool) -> Masks:
    """Pixels of the edge whose loss neither breaks nor shortens a stroke."""
    height, width = padded.shape[1] - 2, padded.shape[2] - 2
    around = [
        padded[:, 1 + down : 1 + down + height, 1 + across : 1 + across + width]
        for down, across in [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
    ]
    count = np.zeros(around[0].shape, np.uint8)
    changes = np.zeros_like(count)
    for one, following in zip(around, [*around[1:], around[0]], strict=True):
        count += one
        changes += ~one & following
    up, right, down, left = around[::2]
    corner = ~(right & down & (up | left)) if first else ~(up & left & (right | down))
    removable: Masks = (count >= 2) & (count <= 6) & (changes == 1) & corner  # noqa: PLR2004 - theirs
    return removable


def _lines(mask: NDArray[np.bool_], ink: Ink) -> CentreLines:
    """A thinned mask's pixels as points, joined to their neighbours and smoothed."""
    rows, columns = np.nonzero(mask)
    distances = np.maximum(np.abs(rows[:, None] - rows), np.abs(columns[:, None] - columns))
    near = distances == 1  # (K, K)
    points = (np.stack([columns, rows], axis=1) + 0.5) / FINER
    degrees = near.sum(axis=1, keepdims=True)
    for _ in range(SMOOTHINGS):  # ends stay where they are
        middles = (near @ points) / np.maximum(degrees, 1)
        points = np.where(degrees > 1, (points + middles) / 2, points)
    whole = len(points) >= SHORTEST and _hang_together(near)
    faithful = whole and _stray(rows, columns, ink) <= STRAY
    return CentreLines(points, np.argwhere(np.triu(near)), faithful)


def _hang_together(near: NDArray[np.bool_]) -> bool:
    """Whether all points can be reached from the first."""
    reached = near[0]
    while not np.array_equal(reached, further := reached | near[reached].any(axis=0)):
        reached = further
    return bool(reached.all())


def _stray(rows: NDArray[np.intp], columns: NDArray[np.intp], ink: Ink) -> float:
    """Share of the ink that is too far from all points of its lines."""
    y, x = np.nonzero(ink > HALF)
    squares = ((y[:, None] - rows) ** 2 + (x[:, None] - columns) ** 2).min(axis=1)
    return float((squares > (FARTHEST * FINER) ** 2).mean()) if len(squares) else 1.0


def _linear_weights() -> Ink:
    """What makes a line of a frame finer, by linear interpolation: (28 * FINER, 28)."""
    places = (np.arange(FRAME_SIDE * FINER) + 0.5) / FINER - 0.5
    distances = np.abs(places[:, None] - np.arange(FRAME_SIDE))
    return np.asarray(np.maximum(1 - distances, 0), np.float32)
