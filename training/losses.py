"""Losses, fused with the output activation where the mathematics fuses."""

import numpy as np
from numpy.typing import NDArray

from model.layers import FloatArray, softmax


def softmax_cross_entropy(
    logits: FloatArray, labels: NDArray[np.integer]
) -> tuple[float, FloatArray]:
    """Mean negative log-likelihood of labels (N,) under softmax of logits (N, K).

    Returns (loss, dlogits). The gradient of the fused pair is probabilities
    minus one-hot labels, over N (Bishop 2006, section 4.3.4).
    """
    probabilities = softmax(logits)
    rows = np.arange(len(labels))
    chosen = probabilities[rows, labels]
    loss = 0.0 - float(np.log(np.maximum(chosen, np.finfo(chosen.dtype).tiny)).mean())
    probabilities[rows, labels] -= 1
    probabilities /= len(labels)
    return loss, probabilities
