import json

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers import table
from tests.training.known_answers import answered, examination, examined, reader
from training.evaluation import evaluate, evaluate_test, proportion
from training.statistics import clustered_interval

# Two 0s read right; of the 1s, one read right and one for a 0; a 2 read for a 1.
FIVE = answered([(0, 0, 255), (0, 0, 255), (1, 0, 51), (1, 1, 255), (2, 1, 51)])


def test_a_proportion_worked_by_hand() -> None:
    found = proportion(np.array([True] * 8 + [False] * 2))
    low, high = found.pop("interval_95")
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert found == {"images": 10, "correct": 8, "accuracy": 0.8}


def test_a_record_worked_by_hand() -> None:
    found = examined(reader(threshold=0.4), FIVE)
    record = evaluate(found)
    # A pixel of 255 gives a logit of 10, and one of 51 a logit of 2, beside nine of 0.
    sure, unsure = np.exp(10) / (np.exp(10) + 9), np.exp(2) / (np.exp(2) + 9)
    likelihood = -(3 * np.log(sure) + 2 * np.log((1 - unsure) / 9)) / 5
    assert record.pop("negative_log_likelihood") == pytest.approx(likelihood, rel=1e-5)
    error = (3 * (1 - sure) + 2 * unsure) / 5  # every answer is a bin of its own
    assert record.pop("expected_calibration_error") == pytest.approx(error, rel=1e-5)
    area = (0 + 0 + 0 + 1 / 4 + 2 / 5) / 5
    assert record.pop("area_under_risk_coverage") == pytest.approx(area)
    assert record == {
        "images": 5,
        "correct": 3,
        "accuracy": 0.6,
        "interval_95": pytest.approx([0.2307, 0.8824], abs=1e-4),
        "by_digit": {
            "0": proportion(np.array([True, True])),
            "1": proportion(np.array([False, True])),
            "2": proportion(np.array([False])),
        },
        "errors_at_coverage": {"99%": 0.4, "98%": 0.4},
        "accepted": 5,
        "errors_accepted": 2,
    }


@table(
    "wrong, errors",
    {
        # Ranks by rising confidence, of 100 answers.
        "the least confident": ([0], {"99%": 0, "98%": 0}),
        "the two least confident": ([0, 1], {"99%": 1 / 99, "98%": 0}),
        "the second and the third": ([1, 2], {"99%": 2 / 99, "98%": 1 / 98}),
        "the most confident": ([99], {"99%": 1 / 99, "98%": 1 / 98}),
    },
)
def test_errors_at_a_coverage_leave_the_least_confident_out(
    wrong: list[int], errors: dict[str, float]
) -> None:
    right = ~np.isin(np.arange(100), wrong)
    found = examination(np.linspace(0.5, 0.99, 100).tolist(), right.tolist())
    assert evaluate(found)["errors_at_coverage"] == pytest.approx(errors)


def test_a_single_answer_has_a_record() -> None:
    record = evaluate(examination([0.9], [False]))
    assert record["errors_at_coverage"] == {"99%": 1, "98%": 1}
    assert record["area_under_risk_coverage"] == 1


def test_what_is_not_accepted_and_the_errors_in_what_is_are_counted() -> None:
    right, accepted = [True, False, False, True, True], [True, True, False, False, True]
    record = evaluate(examination([0.9, 0.8, 0.7, 0.6, 0.5], right, accepted))
    assert (record["correct"], record["accepted"], record["errors_accepted"]) == (3, 3, 1)


def test_where_writers_are_known_there_is_an_interval_by_writers() -> None:
    right = np.random.default_rng(0).random(60) < 0.8
    writers = np.arange(60) // 6
    found = examination([0.9] * 60, right.tolist())
    record, plain = evaluate(found, writers), evaluate(found)
    assert record.pop("writers") == 10
    low, high = record.pop("interval_95_by_writers")
    assert (low, high) == clustered_interval(right, writers)
    assert low < high
    assert record == plain


def test_a_test_set_is_halved_where_its_writers_are_known() -> None:
    right = [True, True, False, True, False]
    found, writers = examination([0.9] * 5, right), np.arange(5)
    assert evaluate_test(found) == evaluate(found)
    assert evaluate_test(found, writers) == evaluate(found, writers) | {
        "by_half": {
            "0-1": proportion(np.array([True, True])),
            "2-4": proportion(np.array([False, True, False])),
        }
    }


@table("writers", {"known": np.arange(5) // 2, "not known": None})
def test_a_record_is_json(writers: NDArray[np.intp] | None) -> None:
    record = evaluate_test(examined(reader(), FIVE), writers)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
