"""Which lines were on the paper before the digit, and taking them away without its strokes.

A stroke of a digit ends where it likes. What was printed begins and ends at the sheet's edge,
or at another line: rules run from edge to edge, the sides of a field from corner to corner.
Where that could still be the bar of a 7 that fills its sheet, it stays.
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from model.components import Components, components
from model.ink import STROKE, Ink, Mask, median
from model.lines import SEEN, Line, find_lines, thickest_of_its_like
from model.strokes import mean_width

AT_EDGE = 2.0  # pixels from the edge that are still at the edge, and
EDGE = 0.02  # of the longer side
EDGE_FILLED = 0.6  # of the rows and columns at the edge, where a line runs along it
CORNER = 3.0  # pixels from a line's end to the line it ends at, and
CORNER_SHARE = 0.01  # of the longer side
CORNER_OF_FIELD = 0.12  # of a part's sides: where a field has its corners, and
CORNERS_OF_FIELD = 3  # of the four, at least, have ink in them
IN_ITS_FIELD = 0.35  # of a field's shortest side, what the digit in it is long at least
CLEAR = 0.03  # of the sheet: further from its edges is a digit that does not fill it
MANY = 3  # parallel lines from edge to edge are no digit
SHORT = 0.1  # of a line's length: by which a digit may stick out at its ends
THINNER = 0.6  # of the pen's width: a line that is no thicker was not drawn with it
SMALLEST = 0.06  # of the sheet's longer side: what is left must be a digit
PART = 0.3  # of the longest part's side: as large is part of what is left
DARKER = 1.3  # times the light of a line: a pen that shows on it
AS_A_RULE = 0.8  # of a line's columns are no darker than what counts for its light
LEAST = 1.0  # grey level that a line has at least: 0 is none


@dataclass(frozen=True)
class Rules:
    """Lines of the paper, across and down, and the light (H, W) of a sheet without them."""

    across: int
    down: int
    light: Ink


def without_edges(light: Ink, ink: Ink) -> Ink:
    """The light (H, W) of a sheet, without lines along its very edges."""
    cleared = light
    for axis, size in enumerate(light.shape):
        depth = round(EDGE * size)
        for end in (slice(None), slice(None, None, -1)):
            first = (ink if axis == 0 else ink.T)[end][: depth + 2]
            filled = (first > SEEN).mean(axis=1)
            if depth and filled[:depth].max() > EDGE_FILLED and filled[-1] < EDGE_FILLED / 2:
                cleared = cleared.copy() if cleared is light else cleared
                (cleared if axis == 0 else cleared.T)[end][: depth + 1] = 0
    return cleared


def may_have_rules(mask: Mask, parts: Components) -> bool:
    """Whether a part of a sheet (H, W) is at its edge, or has ink in its corners as a field has."""
    height, width = mask.shape
    edge = _edge(mask.shape)
    for part in np.flatnonzero(parts.sides >= SMALLEST * max(mask.shape)).tolist():
        top, left = int(parts.top[part]), int(parts.left[part])
        bottom, right = int(parts.bottom[part]), int(parts.right[part])
        if min(top, left, height - bottom, width - right) <= edge:
            return True
        down, across = (round(CORNER_OF_FIELD * size) + 1 for size in (bottom - top, right - left))
        rows = slice(top, top + down), slice(bottom - down, bottom)
        columns = slice(left, left + across), slice(right - across, right)
        inked = sum(bool(mask[high, wide].any()) for high in rows for wide in columns)
        if inked >= CORNERS_OF_FIELD:
            return True
    return False


def without_rules(light: Ink, ink: Ink) -> Rules | None:
    """Take the paper's lines from the light (H, W) of a sheet; None where it has none for sure."""
    across, down = find_lines(ink), find_lines(ink.T)
    sizes = [(line.thickness, line.stop - line.start) for line in (*across, *down)]
    thickest = thickest_of_its_like(sizes)
    across, down = _held(_thin(across, thickest), _thin(down, thickest), ink.shape)
    for reading in _readings(across, down, ink.shape):
        rules = _taken_away(light, ink, *reading)
        if rules is not None:
            return rules
    return None


