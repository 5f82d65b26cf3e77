import numpy as np
import pytest

from model.frame import Finding, Unreadable
from model.ink import Ink
from model.sheet import frame_sheet
from tests.helpers import table
from tests.model.drawing import DIGITS, ONES, Image, paper, rendered, shaded, stroke, written
from tests.model.frames import (
    EXPECTED,
    SHAPE,
    box,
    centre_of_mass,
    difference,
    enlarged,
    inked,
    on_sheet,
)

SIZE = (240, 240)
ROUNDED = 1.0  # grey levels in the mean over a frame: soft edges, and pixels divided by halves


def two(first: int, second: int, *, apart: float = 130) -> Ink:
    left = written(DIGITS[first], SIZE, (70, 20), 100, 10)
    return np.maximum(left, written(DIGITS[second], SIZE, (70, 20 + apart), 100, 10))


def three(*, pen: float = 9) -> Ink:
    return written(DIGITS[3], SIZE, (60, 80), 100, pen)


def across(*rows: float, pen: float = 2) -> Ink:
    sheet = paper(SIZE)
    for row in rows:
        stroke(sheet, [(-20, row + 0.5), (SIZE[1] + 20, row + 0.5)], pen)
    return sheet


def lit(ink: Ink) -> Image:
    """Black ink on paper with light from the right."""
    ground = np.linspace(150, 240, SIZE[1], dtype=np.float32) * np.ones((SIZE[0], 1), np.float32)
    return shaded(ink, on=ground, pen=30)


def edge(ink: Ink) -> Ink:
    """The same with a dark upper edge."""
    dark = ink.copy()
    dark[:3] = 1
    return dark


def speckled(ink: Ink) -> Ink:
    spots = ink.copy()
    spots[20:23, 20:23] = spots[200:203, 220:223] = 1
    return spots


# -- what is brought into a frame -------------------------------------------

