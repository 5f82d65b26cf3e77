import math

import numpy as np
import pytest

from model.confidence import Confidence
from tests.training.known_answers import answered, reader
from training.dataset import Digits
from training.errors import DataError
from training.evaluation import evaluate
from training.examination import Examination, examine


def examination(confidences: list[float], right: list[bool]) -> Examination:
    """Answers of 0 with those confidences, to 0s where right and to 1s where not."""
    sure = np.array(confidences)
    probabilities = np.column_stack([sure, *[(1 - sure) / 9] * 9])
    hits = np.array(right)
    return Examination(
        labels=np.where(hits, 0, 1).astype(np.uint8),
        probabilities=probabilities,
        answers=np.zeros(len(sure), np.intp),
        confidences=sure,
        right=hits,
    )


def test_an_examination_worked_by_hand() -> None:
    # Lit to 255, a pixel gives a logit of 10 beside nine of 0; to 51, one of 2.
    found = examine(reader(), answered([(3, 3, 255), (3, 8, 51), (7, 7, 51)]))
    assert found.answers.tolist() == [3, 8, 7]
    assert found.right.tolist() == [True, False, True]
    assert found.correct == 2
    sure, unsure = math.exp(10) / (math.exp(10) + 9), math.exp(2) / (math.exp(2) + 9)
    assert found.confidences == pytest.approx([sure, unsure, unsure])
    counts = np.zeros((10, 10), int)
    counts[3, 3] = counts[3, 8] = counts[7, 7] = 1
    np.testing.assert_array_equal(found.confusion(), counts)


def test_it_agrees_with_the_record_in_the_artifact() -> None:
    rng = np.random.default_rng(0)
    rows = [(int(a), int(b), int(c)) for a, b, c in rng.integers(1, 10, (50, 3)) * [1, 1, 25]]
    artifact, digits = reader(), answered(rows)
    found = examine(artifact, digits)
    record = evaluate(artifact.network, digits, Confidence(1.0, 0.5))
    assert found.correct == record["correct"]
    assert found.negative_log_likelihood() == pytest.approx(
        record["negative_log_likelihood"], rel=1e-5
    )


def test_the_worst_are_the_wrong_ones_by_falling_confidence() -> None:
    found = examination([0.9, 0.8, 0.99, 0.8, 0.95], [False, False, True, False, False])
    assert found.worst(10).tolist() == [4, 0, 1, 3]
    assert found.worst(2).tolist() == [4, 0]
    assert examination([0.9], [True]).worst(40).tolist() == []


def test_bins_are_equal_parts_by_rising_confidence() -> None:
    found = examination([0.9, 0.5, 0.7, 0.6, 0.8], [True, False, True, True, False])
    first, second = found.bins(2)
    assert (first.images, second.images) == (3, 2)
    assert first.confidence == pytest.approx(0.6)
    assert first.accuracy == pytest.approx(2 / 3)
    assert second.confidence == pytest.approx(0.85)
    assert second.correct == 1
    assert len(found.bins(15)) == 5  # no bin is empty


def test_the_calibration_error_worked_by_hand() -> None:
    # 15 bins, the first of two right answers: the mean distance of a confidence from 0 or 1.
    sure = np.linspace(0.5, 0.99, 16)
    right = [True] * 10 + [False] * 6
    expected = (sum(1 - sure[:10]) + sum(sure[10:])) / 16
    assert examination(sure.tolist(), right).calibration_error() == pytest.approx(expected)


def test_confidences_that_hold_have_no_calibration_error() -> None:
    found = examination([0.8] * 75, [True, True, True, True, False] * 15)
    assert found.calibration_error() == pytest.approx(0)


def test_no_images_are_no_examination() -> None:
    empty = Digits(np.empty((0, 28, 28), np.uint8), np.empty(0, np.uint8))
    with pytest.raises(DataError, match="no images to read"):
        examine(reader(), empty)