def _thin(lines: list[Line], thickest: float) -> list[Line]:
    """The lines up to a thickness that are not the edge of a thicker one."""
    thick = [line for line in lines if line.thickness > thickest]
    return [
        line
        for line in lines
        if line.thickness <= thickest
        and not any(
            abs(line.row - other.row) <= other.thickness / 2 + 1
            and line.start >= other.start - CORNER
            and line.stop <= other.stop + CORNER
            for other in thick
        )
    ]


def _readings(
    across: list[Line], down: list[Line], shape: tuple[int, int]
) -> Iterator[tuple[list[Line], list[Line]]]:
    """Which lines may be the paper's: all, or else all but a 1 that goes from line to line."""
    if across or down:
        yield across, down
    if across and down:
        height, width = shape
        yield (
            [line for line in across if all(_at_edge(line, width, height))],
            [line for line in down if all(_at_edge(line, height, width))],
        )
        yield _outermost(across), _outermost(down)


def _is_whole(line: Line, width: int) -> bool:
    """Whether a line goes from edge to edge of a sheet of ``width`` columns."""
    clear = CLEAR * width + 1
    return line.start <= clear and line.stop >= width - clear


def _outermost(lines: list[Line]) -> list[Line]:
    by_row = sorted(lines, key=lambda line: line.row)
    return by_row[:1] + by_row[1:][-1:]


def _taken_away(light: Ink, ink: Ink, across: list[Line], down: list[Line]) -> Rules | None:
    """Take those lines away that cannot be the digit's; None where no digit would be left."""
    if not across and not down:
        return None
    owners, levels = _lines_alone(ink, light, across, down)
    rest, alone = ink.copy(), np.flatnonzero(owners)
    rest.reshape(-1)[alone] = 0
    box = _digit_box(rest)
    if box is None:
        return None
    digit = rest[box]
    height, width = ink.shape
    fields = [line for line in across if not any(_at_edge(line, width, height))]
    fields += [line for line in down if not any(_at_edge(line, height, width))]
    if any(max(digit.shape) < IN_ITS_FIELD * (line.stop - line.start) for line in fields):
        return None
    pen_width = mean_width(digit)
    surely_across = _sure(across, box[1], width, pen_width)
    surely_down = _sure(down, box[0], height, pen_width)
    if not surely_across and not surely_down:
        return None
    kept = [line in surely_across for line in across] + [line in surely_down for line in down]
    lines = owners.reshape(-1)[alone]
    own = levels[lines]
    pen = median(light[box][digit > STROKE])
    drawn_over = (pen > DARKER * own) & (light.reshape(-1)[alone] >= (own + np.float32(pen)) / 2)
    cleared = light.copy()
    cleared.reshape(-1)[alone[np.array([False, *kept])[lines] & ~drawn_over]] = 0
    return Rules(len(surely_across), len(surely_down), cleared)


def _held(
    across: list[Line], down: list[Line], shape: tuple[int, int]
) -> tuple[list[Line], list[Line]]:
    """The lines whose ends are at the edge of the sheet (H, W), or at another such line."""
    height, width = shape
    while True:
        kept = [line for line in across if _ends_well(line, down, width, height)]
        kept_down = [line for line in down if _ends_well(line, across, height, width)]
        if len(kept) == len(across) and len(kept_down) == len(down):
            return across, down
        across, down = kept, kept_down


def _ends_well(line: Line, others: list[Line], width: int, height: int) -> bool:
    """Whether both ends of a line are at an edge of its sheet or at one of the others."""
    corner = CORNER + CORNER_SHARE * max(width, height)
    for column, at_edge in zip((line.start, line.stop), _at_edge(line, width, height), strict=True):
        row = line.row_at(column, width)
        if not at_edge and not any(
            abs(other.row_at(row, height) - column) <= corner
            and other.start - corner <= row <= other.stop + corner
            for other in others
        ):
            return False
    return True


def _edge(shape: tuple[int, ...]) -> float:
    """How near to an edge of a sheet (H, W) is at the edge, in pixels."""
    return AT_EDGE + EDGE * max(shape)


