"""From logits to a judgement: calibrated probabilities, and whether to stand by them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.layers import FloatArray, softmax


@dataclass(frozen=True)
class Confidence:
    """The calibration of one model, fitted on writers it was not trained on.

    temperature: divides the logits, > 0 (Guo et al. 2017, "On Calibration of
    Modern Neural Networks"). threshold: the least confidence in 0-1 at which
    a prediction is accepted.
    """

    temperature: float
    threshold: float

    def probabilities(self, logits: FloatArray) -> NDArray[np.float64]:
        """Calibrated probabilities (N, 10) of logits (N, 10), computed in float64."""
        return np.asarray(softmax(logits.astype(np.float64) / self.temperature))

    def accepts(self, confidence: float) -> bool:
        """Whether a prediction of that confidence is to be trusted."""
        return confidence >= self.threshold
