"""What a model's confidence is worth: its temperature and thresholds, from held-out digits."""

import math

import numpy as np
from numpy.typing import NDArray

from model.confidence import Confidence, Thresholds, energies
from model.layers import FloatArray
from training.losses import softmax_cross_entropy

# Of 1000 held-out digits, so many may fall below each threshold: nearly all that fall
# below one fall below the other, too.
REFUSED = 0.005


def calibrate(logits: FloatArray, labels: NDArray[np.uint8]) -> Confidence:
    """Fit the temperature, then the thresholds, on logits (N, 10) of held-out images."""
    temperature = fit_temperature(logits, labels)
    confidences = Confidence(temperature).probabilities(logits).max(axis=1)
    return Confidence(
        temperature,
        Thresholds(
            confidence=float(np.quantile(confidences, REFUSED)),
            energy=float(np.quantile(energies(logits), REFUSED)),
        ),
    )


def fit_temperature(logits: FloatArray, labels: NDArray[np.uint8]) -> float:
    """The temperature that minimizes the negative log-likelihood (Guo et al. 2017).

    A golden-section search over its logarithm, in which the loss has one minimum.
    """
    exact = logits.astype(np.float64)

    def loss(log_temperature: float) -> float:
        return softmax_cross_entropy(exact / math.exp(log_temperature), labels)[0]

    low, high = math.log(0.05), math.log(20.0)
    ratio = (math.sqrt(5) - 1) / 2
    while high - low > 1e-4:  # noqa: PLR2004 - a temperature to four digits
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return math.exp((low + high) / 2)
