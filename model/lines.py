"""Straight, thin, nearly level pieces of ink: the rules of a sheet, or the bar of a 7.

A sheet is cut into strips; a line is ink at the same height in several of them, side by side,
along one slope, which parallel lines share (a Hough transform, Duda and Hart 1972, of a
handful of slopes). Which of them were on the paper before the digit, ``rules.py`` decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.ink import Ink, Mask, median
from model.placement import area_weights

SEEN = 0.25  # ink from which a line is seen
STRIPS = 20  # at most
NARROWEST = 4  # pixels of a strip
FEWEST = 8  # strips
LONG = 0.2  # of the strips, side by side
SHORTEST = 3  # strips side by side
FILLED = 0.7  # of a strip, where a line runs through it
STEEPEST = 0.05  # rows a column: 3 degrees
FINE_STEPS = 3  # rows at a sheet's edge up to which every slope is tried
PARALLEL = 0.02  # difference of the slopes of lines that are parallel, but for
RAGGED = 2.0  # rows of error at the ends of a piece
MOST = 40  # pieces
APART = 3  # rows between two of them
AROUND = np.arange(-4, 5)  # rows around a piece in which its ink is
THICKEST = 0.05  # of the sheet's longer side
THICK = 2.5  # rows, which may be more than that
LIKE = 2.0  # times the usual thickness, that of a line among lines
PLAIN = 0.4  # of a line's strips, at least, that nothing crosses
THICKNESS = 0.4  # of its strips are no thicker than a line: what crosses it only adds
NEAR = 0.6  # of its plain strips are no further from a line than it is bent, and
BENT = 0.8  # rows are too much for that
GAP = 3  # columns without ink within a line


@dataclass(frozen=True)
class Line:
    """A straight piece of ink in a sheet (H, W).

    row: where it would cross the sheet's middle column. slope: rows a column. start, stop:
    its first column and the one behind its last. thickness: in rows.
    """

    row: float
    slope: float
    start: int
    stop: int
    thickness: float

    def row_at(self, column: float, width: int) -> float:
        """Its row at a column of a sheet of ``width`` columns."""
        return self.row + (column - (width - 1) / 2) * self.slope


@dataclass(frozen=True)
class _Course:
    """A piece, strip by strip: where nothing crosses it, the columns and rows of its middle."""

    columns: Ink  # from the sheet's middle
    rows: Ink
    thickness: float
    start: float  # column of the sheet
    stop: float
    plain: float  # share of its strips that nothing crosses

    def own_slope(self, otherwise: float) -> float:
        enough = 3  # fewer say nothing
        if len(self.columns) < enough:
            return otherwise
        columns = self.columns - self.columns.mean()
        return float(columns @ self.rows / (columns @ columns))


def find_lines(ink: Ink) -> list[Line]:
    """The lines across ink (H, W) in 0-1. Those that run down are the lines of ``ink.T``."""
    height, width = ink.shape
    count = min(STRIPS, width // NARROWEST)
    if count < FEWEST:
        return []
    mask = ink > SEEN
    shares = area_weights(width, count) @ mask.T.astype(np.float32)  # (strips, H)
    if not _side_by_side(_widened(_together(shares))).any():
        return []
    slope, level = _levelled(shares, width)
    pieces = _pieces(_together(level))
    if not pieces:
        return []
    thickest = max(THICK, THICKEST * max(height, width))
    followed = _courses(shares, pieces, slope, width)
    courses = _alike([course for course in followed if course.thickness <= thickest])
    if not courses:
        return []
    slope = _shared_slope(courses, slope)
    straight = [(course, row) for course in courses if (row := _row(course, slope)) is not None]
    return _lines(straight, slope, mask) if straight else []


def _lines(straight: list[tuple[_Course, float]], slope: float, mask: Mask) -> list[Line]:
    """The lines of one slope along courses that cross the middle at given rows."""
    rows = np.array([row for _, row in straight])
    thickness = np.array([course.thickness for course, _ in straight])
    lines = []
    for (course, row), inked in zip(straight, _ends(mask, rows, slope, thickness), strict=True):
        start, stop = _span(inked, int(course.start + course.stop) // 2, mask.shape[1])
        if start < stop:
            lines.append(Line(row, slope, start, stop, course.thickness))
    return lines


def _together(shares: Ink) -> Ink:
    """Three rows taken together: a thin line may lie between two."""
    together = shares.copy()
    together[:, 1:] += shares[:, :-1]
    together[:, :-1] += shares[:, 1:]
    return together


def _widened(shares: Ink) -> Ink:
    """The most there is within two rows: what a line of any slope leaves in a strip."""
    wide = shares.copy()
    for reach in (1, 2):
        np.maximum(wide[:, reach:], shares[:, :-reach], out=wide[:, reach:])
        np.maximum(wide[:, :-reach], shares[:, reach:], out=wide[:, :-reach])
    return wide


def _side_by_side(shares: Ink) -> Mask:
    """Where a run of filled strips begins that is long enough: (strips - run + 1, H)."""
    run = max(SHORTEST, round(LONG * len(shares)))
    filled = shares > FILLED
    begins = filled[: len(filled) - run + 1].copy()
    for offset in range(1, run):
        begins &= filled[offset : len(filled) - run + 1 + offset]
    return begins


def _levelled(shares: Ink, width: int) -> tuple[float, Ink]:
    """The slope that brings most ink into few rows, and the strips moved by it."""
    count, height = shares.shape
    columns = (np.arange(count) - (count - 1) / 2) * (width / count)
    most = int(STEEPEST * width / 2)
    step = 1 + most // FINE_STEPS  # three rows are taken together afterwards
    padded = _padded(shares, most + 1)
    strips, rows = np.arange(count)[:, None], np.arange(height) + most + 1
    best, best_score = (0.0, shares), -1.0
    for drop in range(-(most // step) * step, most + 1, step):
        slope = 2 * drop / width
        level = padded[strips, np.rint(columns * slope).astype(int)[:, None] + rows]
        together = level.sum(axis=0)
        score = float(together @ together)
        if score > best_score:
            best, best_score = (slope, level), score
    return best


def _padded(shares: Ink, margin: int) -> Ink:
    """Shares (strips, H) with empty rows before and behind them."""
    count, height = shares.shape
    padded = np.zeros((count, height + 2 * margin), np.float32)
    padded[:, margin : margin + height] = shares
    return padded


def _pieces(level: Ink) -> list[tuple[int, slice]]:
    """Row and strips of each run of filled strips, the longest first."""
    begins = _side_by_side(level)
    long = np.zeros(level.shape, np.bool_)
    for offset in range(len(level) - len(begins) + 1):
        long[offset : offset + len(begins)] |= begins
    scores = (level * long).sum(axis=0)
    found: list[tuple[int, slice]] = []
    while len(found) < MOST and scores.max() > 0:
        row = int(scores.argmax())
        scores[max(row - APART, 0) : row + APART + 1] = 0
        edges = np.flatnonzero(np.diff(long[:, row], prepend=False, append=False)).tolist()
        found += [(row, slice(*ends)) for ends in zip(edges[::2], edges[1::2], strict=True)]
    return found


def _courses(
    shares: Ink, pieces: list[tuple[int, slice]], slope: float, width: int
) -> list[_Course]:
    """Follow the ink near the row of each piece along a slope."""
    count = len(shares)
    columns = (np.arange(count) - (count - 1) / 2) * (width / count)
    centres = np.rint(np.array([row for row, _ in pieces])[:, None] + slope * columns).astype(int)
    rows = centres[..., None] + AROUND
    margin = max(0, -int(rows.min()), int(rows.max()) - shares.shape[1] + 1)
    mass = _padded(shares, margin)[np.arange(count)[:, None], rows + margin]
    total = mass.sum(axis=-1)
    middle = (mass * rows).sum(axis=-1) / np.maximum(total, np.finfo(np.float32).tiny)
    through = np.minimum(mass[..., 0], mass[..., -1])  # above and below what is looked at
    thick = [piece for at, piece in zip(through, pieces, strict=True) if _is_full(at[piece[1]])]
    courses = []
    for index, (row, strips) in enumerate(pieces):
        if any(_is_part(row, strips, *other) for other in thick):
            continue
        ink = total[index, strips]
        thickness = float(np.sort(ink)[int(THICKNESS * len(ink))])
        plain = (np.abs(ink - thickness) <= max(1, thickness / 2)) & (ink > 0)
        courses.append(
            _Course(
                columns[strips][plain],
                middle[index, strips][plain],
                thickness,
                strips.start * width / count,
                strips.stop * width / count,
                np.count_nonzero(plain) / len(plain),
            )
        )
    return courses


def _is_part(row: int, strips: slice, thick_row: int, thick: slice) -> bool:
    """Whether a piece is an edge of a thick one."""
    within = strips.start >= thick.start and strips.stop <= thick.stop
    return within and abs(row - thick_row) < len(AROUND)


def _is_full(shares: Ink) -> bool:
    return median(shares) > FILLED


def _alike(courses: list[_Course]) -> list[_Course]:
    """The courses that are about as thick as most are, by length."""
    most = thickest_of_its_like(
        [(course.thickness, course.stop - course.start) for course in courses]
    )
    return [course for course in courses if course.thickness <= most]


def thickest_of_its_like(lines: Sequence[tuple[float, float]]) -> float:
    """How thick a line may be among lines of some thickness and length, for one of them."""
    if not lines:
        return 0.0
    by_thickness = sorted(lines)
    lengths = np.cumsum([length for _, length in by_thickness])
    return LIKE * by_thickness[int(np.searchsorted(lengths, lengths[-1] / 2))][0] + 1


def _shared_slope(courses: list[_Course], otherwise: float) -> float:
    """The slope that most of the pieces have; long and thin ones know it better."""
    slopes = np.array([course.own_slope(otherwise) for course in courses])
    lengths = np.array([course.stop - course.start for course in courses])
    unsure = PARALLEL + RAGGED / np.minimum(lengths[:, None], lengths)
    near = np.abs(slopes[:, None] - slopes) < unsure
    slender = lengths / np.array([max(course.thickness, 1) for course in courses])
    best = near[int((near @ slender).argmax())]
    weights = slender[best] ** 2
    return float(slopes[best] @ weights / weights.sum())


def _row(course: _Course, slope: float) -> float | None:
    """Where a line of a slope along a course crosses the middle; None where the course is bent."""
    if course.plain < PLAIN:
        return None
    rows = np.sort(course.rows - slope * course.columns)
    row = float(rows[len(rows) // 2])
    bend = np.sort(np.abs(rows - row))[int(NEAR * len(rows))]
    return row if bend < BENT else None


def _ends(mask: Mask, row: Ink, slope: float, thickness: Ink) -> list[NDArray[np.intp]]:
    """The columns of a sheet (H, W) with ink along each of some lines."""
    height, width = mask.shape
    columns = np.arange(width)
    half = thickness[:, None] / 2 + 0.5
    offsets = np.arange(-half.max(), half.max() + 0.9)
    middle = row[:, None] + (columns - (width - 1) / 2) * slope
    rows = np.rint(middle[:, None] + offsets[:, None]).astype(int)  # (lines, rows, W)
    on = (rows >= 0) & (rows < height) & (np.abs(offsets) <= half)[..., None]
    on &= mask[np.minimum(np.maximum(rows, 0, out=rows), height - 1, out=rows), columns]
    return [np.flatnonzero(line) for line in on.any(axis=1)]


def _span(inked: NDArray[np.intp], centre: int, width: int) -> tuple[int, int]:
    """From ``centre`` as far as there is ink, over gaps of a few columns."""
    if not len(inked):
        return 0, 0
    after = int(np.searchsorted(inked, centre))
    jumps = np.flatnonzero(np.diff(inked) > 2 * GAP)
    left = int(np.searchsorted(jumps, after - 1))
    start = int(inked[jumps[left - 1] + 1 if left else 0])
    stop = int(inked[jumps[left] if left < len(jumps) else -1]) + 1
    return (0 if start <= GAP else start), (width if stop >= width - GAP else stop)
