"""What is measured of frames to tell whether they are as ever: how much ink, where, how thick."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE

Numbers: TypeAlias = NDArray[np.float64]

STROKE = 64  # of 255: brighter pixels are part of the box, as in framing.py
CHUNK = 64  # frames measured at once: what is between the steps takes half a megabyte
WHITE = 255

# Times the pixels of a frame: their sum, its first moments, and two of its second ones.
_DOWN, _ACROSS = np.indices((FRAME_SIDE, FRAME_SIDE)).reshape(2, FRAME_SIDE**2).astype(np.float64)
_MOMENTS = np.stack([np.ones_like(_DOWN), _DOWN, _ACROSS, _DOWN**2, _DOWN * _ACROSS])  # (5, 784)


def measures(pixels: NDArray[np.uint8]) -> dict[str, Numbers]:
    """Measures of frames (N, 28, 28) uint8, each (N,).

    ink: mean brightness, 0-1. size: the longer side of the box around all strokes, in pixels.
    aspect: its width over its height. thickness of the strokes, in pixels. slant: pixels to the
    right for each pixel upwards, by second moments. offset: the larger of the distances of the
    centre of mass from the middle, down and across, in pixels. A frame without ink is 0 in all.

    Sums are of whole numbers in float64, which are exact in whatever order: the same frames have
    the same measures on every machine.
    """
    starts = range(0, max(len(pixels), 1), CHUNK)
    chunks = [_measured(pixels[start : start + CHUNK]) for start in starts]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _measured(pixels: NDArray[np.uint8]) -> dict[str, Numbers]:
    rows = pixels.reshape(len(pixels), FRAME_SIDE**2)
    frames = np.ascontiguousarray(rows.T)  # (784, N): long rows
    total, down, across, down_down, down_across = _MOMENTS @ frames.astype(np.float64)
    some = np.maximum(total, 1)
    down, across = down / some, across / some
    spread = down_down / some - down**2
    leaning = down * across - down_across / some
    grid = frames.reshape(FRAME_SIDE, FRAME_SIDE, len(pixels))
    height, width = _box(grid)
    middle = FRAME_SIDE / 2
    off = np.maximum(np.abs(down - middle), np.abs(across - middle))
    return {
        "ink": total / (FRAME_SIDE**2 * WHITE),
        "size": np.maximum(height, width).astype(np.float64),
        "aspect": width / np.maximum(height, 1),
        "thickness": 2 * total / np.maximum(_edge(grid), 1),
        "slant": np.divide(leaning, spread, out=np.zeros_like(spread), where=spread > 0),
        "offset": np.where(total > 0, off, 0),
    }


def _box(grid: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Height and width of the box around all strokes of frames (28, 28, N), each (N,)."""
    strokes = grid > STROKE
    rows, columns = (np.logical_or.reduce(strokes, axis=axis) for axis in (1, 0))
    return _length(rows), _length(columns)


def _length(lines: NDArray[np.bool_]) -> NDArray[np.intp]:
    """From the first true value to the last of each line (L, N), 0 where there is none."""
    span = len(lines) - lines.argmax(axis=0) - lines[::-1].argmax(axis=0)
    return np.where(np.logical_or.reduce(lines, axis=0), span, 0)


def _edge(grid: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How long the edges of all strokes of frames (28, 28, N) are, times their brightness: (N,).

    It is the total variation along rows and columns, with darkness around the frame. A stroke of
    width w and length l has about 2 l of edge and w l of ink.
    """
    steps = [_distance(grid[:-1], grid[1:]), _distance(grid[:, :-1], grid[:, 1:])]
    inside = sum(step.sum(axis=(0, 1), dtype=np.int64) for step in steps)
    sides = (grid[0], grid[-1], grid[:, 0], grid[:, -1])
    return np.asarray(inside + sum(side.sum(axis=0, dtype=np.int64) for side in sides))


def _distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.maximum(one, other) - np.minimum(one, other)
