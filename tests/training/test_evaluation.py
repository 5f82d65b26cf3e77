import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.architecture import mlp
from model.confidence import Confidence
from model.layers import softmax
from model.network import Network, scale_pixels
from tests.helpers import PROPERTY, synthetic_mnist
from training.dataset import Digits
from training.evaluation import (
    BATCH,
    accuracy,
    all_logits,
    calibrate,
    evaluate,
    fit_temperature,
    wilson_interval,
)

LN3 = float(np.log(3))


def bright_corner_network() -> Network:
    """Reads 1 where the first pixel is lit and 0 where it is not, at odds of 3 to 1 of two."""
    architecture = mlp(784, 10)
    parameters = {
        name: np.zeros(shape, np.float32) for name, shape in architecture.parameter_shapes().items()
    }
    parameters["dense1.weight"][0, :2] = [-LN3, LN3]
    parameters["dense1.bias"][:] = [LN3, 0, *[-1000] * 8]
    return Network(architecture, parameters)


def digits(lit: list[bool], labels: list[int]) -> Digits:
    images = np.zeros((len(lit), 28, 28), np.uint8)
    images[:, 0, 0] = np.array(lit) * 255
    return Digits(images, np.array(labels, np.uint8))


def drawn(count: int, temperature: float) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Logits, and labels drawn from their softmax at a temperature."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (count, 10))
    noise = rng.gumbel(size=logits.shape)  # its argmax with logits added is a draw of softmax
    return logits, (logits / temperature + noise).argmax(axis=1).astype(np.uint8)


# -- logits and accuracy ----------------------------------------------------


@pytest.mark.parametrize("count", [1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 7])
def test_logits_of_many_images_are_those_of_each(count: int) -> None:
    network = bright_corner_network()
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


def test_a_record_worked_by_hand() -> None:
    data = digits([False, False, False, True, True], [0, 0, 1, 1, 2])
    record = evaluate(bright_corner_network(), data, Confidence(1.0, 0.5))
    low, high = record.pop("interval_95")
    assert (low, high) == pytest.approx((0.2307, 0.8824), abs=1e-4)
    likelihood = record.pop("negative_log_likelihood")
    # ln 4/3 of each of the three that are right, ln 4 of the third; the last is impossible.
    floor = -np.log(np.finfo(np.float32).tiny)
    assert likelihood == pytest.approx((3 * np.log(4 / 3) + np.log(4) + floor) / 5, rel=1e-5)
    assert record == {
        "images": 5,
        "correct": 3,
        "accuracy": 0.6,
        "accepted": 5,
        "errors_accepted": 2,
        "correct_by_digit": [2, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        "images_by_digit": [2, 2, 1, 0, 0, 0, 0, 0, 0, 0],
    }


@pytest.mark.parametrize(
    ("confidence", "accepted"),
    [
        (Confidence(1.0, 0.7), 5),
        (Confidence(1.0, 0.8), 0),
        (Confidence(0.5, 0.8), 5),  # sharpened to 9 in 10
        (Confidence(2.0, 0.7), 0),  # softened to 0.63
    ],
)
def test_temperature_and_threshold_decide_what_counts_as_accepted(
    confidence: Confidence, accepted: int
) -> None:
    data = digits([False, False, False, True, True], [0, 0, 1, 1, 2])
    record = evaluate(bright_corner_network(), data, confidence)
    assert record["accepted"] == accepted
    assert record["errors_accepted"] == (2 if accepted else 0)
    assert record["correct"] == 3


def test_the_temperature_enters_the_likelihood() -> None:
    data = digits([False], [0])
    record = evaluate(bright_corner_network(), data, Confidence(0.5, 0.5))
    assert record["negative_log_likelihood"] == pytest.approx(np.log(10 / 9), rel=1e-5)


def test_a_record_is_json() -> None:
    data = synthetic_mnist(train=10, test=30).test
    record = evaluate(bright_corner_network(), data, Confidence(1.0, 0.5))
    assert json.loads(json.dumps(record, allow_nan=False)) == record


# -- the interval -----------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
        (15, 148, 0.0624, 0.1605),  # Newcombe 1998, table I
        (9969, 10_000, 0.9956, 0.9978),
    ],
)
def test_intervals_are_the_published_ones(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-4)


@PROPERTY
@example((0, 7))  # of these two the formula goes past its bounds in the last bit
@example((20, 20))
@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share_and_stays_a_share(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1


# -- calibration ------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 5.0])
def test_the_temperature_of_drawn_labels_is_found_again(temperature: float) -> None:
    logits, labels = drawn(20_000, temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_no_other_temperature_has_a_lower_loss() -> None:
    logits, labels = drawn(500, 2.0)

    def loss(temperature: float) -> float:
        chosen = softmax(logits / temperature)[np.arange(500), labels]
        return -float(np.log(chosen).mean())

    found = fit_temperature(logits, labels)
    assert loss(found) <= min(loss(other) for other in np.geomspace(0.05, 20, 200)) + 1e-7


def test_a_network_that_is_never_wrong_gets_a_finite_temperature() -> None:
    logits = np.eye(10) * 20
    assert 0.04 < fit_temperature(logits, np.arange(10, dtype=np.uint8)) <= 20


def test_the_threshold_accepts_99_of_100_held_out_digits() -> None:
    logits, labels = drawn(5000, 2.0)
    confidence = calibrate(logits, labels)
    assert confidence.temperature == pytest.approx(2.0, rel=0.05)
    confidences = confidence.probabilities(logits).max(axis=1)
    accepted = [confidence.accepts(float(value)) for value in confidences]
    assert np.mean(accepted) == pytest.approx(0.99, abs=0.001)
