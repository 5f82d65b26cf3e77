"""Ten digits as a hand writes them, and a scribble."""

from typing import TypeAlias

Point: TypeAlias = tuple[float, float]  # shares of the paper's side, from the left and the top
Stroke: TypeAlias = list[Point]

BETWEEN = 4  # points that are added between two, as a mouse reports them


def strokes(*written: str) -> list[Stroke]:
    """Strokes from points in hundredths of the side: ``"54,17 42,20"``."""
    return [
        [(int(x) / 100, int(y) / 100) for x, y in (point.split(",") for point in line.split())]
        for line in written
    ]


def smooth(stroke: Stroke) -> Stroke:
    """The points of a hand that goes through these without corners (Catmull-Rom)."""
    ends = [stroke[0], *stroke, stroke[-1]]
    points = [stroke[0]]
    for four in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(1, BETWEEN + 1):
            x, y = (_between(*numbers, t=step / BETWEEN) for numbers in zip(*four, strict=True))
            points.append((x, y))
    return points


def _between(before: float, start: float, end: float, after: float, *, t: float) -> float:
    """The value at ``t`` in 0-1 on the way from ``start`` to ``end``."""
    slope, bend = end - before, 2 * before - 5 * start + 4 * end - after
    turn = 3 * (start - end) + after - before
    return start + (slope * t + bend * t**2 + turn * t**3) / 2


DIGITS: dict[int, list[Stroke]] = {
    0: strokes("54,17 42,20 33,32 30,48 33,66 41,79 52,83 63,76 70,61 71,44 66,28 57,19 52,17"),
    1: strokes("55,17 54,30 52,45 50,60 48,73 47,83"),
    2: strokes("31,32 36,22 47,17 60,21 66,32 62,45 52,58 41,69 31,80 42,79 56,79 71,80"),
    3: strokes("32,24 43,17 57,19 63,29 58,41 45,47 58,51 67,61 64,74 52,82 39,80 30,72"),
    4: strokes(
        "40,17 36,30 32,43 31,53 42,54 55,53 70,51",
        "62,22 61,38 60,54 58,70 57,84",
    ),
    5: strokes(
        "39,19 37,31 35,45 46,42 59,46 66,57 63,71 53,80 40,81 30,75",
        "39,19 52,19 66,18",
    ),
    6: strokes("60,16 48,25 38,39 33,55 35,71 46,82 59,79 66,68 61,56 49,53 38,60 35,68"),
    7: strokes("29,22 42,21 56,21 69,20 63,34 55,49 49,65 44,82"),
    8: strokes(
        "62,26 53,18 42,20 37,30 43,41 54,50 63,61 61,74 51,82 39,78 35,66 42,55 54,44 63,34 62,26"
    ),
    9: strokes("63,31 56,20 44,19 36,29 38,42 48,48 58,43 63,31 62,46 59,63 54,83"),
}

SCRIBBLE = strokes("24,30 40,72 47,28 56,75 63,27 76,70", "22,62 46,52 78,38")