DRAWINGS = {
    "off-centre": on_sheet(SHAPE, (56, 56), (36, 0)),
    "touching two edges": on_sheet(SHAPE, (30, 30), (0, 18)),
    "the digit alone": np.pad(SHAPE, 1),
    "wide sheet": on_sheet(SHAPE, (28, 300), (4, 200)),
    "tall sheet": on_sheet(SHAPE, (300, 28), (200, 4)),
    "twice as large": on_sheet(enlarged(SHAPE, 2), (100, 100), (10, 30)),
    "fifty times as large": on_sheet(enlarged(SHAPE, 50), (1200, 1300), (100, 30)),
    "on grey ground": on_sheet(np.maximum(SHAPE, 100), (56, 56), (20, 20), ground=100),
    "in grey ink": on_sheet(SHAPE // 255 * 120, (56, 56), (20, 20)),
    "in pale ink": on_sheet(SHAPE // 255 * 30, (56, 56), (20, 20)),
    "small on a large sheet": on_sheet(SHAPE, (1000, 900), (300, 200)),
}


@table("drawing", DRAWINGS)
def test_a_drawing_becomes_the_frame_of_its_shape(drawing: Image) -> None:
    assert difference(frame_sheet(drawing).pixels, EXPECTED) < ROUNDED


@table("drawing", DRAWINGS)
def test_dark_ink_on_light_ground_becomes_the_same_frame(drawing: Image) -> None:
    found = frame_sheet(255 - drawing)
    assert difference(found.pixels, EXPECTED) < ROUNDED
    assert "inverted" in found.warnings
    assert "inverted" not in frame_sheet(drawing).warnings


@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("pen", [3, 9, 16])
def test_a_digit_stands_in_the_box_with_its_mass_in_the_middle(number: int, pen: float) -> None:
    found = frame_sheet(rendered(number, pen=pen))
    assert found.reason is None
    top, left, height, width = box(found.pixels)
    assert max(height, width) == 20
    if min(top, left) > 0 and max(top + height, left + width) < 28:
        assert centre_of_mass(found.pixels) == pytest.approx([14, 14], abs=0.51)


# -- reasons ----------------------------------------------------------------


def block(height: int, width: int) -> Image:
    return on_sheet(np.full((height, width), 255, np.uint8), SIZE, (40, 60))


def noise(share: float, side: int = 1) -> Image:
    dots = np.random.default_rng(0).random((SIZE[0] // side, SIZE[1] // side)) < share
    return enlarged((dots * 255).astype(np.uint8), side)


@table(
    "sheet, reason",
    {
        "nothing": (np.full(SIZE, 200, np.uint8), "blank"),
        "lit paper": (lit(paper(SIZE)), "blank"),
        "sparse noise": (noise(0.02), "blank"),
        "noise": (noise(0.5), "blank"),
        "coarse noise": (noise(0.5, 4), "blank"),
        "hardly any contrast": (shaded(three(), on=200, pen=180), "blank"),
        "a speck": (on_sheet(np.full((3, 3), 255, np.uint8), SIZE, (50, 50)), "blank"),
        "a mark": (on_sheet(np.full((4, 4), 255, np.uint8), (30, 40), (9, 9)), "too_much_ink"),
        "a square": (block(100, 100), "too_much_ink"),
        "a broad block": (block(100, 60), "too_much_ink"),
        "a slim block, which may be a 1": (block(100, 48), None),
        "a bar": (block(30, 120), None),
        "two digits": (shaded(two(3, 5)), "several_digits"),
        "two ones": (shaded(two(1, 1, apart=60)), "several_digits"),
        "a digit": (shaded(three()), None),
        "a row of pixels": (np.array([[0] * 20 + [255] * 5 + [0] * 20], np.uint8), None),
    },
)
def test_why_a_sheet_cannot_be_read(sheet: Image, reason: Unreadable | None) -> None:
    assert frame_sheet(sheet).reason == reason


def small_on_large() -> Image:
    return shaded(written(DIGITS[3], (700, 700), (300, 300), 40, 5), on=0, pen=255)


# -- warnings and steps -----------------------------------------------------


@table(
    "sheet, warnings",
    {
        "white on black": (shaded(three(), on=0, pen=255), ()),
        "black on white": (shaded(three()), ("inverted",)),
        "pale": (shaded(three(), on=20, pen=100), ("low_contrast",)),
        "nearly pale": (shaded(three(), on=20, pen=122), ()),
        "at the upper edge": (shaded(np.roll(three(), -56, 0), on=0, pen=255), ("touches_border",)),
        "at the lower edge": (shaded(np.roll(three(), 76, 0), on=0, pen=255), ("touches_border",)),
        "at the left edge": (shaded(np.roll(three(), -76, 1), on=0, pen=255), ("touches_border",)),
        "at the right edge": (shaded(np.roll(three(), 94, 1), on=0, pen=255), ("touches_border",)),
        "11 pixels high": (
            on_sheet(np.full((11, 3), 255, np.uint8), (60, 60), (20, 20)),
            ("very_small",),
        ),
        "12 pixels high": (on_sheet(np.full((12, 3), 255, np.uint8), (60, 60), (20, 20)), ()),
        "all of it": (
            shaded(np.roll(written(DIGITS[3], (60, 60), (1, 20), 8, 1.5), -1, 0), on=200, pen=120),
            ("inverted", "low_contrast", "touches_border", "very_small"),
        ),
    },
)
def test_what_the_caller_may_want_to_know(sheet: Image, warnings: tuple[Finding, ...]) -> None:
    assert frame_sheet(sheet).warnings == warnings


@table(
    "sheet, steps",
    {
        "nothing to do": (shaded(three(), on=0, pen=255), []),
        "inverted": (shaded(three()), ["polarity"]),
        "lit": (lit(three()), ["ground", "polarity"]),
        "large": (enlarged(shaded(three(), on=0, pen=255), 2), ["reduce"]),
        "a dark edge": (shaded(edge(three()), on=0, pen=255), ["edges"]),
        "rules": (shaded(np.maximum(three(), across(20, 190)), on=0, pen=255), ["rules"]),
        "specks": (shaded(speckled(three()), on=0, pen=255), ["specks"]),
        "small on a large sheet": (small_on_large(), ["reduce", "closer"]),
        "thin": (shaded(three(pen=2), on=0, pen=255), ["strokes"]),
        "thick": (shaded(three(pen=44), on=0, pen=255), ["strokes"]),
    },
)
def test_steps_say_what_was_done(sheet: Image, steps: list[str]) -> None:
    found = frame_sheet(sheet)
    assert [step.name for step in found.steps] == [*steps, "place"]
    assert all(step.did for step in found.steps)


@table(
    "sheet, says",
    {
        "lit": (lit(three()), "uneven by"),
        "rules": (shaded(np.maximum(three(), across(20, 190))), "lines taken away: 2 across"),
        "specks": (shaded(speckled(three())), "2 parts"),
        "large": (enlarged(shaded(three()), 2), "2 x 2 pixels made one"),
    },
)
def test_steps_give_figures(sheet: Image, says: str) -> None:
    assert any(says in step.did for step in frame_sheet(sheet).steps)


# -- the digit that is lost most often --------------------------------------


def one(
    style: str, *, height: float, pen: float, size: tuple[int, int], printed: Ink | None = None
) -> Image:
    """A 1 in the middle of its sheet, in black on white."""
    at = ((size[0] - height) / 2, size[1] / 2 - 0.12 * height)
    ink = written(ONES[style], size, at, height, pen)
    return shaded(ink if printed is None else np.maximum(ink, printed))


def a_streak(sheet: Image, style: str) -> None:
    """The frame holds one upright stroke of the expected length, unbroken, and no bar."""
    found = frame_sheet(sheet)
    assert found.reason is None
    _, _, height, width = box(inked(found.pixels))
    assert height >= 18
    assert width <= (12 if style == "with a foot" else 10)
    rows = np.flatnonzero(inked(found.pixels).any(axis=1))
    assert len(rows) == height
    assert "rules" not in [step.name for step in found.steps]


@table("style", {style: style for style in ONES})
@pytest.mark.parametrize("pen", [1, 2, 3, 5, 8, 12, 20, 30])
@pytest.mark.parametrize("height", [60, 100, 180])
def test_a_1_stays_a_1_in_every_pen(style: str, height: float, pen: float) -> None:
    if pen <= height / 6:  # else its own flag is lost in it
        a_streak(one(style, height=height, pen=pen, size=SIZE), style)


@table("style", {style: style for style in ONES})
@pytest.mark.parametrize("side", [30, 45, 64, 100, 256, 257, 400, 600])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.96])
def test_a_1_stays_a_1_on_every_sheet(style: str, side: int, share: float) -> None:
    height = share * side
    a_streak(one(style, height=height, pen=max(1.2, 0.08 * height), size=(side, side)), style)


@pytest.mark.parametrize("size", [(300, 20), (300, 9), (60, 200), (100, 600)])
def test_a_1_stays_a_1_on_slim_sheets(size: tuple[int, int]) -> None:
    a_streak(one("plain", height=0.8 * size[0], pen=5, size=size), "plain")


@pytest.mark.parametrize("side", [80, 150, 200, 256, 400])
@pytest.mark.parametrize("shift", range(4))
def test_a_1_one_pixel_wide_is_seen_wherever_it_stands(side: int, shift: int) -> None:
    sheet = np.full((side, side), 255, np.uint8)
    sheet[side // 5 : -side // 5, side // 2 + shift] = 0
    a_streak(sheet, "plain")


RULED = {
    "close rules": across(*range(5, 240, 30)),
    "rules": across(*range(10, 240, 60)),
    "wide rules": across(50, 190),
    "a box": np.pad(across(0, 199)[:200, :200] + across(0, 199)[:200, :200].T, 20).clip(0, 1),
    "squares": np.maximum(across(*range(25, 240, 40)), across(*range(25, 240, 40)).T),
}


@table("style", {style: style for style in ONES})
@table("printed", RULED)
@pytest.mark.parametrize("pen", [4, 7, 12])
@pytest.mark.parametrize("height", [80, 110])
def test_a_1_is_told_from_the_lines_of_its_paper(
    style: str, printed: Ink, height: float, pen: float
) -> None:
    found = frame_sheet(one(style, height=height, pen=pen, size=SIZE, printed=printed))
    assert found.reason is None
    assert "rules" in [step.name for step in found.steps]
    _, _, tall, wide = box(inked(found.pixels))
    assert tall >= 18
    assert wide <= (12 if style == "with a foot" else 10)
