import numpy as np
import pytest

from model.components import components
from model.ink import Ink
from model.parts import MOST, Choice, choose
from tests.helpers import table
from tests.model.drawing import DIGITS, Line, paper, stroke, written

SIZE = (200, 260)


def chosen_from(sheet: Ink) -> Choice:
    return choose(components(sheet > 0.5))


def kept(sheet: Ink) -> Ink:
    """The ink of a sheet that is taken for the digit."""
    parts = components(sheet > 0.5)
    return parts.mask(choose(parts).chosen).astype(np.float32)


def drawn(*lines: Line, pen: float = 10, on: Ink | None = None) -> Ink:
    sheet = paper(SIZE) if on is None else on.copy()
    for line in lines:
        stroke(sheet, line, pen)
    return sheet


def digit(number: int, left: float = 60, *, height: float = 120, pen: float = 10) -> Ink:
    return written(DIGITS[number], SIZE, (40, left), height, pen)


ZERO = digit(0)  # 130 high with its pen, from column 55 to 142

# -- parts of a digit -------------------------------------------------------

BROKEN: dict[str, list[Line]] = {
    "a 5 and its bar": [
        [(80, 50), (75, 95), (110, 90), (130, 130), (80, 160)],
        [(95, 40), (150, 40)],
    ],
    "a 5 and its bar, further off": [
        [(80, 70), (75, 95), (130, 130), (80, 160)],
        [(85, 35), (150, 35)],
    ],
    "an open 4": [[(80, 40), (70, 100), (125, 100)], [(145, 40), (145, 160)]],
    "a broken 8": [[(100, 40), (80, 60), (118, 80)], [(80, 96), (130, 150), (90, 160), (75, 120)]],
    "a 0 broken at the foot": [
        [(90, 160), (70, 100), (100, 40)],
        [(120, 42), (150, 100), (115, 160)],
    ],
    "a 7 with a bar of its own": [[(70, 40), (140, 40), (100, 160)], [(60, 100), (92, 100)]],
}


@table("lines", BROKEN)
@pytest.mark.parametrize("pen", [4, 9])
def test_all_strokes_of_one_digit_are_kept(lines: list[Line], pen: float) -> None:
    sheet = drawn(*lines, pen=pen)
    choice = chosen_from(sheet)
    assert len(choice.chosen) > 1
    assert choice.chosen.all()
    assert not choice.several


def test_a_digit_in_one_piece_is_kept_whole() -> None:
    for number in range(10):
        choice = chosen_from(digit(number))
        assert choice.chosen.all()
        assert not choice.several


# -- what is not the digit's ------------------------------------------------


def with_spot(side: int, at: tuple[int, int], width: int | None = None) -> Ink:
    """The 0 with a rectangle of ink."""
    sheet = ZERO.copy()
    sheet[at[0] : at[0] + side, at[1] : at[1] + (width or side)] = 1
    return sheet


@table(
    "sheet, dropped",
    {
        "a pixel": (with_spot(1, (100, 100)), True),
        "a speck inside the loop": (with_spot(3, (100, 100)), True),
        "a speck beside it": (with_spot(6, (100, 150)), True),
        "a hair as thin as a speck": (with_spot(1, (100, 92), 12), True),
        "a short thin stroke": (with_spot(2, (100, 85), 20), False),
        "a blot": (with_spot(12, (100, 95)), False),
        "an accent far to the right": (with_spot(20, (20, 200)), True),
        "a blot not so far": (with_spot(20, (100, 180)), False),
    },
)
def test_specks_and_what_is_far_are_dropped(sheet: Ink, *, dropped: bool) -> None:
    expected = ZERO > 0.5 if dropped else sheet > 0.5
    np.testing.assert_array_equal(kept(sheet) > 0, expected)


@table(
    "top, left, near",
    {
        "to the right": (110, 155, True),
        "too far to the right": (110, 156, False),
        "to the left": (110, 25, True),
        "too far to the left": (110, 24, False),
        "below": (205, 90, True),
        "too far below": (206, 90, False),
        "above": (15, 90, True),
        "too far above": (14, 90, False),
    },
)
def test_no_stroke_is_further_off_than_a_third_of_the_digit(
    top: int, left: int, *, near: bool
) -> None:
    sheet = np.zeros((280, 220), np.float32)
    sheet[70:170, 80:120] = 1  # 100 high: 35 pixels are near
    sheet[top : top + 20, left : left + 20] = 1
    assert chosen_from(sheet).chosen.tolist() == [True, near]