def _at_edge(line: Line, width: int, height: int) -> tuple[bool, bool]:
    """Whether a line begins, and whether it ends, at an edge of its sheet."""
    edge = _edge((height, width))
    first, last = line.row_at(line.start, width), line.row_at(line.stop, width)
    begins = line.start <= edge or not 1 <= first < height - 1
    return begins, line.stop >= width - edge or not 1 <= last < height - 1


def _sure(lines: list[Line], digit: slice, width: int, pen: float) -> list[Line]:
    """The lines that cannot be the digit's; ``digit`` is where it lies along them."""
    lines = [line for line in lines if _passes(line, digit)]
    clear = CLEAR * width + 1
    stands_clear = digit.start >= clear and digit.stop <= width - clear
    whole = all(_is_whole(line, width) for line in lines)
    if stands_clear or not whole or len(lines) >= MANY:
        return lines
    return [line for line in lines if line.thickness <= THINNER * pen]


def _passes(line: Line, digit: slice) -> bool:
    """Whether a line is as long as the digit and more, but for a little."""
    short = SHORT * (line.stop - line.start)
    first, last = int(digit.start) + short, int(digit.stop) - short
    return line.start <= first and line.stop >= last


def _digit_box(ink: Ink) -> tuple[slice, slice] | None:
    """Rows and columns of all larger parts of what is left; None where nothing is."""
    parts = components(ink > STROKE)
    if not len(parts) or parts.sides.max() < SMALLEST * max(ink.shape):
        return None
    return parts.box(parts.sides >= PART * parts.sides.max())


def _lines_alone(
    ink: Ink, light: Ink, across: list[Line], down: list[Line]
) -> tuple[NDArray[np.intp], Ink]:
    """Where a sheet (H, W) shows nothing but a line: its number from 1 on; and the lines' light.

    First all lines across, so that those that run down have nothing beside them any more.
    """
    owners = np.zeros(ink.shape, np.intp)
    levels = [0.0]
    if across:
        levels += _mark(owners, 1, ink, light, across)
    if down:
        rest = np.where(owners > 0, np.float32(0), ink)
        levels += _mark(owners.T, 1 + len(across), rest.T, light.T, down)
    return owners, np.array(levels, np.float32)


def _mark(
    owners: NDArray[np.intp], first_number: int, ink: Ink, light: Ink, lines: list[Line]
) -> list[float]:
    """Write each line's number where there is no ink just above and below it; their light."""
    height, width = ink.shape
    columns = np.arange(width)
    row, slope, start, stop, thickness = np.array([astuple(line) for line in lines]).T[..., None]
    depth = (2 * (thickness / 2 + 1)).astype(int) + 2  # rows of each line: (lines, 1)
    first = np.floor(row + (columns - (width - 1) / 2) * slope - thickness / 2 - 1).astype(int)
    offsets = np.arange(-1, depth.max() + 1)
    rows = first[:, None] + offsets[:, None]  # (lines, rows of the thickest and two more, W)
    inside = (rows >= 0) & (rows < height)
    np.minimum(np.maximum(rows, 0, out=rows), height - 1, out=rows)
    stroke = (ink[rows, columns] > STROKE) & inside
    below = stroke[np.arange(len(lines)), depth[:, 0] + 1]
    bare = ~(stroke[:, 0] | below) & (columns >= start - 2) & (columns < stop + 2)
    inside &= (offsets >= 0)[:, None] & (offsets < depth)[..., None]
    peaks = (light[rows, columns] * inside).max(axis=1)
    hit = inside & bare[:, None]
    line, _, column = np.nonzero(hit)
    owners[rows[hit], column] = line + first_number
    return [_usual(peak[on]) for peak, on in zip(peaks, bare, strict=True)]


def _usual(peaks: Ink) -> float:
    """The light of a line, from the most there is in each of its columns that are bare.

    As a rule: between two rows of pixels it is less, and under a stroke that lies on it more.
    """
    usual = float(np.sort(peaks)[int(AS_A_RULE * len(peaks))]) if len(peaks) else 0.0
    return max(usual, LEAST)
