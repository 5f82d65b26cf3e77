from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest

from model.artifact import Artifact
from tests.helpers import table
from tests.training.known_answers import answered, reader
from training.comparison import compare, mcnemar, to_text
from training.dataset import Digits
from training.errors import DataError
from training.statistics import wilson_interval

# Two readers of which the first takes every 7 for a 0 and the second every 3 and 4.
FIRST, SECOND = reader(version=1, blind_to=[7]), reader(version=2, blind_to=[3, 4])


def images(*, sevens: int, threes: int, fives: int, mistaken: int = 0) -> Digits:
    """Images of each, and 4s marked as 7s, which neither reads right."""
    counts = {(7, 7): sevens, (3, 3): threes, (5, 5): fives, (7, 4): mistaken}
    return answered([(*pair, 255) for pair, count in counts.items() for _ in range(count)])


# -- the exact test ---------------------------------------------------------


@table(
    "only_first, only_second, expected",
    {
        "nothing differs": (0, 0, Fraction(1)),
        "one toss": (1, 0, Fraction(1)),
        "five of five": (0, 5, Fraction(2, 32)),
        "six of six": (6, 0, Fraction(2, 64)),
        "one of ten": (9, 1, Fraction(2 * (1 + 10), 1024)),
        "two of ten": (2, 8, Fraction(2 * (1 + 10 + 45), 1024)),
        "even": (5, 5, Fraction(1)),
        "one off even": (4, 5, Fraction(1)),
    },
)
def test_p_values_worked_by_hand(only_first: int, only_second: int, expected: Fraction) -> None:
    assert mcnemar(only_first, only_second) == float(expected)


@pytest.mark.parametrize("tosses", range(1, 11))
def test_the_p_value_is_the_share_of_all_tosses_that_are_as_uneven(tosses: int) -> None:
    heads = [sum(toss) for toss in product((0, 1), repeat=tosses)]
    for first in range(tosses + 1):
        as_uneven = sum(abs(2 * count - tosses) >= abs(2 * first - tosses) for count in heads)
        assert mcnemar(first, tosses - first) == as_uneven / 2**tosses


@pytest.mark.parametrize(("first", "second"), [(450, 550), (1500, 1400), (700, 300)])
def test_large_counts_are_as_exact(first: int, second: int) -> None:
    tosses = first + second
    ways = sum(comb(tosses, k) for k in range(min(first, second) + 1))
    assert mcnemar(first, second) == mcnemar(second, first) == float(Fraction(2 * ways, 2**tosses))


def test_what_is_too_small_for_a_float_is_zero() -> None:
    assert mcnemar(0, 5000) == 0.0


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 and 3 must be 0 or more"):
        mcnemar(-1, 3)


# -- two artifacts ----------------------------------------------------------


def test_a_comparison_worked_by_hand() -> None:
    found = compare(FIRST, SECOND, images(sevens=3, threes=1, fives=5, mistaken=2))
    assert (found.both_right, found.only_first, found.only_second, found.both_wrong) == (5, 1, 3, 2)
    assert found.images == 11
    assert found.p_value == mcnemar(1, 3)
    assert found.differ == (0, 1, 2, 3, 9, 10)  # the last two are wrong in two ways: 4 and 0
    assert found.images_by_digit == (0, 0, 0, 1, 0, 5, 0, 5, 0, 0)
    assert (found.first.correct, found.second.correct) == (6, 8)
    assert (found.first.accuracy, found.second.accuracy) == (6 / 11, 8 / 11)
    assert found.first.interval_95 == wilson_interval(6, 11)
    assert found.first.correct_by_digit == (0, 0, 0, 1, 0, 5, 0, 0, 0, 0)
    assert found.second.correct_by_digit == (0, 0, 0, 0, 0, 5, 0, 3, 0, 0)
    assert (found.first.version, found.second.version) == (1, 2)
    assert found.first.parameters == 7850


def test_an_artifact_does_not_differ_from_itself() -> None:
    found = compare(FIRST, FIRST, images(sevens=2, threes=2, fives=2))
    assert found.p_value == 1.0
    assert found.differ == ()
    assert "nothing sets them apart" in to_text(found, "a", "b")


def test_no_images_are_no_comparison() -> None:
    empty = Digits(np.empty((0, 28, 28), np.uint8), np.empty(0, np.uint8))
    with pytest.raises(DataError, match="no images to compare on"):
        compare(FIRST, SECOND, empty)


# -- on a terminal ----------------------------------------------------------


def told(first: Artifact, second: Artifact, digits: Digits) -> str:
    return to_text(compare(first, second, digits), "old.npz", "new.npz")


def test_the_table_has_the_two_side_by_side() -> None:
    lines = told(FIRST, SECOND, images(sevens=10, threes=1, fives=9)).splitlines()
    cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]
    for row in (
        ["old.npz", "new.npz"],
        ["version", "1", "2"],
        ["parameters", "7,850", "7,850"],
        ["temperature", "1.000", "1.000"],
        ["right", "10 of 20", "19 of 20"],
        ["accuracy", "50.00%", "95.00%"],
        ["accuracy on 3", "100.00%", "0.00%"],
        ["accuracy on 7", "0.00%", "100.00%"],
        ["both right", "9"],
        ["only old.npz right", "1"],
        ["only new.npz right", "10"],
        ["both wrong", "0"],
        ["different answers", "11"],
    ):
        assert row in cells
    assert "accuracy on 0" not in "\n".join(lines)  # there is none
    widths = {len(line) for line in lines[: lines.index("")]}
    assert len(widths) == 1  # the columns are flush


@table(
    "sevens, threes, words",
    {
        "a clear winner": (
            10,
            1,
            ["p = 0.0117", "11 images", "1.17% of", "so new.npz reads better."],
        ),
        "the other one": (1, 10, ["p = 0.0117", "so old.npz reads better."]),
        "chance": (3, 2, ["p = 1;", "100% of", "neither to read better."]),
        "no doubt": (20, 0, ["p < 0.0001", "fewer than 0.01% of", "so new.npz reads better."]),
    },
)
def test_a_sentence_says_what_the_p_value_means(sevens: int, threes: int, words: list[str]) -> None:
    sentence = told(FIRST, SECOND, images(sevens=sevens, threes=threes, fives=2)).splitlines()[-1]
    for word in words:
        assert word in sentence
