import numpy as np
import pytest

from model.ink import STROKE, Ink, separate
from model.rules import Rules, without_edges, without_rules
from tests.helpers import table
from tests.model.drawing import DIGITS, Line, paper, stroke, written

SIDE = 220
PEN = 200.0  # grey levels of ink above the ground
KEPT = 0.8  # of a digit's ink, at least: where it touches a line or ends at one, a little goes
LEFT_OVER = 0.03  # of the lines' ink, at most


def lines(*ends: tuple[float, float, float, float], pen: float = 2) -> Ink:
    """Lines of a sheet, each from x, y to x, y."""
    sheet = paper((SIDE, SIDE))
    for first_x, first_y, last_x, last_y in ends:
        stroke(sheet, [(first_x, first_y), (last_x, last_y)], pen)
    return sheet


def ruled(spacing: int, *, slope: float = 0, pen: float = 2, first: int = 20) -> Ink:
    rows = np.arange(first, SIDE, spacing) + 0.5
    drop = slope * (SIDE + 40)
    return lines(*((-20, row - drop / 2, SIDE + 20, row + drop / 2) for row in rows), pen=pen)


def boxed(top: int, left: int, bottom: int, right: int, pen: float = 2) -> Ink:
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    sheet = paper((SIDE, SIDE))
    stroke(sheet, corners, pen)
    return sheet


def digit(
    number: int, *, pen: float = 9, height: float = 100, at: tuple[int, int] = (60, 80)
) -> Ink:
    return written(DIGITS[number], (SIDE, SIDE), at, height, pen)


def taken_from(ink: Ink, printed: Ink, shade: float = PEN) -> Rules | None:
    """What is found on a sheet on which lines of a shade were printed before the ink."""
    light = np.maximum(ink * np.float32(PEN), printed * np.float32(shade))
    strokes = separate(light)
    assert strokes is not None
    return without_rules(light, strokes.ink)


def beside(ink: Ink) -> Ink:
    """Where no ink is near, 1."""
    near = ink > 0
    for axis in (0, 1):
        for shift in (-3, -2, -1, 1, 2, 3):
            near = near | np.roll(near, shift, axis)
    return (~near).astype(np.float32)


def only_the_lines_go(ink: Ink, printed: Ink, shade: float = PEN) -> None:
    rules = taken_from(ink, printed, shade)
    assert rules is not None
    drawn = ink > 0.9
    assert (rules.light[drawn] > STROKE * PEN).mean() >= KEPT
    was = printed * beside(ink) > 0.4
    assert (rules.light[was] > 0.25 * shade).mean() <= LEFT_OVER


PAPERS = {
    "close rules": ruled(30),
    "wide rules": ruled(70),
    "one rule or two": ruled(140, first=50),
    "thin rules": ruled(40, pen=1),
    "broad rules": ruled(50, pen=4),
    "falling rules": ruled(45, slope=0.03),
    "rising rules": ruled(45, slope=-0.04),
    "squares": np.maximum(ruled(40), ruled(40, first=35).T),
    "small squares": np.maximum(ruled(22, pen=1), ruled(22, pen=1).T),
    "a box": boxed(20, 20, 200, 200),
    "a tall box": boxed(10, 50, 210, 170, pen=3),
    "a box cut at the right": boxed(30, 30, 190, 300),
    "a box cut below": boxed(30, 40, 300, 180),
    "a row of boxes": np.maximum(boxed(30, -50, 190, 50), boxed(30, 50, 190, 260)),
    "a margin": lines((30, -10, 30, 240)),
    "rules and a margin": np.maximum(ruled(45), lines((25, -10, 25, 240))),
}


@table("printed", PAPERS)
@pytest.mark.parametrize("number", range(10))
def test_lines_of_the_paper_go_and_strokes_stay(number: int, printed: Ink) -> None:
    only_the_lines_go(digit(number), printed)


@table("printed", {name: PAPERS[name] for name in ("close rules", "squares", "a box")})
@pytest.mark.parametrize("shade", [60, 100, 150])
@pytest.mark.parametrize("number", [2, 4, 5, 7])
def test_lines_lighter_than_the_pen_do_not_hurt_strokes_along_them(
    number: int, shade: float, printed: Ink
) -> None:
    bars = {2: 100.0, 4: 64.0, 5: 0.0, 7: 0.0}  # rows of the digit in which its bar is
    rows = np.flatnonzero(printed.max(axis=1) * (printed > 0.5).mean(axis=1) > 0.5)
    along = int(rows[np.abs(rows - 110).argmin()])  # the line of the paper nearest to the middle
    if not 0 <= along - bars[number] <= SIDE - 110:
        along = int(rows[0 if number in {5, 7} else -1])
    at = (round(along - bars[number]), 80)
    ink = digit(number, at=at)
    rules = taken_from(ink, printed, shade)
    assert rules is None or (rules.light[ink > 0.9] > STROKE * PEN).mean() >= KEPT


# -- what is no line of the paper -------------------------------------------


def filling(*strokes: Line, pen: float = 14) -> Ink:
    """Strokes from edge to edge of their sheet."""
    sheet = paper((SIDE, SIDE))
    for line in strokes:
        stroke(sheet, line, pen)
    return sheet


SEVEN: Line = [(15, 15), (205, 15), (80, 205)]

