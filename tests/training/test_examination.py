import math

import numpy as np
import pytest

from model.confidence import Confidence, Thresholds
from model.network import scale_pixels
from tests.helpers import table
from tests.training.known_answers import answered, examination, examined, reader
from training.dataset import Digits
from training.errors import DataError
from training.examination import BATCH, accuracy, all_logits, examine

# Lit to 255, a pixel gives a logit of 10 beside nine of 0; to 51, one of 2.
BRIGHT_AND_DIM = answered([(3, 3, 255), (3, 8, 51), (7, 7, 51)])


# -- logits and accuracy ----------------------------------------------------


@pytest.mark.parametrize("count", [1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 7])
def test_logits_of_many_images_are_those_of_each(count: int) -> None:
    network = reader().network
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)
    found = all_logits(network, images)
    assert found.shape == (count, 10)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, network.logits(scale_pixels(images)), rtol=1e-5)


@pytest.mark.parametrize(
    ("labels", "expected"), [([0, 1, 1, 0], 0.75), ([0, 1, 1, 1], 1.0), ([1, 0, 2, 3], 0.0)]
)
def test_accuracy_is_the_share_of_right_answers(labels: list[int], expected: float) -> None:
    logits = np.array([[2, 1, 0], [0, 1, 0], [-5, -1, -3], [1, 9, 2]], np.float32)
    assert accuracy(logits, np.array(labels, np.uint8)) == expected


# -- what is examined -------------------------------------------------------


def test_an_examination_worked_by_hand() -> None:
    found = examined(reader(), BRIGHT_AND_DIM)
    assert found.answers.tolist() == [3, 8, 7]
    assert found.right.tolist() == [True, False, True]
    assert found.correct == 2
    sure, unsure = math.exp(10) / (math.exp(10) + 9), math.exp(2) / (math.exp(2) + 9)
    assert found.confidences == pytest.approx([sure, unsure, unsure])
    counts = np.zeros((10, 10), int)
    counts[3, 3] = counts[3, 8] = counts[7, 7] = 1
    np.testing.assert_array_equal(found.confusion(), counts)


@table(
    "temperature, confidence, energy, accepted",
    {
        # Of the first the confidence is 0.9996 and the energy 10.0, of the others 0.45 and 2.8.
        "all reach both": (1.0, 0.4, 2.0, [True, True, True]),
        "the confidence of one": (1.0, 0.5, 2.0, [True, False, False]),
        "the energy of one": (1.0, 0.4, 3.0, [True, False, False]),
        "the confidence of none": (1.0, 1.0, 2.0, [False, False, False]),
        "the energy of none": (1.0, 0.4, 11.0, [False, False, False]),
        "sharpened to 0.86": (0.5, 0.8, 2.0, [True, True, True]),
        "sharpened, and of no more energy": (0.5, 0.8, 3.0, [True, False, False]),
        "softened to 0.23": (10.0, 0.4, 2.0, [False, False, False]),
    },
)
def test_what_reaches_both_thresholds_is_accepted(
    temperature: float, confidence: float, energy: float, accepted: list[bool]
) -> None:
    judge = Confidence(temperature, Thresholds(confidence, energy))
    found = examine(reader().network, judge, BRIGHT_AND_DIM)
    assert found.accepted.tolist() == accepted
    assert found.right.tolist() == [True, False, True]


def test_the_likelihood_is_of_calibrated_probabilities() -> None:
    found = examine(reader().network, Confidence(temperature=0.5), answered([(7, 7, 51)]))
    assert found.negative_log_likelihood() == pytest.approx(math.log(math.exp(4) + 9) - 4)


def test_the_risks_are_those_of_the_most_confident_answers() -> None:
    found = examination([0.6, 0.9, 0.8, 0.7], [False, True, False, True])
    np.testing.assert_allclose(found.risks(), [0, 1 / 2, 1 / 3, 2 / 4])


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
        examined(reader(), empty)
