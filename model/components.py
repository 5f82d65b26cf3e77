"""Connected components of a mask, by runs: what hangs together, sideways and diagonally.

Runs of each row are joined to those they touch in the row below; labels sink along these
links by hooking and shortcutting (Shiloach and Vishkin 1982), all runs at once.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.ink import Mask

Integers: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True)
class Components:
    """The components of a mask (H, W), the largest first; each array (K,) but the runs.

    areas: pixels. top, left: the first row and column of each; bottom, right: behind the last.
    """

    shape: tuple[int, int]
    areas: Integers
    top: Integers
    left: Integers
    bottom: Integers
    right: Integers
    starts: Integers  # of each run, in a mask one column wider
    ends: Integers
    owners: Integers  # the component of each run

    def __len__(self) -> int:
        return len(self.areas)

    @property
    def heights(self) -> Integers:
        """Of the bounding boxes, in pixels."""
        return self.bottom - self.top

    @property
    def widths(self) -> Integers:
        """Of the bounding boxes, in pixels."""
        return self.right - self.left

    @property
    def sides(self) -> Integers:
        """The longer sides of the bounding boxes, in pixels."""
        return np.maximum(self.heights, self.widths)

    def box(self, chosen: Mask) -> tuple[slice, slice]:
        """Rows and columns of all components that are ``chosen`` (K,), of which there is one."""
        return (
            slice(int(self.top[chosen].min()), int(self.bottom[chosen].max())),
            slice(int(self.left[chosen].min()), int(self.right[chosen].max())),
        )

    def mask(self, chosen: Mask) -> Mask:
        """The mask (H, W) of the components that are ``chosen`` (K,)."""
        height, width = self.shape
        runs = chosen[self.owners]
        changes = np.zeros(height * (width + 1) + 1, np.int8)
        changes[self.starts[runs]] = 1
        changes[self.ends[runs]] -= 1
        filled = np.cumsum(changes[:-1], dtype=np.int8).view(np.bool_)
        return filled.reshape(height, width + 1)[:, :width]


def components(mask: Mask) -> Components:
    """Label a mask (H, W)."""
    height, width = mask.shape
    pitch = width + 1  # a column of paper between a row's end and the next one's beginning
    padded = np.zeros(height * pitch + 1, np.int8)
    padded[1:].reshape(height, pitch)[:, :width] = mask
    changes = np.diff(padded)
    starts, ends = np.flatnonzero(changes == 1), np.flatnonzero(changes == -1)
    owners = _joined(starts, ends, pitch)
    return _measured((height, width), starts, ends, owners)


def _joined(starts: Integers, ends: Integers, pitch: int) -> Integers:
    """The lowest run that each run hangs together with."""
    first = np.searchsorted(ends, starts + pitch)
    count = np.searchsorted(starts, ends + pitch, side="right") - first
    upper = np.repeat(np.arange(len(starts)), count)
    lower = np.arange(len(upper)) - np.repeat(np.cumsum(count) - count - first, count)
    label = np.arange(len(starts))
    while True:
        one, other = label[upper], label[lower]
        apart = one != other
        if not apart.any():
            return label
        upper, lower, one, other = upper[apart], lower[apart], one[apart], other[apart]
        np.minimum.at(label, np.maximum(one, other), np.minimum(one, other))
        while True:
            shorter = label[label]
            if np.array_equal(shorter, label):
                break
            label = shorter


def _measured(
    shape: tuple[int, int], starts: Integers, ends: Integers, labels: Integers
) -> Components:
    pitch = shape[1] + 1
    _, owners = np.unique(labels, return_inverse=True)
    count = int(owners.max()) + 1 if len(owners) else 0
    areas = np.bincount(owners, ends - starts, count).astype(np.intp)
    order = np.argsort(-areas, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(count)
    owners = rank[owners]
    rows = starts // pitch
    columns = starts - rows * pitch
    top, left = np.full(count, shape[0]), np.full(count, shape[1])
    bottom, right = np.zeros(count, np.intp), np.zeros(count, np.intp)
    np.minimum.at(top, owners, rows)
    np.maximum.at(bottom, owners, rows + 1)
    np.minimum.at(left, owners, columns)
    np.maximum.at(right, owners, ends - rows * pitch)
    return Components(shape, areas[order], top, left, bottom, right, starts, ends, owners)
