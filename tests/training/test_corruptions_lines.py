"""The two corruptions that draw lines, and the line that both are made of."""

import math

import numpy as np
from numpy.typing import NDArray

from tests.helpers import table
from training.corruptions import _line, corrupted

Images = NDArray[np.float64]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def frames(level: int, count: int = 200) -> NDArray[np.uint8]:
    return np.full((count, 28, 28), level, np.uint8)


def line(start: tuple[float, float], end: tuple[float, float]) -> Images:
    """From and to a column and a row, one image."""
    image: Images = _line(np.array(start)[:, None], np.array(end)[:, None])[0]
    return image


def test_a_line_fades_up_and_down() -> None:
    beside = 255 * (1 + math.log(1 - 1 / 2.3))
    found = line((0, 10), (28, 10))
    assert np.allclose(found[[8, 9, 10, 11, 12]].T, [0, beside, 255, beside, 0])
    assert not found[:8].any()
    assert not found[13:].any()


def test_a_sloping_line_passes_through_its_points() -> None:
    found = line((4, 20), (24, 10))
    for column in range(4, 24, 2):
        assert found[22 - column // 2, column] == 255


@table(
    "start, end, first, last",
    {
        "whole columns": (3, 9, 3, 8),
        "parts of columns": (3.9, 8.1, 3, 8),
        "from outside": (-4, 40, 0, 27),
    },
)
def test_a_line_ends_with_the_columns_of_its_points(
    start: float, end: float, first: int, last: int
) -> None:
    columns = np.flatnonzero(line((start, 10), (end, 10)).any(axis=0))
    assert columns.tolist() == list(range(first, last + 1))


def test_dots_are_two_columns_of_four_along_a_line_across_the_frame() -> None:
    found = corrupted("dotted_line", frames(0, 1000), rng())
    inked = found.any(axis=(0, 1))
    assert np.flatnonzero(inked).tolist() == [c for c in range(27) if c % 4 >= 2]
    weights = found[:, :, [2, 26]].astype(np.float64)
    rows = (weights * np.arange(28)[:, None]).sum(axis=1) / weights.sum(axis=1)
    assert 0 <= rows.min() < 2
    assert 25 < rows.max() < 27
    assert found.max(axis=(1, 2)).min() > 200


def test_ink_is_added_to_what_is_there() -> None:
    for name in ("dotted_line", "zigzag"):
        added = corrupted(name, frames(0), rng()).astype(int)
        assert np.array_equal(corrupted(name, frames(60), rng()), np.minimum(60 + added, 255))


def test_a_zigzag_has_six_teeth_about_its_line() -> None:
    found = corrupted("zigzag", frames(0, 1000), rng())
    assert np.flatnonzero(found.any(axis=(0, 1))).tolist() == list(range(2, 25))
    # The level ones have a tip two rows from their line, above or below, every four columns.
    columns, aside = np.arange(4, 25, 4), np.array([2, -2] * 3)
    for row in range(2, 25):
        assert (found[:, row + aside, columns] == 255).all(axis=1).any()
