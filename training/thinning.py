"""Centre lines of digits, so that a pen of any width can write them again.

What MNIST holds is 28 pixels wide; made larger, its strokes are as broad as MNIST's pens and
as soft as its scans. A line through the middle of the strokes has neither width nor blur.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from model.network import PIXEL_MAX

FINER = 2  # a frame is thinned at twice its resolution: loops of two pixels stay open
INKED = 0.5  # of full ink, where a stroke ends
SMOOTHINGS = 4  # rounds that take the pixels' corners out of a line
SHORTEST = 6  # points; what is left of a blot is no line

Masks: TypeAlias = NDArray[np.bool_]  # (N, H, W)


@dataclass(frozen=True)
class CentreLines:
    """The lines of one digit: points (K, 2), x and y in the frame, joined by pairs (E, 2)."""

    points: NDArray[np.float64]
    joints: NDArray[np.intp]

    @property
    def is_usable(self) -> bool:
        """Whether there is enough of a line to write a digit along it."""
        return len(self.points) >= SHORTEST and len(self.joints) > 0


def centre_lines(frames: NDArray[np.uint8]) -> list[CentreLines]:
    """The centre lines of frames (N, 28, 28), bright on dark."""
    weights = _linear_weights()
    finer = weights @ (frames / np.float32(PIXEL_MAX)) @ weights.T
    return [_joined(mask) for mask in thinned(finer > INKED)]


def thinned(masks: Masks) -> Masks:
    """Strokes of masks (N, H, W) worn off until a pixel wide (Zhang and Suen 1984)."""
    padded = np.pad(masks, [(0, 0), (1, 1), (1, 1)])
    inside = padded[:, 1:-1, 1:-1]
    left = -1
    while left != (left := int(np.count_nonzero(inside))):
        for first in (True, False):
            inside &= ~_removable(padded, first=first)
    return inside.copy()


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
    return (count >= 2) & (count <= 6) & (changes == 1) & corner  # noqa: PLR2004 - theirs


def _joined(mask: NDArray[np.bool_]) -> CentreLines:
    """A thinned mask's pixels as points, joined to their neighbours and smoothed."""
    rows, columns = np.nonzero(mask)
    near = (
        np.maximum(np.abs(rows[:, None] - rows), np.abs(columns[:, None] - columns)) == 1
    )  # (K, K)
    points = (np.stack([columns, rows], axis=1) + 0.5) / FINER
    degrees = near.sum(axis=1, keepdims=True)
    inner = degrees > 1
    for _ in range(SMOOTHINGS):
        middles = (near @ points) / np.maximum(degrees, 1)
        points = np.where(inner, (points + middles) / 2, points)
    return CentreLines(points, np.argwhere(np.triu(near)))


def _linear_weights() -> NDArray[np.float32]:
    """What makes a line of a frame finer, by linear interpolation: (28 * FINER, 28)."""
    places = (np.arange(FRAME_SIDE * FINER) + 0.5) / FINER - 0.5
    distances = np.abs(places[:, None] - np.arange(FRAME_SIDE))
    return np.maximum(1 - distances, 0).astype(np.float32)
