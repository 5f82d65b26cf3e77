"""From logits to a judgement: calibrated probabilities, and when to stand by them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.layers import FloatArray, softmax

Doubt: TypeAlias = Literal["out_of_distribution", "low_confidence"]

ANY_ENERGY = -1e9  # a threshold below whatever float32 logits of a trained network give


@dataclass(frozen=True)
class Thresholds:
    """What an answer needs in order to be accepted, chosen on held-out digits.

    confidence: the least probability of the answer, in 0-1. energy: the least
    ``energies``, in nats.
    """

    confidence: float = 0.0
    energy: float = ANY_ENERGY


@dataclass(frozen=True)
class Confidence:
    """The calibration of one model, fitted on writers it was not trained on.

    temperature: divides the logits, > 0 (Guo et al. 2017, "On Calibration of
    Modern Neural Networks").
    """

    temperature: float = 1.0
    thresholds: Thresholds = Thresholds()

    def probabilities(self, logits: FloatArray) -> NDArray[np.float64]:
        """Calibrated probabilities (N, 10) of logits (N, 10), computed in float64."""
        return np.asarray(softmax(logits.astype(np.float64) / self.temperature))

    def doubt(self, confidence: float, energy: float) -> Doubt | None:
        """Why an answer of this confidence and energy is not accepted; None where it is."""
        if energy < self.thresholds.energy:
            return "out_of_distribution"
        return "low_confidence" if confidence < self.thresholds.confidence else None

    def log_odds(self, logits: FloatArray, label: int) -> NDArray[np.float64]:
        """Log of p / (1 - p) of one label's calibrated probability, in nats: (N, 10) to (N,).

        It goes on growing where p itself can no longer be told from 1.
        """
        scaled = logits.astype(np.float64) / self.temperature
        return np.asarray(scaled[:, label] - energies(np.delete(scaled, label, axis=1)))


def energies(logits: FloatArray) -> NDArray[np.float64]:
    """How much a network has seen in each image: log of the sum of exp of logits (N, K), (N,).

    It is high where some class fits and low where none does, which probabilities
    cannot tell apart from two that fit (Liu et al. 2020, "Energy-based
    Out-of-distribution Detection", where it has the other sign).
    """
    exact = logits.astype(np.float64)
    largest = np.maximum.reduce(exact, axis=1, keepdims=True)
    seen = np.add.reduce(np.exp(exact - largest), axis=1)
    return np.asarray(largest[:, 0] + np.log(seen))
