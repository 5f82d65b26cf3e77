"""Worked by hand: a slope by Sobel's kernels is 8 times the change from pixel to pixel."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.helpers import table
from training.canny import edges

Images = NDArray[np.float64]

STEPS = np.arange(9.0) - 4
RAMP = np.clip(STEPS / 2, -0.5, 0.5) + 0.5  # from dark to bright over three pixels: 0, 0.5, 1
ACROSS = np.tile(RAMP, (9, 1))
DIAGONAL = np.clip((STEPS[:, None] + STEPS) / 2, -0.5, 0.5) + 0.5
INNER = slice(1, 8)


def found(image: Images, low: float = 0.1, high: float = 0.2) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = edges(image[None], low, high)[0]
    return result


def drawn(places: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """These places, without the border."""
    inner = np.zeros_like(places)
    inner[INNER, INNER] = places[INNER, INNER]
    return inner


@table(
    "image, places",
    {
        "upright": (ACROSS, np.broadcast_to(STEPS == 0, (9, 9))),
        "level": (ACROSS.T, np.broadcast_to(STEPS == 0, (9, 9)).T),
        "rising": (DIAGONAL, np.abs(STEPS[:, None] + STEPS) <= 1),  # on either side of it a tie
        "falling": (np.fliplr(DIAGONAL), np.abs(STEPS[:, None] - STEPS) <= 1),
        "bright to dark": (1 - ACROSS, np.broadcast_to(STEPS == 0, (9, 9))),
        "nothing there": (np.zeros((9, 9)), np.zeros((9, 9), np.bool_)),
        "all the same": (np.ones((9, 9)), np.zeros((9, 9), np.bool_)),
    },
)
def test_an_edge_is_where_the_image_is_steepest(image: Images, places: NDArray[np.bool_]) -> None:
    assert np.array_equal(found(image), drawn(places))


@table(
    "turn",
    {"transposed": np.transpose, "mirrored": np.fliplr, "upside down": np.flipud},
)
def test_edges_turn_with_the_image(turn: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    image = np.cumsum(np.random.default_rng(1).random((9, 9)), axis=0)
    assert np.array_equal(found(turn(image)), turn(found(image)))


def test_a_ridge_is_compared_along_the_slope_alone() -> None:
    """One that grows down the rows is less steep than its corners, but not than its sides."""
    growing: Images = 1.2 ** STEPS[:, None] * np.tanh(STEPS / 3) + 0.01 * STEPS[:, None]
    assert np.array_equal(found(growing)[INNER, 4], np.ones(7, np.bool_))
    # Across a slope of 1 in 2, what counts lies halfway between side and corner.
    slanted = np.tanh((2 * STEPS + STEPS[:, None]) / 6)
    assert np.array_equal(found(slanted), drawn(np.abs(2 * STEPS + STEPS[:, None]) <= 1))


@table(
    "contrast, seen",
    {"above high": (0.06, True), "between": (0.04, False), "below low": (0.02, False)},
)
def test_an_edge_needs_a_pixel_above_the_high_threshold(contrast: float, seen: bool) -> None:  # noqa: FBT001 - a row of the table
    assert found(contrast * ACROSS).any() == seen  # its slope is 4 times the contrast


@table(
    "low, high, rows",
    {
        "all of it": (0.1, 0.26, range(1, 8)),
        "as far as it is steep enough": (0.175, 0.26, range(1, 7)),
        "none of it": (0.1, 0.29, range(0)),
    },
)
def test_a_chain_goes_on_from_there_above_the_low_one(low: float, high: float, rows: range) -> None:
    slopes = 0.28 - 0.016 * np.arange(9)  # of the edge, row by row: only one is above 0.26
    column = found(slopes[:, None] / 4 * ACROSS, low, high)[:, 4]
    assert np.flatnonzero(column).tolist() == list(rows)


def test_images_do_not_touch_each_other() -> None:
    both = edges(np.stack([0.04 * ACROSS, ACROSS]), 0.1, 0.2)
    assert not both[0].any()
    assert both[1].any()
