"""The ground of a sheet: how light the paper is everywhere, and on which side of it the ink is.

Paper is lit from somewhere. Its light is taken for a surface of second order (a window beside
the sheet, a lens that darkens its corners), fitted so that what is not paper hardly counts
(iteratively reweighted least squares with Cauchy weights, Holland and Welsch 1977) and the
margin of the sheet, where there is seldom ink, counts most.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.ink import NORMAL, Ink, Mask, median

CELLS = 24  # of the longer side: as fine as the fit looks
MARGIN = 0.12  # of each side: where the paper shows
INSIDE = 0.25  # what a cell inside the margin counts, beside one in it
ROUNDS = 5
LEAST_SCALE = 4.0  # grey levels: nothing nearer to the ground is an outlier
EVEN = 6.0  # grey levels by which a cell of the ground may differ from it
INSIDE_EVEN = 0.5  # what a cell inside counts, where the ground is taken for even
CORNER = 0.15  # of each side: a digit that fills its sheet leaves most of its corners free
IN_A_CORNER = 4.0  # what a cell there counts for that
BROAD = 8  # cells of the shorter side: a 1 that fills its sheet would pass for a shadow
WORTH_IT = 1.2  # times as many cells explained: a ground that is not even
DAMPING = 1e-3  # keeps the fit defined on sheets of a few cells

# Powers of row and column: 1, x, x^2, y, yx, y^2 of the nine products up to y^2 x^2.
TERMS = [0, 1, 2, 3, 4, 6]


@dataclass(frozen=True)
class Lit:
    """A sheet against its own ground.

    light: (H, W), grey levels by which ink differs from the ground, above 0 where there is
    ink. inverted: whether ink is darker than the ground. unevenness: grey levels between the
    ground's lightest and darkest place, 0 where it is even.
    """

    light: Ink
    inverted: bool
    unevenness: float


def against_ground(sheet: Ink) -> Lit:
    """Take the ground from a sheet (H, W) of grey levels in 0-255."""
    cells = block_means(
        sheet, max(1, min(-(-max(sheet.shape) // CELLS), min(sheet.shape) // BROAD))
    )
    rows, columns = _powers(cells.shape[0]), _powers(cells.shape[1])
    ring = _margin(cells.shape)
    level = _usual(cells, ring)
    surface = _fitted(cells, rows, columns, ring)
    fitted = np.asarray(rows @ surface @ columns.T, np.float32)
    light = sheet.copy()
    broad = min(cells.shape) >= BROAD
    if broad and _explained(cells, fitted) > WORTH_IT * _explained(cells, level):
        unevenness = float(fitted.max() - fitted.min())
        light -= _powers(sheet.shape[0]) @ surface @ _powers(sheet.shape[1]).T
    else:
        unevenness = 0.0
        light -= np.float32(level)
    inverted = float(np.vdot(light * light, light)) < 0  # strokes far outweigh noise
    if inverted:
        np.negative(light, out=light)
    return Lit(light, inverted, unevenness)


def _margin(shape: tuple[int, int]) -> Mask:
    """The cells (h, w) along the edges of a sheet."""
    margin = np.ones(shape, np.bool_)
    down, across = (max(1, round(MARGIN * size)) for size in shape)
    margin[down:-down, across:-across] = False
    return margin


def _usual(cells: Ink, ring: Mask) -> float:
    """The grey level of most cells (h, w): the ground of an even sheet, however full it is."""
    weights = np.where(ring, 1.0, INSIDE_EVEN)
    down, across = (max(1, round(CORNER * size)) for size in cells.shape)
    for rows in (slice(down), slice(-down, None)):
        for columns in (slice(across), slice(-across, None)):
            weights[rows, columns] = IN_A_CORNER
    levels = (cells.reshape(-1) / EVEN).astype(np.intp)
    counts = np.bincount(levels, weights.reshape(-1), 256 // int(EVEN) + 2)
    near = counts[:-1] + counts[1:]
    lowest = int(near.argmax()) * EVEN
    among = (cells >= lowest) & (cells < lowest + 2 * EVEN)
    return median(cells[among])


def _explained(cells: Ink, ground: Ink | float) -> int:
    """How many cells (h, w) are nothing but ground."""
    return int(np.count_nonzero(np.abs(cells - ground) < EVEN))


def block_means(image: NDArray[np.uint8] | Ink, side: int) -> Ink:
    """Means (H // side, W // side) of square blocks; what is left over at the end is dropped.

    An image that is narrower than a block is one block wide.
    """
    means = np.asarray(image, np.float32) if side == 1 else image
    if side > 1:
        means = _row_means(_row_means(means, side).T, side).T
    return np.ascontiguousarray(means, np.float32)


def _row_means(image: NDArray[np.uint8] | Ink, side: int) -> Ink:
    side = min(side, len(image))
    count = len(image) // side
    total = image[: count * side : side].astype(np.float32)
    for offset in range(1, side):
        total += image[offset : count * side : side]
    total *= np.float32(1 / side)
    return total


def _powers(length: int) -> Ink:
    """1, t and t squared at ``length`` places from -1 to 1: (length, 3)."""
    places = (np.arange(length, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / length) - 1
    return np.stack([np.ones_like(places), places, places * places], axis=1)


def _fitted(cells: Ink, rows: Ink, columns: Ink, margin: Mask) -> Ink:
    """Coefficients (3, 3) of the surface through the cells: rows @ them @ columns.T."""
    basis = (rows[:, None, :, None] * columns[None, :, None, :]).reshape(cells.size, 9)[:, TERMS]
    ring = margin.reshape(-1)
    prior = np.where(ring, np.float32(1), np.float32(INSIDE))
    level = median(cells[margin])
    values = cells.reshape(-1) - np.float32(level)
    residual = values
    coefficients = np.zeros(len(TERMS), np.float32)
    for _ in range(ROUNDS):
        scale = max(NORMAL * median(np.abs(residual[ring])), LEAST_SCALE)
        weighted = basis * (prior / (1 + (residual / scale) ** 2))[:, None]
        normal = weighted.T @ basis
        normal.flat[:: len(TERMS) + 1] += DAMPING
        coefficients = np.linalg.solve(normal, weighted.T @ values)
        residual = values - basis @ coefficients
    surface = np.zeros(9, np.float32)
    surface[TERMS] = coefficients
    surface[0] += level
    return surface.reshape(3, 3)
