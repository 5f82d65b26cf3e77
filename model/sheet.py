"""From a sheet of any size to the frame: the way of a drawing or a photograph, step by step.

Every step is a function; one that finds nothing it is sure of leaves the sheet as it is, and
one that changes it says what it did.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.components import Components, components
from model.frame import INVERTED, LOW_CONTRAST, Finding, Frame, Step, Unreadable, blank
from model.grain import is_grain
from model.ground import Lit, against_ground, block_means
from model.ink import STROKE, Ink, Mask, Strokes, separate
from model.parts import Choice, choose
from model.placement import cropped, place, placed
from model.rules import may_have_rules, without_edges, without_rules
from model.strokes import dilated, evened

WORKING_SIDE = 256  # pixels of the longer side at which a sheet is looked at
FINE = 32  # pixels of a digit's longer side there, below which it is looked at more closely
VERY_SMALL = 12  # pixels of a digit's longer side, as sent
SPECK = 4  # pixels of the longer side, as sent: there is nothing to read
FULL = 0.85  # of its box, covered by more than the strokes of a digit
SLIM = 0.5  # of its box's height, the width of a box that one broad stroke may fill


@dataclass
class _Notes:
    """What was done and found on the way."""

    steps: list[Step] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def did(self, step: str, what: str) -> None:
        self.steps.append(Step(step, what))


def frame_sheet(image: NDArray[np.uint8]) -> Frame:
    """The frame of the digit on a sheet (H, W) uint8."""
    notes = _Notes()
    scale = -(-max(image.shape) // WORKING_SIDE)
    if scale > 1:
        notes.did("reduce", f"{scale} x {scale} pixels made one")
    lit = _flattened(block_means(image, scale), notes)
    found = _without_paper(lit.light, notes)
    if found is None:
        return blank()
    strokes, parts = found
    if not len(parts) or parts.sides[0] * scale < SPECK:
        return blank()
    choice = choose(parts)
    box = parts.box(choice.chosen)
    digit = _without_specks(strokes.ink, parts, choice, notes)[box]
    if scale > 1 and max(digit.shape) < FINE:
        digit = _closer(image, digit, box, scale, notes)
    _warn(notes, strokes, box, lit, scale)
    reason = _unreadable(digit, several=choice.several)
    digit, did = evened(digit)
    if did:
        notes.did("strokes", did)
    notes.steps.append(placed(digit))
    return Frame(place(digit), reason, tuple(notes.warnings), tuple(notes.steps))


def _flattened(sheet: Ink, notes: _Notes) -> Lit:
    lit = against_ground(sheet)
    if lit.unevenness:
        notes.did("ground", f"uneven by {lit.unevenness:.0f} grey levels, taken away")
    if lit.inverted:
        notes.did("polarity", INVERTED)
        notes.warnings.append("inverted")
    return lit


def _without_paper(light: Ink, notes: _Notes) -> tuple[Strokes, Components] | None:
    """The ink in the light (H, W) of a sheet and its parts, without the lines of the paper."""
    strokes = separate(light)
    if strokes is None or is_grain(light, strokes.ink):
        return None
    cleared = without_edges(light, strokes.ink)
    if cleared is not light:
        notes.did("edges", "lines along the edges taken away")
        strokes = separate(cleared)
    if strokes is None:
        return None
    mask = strokes.ink > STROKE
    parts = components(mask)
    rules = without_rules(cleared, strokes.ink) if may_have_rules(mask, parts) else None
    if rules is None:
        return strokes, parts
    counts = {"across": rules.across, "down": rules.down}
    found = " and ".join(f"{count} {way}" for way, count in counts.items() if count)
    notes.did("rules", f"lines taken away: {found}")
    strokes = separate(rules.light)
    return (strokes, components(strokes.ink > STROKE)) if strokes else None


def _without_specks(ink: Ink, parts: Components, choice: Choice, notes: _Notes) -> Ink:
    dropped = len(parts) - int(choice.chosen.sum())
    if not dropped:
        return ink
    notes.did("specks", f"{dropped} parts that are not the digit's taken away")
    return ink * _grown(parts.mask(choice.chosen))


def _grown(mask: Mask) -> Ink:
    """A mask (H, W) and the soft edges around it, 1 where it is."""
    return dilated(mask.astype(np.float32), 1)[2:-2, 2:-2]


def _closer(
    image: NDArray[np.uint8], digit: Ink, box: tuple[slice, slice], scale: int, notes: _Notes
) -> Ink:
    """The same digit (H, W) from more of the pixels that were sent."""
    side = max(digit.shape)
    finer = next(
        n for n in range(1, scale + 1) if scale % n == 0 and side * scale / n <= WORKING_SIDE
    )
    margin = side // 2
    rows, columns = (slice(max(part.start - margin, 0), part.stop + margin) for part in box)
    part = image[
        rows.start * scale : rows.stop * scale, columns.start * scale : columns.stop * scale
    ]
    strokes = separate(against_ground(block_means(part, finer)).light)
    if strokes is None or finer == scale:
        return digit
    times = scale // finer
    top, left = (box[0].start - rows.start) * times, (box[1].start - columns.start) * times
    gate = np.kron(_grown(digit > 0), np.ones((times, times), np.float32))
    closer = strokes.ink[top : top + len(gate), left : left + gate.shape[1]]
    closer = closer * gate[: len(closer), : closer.shape[1]]
    inked = closer > STROKE
    if not inked.any():
        return digit
    notes.did("closer", f"looked at again, {finer} x {finer} pixels made one")
    return cropped(closer, inked)


def _warn(notes: _Notes, strokes: Strokes, box: tuple[slice, slice], lit: Lit, scale: int) -> None:
    rows, columns = box
    height, width = lit.light.shape
    if strokes.contrast < LOW_CONTRAST:
        notes.warnings.append("low_contrast")
    if rows.start == 0 or columns.start == 0 or rows.stop == height or columns.stop == width:
        notes.warnings.append("touches_border")
    if max(rows.stop - rows.start, columns.stop - columns.start) * scale < VERY_SMALL:
        notes.warnings.append("very_small")


def _unreadable(digit: Ink, *, several: bool) -> Unreadable | None:
    """Why no digit can be read off the ink (H, W), if so."""
    height, width = digit.shape
    if min(height, width) > SLIM * max(height, width) and digit.mean() > FULL:
        return "too_much_ink"
    return "several_digits" if several else None
