import numpy as np
import pytest
from numpy.typing import NDArray

from model.confidence import energies
from model.layers import softmax
from training.calibration import REFUSED, calibrate, fit_temperature


def drawn(count: int, temperature: float) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Logits, and labels drawn from their softmax at a temperature."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (count, 10))
    noise = rng.gumbel(size=logits.shape)  # its argmax with logits added is a draw of softmax
    return logits, (logits / temperature + noise).argmax(axis=1).astype(np.uint8)


# -- the temperature --------------------------------------------------------


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


# -- the thresholds ---------------------------------------------------------


def test_each_threshold_refuses_5_of_1000_held_out_digits() -> None:
    logits, labels = drawn(5000, 2.0)
    confidence = calibrate(logits, labels)
    assert confidence.temperature == fit_temperature(logits, labels)
    confidences = confidence.probabilities(logits).max(axis=1)
    below = {
        "confidence": np.count_nonzero(confidences < confidence.thresholds.confidence),
        "energy": np.count_nonzero(energies(logits) < confidence.thresholds.energy),
    }
    assert below == {"confidence": 25, "energy": 25}


def test_a_threshold_is_a_quantile_of_what_it_is_compared_with() -> None:
    # Of 201 values, the quantile of 1 in 200 is the second lowest.
    assert REFUSED == 1 / 200
    logits, labels = drawn(201, 2.0)
    confidence = calibrate(logits.astype(np.float32), labels)
    confidences = confidence.probabilities(logits.astype(np.float32)).max(axis=1)
    assert confidence.thresholds.confidence == pytest.approx(np.sort(confidences)[1])
    assert confidence.thresholds.energy == pytest.approx(np.sort(energies(logits))[1])


def test_what_is_calibrated_is_written_as_plain_numbers() -> None:
    confidence = calibrate(*drawn(50, 2.0))
    thresholds = confidence.thresholds
    assert {type(one) for one in (confidence.temperature, *vars(thresholds).values())} == {float}
