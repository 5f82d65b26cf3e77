"""Digits drawn with a pen: polylines, antialiased, on a sheet of any size."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model.ink import Ink

Image = NDArray[np.uint8]
Line = Sequence[tuple[float, float]]


def arc(centre: tuple[float, float], radii: tuple[float, float], first: int, last: int) -> Line:
    """Points of an ellipse from one angle to another, in degrees clockwise from the right."""
    angles = np.radians(np.linspace(first, last, 2 + abs(last - first) // 12))
    across = centre[0] + radii[0] * np.cos(angles)
    down = centre[1] + radii[1] * np.sin(angles)
    return list(zip(across.tolist(), down.tolist(), strict=True))


# Strokes of each digit in a box one high, as (x, y) from its upper left corner.
DIGITS: Mapping[int, Sequence[Line]] = {
    0: [arc((0.32, 0.5), (0.32, 0.5), -90, 270)],
    1: [[(0.1, 0.0), (0.1, 1.0)]],
    2: [[*arc((0.32, 0.28), (0.3, 0.28), -170, 40), (0.0, 1.0), (0.66, 1.0)]],
    3: [[*arc((0.28, 0.26), (0.3, 0.26), -150, 90), *arc((0.28, 0.74), (0.34, 0.26), -90, 150)]],
    4: [[(0.4, 0.0), (0.0, 0.64), (0.72, 0.64)], [(0.52, 0.3), (0.52, 1.0)]],
    5: [
        [(0.1, 0.0), (0.06, 0.44), *arc((0.26, 0.69), (0.34, 0.31), -100, 150)],
        [(0.1, 0.0), (0.62, 0.0)],
    ],
    6: [[(0.5, 0.0), *arc((0.32, 0.68), (0.3, 0.32), -170, 190)]],
    7: [[(0.0, 0.0), (0.64, 0.0), (0.22, 1.0)]],
    8: [arc((0.3, 0.24), (0.26, 0.24), 90, 450), arc((0.3, 0.74), (0.3, 0.26), -90, 270)],
    9: [arc((0.3, 0.3), (0.28, 0.3), 0, 360), [(0.58, 0.3), (0.5, 1.0)]],
}

# The digit that is lost most often, as people write it.
ONES: Mapping[str, Sequence[Line]] = {
    "plain": DIGITS[1],
    "slanted": [[(0.3, 0.0), (0.0, 1.0)]],
    "leaning back": [[(0.0, 0.0), (0.2, 1.0)]],
    "with a flag": [[(0.0, 0.24), (0.24, 0.0), (0.24, 1.0)]],
    "with a foot": [[(0.0, 0.24), (0.2, 0.0), (0.2, 1.0)], [(0.0, 1.0), (0.4, 1.0)]],
}


def paper(size: tuple[int, int]) -> Ink:
    """An empty sheet (H, W) of ink in 0-1."""
    return np.zeros(size, np.float32)


def stroke(
    sheet: Ink, line: Line, pen: float, *, at: tuple[float, float] = (0, 0), times: float = 1
) -> None:
    """Draw a line with a round pen so many pixels wide; (0, 0) of the line comes to ``at``."""
    points = np.array(line) * times + (at[1], at[0])
    for start, stop in pairwise(points):
        lowest = np.maximum(np.floor(np.minimum(start, stop) - pen), 0).astype(int)
        highest = np.maximum(np.ceil(np.maximum(start, stop) + pen + 1), 0).astype(int)
        near = sheet[lowest[1] : highest[1], lowest[0] : highest[0]]
        down, across = np.indices(near.shape) + 0.5
        x, y = across + lowest[0] - start[0], down + lowest[1] - start[1]
        way = stop - start
        along = np.clip((x * way[0] + y * way[1]) / max(way @ way, 1e-9), 0, 1)
        away = np.hypot(x - along * way[0], y - along * way[1])
        np.maximum(near, np.clip(pen / 2 - away + 0.5, 0, min(pen, 1)), out=near)


def written(
    lines: Sequence[Line], size: tuple[int, int], at: tuple[float, float], height: float, pen: float
) -> Ink:
    """Lines so many pixels high, their upper left corner ``at`` row and column of a sheet."""
    sheet = paper(size)
    for line in lines:
        stroke(sheet, line, pen, at=at, times=height)
    return sheet


def shaded(ink: Ink, *, on: float | Ink = 255, pen: float = 0) -> Image:
    """The grey levels of ink: paper where there is none, the pen's where it is full."""
    levels = on + (pen - on) * ink
    grey: Image = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    return grey


def rendered(
    digit: int,
    *,
    height: float = 100,
    pen: float | None = None,
    size: tuple[int, int] = (256, 256),
    at: tuple[float, float] | None = None,
) -> Image:
    """A digit in black on white, in the middle of its sheet; its pen a tenth of its height."""
    top, left = ((size[0] - height) / 2, (size[1] - 0.66 * height) / 2) if at is None else at
    width = height / 10 if pen is None else pen
    return shaded(written(DIGITS[digit], size, (top, left), height, width))
