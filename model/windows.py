"""How images lie in memory, and the sliding windows of convolution and pooling.

Images have the shape (C, N, H, W): channels first, then the batch. The layers
keep the batch last *in memory*, as (C, H, W, N) seen through a transpose: a
window then moves runs of whole batches, where rows of 7 or 14 pixels cost more
in overhead than in bytes. Images that lie otherwise in memory give the same
numbers, more slowly. A batch of one lies both ways at once.
"""

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating[Any]]
Shape: TypeAlias = tuple[int, ...]
Span: TypeAlias = tuple[slice, slice, slice]  # channels, rows, columns of (C, H, W, N)

ROW_AXES = 2


def batch_last(images: FloatArray) -> FloatArray:
    """Images (C, N, H, W) as a contiguous (C, H, W, N); no copy if that is how they lie."""
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def batch_second(images: FloatArray) -> FloatArray:
    """The way back: a view (C, N, H, W) of (C, H, W, N)."""
    return images.transpose(0, 3, 1, 2)


def by_channel(x: FloatArray) -> FloatArray:
    """All that belongs to a channel in one row: images (C, N, H, W) or rows (N, C) to (C, M)."""
    return x.T if x.ndim == ROW_AXES else batch_last(x).reshape(len(x), math.prod(x.shape[1:]))


def from_channels(values: FloatArray, shape: Shape) -> FloatArray:
    """The way back from ``by_channel``: a view of (C, M) in the ``shape`` of x."""
    if len(shape) == ROW_AXES:
        return values.T
    channels, batch, height, width = shape
    return batch_second(values.reshape(channels, height, width, batch))


def output_side(side: int, size: int, stride: int, padding: int = 0) -> int:
    """How many windows of ``size`` fit side by side; an incomplete last one is dropped."""
    return (side + 2 * padding - size) // stride + 1


def taps(
    height: int, width: int, size: int, stride: int, padding: int = 0
) -> Iterator[tuple[int, int, Span, Span]]:
    """What each position of a window touches, row by row of the window.

    Yields (i, j, windows, pixels): the windows whose position (i, j) lies on
    the image and not on the padding, and the pixels that they see there.
    """
    rows = [_touched(k, height, size, stride, padding) for k in range(size)]
    columns = [_touched(k, width, size, stride, padding) for k in range(size)]
    every = slice(None)
    for i, (window_rows, pixel_rows) in enumerate(rows):
        for j, (window_columns, pixel_columns) in enumerate(columns):
            yield (
                i,
                j,
                (every, window_rows, window_columns),
                (every, pixel_rows, pixel_columns),
            )


def _touched(k: int, side: int, size: int, stride: int, padding: int) -> tuple[slice, slice]:
    offset = k - padding  # of the pixel that the first window sees at its position k
    first = max(0, -(offset // stride))
    last = min(output_side(side, size, stride, padding), (side - 1 - offset) // stride + 1)
    if first >= last:
        return slice(0, 0), slice(0, 0)
    start = first * stride + offset
    return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)


def im2col(images: FloatArray, size: int, stride: int, padding: int) -> FloatArray:
    """The windows of images (C, N, H, W) with zeros around, as (C, K, K, H', W', N).

    One copy for each of the K * K positions (Chellapilla et al. 2006).
    """
    source = batch_last(images)
    channels, height, width, batch = source.shape
    sides = [output_side(side, size, stride, padding) for side in (height, width)]
    columns = np.empty((channels, size, size, *sides, batch), images.dtype)
    for i, j, windows, pixels in taps(height, width, size, stride, padding):
        target = columns[:, i, j]
        _clear_around(target, windows)
        target[windows] = source[pixels]
    return columns


def col2im(columns: FloatArray, shape: Shape, stride: int, padding: int) -> FloatArray:
    """The adjoint of ``im2col``: each window (C, K, K, H', W', N) is added to where it was taken.

    ``shape`` (C, N, H, W) is that of the images, and of what is returned.
    """
    channels, batch, height, width = shape
    images = np.zeros((channels, height, width, batch), columns.dtype)
    for i, j, windows, pixels in taps(height, width, columns.shape[1], stride, padding):
        images[pixels] += columns[:, i, j][windows]
    return batch_second(images)


def _clear_around(target: FloatArray, inside: Span) -> None:
    _, rows, columns = inside
    target[:, : rows.start] = 0
    target[:, rows.stop :] = 0
    target[:, :, : columns.start] = 0
    target[:, :, columns.stop :] = 0
