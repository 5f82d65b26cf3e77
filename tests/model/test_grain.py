import numpy as np
import pytest

from model.grain import is_grain
from model.ink import Ink
from tests.helpers import table
from tests.model.drawing import DIGITS, paper, stroke, written


def judged(light: Ink, share: float = 0.5) -> bool:
    """Whether light is noise, its ink being what is above a share of its most."""
    ink = (light > share * light.max()).astype(np.float32)
    return is_grain(light.astype(np.float32), ink)


def dots(shape: tuple[int, int], share: float, side: int = 1) -> Ink:
    """Blocks of ink anywhere."""
    rows, columns = -(-shape[0] // side), -(-shape[1] // side)
    drawn = np.random.default_rng(0).random((rows, columns)) < share
    blocks = np.kron(drawn, np.ones((side, side)))[: shape[0], : shape[1]]
    return np.asarray(blocks * 200, np.float32)


@table("share", {"sparse": 0.02, "half": 0.5, "dense": 0.9})
@pytest.mark.parametrize("shape", [(200, 40), (40, 200), (150, 150), (30, 30)])
def test_pixels_that_have_nothing_to_do_with_each_other_are_noise(
    shape: tuple[int, int], share: float
) -> None:
    assert judged(dots(shape, share))


@pytest.mark.parametrize("side", [2, 3, 4, 6])
def test_dense_blocks_are_noise(side: int) -> None:
    assert judged(dots((200, 200), 0.5, side))


def test_normal_noise_is_noise() -> None:
    assert judged(np.random.default_rng(0).normal(0, 20, (120, 120)).astype(np.float32))


@pytest.mark.parametrize("number", range(10))
@table("pen", {"a hair": 1, "thin": 3, "usual": 10, "broad": 24})
def test_digits_are_no_noise(number: int, pen: float) -> None:
    assert not judged(written(DIGITS[number], (200, 200), (40, 60), 120, pen) * 200)


def diagonal(size: int) -> Ink:
    return np.eye(size, dtype=np.float32) * 200


@table(
    "light",
    {
        "across": np.pad(np.full((1, 60), 200, np.float32), 20),
        "down": np.pad(np.full((60, 1), 200, np.float32), 20),
        "falling": diagonal(80),
        "rising": diagonal(80)[:, ::-1],
    },
)
def test_a_line_one_pixel_wide_goes_on_in_one_direction(light: Ink) -> None:
    assert not judged(light)


@pytest.mark.parametrize("shape", [(1, 60), (60, 1), (2, 2)])
def test_a_sheet_without_directions_is_judged_by_those_it_has(shape: tuple[int, int]) -> None:
    light = np.zeros(shape, np.float32)
    light[: shape[0] // 2 + 1, : shape[1] // 2 + 1] = 200
    light[0, 0] = 0
    is_grain(light, np.asarray(light / 200, np.float32))  # and no warning
    assert not judged(np.arange(60, dtype=np.float32).reshape((1, 60)))


def test_a_digit_in_noise_is_no_noise() -> None:
    noise = np.random.default_rng(0).normal(0, 25, (200, 200)).astype(np.float32)
    assert not judged(written(DIGITS[3], (200, 200), (40, 60), 120, 10) * 200 + noise)


def test_broad_strokes_that_cover_much_of_a_sheet_are_no_noise() -> None:
    sheet = paper((200, 200))
    stroke(sheet, [(60, 40), (140, 40), (140, 160), (60, 160)], 45)
    assert sheet.mean() > 0.3
    assert not judged(sheet * 200)


def test_sparse_blocks_may_be_strokes() -> None:
    """Little ink whose neighbours are alike is what a thin stroke is, wherever it stands."""
    assert not judged(dots((200, 200), 0.02, 4))


def smoothed(share: float) -> Ink:
    """Noise of which each pixel has a share of the one on its left."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 20, (300, 300))
    for column in range(1, 300):
        noise[:, column] = share * noise[:, column - 1] + (1 - share**2) ** 0.5 * noise[:, column]
    return noise.astype(np.float32)


@table("share, grain", {"hardly": (0.17, True), "a little": (0.24, False)})
def test_pixels_that_have_something_to_do_with_each_other_are_no_noise(
    share: float, *, grain: bool
) -> None:
    light = smoothed(share)
    assert is_grain(light, np.zeros_like(light)) is grain


@table("share, grain", {"covers little": (0.13, False), "covers much": (0.17, True)})
def test_coarse_noise_is_told_by_how_much_it_covers(share: float, *, grain: bool) -> None:
    light = dots((240, 240), 0.5, 4)
    ink = np.full(light.shape, share, np.float32)
    assert is_grain(light, ink) is grain


@table("side, grain", {"as broad as no stroke": (7, True), "as broad as a stroke": (11, False)})
def test_coarse_noise_is_told_by_how_broad_it_is(side: int, *, grain: bool) -> None:
    """A stroke that covers much of a sheet is broader than a part of the longer side."""
    light = dots((100, 256), 0.5, side)
    assert judged(light) is grain
