import numpy as np
import pytest

from model.confidence import Confidence

LN3 = float(np.log(3))


@pytest.mark.parametrize(
    ("temperature", "logits", "expected"),
    [
        (1.0, [0.0, LN3], [0.25, 0.75]),
        (2.0, [0.0, 2 * LN3], [0.25, 0.75]),
        (0.5, [0.0, LN3], [0.1, 0.9]),
        (1e6, [0.0, LN3], [0.5, 0.5]),
    ],
)
def test_the_temperature_divides_the_logits(
    temperature: float, logits: list[float], expected: list[float]
) -> None:
    found = Confidence(temperature, 0.5).probabilities(np.array([logits]))
    np.testing.assert_allclose(found, [expected], atol=1e-6)


def test_probabilities_are_float64_and_sum_to_1_to_its_precision() -> None:
    logits = np.random.default_rng(0).normal(0, 5, (100, 10)).astype(np.float32)
    found = Confidence(0.7, 0.5).probabilities(logits)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-15)


@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_no_temperature_changes_which_digit_is_best(temperature: float) -> None:
    logits = np.random.default_rng(0).normal(0, 5, (100, 10))
    found = Confidence(temperature, 0.5).probabilities(logits)
    np.testing.assert_array_equal(found.argmax(axis=1), logits.argmax(axis=1))


@pytest.mark.parametrize(
    ("threshold", "accepted"),
    [(0.0, [0.0, 0.4999, 0.5, 1.0]), (0.5, [0.5, 1.0]), (1.0, [1.0]), (1.1, [])],
)
def test_what_reaches_the_threshold_is_accepted(threshold: float, accepted: list[float]) -> None:
    confidence = Confidence(1.0, threshold)
    assert [value for value in (0.0, 0.4999, 0.5, 1.0) if confidence.accepts(value)] == accepted
