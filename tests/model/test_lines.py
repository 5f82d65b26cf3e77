import numpy as np
import pytest

from model.ink import Ink
from model.lines import Line, find_lines
from tests.helpers import table
from tests.model.drawing import DIGITS, paper, stroke, written

SIZE = (200, 240)


def ruled(
    *rows: float,
    slope: float = 0,
    pen: float = 2,
    start: float = -10,
    stop: float = 250,
    on: Ink | None = None,
) -> Ink:
    """Lines across a sheet, at these rows in its middle column."""
    sheet = paper(SIZE) if on is None else on.copy()
    for row in rows:
        ends = [(x, row + 0.5 + (x - SIZE[1] / 2) * slope) for x in (start, stop)]
        stroke(sheet, ends, pen)
    return sheet


def found_at(lines: list[Line], rows: tuple[float, ...]) -> None:
    """A line is found at each of these rows, and none elsewhere."""
    for row in rows:
        assert any(abs(line.row - row) <= 1 for line in lines)
    for line in lines:
        assert any(abs(line.row - row) <= 1 for row in rows)


@pytest.mark.parametrize("degrees", [-3, -2, -1, 0, 0.5, 1, 2, 3])
@pytest.mark.parametrize("pen", [1, 2, 3, 4])
def test_a_line_is_found_at_any_slope_and_thickness(degrees: float, pen: float) -> None:
    slope = float(np.tan(np.radians(degrees)))
    lines = find_lines(ruled(100, slope=slope, pen=pen))
    found_at(lines, (100,))
    for line in lines:
        assert line.slope == pytest.approx(slope, abs=0.01)
        assert line.thickness == pytest.approx(pen, abs=1.2)
        assert (line.start, line.stop) == (0, SIZE[1])


@pytest.mark.parametrize("spacing", [15, 30, 60, 90, 140])
@pytest.mark.parametrize("degrees", [-1.5, 0, 2])
def test_parallel_lines_are_found_at_any_spacing(spacing: int, degrees: float) -> None:
    slope = float(np.tan(np.radians(degrees)))
    rows = tuple(range(20, 181, spacing))
    lines = find_lines(ruled(*rows, slope=slope))
    found_at(lines, rows)
    assert len({line.slope for line in lines}) == 1


def test_a_line_begins_and_ends_where_its_ink_does() -> None:
    (line,) = find_lines(ruled(80, start=50, stop=180))
    assert [line.start, line.stop] == pytest.approx([50, 180], abs=2)


@table("gap, whole", {"a speck of paper": (4, True), "a word's width": (40, False)})
def test_a_line_goes_on_over_small_gaps(gap: int, *, whole: bool) -> None:
    broken = ruled(80)
    broken[:, 100 : 100 + gap] = 0
    ends = sorted((line.start, line.stop) for line in find_lines(broken))
    expected = [(0, 240)] if whole else [(0, 100), (100 + gap, 240)]
    np.testing.assert_allclose(ends, expected, atol=2)


def test_ends_that_nearly_reach_the_edge_are_at_it() -> None:
    (line,) = find_lines(ruled(80, start=3.5, stop=236.5))
    assert (line.start, line.stop) == (0, 240)


def test_the_row_is_where_it_crosses_the_middle_column() -> None:
    (line,) = find_lines(ruled(100, slope=0.04))
    for column in (0, 60, 239):
        assert line.row_at(column, SIZE[1]) == pytest.approx(100 + (column - 119.5) * 0.04, abs=1)


def test_lines_that_run_down_are_those_of_the_sheet_turned() -> None:
    down = np.ascontiguousarray(ruled(70, slope=0.02).T)
    assert find_lines(down) == []
    found_at(find_lines(down.T), (70,))


@pytest.mark.parametrize("number", range(10))
def test_a_line_under_a_digit_is_found(number: int) -> None:
    """Whatever else is on the sheet; the bar of the digit may be another."""
    digit = written(DIGITS[number], SIZE, (40, 90), 100, 10)
    lines = find_lines(ruled(165, on=digit))
    assert [line for line in lines if abs(line.row - 165) < 1.5 and line.stop - line.start == 240]


@pytest.mark.parametrize("number", range(10))
def test_a_line_through_a_digit_is_found(number: int) -> None:
    digit = written(DIGITS[number], SIZE, (40, 90), 100, 8)
    lines = find_lines(ruled(110, on=digit))
    assert [line for line in lines if abs(line.row - 110) < 2 and line.stop - line.start == 240]


def noise() -> Ink:
    dots: Ink = (np.random.default_rng(0).random(SIZE) < 0.05).astype(np.float32)
    return dots


@table(
    "ink",
    {
        "nothing": paper(SIZE),
        "noise": noise(),
        "too steep": ruled(100, slope=0.25),
        "too thick": ruled(100, pen=16),
        "too short": ruled(100, start=100, stop=125),
        "a slanted 1": written([[(0.3, 0), (0, 1)]], SIZE, (30, 100), 140, 8),
        "a 0 in a thin pen": written(DIGITS[0], SIZE, (30, 80), 140, 3),
    },
)
def test_what_is_no_line(ink: Ink) -> None:
    assert find_lines(ink) == []


@table("shape", {"narrow": (200, 20), "a column": (50, 1), "a row": (1, 20), "a pixel": (1, 1)})
def test_sheets_too_narrow_for_lines_have_none(shape: tuple[int, int]) -> None:
    assert find_lines(np.ones(shape, np.float32)) == []


@pytest.mark.parametrize("shape", [(1, 40), (3, 256), (256, 33)])
def test_sheets_full_of_ink_give_an_answer(shape: tuple[int, int]) -> None:
    find_lines(np.ones(shape, np.float32))  # whichever it is


def test_the_ink_is_not_changed() -> None:
    ink = ruled(50, 100, slope=0.03)
    before = ink.copy()
    find_lines(ink)
    np.testing.assert_array_equal(ink, before)
