import numpy as np
import pytest
from numpy.typing import NDArray

from model.confidence import ANY_ENERGY, Confidence, Thresholds, energies
from tests.helpers import table

LN3 = float(np.log(3))


def drawn_logits() -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(0, 5, (100, 10))


# -- probabilities ----------------------------------------------------------


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
    found = Confidence(temperature).probabilities(np.array([logits]))
    np.testing.assert_allclose(found, [expected], atol=1e-6)


def test_probabilities_are_float64_and_sum_to_1_to_its_precision() -> None:
    found = Confidence(0.7).probabilities(drawn_logits().astype(np.float32))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-15)


@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_no_temperature_changes_which_digit_is_best(temperature: float) -> None:
    logits = drawn_logits()
    found = Confidence(temperature).probabilities(logits)
    np.testing.assert_array_equal(found.argmax(axis=1), logits.argmax(axis=1))


# -- energies ---------------------------------------------------------------


@table(
    "logits, energy",
    {
        "one class": ([7.0], 7.0),
        "two that fit alike": ([0.0, 0.0], np.log(2)),
        "1 and 3 of 4": ([0.0, LN3], np.log(4)),
        "ten that fit alike": ([5.0] * 10, 5 + np.log(10)),
        "one far above the others": ([100.0, 0.0, 0.0], 100.0),
        "beyond the exponential of float64": ([1e4, 1e4], 1e4 + np.log(2)),
        "as far below": ([-1e4, -1e4], -1e4 + np.log(2)),
    },
)
def test_an_energy_is_the_log_of_the_sum_of_exponentials(
    logits: list[float], energy: float
) -> None:
    assert energies(np.array([logits])) == pytest.approx([energy], rel=1e-12)


def test_each_image_has_its_own_energy_in_float64() -> None:
    logits = drawn_logits().astype(np.float32)
    found = energies(logits)
    assert found.dtype == np.float64
    assert found == pytest.approx(np.log(np.exp(logits.astype(np.float64)).sum(axis=1)))


def test_energies_tell_two_that_fit_from_none_where_probabilities_do_not() -> None:
    logits = np.array([[9.0, 9.0, 1.0], [1.0, 1.0, -7.0]])
    both, neither = Confidence().probabilities(logits)
    np.testing.assert_allclose(both, neither)
    assert energies(logits) @ [1, -1] == pytest.approx(8)


# -- thresholds -------------------------------------------------------------


def test_who_is_told_nothing_divides_by_1_and_refuses_nothing() -> None:
    confidence = Confidence()
    assert confidence.temperature == 1
    assert confidence.thresholds == Thresholds(confidence=0.0, energy=ANY_ENERGY)
    least = np.full((1, 10), np.finfo(np.float32).min / 1e30, np.float32)  # -3.4e8
    assert energies(least)[0] > confidence.thresholds.energy
