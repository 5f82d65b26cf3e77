import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.ink import Ink
from model.placement import BOX_SIDE
from model.strokes import (
    DETAIL,
    NARROWED,
    THICK,
    THIN,
    WIDENED,
    dilated,
    eroded,
    evened,
    mean_width,
)
from tests.helpers import PROPERTY, table
from tests.model.drawing import DIGITS, paper, stroke, written


def bar(pen: float, degrees: float = 0, length: float = 120) -> Ink:
    """A bar (200, 200) so wide and long, turned by an angle."""
    angle = np.radians(degrees)
    half = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    sheet = paper((200, 200))
    stroke(sheet, [tuple(100 - half), tuple(100 + half)], pen)
    return sheet


def cropped(ink: Ink) -> Ink:
    rows, columns = np.flatnonzero((ink > 0.5).any(axis=1)), np.flatnonzero((ink > 0.5).any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def digit(number: int, height: float, pen: float) -> Ink:
    """A digit cropped to its ink, so high along its strokes' middle."""
    size = int(height + pen + 20)
    return cropped(written(DIGITS[number], (size, size), (pen, pen + 8), height, pen))


def framed_width(ink: Ink) -> float:
    """Of the strokes, in pixels of the frame that a cropped digit becomes."""
    side = max(ink.shape)
    return mean_width(ink) * BOX_SIDE / float(side)


# -- how wide ---------------------------------------------------------------


@PROPERTY
@given(st.floats(2, 20), st.floats(0, 180))
def test_the_width_of_a_bar_is_measured_in_every_direction(pen: float, degrees: float) -> None:
    area = pen * 120 + np.pi * pen**2 / 4  # its ends are round
    outline = 2 * 120 + np.pi * pen
    assert mean_width(bar(pen, degrees)) == pytest.approx(2 * area / outline, rel=0.05)


@table("shade", {"full": 1.0, "soft": 0.5})
def test_the_width_does_not_depend_on_the_ink(shade: float) -> None:
    ink = bar(8)
    assert mean_width(ink * np.float32(shade)) == pytest.approx(mean_width(ink), rel=1e-4)


def test_ink_at_the_edge_of_its_crop_has_an_outline_there() -> None:
    assert mean_width(np.ones((100, 10), np.float32)) == pytest.approx(1000 / 110, rel=0.02)


def test_no_ink_has_no_width() -> None:
    assert mean_width(np.zeros((5, 5), np.float32)) == 0


# -- wider and narrower -----------------------------------------------------


@pytest.mark.parametrize("degrees", [0, 20, 45, 70, 90])
@pytest.mark.parametrize("radius", [0.3, 1.0, 2.5, 4.0, 5.0, 7.7])
def test_dilation_adds_its_radius_on_either_side(radius: float, degrees: float) -> None:
    ink = bar(6, degrees)
    grown = dilated(ink, radius)
    expected = bar(6 + 2 * radius, degrees)
    assert mean_width(grown) == pytest.approx(mean_width(expected), rel=0.1)
    assert grown.sum() == pytest.approx(expected.sum(), rel=0.1)


@pytest.mark.parametrize("degrees", [0, 20, 45, 70, 90])
@pytest.mark.parametrize("radius", [0.3, 1.0, 2.5, 4.0, 5.0])
def test_erosion_takes_its_radius_from_either_side(radius: float, degrees: float) -> None:
    thinned = eroded(bar(20, degrees), radius)
    expected = bar(20 - 2 * radius, degrees)
    assert thinned.sum() == pytest.approx(expected.sum(), rel=0.1)


@pytest.mark.parametrize("radius", [0, 0.5, 1, 5, 6.5])
def test_the_dilated_image_is_larger_all_around_and_the_ink_in_its_middle(radius: float) -> None:
    dot = np.zeros((5, 7), np.float32)
    dot[1, 2] = 1
    grown = dilated(dot, radius)
    margin = int(radius) + 1
    assert grown.shape == (5 + 2 * margin, 7 + 2 * margin)
    middle = np.argwhere(grown > 0).mean(axis=0)
    np.testing.assert_allclose(middle, [1 + margin, 2 + margin])


@pytest.mark.parametrize("radius", [0, 0.5, 1, 3])
def test_the_eroded_image_is_as_large_as_before(radius: float) -> None:
    ink = np.zeros((15, 17), np.float32)
    ink[3:12, 4:14] = 1
    thinned = eroded(ink, radius)
    assert thinned.shape == ink.shape
    np.testing.assert_allclose(np.argwhere(thinned > 0).mean(axis=0), [7, 8.5])


@pytest.mark.parametrize("radius", [5, 10, 15, 20])
def test_a_dot_grows_to_an_octagon_that_is_close_to_a_disc(radius: int) -> None:
    dot = np.zeros((1, 1), np.float32)
    dot[0, 0] = 1
    grown = dilated(dot, radius)
    down, across = np.indices(grown.shape) - (len(grown) - 1) / 2
    away = np.hypot(down, across)
    assert grown[away < 0.9 * radius].all()
    assert not grown[away > 1.15 * radius].any()


def test_erosion_is_dilation_of_the_paper() -> None:
    ink = bar(9, 30)
    thinned, paper_grown = eroded(ink, 2), dilated(1 - ink, 2)[3:-3, 3:-3]
    np.testing.assert_allclose(thinned[5:-5, 5:-5], 1 - paper_grown[5:-5, 5:-5], atol=1e-6)


def test_soft_edges_stay_soft() -> None:
    grown = dilated(bar(5.5), 2)
    assert np.unique(np.round(grown, 3)).size > 2
    assert grown.max() == 1


# -- as wide as in MNIST ----------------------------------------------------


@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("height", [30, 90, 200])
def test_strokes_as_wide_as_mnists_are_left_alone(number: int, height: int) -> None:
    ink = digit(number, height, 0.13 * height)
    assert THIN < framed_width(ink) < THICK
    same, did = evened(ink)
    np.testing.assert_array_equal(same, ink)
    assert did == ""


@pytest.mark.parametrize("number", range(10))
@table(
    "height, pen",
    {"small": (40, 1.2), "middling": (100, 3), "large": (240, 3), "a hair": (240, 1.5)},
)
def test_thin_strokes_are_widened(number: int, height: int, pen: float) -> None:
    ink = digit(number, height, pen)
    wider, did = evened(ink)
    assert did.startswith(f"widened from {framed_width(ink):.1f} pixels")
    assert framed_width(wider) == pytest.approx(WIDENED, rel=0.2)


@pytest.mark.parametrize("number", [0, 2, 3, 5])
@pytest.mark.parametrize("height", [60, 120, 220])
def test_thick_strokes_are_narrowed(number: int, height: int) -> None:
    ink = digit(number, height, 0.42 * height)
    narrower, did = evened(ink)
    assert did.startswith(f"narrowed from {framed_width(ink):.1f} pixels")
    assert framed_width(narrower) == pytest.approx(NARROWED, rel=0.2)


@table(
    "ink",
    {
        "thin, no larger than the box": np.ones((BOX_SIDE, 1), np.float32),
        "thick, hardly larger than the frame": digit(0, 24, 15),
        "a thick 1, which is all stroke": np.ones((100, 40), np.float32),
    },
)
def test_what_would_gain_nothing_is_never_touched(ink: Ink) -> None:
    assert not THIN < framed_width(ink) < THICK
    same, did = evened(ink)
    np.testing.assert_array_equal(same, ink)
    assert did == ""


@table("number, pen", {"widened": (3, 8), "narrowed": (3, 100)})
def test_large_digits_are_made_smaller_first(number: int, pen: float) -> None:
    small, _ = evened(digit(number, 240, pen))
    assert max(small.shape) < 2 * DETAIL + 20


def test_the_digit_is_not_changed() -> None:
    for pen in (2, 60):
        ink = digit(3, 150, pen)
        before = ink.copy()
        evened(ink)
        np.testing.assert_array_equal(ink, before)
