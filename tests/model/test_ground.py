import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.ground import EVEN, against_ground, block_means
from model.ink import Ink
from tests.helpers import PROPERTY, table
from tests.model.drawing import DIGITS, arc, paper, stroke, written

# Row and column of a sheet of 240 x 200, from -1 to 1.
DOWN = np.linspace(-1, 1, 240, dtype=np.float32)[:, None] * np.ones((1, 200), np.float32)
ACROSS = np.linspace(-1, 1, 200, dtype=np.float32) * np.ones((240, 1), np.float32)

GROUNDS: dict[str, Ink] = {
    "even": 0 * DOWN,
    "light from the right": 50 * ACROSS,
    "light from below": 60 * DOWN,
    "light from a corner": 30 * DOWN - 30 * ACROSS,
    "a vignette": -25 * (DOWN**2 + ACROSS**2),
    "a lamp beside it": 20 * DOWN - 15 * ACROSS**2 + 20 * DOWN * ACROSS,
}


def sheet_of(ground: Ink, ink: Ink, *, level: float, contrast: float) -> Ink:
    """Ink on lit paper."""
    return np.asarray(level + ground + contrast * ink, np.float32)


def digit(number: int, *, height: float = 120, pen: float = 10) -> Ink:
    return written(DIGITS[number], (240, 200), (60, 60), height, pen)


# -- the ground taken away --------------------------------------------------


@table("ground", GROUNDS)
@table("level, contrast", {"black on white": (160, -120), "white on black": (90, 120)})
@pytest.mark.parametrize("number", [0, 1, 4, 8])
def test_what_is_left_is_ink_on_nothing(
    ground: Ink, level: float, contrast: float, number: int
) -> None:
    ink = digit(number)
    lit = against_ground(sheet_of(ground, ink, level=level, contrast=contrast))
    assert lit.inverted is (contrast < 0)
    assert lit.light.dtype == np.float32
    np.testing.assert_allclose(lit.light, abs(contrast) * ink, atol=12)
    assert np.abs(lit.light[ink == 0]).mean() < 4


@table("name", {name: name for name in GROUNDS})
def test_unevenness_is_between_the_lightest_and_the_darkest_place(name: str) -> None:
    ground = GROUNDS[name]
    lit = against_ground(sheet_of(ground, digit(2), level=150, contrast=-120))
    assert lit.unevenness == pytest.approx(float(np.ptp(ground)), rel=0.15)


@pytest.mark.parametrize("level", [0, 100, 255])
def test_an_even_sheet_is_all_ground(level: float) -> None:
    lit = against_ground(np.full((50, 70), level, np.float32))
    assert lit.unevenness == 0
    assert not lit.light.any()
    assert not lit.inverted


@PROPERTY
@given(st.integers(0, 255), st.integers(1, 40), st.integers(1, 400))
def test_any_even_sheet_is_all_ground(level: int, height: int, width: int) -> None:
    lit = against_ground(np.full((height, width), level, np.float32))
    np.testing.assert_allclose(lit.light, 0, atol=0.1)


def test_hardly_any_slope_is_none() -> None:
    ground = EVEN / 2 * ACROSS
    lit = against_ground(sheet_of(ground, digit(3), level=200, contrast=-150))
    assert lit.unevenness == 0


# -- which is the ink -------------------------------------------------------

PLACES = {
    "in the middle": [(0.5, 0.2), (0.5, 0.8)],
    "over the upper edge": [(0.5, 0.0), (0.5, 0.5)],
    "along the left edge": [(0.02, 0.1), (0.02, 0.9)],
    "from corner to corner": [(0.0, 0.0), (1.0, 1.0)],
    "in a corner": [(0.05, 0.7), (0.05, 0.95), (0.3, 0.95)],
}


@table("line", PLACES)
@pytest.mark.parametrize("contrast", [-150, 150])
def test_a_stroke_anywhere_is_ink_and_not_ground(
    line: list[tuple[float, float]], contrast: float
) -> None:
    ink = paper((200, 200))
    stroke(ink, line, 14, times=200)
    lit = against_ground(
        sheet_of(np.zeros_like(ink), ink, level=128 - contrast / 2, contrast=contrast)
    )
    assert lit.inverted is (contrast < 0)
    np.testing.assert_allclose(lit.light, 150 * ink, atol=1)


@pytest.mark.parametrize("contrast", [-180, 180])
@table("pen", {"thin": 20, "broad": 60})
def test_a_digit_that_fills_its_sheet_is_ink(contrast: float, pen: float) -> None:
    ink = paper((200, 200))
    stroke(ink, arc((100, 100), (100 - pen / 2, 100 - pen / 2), 0, 360), pen)
    level = 128 - contrast / 2
    lit = against_ground(sheet_of(np.zeros_like(ink), ink, level=level, contrast=contrast))
    assert lit.inverted is (contrast < 0)
    np.testing.assert_allclose(lit.light, 180 * ink, atol=1)


@pytest.mark.parametrize("contrast", [-200, 200])
@pytest.mark.parametrize("width", range(4, 8))
def test_a_1_that_fills_its_slim_sheet_is_no_shadow(width: int, contrast: float) -> None:
    """It is darkest in the middle, as a vignette is lightest there."""
    across = np.abs(np.arange(width) - (width - 1) / 2) / (width / 2)
    ink = np.tile(np.clip(1.4 - 2 * across, 0, 1), (20, 1)).astype(np.float32)
    level = 128 - contrast / 2
    lit = against_ground(sheet_of(np.zeros_like(ink), ink, level=level, contrast=contrast))
    assert lit.unevenness == 0
    assert lit.inverted is (contrast < 0)


def test_a_thin_dark_stroke_outweighs_noise_that_is_light() -> None:
    noise = np.random.default_rng(0).normal(0, 8, (240, 200)).astype(np.float32)
    lit = against_ground(sheet_of(noise, digit(1, pen=3), level=180, contrast=-150))
    assert lit.inverted


def test_the_sheet_is_not_changed() -> None:
    sheet = sheet_of(GROUNDS["a vignette"], digit(5), level=180, contrast=-100)
    before = sheet.copy()
    against_ground(sheet)
    np.testing.assert_array_equal(sheet, before)


# -- blocks made one --------------------------------------------------------


@table(
    "shape, side, expected",
    {
        "each pixel by itself": ((4, 6), 1, (4, 6)),
        "blocks": ((4, 6), 2, (2, 3)),
        "rows and columns left over": ((11, 8), 3, (3, 2)),
        "narrower than a block": ((9, 2), 3, (3, 1)),
        "lower than a block": ((1, 12), 4, (1, 3)),
        "smaller than a block": ((2, 3), 5, (1, 1)),
    },
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_blocks_become_their_means(
    shape: tuple[int, int], side: int, expected: tuple[int, int], dtype: type
) -> None:
    image: Ink = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    means = block_means(image, side)
    assert means.shape == expected
    assert means.dtype == np.float32
    for row, column in np.ndindex(expected):
        block = image[row * side : (row + 1) * side, column * side : (column + 1) * side]
        assert means[row, column] == pytest.approx(float(block.mean()), rel=1e-5)


def test_bright_blocks_do_not_overflow() -> None:
    assert (block_means(np.full((40, 40), 255, np.uint8), 20) == pytest.approx(255)) is True
