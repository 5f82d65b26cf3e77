"""How well a network reads: accuracy with its interval, calibration, thresholds."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.architecture import CLASSES
from model.confidence import Confidence
from model.layers import FloatArray
from model.network import Network, scale_pixels
from training.dataset import Digits
from training.losses import softmax_cross_entropy

BATCH = 1000  # images to a forward pass: enough for BLAS, little memory

Z_95 = 1.959964  # standard normal quantile of a two-sided 95 % interval

COVERAGE = 0.99  # share of held-out digits that the threshold still accepts


def all_logits(network: Network, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (N, 10) of frames (N, 28, 28)."""
    batches = [
        network.logits(scale_pixels(images[start : start + BATCH]))
        for start in range(0, len(images), BATCH)
    ]
    return np.concatenate(batches).astype(np.float32)


def accuracy(logits: FloatArray, labels: NDArray[np.uint8]) -> float:
    """Share of rows whose largest logit is the label."""
    return float((logits.argmax(axis=1) == labels).mean())


def evaluate(network: Network, digits: Digits, confidence: Confidence) -> dict[str, Any]:
    """The record of one data set for the artifact, as JSON values."""
    logits = all_logits(network, digits.images)
    right = logits.argmax(axis=1) == digits.labels
    calibrated = logits / confidence.temperature
    correct = int(right.sum())
    accepted = confidence.probabilities(logits).max(axis=1) >= confidence.threshold
    return {
        "images": len(digits),
        "correct": correct,
        "accuracy": correct / len(digits),
        "interval_95": list(wilson_interval(correct, len(digits))),
        "negative_log_likelihood": softmax_cross_entropy(calibrated, digits.labels)[0],
        "accepted": int(accepted.sum()),
        "errors_accepted": int((accepted & ~right).sum()),
        "correct_by_digit": np.bincount(digits.labels[right], minlength=CLASSES).tolist(),
        "images_by_digit": np.bincount(digits.labels, minlength=CLASSES).tolist(),
    }


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson 1927)."""
    share, z2 = successes / trials, Z_95**2
    middle = share + z2 / (2 * trials)
    half = Z_95 * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    scale = 1 + z2 / trials
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def calibrate(logits: FloatArray, labels: NDArray[np.uint8]) -> Confidence:
    """Fit the temperature, then the threshold, on logits (N, 10) of held-out images."""
    temperature = fit_temperature(logits, labels)
    confidences = Confidence(temperature, 0.0).probabilities(logits).max(axis=1)
    return Confidence(temperature, float(np.quantile(confidences, 1 - COVERAGE)))


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
