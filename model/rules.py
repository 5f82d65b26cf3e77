"""Which lines were on the paper before the digit, and taking them away without its strokes.

A stroke of a digit ends where it likes. What was printed begins and ends at the sheet's edge,
or at another line: rules run from edge to edge, the sides of a field from corner to corner.
Where that could still be the bar of a 7 that fills its sheet, it stays.
"""

from dataclasses import dataclass

import numpy as np

from model.components import components
from model.ink import STROKE, Ink, Mask
from model.lines import SEEN, Line, find_lines
from model.strokes import mean_width

EDGE = 0.02  # of the longer side: as near to the edge as that is at the edge
EDGE_FILLED = 0.6  # of the rows and columns at the edge, where a line runs along it
CORNER = 3.0  # pixels from a line's end to the line it ends at, and
CORNER_SHARE = 0.01  # of the longer side
CLEAR = 0.03  # of the sheet: further from its edges is a digit that does not fill it
MANY = 3  # parallel lines from edge to edge are no digit
SHORT = 0.1  # of a line's length: by which a digit may stick out at its ends
THINNER = 0.6  # of the pen's width: a line that is no thicker was not drawn with it
LIKE = 2.0  # times the usual thickness, that of a line among lines
SMALLEST = 0.06  # of the sheet's longer side: what is left must be a digit
PART = 0.3  # of the longest part's side: as large is part of what is left
DARKER = 1.3  # times the light of a line: a pen that shows on it


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
        filled = (ink > SEEN).mean(axis=1 - axis)
        for end in (slice(None), slice(None, None, -1)):
            first = filled[end][: depth + 2]
            if depth and first[:depth].max() > EDGE_FILLED and first[-1] < EDGE_FILLED / 2:
                cleared = cleared.copy() if cleared is light else cleared
                (cleared if axis == 0 else cleared.T)[end][: depth + 1] = 0
    return cleared


def without_rules(light: Ink, ink: Ink) -> Rules | None:
    """Take the paper's lines from the light (H, W) of a sheet; None where it has none for sure."""
    across, down = _held(_alike(find_lines(ink)), _alike(find_lines(ink.T)), ink.shape)
    if not across and not down:
        return None
    rest = _erased(ink, light, across, down)
    box = _digit_box(rest)
    if box is None:
        return None
    digit = rest[box]
    pen = mean_width(digit)
    across = _sure(across, box[1], ink.shape[1], pen)
    down = _sure(down, box[0], ink.shape[0], pen)
    if not across and not down:
        return None
    shade = float(np.median(light[box][digit > STROKE]))
    rest = _erased(ink, light, across, down, shade)
    return Rules(len(across), len(down), np.where(rest < ink, np.float32(0), light))


def _alike(lines: list[Line]) -> list[Line]:
    """The lines that are about as thick as most are, by length."""
    if not lines:
        return lines
    by_thickness = sorted(lines, key=lambda line: line.thickness)
    lengths = np.cumsum([line.stop - line.start for line in by_thickness])
    usual = by_thickness[int(np.searchsorted(lengths, lengths[-1] / 2))].thickness
    return [line for line in lines if line.thickness <= LIKE * usual + 1]


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
    edge = CORNER - 1 + EDGE * max(width, height)
    corner = CORNER + CORNER_SHARE * max(width, height)
    for column in (line.start, line.stop):
        row = line.row_at(column, width)
        if min(column, width - column) <= edge or not 1 <= row < height - 1:
            continue
        if not any(
            abs(other.row_at(row, height) - column) <= corner
            and other.start - corner <= row <= other.stop + corner
            for other in others
        ):
            return False
    return True


def _sure(lines: list[Line], digit: slice, width: int, pen: float) -> list[Line]:
    """The lines that cannot be the digit's; ``digit`` is where it lies along them."""
    lines = [line for line in lines if _passes(line, digit)]
    clear = CLEAR * width + 1
    stands_clear = digit.start >= clear and digit.stop <= width - clear
    whole = all(line.start <= clear and line.stop >= width - clear for line in lines)
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
    sides = np.maximum(parts.heights, parts.widths)
    if not len(parts) or sides.max() < SMALLEST * max(ink.shape):
        return None
    large = sides >= PART * sides.max()
    return (
        slice(int(parts.top[large].min()), int(parts.bottom[large].max())),
        slice(int(parts.left[large].min()), int(parts.right[large].max())),
    )


def _erased(ink: Ink, light: Ink, across: list[Line], down: list[Line], pen: float = 0) -> Ink:
    """Ink (H, W) without what is nothing but line; ``pen``: the digit's light, where known.

    First all lines across, so that those that run down have nothing beside them any more.
    """
    rest = ink.copy()
    for view, levels, lines in ((rest, light, across), (rest.T, light.T, down)):
        gone = np.zeros(view.shape, np.bool_)
        for line in lines:
            _mark(gone, view, levels, line, pen)
        view[gone] = 0
    return rest


def _mark(gone: Mask, ink: Ink, light: Ink, line: Line, pen: float) -> None:
    """Mark the pixels of a line that have no ink just above and below it.

    Where the pen is darker than the line, what is as dark as the pen is not marked either.
    """
    height, width = ink.shape
    columns = np.arange(max(line.start - 2, 0), min(line.stop + 2, width))
    half = line.thickness / 2 + 1
    first = np.floor(line.row + (columns - (width - 1) / 2) * line.slope - half).astype(int)
    rows = first + np.arange(-1, int(2 * half) + 3)[:, None]
    inside = (rows >= 0) & (rows < height)
    rows = np.clip(rows, 0, height - 1)
    stroke = (ink[rows, columns] > STROKE) & inside
    bare = ~(stroke[0] | stroke[-1])
    rows, inside = rows[1:-1], inside[1:-1]
    levels = light[rows, columns] * inside
    hit = inside & bare
    own = float(np.median(levels.max(axis=0)[bare])) if bare.any() else 0.0
    if pen > DARKER * own:
        hit &= levels < (own + pen) / 2
    gone[rows[hit], np.broadcast_to(columns, hit.shape)[hit]] = True
