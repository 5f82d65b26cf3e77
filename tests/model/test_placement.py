import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.ink import Ink
from model.placement import BOX_SIDE, area_weights, place, placed
from tests.helpers import PROPERTY, table
from tests.model.frames import EXPECTED, SHAPE, box, centre_of_mass

L: Ink = np.asarray(SHAPE / 255, np.float32)


def full(height: int, width: int) -> Ink:
    return np.ones((height, width), np.float32)


@pytest.mark.parametrize("times", [1, 2, 7])
def test_a_digit_fills_the_box_with_its_centre_of_mass_in_the_middle(times: int) -> None:
    np.testing.assert_array_equal(place(np.kron(L, full(times, times))), EXPECTED)


@table(
    "height, width, expected",
    {
        "square": (40, 40, (20, 20)),
        "tall": (40, 20, (20, 10)),
        "wide": (10, 60, (3, 20)),
        "smaller than the box": (5, 2, (20, 8)),
        "a line": (1, 200, (1, 20)),
        "a hair": (300, 2, (20, 1)),
        "a dot": (1, 1, (20, 20)),
        "rounded down": (40, 22, (20, 11)),
        "rounded up": (40, 23, (20, 12)),
    },
)
def test_the_longer_side_fills_the_box_and_the_aspect_is_kept(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    assert box(place(full(height, width)))[2:] == expected
    assert max(expected) == BOX_SIDE


@table(
    "ink",
    {
        "an L": L,
        "an L on its head": L[::-1],
        "an L in the mirror": L[:, ::-1],
        "an L on its side": L.T,
        "heavy at the bottom": np.tril(full(33, 33)),
    },
)
def test_the_centre_of_mass_is_the_centre_of_the_frame(ink: Ink) -> None:
    assert centre_of_mass(place(ink)) == pytest.approx([14, 14], abs=0.5)


def test_a_digit_that_would_leave_the_frame_stays_within() -> None:
    flag = np.zeros((20, 20), np.float32)  # all of the mass is at the top
    flag[:2, :] = flag[:, 9:10] = 1
    for ink in (flag, flag[::-1], flag.T, flag.T[:, ::-1]):
        frame = place(ink)
        assert box(frame)[2:] == (20, 20)
        assert frame.sum() == 255 * ink.sum()


def test_scaling_down_averages_areas() -> None:
    comb = np.tile(np.array([[1, 0, 0, 0]], np.float32), (80, 20))
    comb[:, -1] = 1
    even = place(comb)[4:24, 4:23]
    assert np.unique(even).size == 1  # one column of four is ink, everywhere


@table("shade", {"black": 1.0, "grey": 0.4, "hardly there": 1e-5})
def test_the_darkest_ink_becomes_255(shade: float) -> None:
    np.testing.assert_array_equal(place(L * np.float32(shade)), EXPECTED)


def test_the_ink_is_not_changed() -> None:
    ink = L.copy()
    place(ink)
    np.testing.assert_array_equal(ink, L)


@PROPERTY
@given(st.integers(1, 300), st.integers(1, 60))
def test_weights_average_and_use_every_input_as_much(inputs: int, outputs: int) -> None:
    weights = area_weights(inputs, outputs)
    assert weights.shape == (outputs, inputs)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(weights.sum(axis=0), outputs / inputs, atol=1e-4)
    means = weights @ np.arange(inputs, dtype=np.float32)
    assert (np.diff(means) >= 0).all()


@table(
    "inputs, outputs, expected",
    {
        "the same": (2, 2, [[1, 0], [0, 1]]),
        "halves": (4, 2, [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]),
        "a pixel divided": (3, 2, [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]]),
        "enlarged": (1, 3, [[1], [1], [1]]),
    },
)
def test_weights_are_shares_of_what_an_output_covers(
    inputs: int, outputs: int, expected: list[list[float]]
) -> None:
    np.testing.assert_allclose(area_weights(inputs, outputs), expected, atol=1e-6)


def test_the_step_says_how_large_the_digit_was() -> None:
    step = placed(full(90, 40))
    assert step.name == "place"
    assert "40 x 90 pixels" in step.did
