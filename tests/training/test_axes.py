import math

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.helpers import PROPERTY, table
from training.axes import Axis, log_ticks, scale, ticks

VALUES = st.floats(-1e6, 1e6)


@table(
    "low, high, whole, expected",
    {
        "ones": (0, 5, False, [0, 1, 2, 3, 4, 5]),
        "twos": (1, 10, False, [2, 4, 6, 8, 10]),
        "fives": (0, 0.25, False, [0, 0.05, 0.1, 0.15, 0.2, 0.25]),
        "within": (95.87, 98.7, False, [96, 97, 98]),
        "below zero": (-0.3, 0.3, False, [-0.2, 0, 0.2]),
        "two epochs": (1, 2, True, [1, 2]),
        "digits": (-0.5, 9.5, True, list(range(10))),
        "hundreds of epochs": (1, 700, True, [100, 200, 300, 400, 500, 600, 700]),
    },
)
def test_ticks_are_round(low: float, high: float, whole: bool, expected: list[float]) -> None:  # noqa: FBT001 - a column of the table
    assert ticks(low, high, whole=whole) == expected


@table(
    "low, high, expected",
    {
        "two decades": (0.03, 2.5, [0.05, 0.1, 0.2, 0.5, 1, 2]),
        "four decades": (0.0007, 3, [0.001, 0.01, 0.1, 1]),
        "twenty decades": (1e-20, 1, [1e-20, 1e-17, 1e-14, 1e-11, 1e-8, 1e-5, 1e-2]),
        "less than one": (0.031, 0.045, [0.035, 0.04, 0.045]),
    },
)
def test_logarithmic_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert log_ticks(low, high) == expected


@PROPERTY
@example([0.1, 0.30000000000000004])
@given(st.lists(VALUES, min_size=2, max_size=2))
def test_there_are_a_few_ticks_and_they_are_on_the_axis(values: list[float]) -> None:
    low, high = sorted(values)
    assume(high - low > 1e-6)
    found = ticks(low, high)
    assert 2 <= len(found) <= 7
    slack = (high - low) * 1e-6
    assert all(low - slack <= value <= high + slack for value in found)


@PROPERTY
@given(st.lists(VALUES, min_size=1, max_size=5), st.booleans())
def test_every_value_has_its_place_in_order(values: list[float], whole: bool) -> None:  # noqa: FBT001 - drawn
    place = scale(Axis("y", whole=whole), values, (300.0, 20.0), exact=False)
    at = [place(value) for value in sorted(values)]
    assert at == sorted(at, reverse=True)  # the greater the value, the higher up
    assert all(20 <= position <= 300 for position in at)


def test_a_logarithmic_axis_gives_equal_room_to_equal_ratios() -> None:
    place = scale(Axis("loss", log=True), [0.01, 1], (0.0, 200.0), exact=True)
    assert [place(value) for value in (0.01, 0.1, 1)] == [0, 100, 200]


def test_what_is_beyond_the_limits_is_at_the_edge() -> None:
    place = scale(Axis("x", limits=(0, 10)), [-5, 50], (0.0, 100.0), exact=False)
    assert [place(value) for value in (-5, 5, 50)] == [0, 50, 100]


@table(
    "values, labels",
    {
        "thousands": ([0, 50_000], ["0", "10,000", "20,000", "30,000", "40,000", "50,000"]),
        "as many decimals as it takes": ([0.1, 0.3], ["0.10", "0.15", "0.20", "0.25", "0.30"]),
        "tiny": ([0, 2e-5], ["0", "5e-06", "1e-05", "1.5e-05", "2e-05"]),
        "all right, and nothing above it": ([100], ["50", "60", "70", "80", "90", "100"]),
        "the same but for a bit": ([98, 98 + 1e-12], ["40", "60", "80", "100"]),
        "nothing": ([0], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    },
)
def test_labels(values: list[float], labels: list[str]) -> None:
    assert [text for _, text in scale(Axis("y"), values, (0, 1), exact=False).labels()] == labels


@table(
    "axis, values, words",
    {
        "no values": (Axis("loss"), [], "needs a point"),
        "not a number": (Axis("loss"), [1, math.nan], "loss: a point is not finite"),
        "infinite": (Axis("loss"), [math.inf], "loss: a point is not finite"),
        "zero": (Axis("loss", log=True), [0, 1], "loss: 0 has no place on a logarithmic axis"),
    },
)
def test_what_cannot_be_placed_is_refused(axis: Axis, values: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        scale(axis, values, (0, 1), exact=False)
