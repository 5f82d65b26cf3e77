import numpy as np
import pytest

from model.ink import STROKE, Ink, Strokes, separate
from tests.helpers import table
from tests.model.drawing import paper, stroke


def found_in(light: Ink) -> Strokes:
    strokes = separate(light)
    assert strokes is not None
    return strokes


def nothing_in(light: Ink) -> bool:
    return separate(light) is None


def noise(shape: tuple[int, int], deviation: float, seed: int = 0) -> Ink:
    return np.random.default_rng(seed).normal(0, deviation, shape).astype(np.float32)


def long_stroke(pen: float, size: int = 200) -> Ink:
    """A slanted stroke (size, size) in 0-1."""
    sheet = paper((size, size))
    stroke(sheet, [(0.3 * size, 0.2 * size), (0.6 * size, 0.8 * size)], pen)
    return sheet


@table(
    "shape, pen",
    {"1 % of the sheet": ((200, 200), 3), "a sixtieth of a wide sheet": ((200, 200), 6)},
)
@pytest.mark.parametrize("contrast", [60, 120, 230])
def test_a_thin_stroke_is_told_from_noise(
    shape: tuple[int, int], pen: float, contrast: float
) -> None:
    ink = long_stroke(pen, shape[0])
    strokes = found_in(ink * contrast + noise(shape, contrast / 10))
    found = strokes.ink > STROKE
    assert (found == (ink > 0.5)).mean() > 0.995
    assert found[ink > 0.9].mean() > 0.97
    assert strokes.contrast == pytest.approx(contrast, rel=0.15)


@pytest.mark.parametrize("share", [0.01, 0.02, 0.1, 0.3, 0.5])
def test_what_is_ink_does_not_depend_on_how_much_there_is(share: float) -> None:
    light = np.zeros((200, 200), np.float32)
    light[:, : round(200 * share)] = 200
    light[:20, 199] = np.tile((80, 130), 10)  # shades of grey: less than half ink, and more
    strokes = found_in(light)
    assert strokes.contrast == pytest.approx(200, rel=0.15)
    assert (strokes.ink[:, 0] == 1).all()
    assert (strokes.ink[:20:2, 199] < STROKE).all()
    assert (strokes.ink[1:20:2, 199] > STROKE).all()


@pytest.mark.parametrize("place", range(100, 106))
@pytest.mark.parametrize("size", [120, 200, 256])
def test_a_stroke_one_pixel_wide_is_seen_wherever_it_stands(size: int, place: int) -> None:
    light = np.zeros((size, size), np.float32)
    light[20:-20, place] = 200
    np.testing.assert_array_equal(found_in(light).ink, light / 200)
    np.testing.assert_array_equal(found_in(light.T).ink, light.T / 200)


@table(
    "contrast, blank",
    {
        "none": (0, True),
        "too little": (23.9, True),
        "just enough": (24, False),
        "much": (200, False),
    },
)
def test_less_contrast_than_the_least_is_paper(contrast: float, *, blank: bool) -> None:
    light = np.zeros((60, 60), np.float32)
    light[20:40, 28:32] = contrast
    assert nothing_in(light) is blank


@pytest.mark.parametrize("deviation", [0, 1, 3, 6])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (60, 60), (256, 256)])
def test_paper_has_no_ink(shape: tuple[int, int], deviation: float) -> None:
    assert nothing_in(noise(shape, deviation))


def test_paper_that_is_lighter_than_its_ground_has_none_either() -> None:
    assert nothing_in(noise((60, 60), 2) - 50)


def test_ink_less_than_noise_is_noise() -> None:
    light = noise((200, 200), 30)
    light[50:150, 100:103] += 50
    found = separate(light)
    assert found is None or (found.ink[50:150, 100:103] > STROKE).mean() < 0.5


@table(
    "level, expected",
    {
        "paper": (0.0, 0.0),
        "nearly paper": (0.14, 0.0),
        "a little": (0.4, 0.25 / 0.7),
        "half": (0.5, 0.5),
        "nearly ink": (0.86, 1.0),
        "ink": (1.0, 1.0),
        "more than that": (1.2, 1.0),
    },
)
def test_edges_are_soft(level: float, expected: float) -> None:
    light = np.zeros((100, 100), np.float32)
    light[20:80, 40:60] = 200
    light[50, 50] = 200 * level
    assert found_in(light).ink[50, 50] == pytest.approx(expected, abs=0.01)


def test_ink_is_between_nothing_and_all_and_the_light_is_as_it_was() -> None:
    light = long_stroke(8) * 180 + noise((200, 200), 10)
    before = light.copy()
    ink: Ink = found_in(light).ink
    assert ink.dtype == np.float32
    assert ink.shape == light.shape
    assert (ink.min(), ink.max()) == (0, 1)
    np.testing.assert_array_equal(light, before)


def test_paper_in_the_noise_is_without_ink() -> None:
    """However rough: what is within two deviations is paper."""
    rough = noise((200, 200), 12)
    light = rough.copy()
    light[60:140, 95:105] = 100
    ink = found_in(light).ink
    ink[55:145, 90:110] = 0
    assert (ink > 0).mean() < 0.05


def test_paper_lighter_than_its_ground_does_not_move_the_threshold() -> None:
    light = long_stroke(10) * 100 - 30
    assert (found_in(light).ink[light > 45] > 0.3).all()


def test_a_pale_stroke_in_rough_paper_is_found_where_it_stands_out() -> None:
    """At four and a half deviations; not at all where it is less than the least contrast."""
    rough = noise((200, 200), 20)
    rough[60:140, 95:100] += 90
    found = found_in(rough)
    assert (found.ink[60:140, 95:100] > STROKE).mean() > 0.8
    found.ink[55:145, 90:105] = 0
    assert (found.ink > STROKE).mean() < 0.02