STROKES = {
    **{f"a {number} with room around it": digit(number) for number in range(10)},
    **{f"a thin {number}": digit(number, pen=3) for number in range(10)},
    **{f"a large {number}": digit(number, height=200, pen=12, at=(10, 30)) for number in range(10)},
    "a 7 that fills its sheet": filling(SEVEN),
    "a 7 that runs over both edges": filling([(-10, 20), (230, 20), (90, 230)]),
    "a 7 with a bar through it": filling(SEVEN, [(60, 110), (190, 110)]),
    "a 4 that fills its sheet": filling([(100, 0), (5, 140), (215, 140)], [(150, 70), (150, 220)]),
    "a 2 that fills its sheet": filling([(20, 40), (110, 8), (190, 60), (8, 208), (212, 208)]),
    "a 5 that fills its sheet": filling(
        [(200, 10), (20, 10), (15, 100), (150, 100), (200, 160), (120, 210), (10, 190)]
    ),
    "a square 0": filling([(50, 30), (170, 30), (170, 190), (50, 190), (50, 30)]),
    "a square 0 in a thin pen": filling(
        [(50, 30), (170, 30), (170, 190), (50, 190), (50, 30)], pen=4
    ),
    "a square 0 that fills its sheet": filling(
        [(8, 8), (212, 8), (212, 212), (8, 212), (8, 8)], pen=16
    ),
    "a 1 from edge to edge": filling([(110, -10), (110, 230)]),
    "a thin 1 from edge to edge": filling([(110, -10), (110, 230)], pen=3),
    "a 1 with a foot": filling([(70, 50), (110, 20), (110, 200)], [(60, 200), (160, 200)]),
}


@table("ink", STROKES)
def test_strokes_of_a_digit_are_never_lines(ink: Ink) -> None:
    rules = taken_from(ink, paper((SIDE, SIDE)))
    assert rules is None or (rules.light[ink > 0.9] > 0).all()


@pytest.mark.parametrize("pen", [4, 9, 14])
@table(
    "printed, top, bottom",
    {
        "between two rules": (ruled(100, first=60), 68, 152),
        "from one rule to the next": (ruled(100, first=60), 60, 160),
        "over three rules": (ruled(50, first=60), 60, 160),
        "in a box": (boxed(50, 20, 170, 200), 64, 158),
        "from a box's upper side to the lower": (boxed(50, 20, 170, 200), 52, 168),
    },
)
def test_a_1_that_ends_at_lines_is_no_line(
    printed: Ink, top: float, bottom: float, pen: float
) -> None:
    only_the_lines_go(lines((112, top, 108, bottom), pen=pen), printed)


def test_a_sheet_of_nothing_but_lines_is_left_as_it_is() -> None:
    """What is left without them would be no digit."""
    assert taken_from(paper((SIDE, SIDE)), ruled(40)) is None


@table(
    "printed, across, down",
    {
        "rules": (ruled(40), 5, 0),
        "a box": (boxed(20, 20, 200, 200), 2, 2),
        "a margin": (lines((30, -10, 30, 240)), 0, 1),
    },
)
def test_lines_are_counted(printed: Ink, across: int, down: int) -> None:
    rules = taken_from(digit(3), printed)
    assert rules is not None
    assert (rules.across, rules.down) == (across, down)


def test_neither_the_light_nor_the_ink_is_changed() -> None:
    light = np.maximum(digit(3), ruled(40)) * np.float32(PEN)
    strokes = separate(light)
    assert strokes is not None
    before = light.copy(), strokes.ink.copy()
    assert without_rules(light, strokes.ink) is not None
    np.testing.assert_array_equal(light, before[0])
    np.testing.assert_array_equal(strokes.ink, before[1])


# -- lines along the edges --------------------------------------------------


def edged(*sides: str, pen: int = 3) -> Ink:
    """The 3 on a sheet with these sides dark."""
    sheet = digit(3)
    for side in sides:
        view = {"top": sheet, "bottom": sheet[::-1], "left": sheet.T, "right": sheet[:, ::-1].T}[
            side
        ]
        view[:pen] = 1
    return sheet


@table(
    "sides",
    {
        "one": ["top"],
        "two": ["left", "bottom"],
        "right": ["right"],
        "all": ["top", "bottom", "left", "right"],
    },
)
@pytest.mark.parametrize("pen", [1, 3, 4])
def test_lines_along_the_edges_go(sides: list[str], pen: int) -> None:
    ink = edged(*sides, pen=pen)
    cleared = without_edges(ink * np.float32(PEN), ink)
    np.testing.assert_array_equal(cleared, digit(3) * np.float32(PEN))


@table(
    "ink",
    {
        "a digit by itself": digit(3),
        "a broad edge": edged("top", pen=12),
        "a short line along an edge": lines((0, 1, 100, 1)),
        "a 7 along the upper edge": filling([(20, 5), (140, 5), (80, 210)], pen=10),
    },
)
def test_what_is_no_line_along_an_edge_stays(ink: Ink) -> None:
    light = ink * np.float32(PEN)
    assert without_edges(light, ink) is light


def test_the_edges_of_a_tiny_sheet_are_left() -> None:
    ink = np.ones((20, 20), np.float32)
    ink[1:-1, 1:-1] = 0
    assert without_edges(ink, ink) is ink


def test_the_light_is_not_changed_by_taking_edges() -> None:
    ink = edged("top")
    light = ink * np.float32(PEN)
    before = light.copy()
    assert without_edges(light, ink) is not light
    np.testing.assert_array_equal(light, before)