def test_only_so_many_parts_are_looked_at() -> None:
    sheet = np.zeros((80, 80), np.float32)
    sheet[::4, ::4] = 1  # 400 dots, all alike
    assert chosen_from(sheet).chosen.sum() <= MOST


# -- several digits ---------------------------------------------------------


@table(
    "sheet, several",
    {
        "two digits": (np.maximum(digit(2, 20), digit(7, 150)), True),
        "a 1 beside another": (np.maximum(digit(1, 40), digit(1, 120)), True),
        "a small digit beside a large one": (
            np.maximum(digit(3, 20), written(DIGITS[5], SIZE, (80, 150), 80, 10)),
            True,
        ),
        "three digits": (
            np.maximum(np.maximum(digit(1, 10), digit(2, 70)), digit(1, 190)),
            True,
        ),
        "a dot beside it": (with_spot(20, (120, 170)), False),
        "a comma as tall as half": (drawn([(170, 120), (168, 158)], pen=4, on=ZERO), False),
        "a frame around it": (
            drawn([(10, 5), (250, 5), (250, 195), (10, 195), (10, 5)], pen=4, on=ZERO),
            False,
        ),
        "halves close together": (drawn([(80, 40), (80, 160)], [(108, 40), (108, 160)]), False),
        "halves further apart": (drawn([(80, 40), (80, 160)], [(122, 40), (122, 160)]), True),
    },
)
def test_digits_side_by_side_are_several(sheet: Ink, *, several: bool) -> None:
    assert chosen_from(sheet).several is several


# -- limits, beside a bar of 100 x 40 ---------------------------------------

BAR = (slice(100, 200), slice(100, 140))


def beside_the_bar(
    height: int, width: int, at: tuple[int, int], *, bar: tuple[slice, slice] = BAR
) -> Choice:
    sheet = np.zeros((300, 300), np.float32)
    sheet[bar] = 1
    sheet[at[0] : at[0] + height, at[1] : at[1] + width] = 1
    return chosen_from(sheet)


@table(
    "height, width, is_part",
    {
        "long, of a 250th of its area": (16, 1, True),
        "long, of less": (15, 1, False),
        "short, of a fiftieth": (10, 8, True),
        "short, of less": (9, 8, False),
        "just long enough": (12, 2, True),
        "too short for its area": (11, 2, False),
        "just wide enough": (2, 12, True),
    },
)
def test_a_part_is_large_or_long(height: int, width: int, *, is_part: bool) -> None:
    assert beside_the_bar(height, width, (140, 150)).chosen.tolist() == [True, is_part]


FAR_RIGHT, FAR_BELOW, NEAR_RIGHT = (140, 200), (240, 110), (140, 155)


@table(
    "height, width, at, several",
    {
        "half as long, beside it": (50, 16, FAR_RIGHT, True),
        "not half as long": (49, 17, FAR_RIGHT, False),
        "a fifth of its area": (50, 16, FAR_RIGHT, True),
        "less": (51, 15, FAR_RIGHT, False),
        "below it, lying": (17, 50, FAR_BELOW, True),
        "below it, too small": (16, 49, FAR_BELOW, False),
        "a digit's own stroke": (50, 16, NEAR_RIGHT, False),
        "near, with a fifth of its height between": (50, 16, (140, 161), True),
    },
)
def test_what_is_as_large_as_a_digit_is_another(
    height: int, width: int, at: tuple[int, int], *, several: bool
) -> None:
    assert beside_the_bar(height, width, at).several is several


@table(
    "at",
    {"above": (0, 110), "below": (250, 110), "to the left": (120, 0), "to the right": (120, 280)},
)
def test_what_the_edge_cuts_off_is_somebody_elses(at: tuple[int, int]) -> None:
    choice = beside_the_bar(50, 20, at)
    assert choice.chosen.tolist() == [True, False]
    assert not choice.several


@table("height, several", {"three quarters as long": (75, False), "longer": (76, True)})
def test_what_is_cut_off_is_shorter(height: int, *, several: bool) -> None:
    assert beside_the_bar(height, 20, (120, 280)).several is several


def test_a_digit_that_is_cut_off_itself_has_neighbours() -> None:
    cut = (slice(100, 200), slice(0, 40))
    assert beside_the_bar(50, 20, (120, 280), bar=cut).several
