"""The layers of a network as pure functions.

Training stands on these same functions and adds the backward of each in
``training/gradients.py``, so the two sides cannot drift apart. Arrays are
float32 when serving and training, float64 in gradient checks; the batch is
always the first axis.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating[Any]]


def dense(x: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """Affine map of each row of ``x``.

    Shapes: x (N, I), weight (I, O), bias (O,); returns (N, O).
    """
    out = x @ weight  # (N, O)
    out += bias
    return out


def relu(x: FloatArray) -> FloatArray:
    """Rectified linear unit, elementwise max(x, 0) (Nair and Hinton 2010)."""
    return np.maximum(x, 0)


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities over the last axis; each row sums to 1.

    The row maximum is subtracted first, which changes nothing mathematically
    and keeps ``exp`` from overflowing (Goodfellow et al. 2016, section 4.1).
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    exponentials: FloatArray = np.exp(shifted)
    exponentials /= exponentials.sum(axis=-1, keepdims=True)
    return exponentials
