"""Ten digits as a hand writes them: strokes of points, as shares of the paper's side."""

from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
Stroke: TypeAlias = list[Point]

DIGITS: dict[int, list[Stroke]] = {
    0: [
        [(0.54, 0.17), (0.42, 0.20), (0.33, 0.32), (0.30, 0.48), (0.33, 0.66), (0.41, 0.79),
         (0.52, 0.83), (0.63, 0.76), (0.70, 0.61), (0.71, 0.44), (0.66, 0.28), (0.57, 0.19),
         (0.52, 0.17)],
    ],
    1: [
        [(0.55, 0.17), (0.54, 0.30), (0.52, 0.45), (0.50, 0.60), (0.48, 0.73), (0.47, 0.83)],
    ],
    2: [
        [(0.31, 0.32), (0.36, 0.22), (0.47, 0.17), (0.60, 0.21), (0.66, 0.32), (0.62, 0.45),
         (0.52, 0.58), (0.41, 0.69), (0.31, 0.80), (0.42, 0.79), (0.56, 0.79), (0.71, 0.80)],
    ],
    3: [
        [(0.32, 0.24), (0.43, 0.17), (0.57, 0.19), (0.63, 0.29), (0.58, 0.41), (0.45, 0.47),
         (0.58, 0.51), (0.67, 0.61), (0.64, 0.74), (0.52, 0.82), (0.39, 0.80), (0.30, 0.72)],
    ],
    4: [
        [(0.40, 0.17), (0.36, 0.30), (0.32, 0.43), (0.31, 0.53), (0.42, 0.54), (0.55, 0.53),
         (0.70, 0.51)],
        [(0.62, 0.22), (0.61, 0.38), (0.60, 0.54), (0.58, 0.70), (0.57, 0.84)],
    ],
    5: [
        [(0.39, 0.19), (0.37, 0.31), (0.35, 0.45), (0.46, 0.42), (0.59, 0.46), (0.66, 0.57),
         (0.63, 0.71), (0.53, 0.80), (0.40, 0.81), (0.30, 0.75)],
        [(0.39, 0.19), (0.52, 0.19), (0.66, 0.18)],
    ],
    6: [
        [(0.60, 0.16), (0.48, 0.25), (0.38, 0.39), (0.33, 0.55), (0.35, 0.71), (0.46, 0.82),
         (0.59, 0.79), (0.66, 0.68), (0.61, 0.56), (0.49, 0.53), (0.38, 0.60), (0.35, 0.68)],
    ],
    7: [
        [(0.29, 0.22), (0.42, 0.21), (0.56, 0.21), (0.69, 0.20), (0.63, 0.34), (0.55, 0.49),
         (0.49, 0.65), (0.44, 0.82)],
    ],
    8: [
        [(0.62, 0.26), (0.53, 0.18), (0.42, 0.20), (0.37, 0.30), (0.43, 0.41), (0.54, 0.50),
         (0.63, 0.61), (0.61, 0.74), (0.51, 0.82), (0.39, 0.78), (0.35, 0.66), (0.42, 0.55),
         (0.54, 0.44), (0.63, 0.34), (0.62, 0.26)],
    ],
    9: [
        [(0.63, 0.31), (0.56, 0.20), (0.44, 0.19), (0.36, 0.29), (0.38, 0.42), (0.48, 0.48),
         (0.58, 0.43), (0.63, 0.31), (0.62, 0.46), (0.59, 0.63), (0.54, 0.83)],
    ],
}

# What is no digit at all.
SCRIBBLE: list[Stroke] = [
    [(0.24, 0.30), (0.40, 0.72), (0.47, 0.28), (0.56, 0.75), (0.63, 0.27), (0.76, 0.70)],
    [(0.22, 0.62), (0.46, 0.52), (0.78, 0.38)],
]

BETWEEN = 4  # points that are added between two, as a mouse reports them


def smooth(stroke: Stroke) -> Stroke:
    """The points of a hand that goes through these without corners (Catmull-Rom)."""
    ends = [stroke[0], *stroke, stroke[-1]]
    points = [stroke[0]]
    for before, start, end, after in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(1, BETWEEN + 1):
            t = step / BETWEEN
            x, y = (_between(*numbers, t) for numbers in zip(before, start, end, after, strict=True))
            points.append((x, y))
    return points


def _between(before: float, start: float, end: float, after: float, t: float) -> float:  # noqa: PLR0913, PLR0917 - four points of a curve and a place on it
    """The value at ``t`` in 0-1 on the way from ``start`` to ``end``."""
    slope, bend = end - before, 2 * before - 5 * start + 4 * end - after
    turn = 3 * (start - end) + after - before
    return start + (slope * t + bend * t**2 + turn * t**3) / 2
