"""Edges of smoothed images: Canny 1986, "A Computational Approach to Edge Detection"."""

import numpy as np
from numpy.typing import NDArray


def edges(images: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    """Where the edges of smoothed images (N, H, W) are: (N, H, W), none on a border pixel.

    low, high: of the gradient's length by Sobel's unnormalized kernels. An edge is a
    chain of touching ridge pixels of at least ``low``, one of them of at least ``high``.
    """
    down, across = _sobel(images), _sobel(images.swapaxes(1, 2)).swapaxes(1, 2)
    steepness = np.hypot(down, across)
    ridges = _ridges(steepness, down, across)
    return _chains(ridges & (steepness >= high), ridges & (steepness >= low))


def _sobel(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """The slope down the rows, over columns weighed 1-2-1; edge pixels go on outside."""
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1)], mode="edge")
    slope = padded[:, 2:] - padded[:, :-2]
    smoothed: NDArray[np.float64] = slope[:, :, :-2] + 2 * slope[:, :, 1:-1] + slope[:, :, 2:]
    return smoothed


def _ridges(
    steepness: NDArray[np.float64], down: NDArray[np.float64], across: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Pixels at least as steep as the points next to them up and down the slope.

    These points lie on the square of the eight neighbours, between one that shares
    a side with the pixel and one at a corner.
    """
    height, width = steepness.shape[1:]
    inner = np.zeros(steepness.shape, np.bool_)
    inner[:, 1:-1, 1:-1] = steepness[:, 1:-1, 1:-1] > 0
    here = np.flatnonzero(inner)
    y, x, own = down.ravel()[here], across.ravel()[here], steepness.ravel()[here]
    to_row, to_column = np.sign(y).astype(np.intp) * width, np.sign(x).astype(np.intp)
    steep = np.abs(y) >= np.abs(x)
    side, corner = np.where(steep, to_row, to_column), to_row + to_column
    share = np.minimum(np.abs(y), np.abs(x)) / np.maximum(np.abs(y), np.abs(x))
    flat = steepness.ravel()
    is_ridge = np.ones(len(here), np.bool_)
    for way in (1, -1):
        beside, beyond = flat[here + way * side], flat[here + way * corner]
        is_ridge &= beyond * share + beside * (1 - share) <= own
    ridges = np.zeros(steepness.size, np.bool_)
    ridges[here[is_ridge]] = True
    return ridges.reshape(-1, height, width)


def _chains(certain: NDArray[np.bool_], possible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The certain pixels and all possible ones that touch them, or touch those that do."""
    while True:
        padded = np.pad(certain, [(0, 0), (1, 1), (1, 1)])
        rows = padded[:, :-2] | padded[:, 1:-1] | padded[:, 2:]
        grown = (rows[:, :, :-2] | rows[:, :, 1:-1] | rows[:, :, 2:]) & possible
        if np.array_equal(grown, certain):
            return certain
        certain = grown
