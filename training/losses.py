"""Losses, fused with the output activation where the mathematics fuses.

Each takes logits (N, K), returns (loss, dlogits) and is a mean over the N images.
Targets (N, K) are a distribution over the classes for each image.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.layers import FloatArray, sigmoid, softmax
from training.config import (
    BinaryCrossEntropy,
    Distillation,
    LossConfig,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)
from training.gradients import softmax_backward

SMALLEST = np.finfo(np.float32).tiny  # probability: the logarithm of 0 is no loss

# Logits (N, K) to (loss, dlogits).
Loss: TypeAlias = Callable[[FloatArray], tuple[float, FloatArray]]


def softmax_cross_entropy(
    logits: FloatArray, labels: NDArray[np.integer]
) -> tuple[float, FloatArray]:
    """Mean negative log-likelihood of labels (N,) under softmax of logits (N, K).

    Returns (loss, dlogits). The gradient of the fused pair is probabilities
    minus one-hot labels, over N (Bishop 2006, section 4.3.4).
    """
    count, classes = logits.shape
    dlogits = np.ascontiguousarray(softmax(logits))
    flat = dlogits.reshape(-1)
    right = np.arange(0, flat.size, classes) + labels  # where each row has its label
    chosen = flat.take(right)
    flat[right] = chosen - 1
    dlogits /= count
    loss = 0.0 - float(np.log(np.maximum(chosen, SMALLEST)).sum()) / count
    return loss, dlogits


def softmax_cross_entropy_targets(
    logits: FloatArray, targets: FloatArray
) -> tuple[float, FloatArray]:
    """Mean cross-entropy of softmax of logits (N, K) to targets (N, K): smoothed labels,
    or another model's answers. Returns (loss, dlogits).
    """
    log_probabilities = logits - logits.max(axis=1, keepdims=True)
    log_probabilities -= np.log(np.exp(log_probabilities).sum(axis=1, keepdims=True))
    loss = 0.0 - float(np.vdot(targets, log_probabilities)) / len(logits)
    dlogits = np.exp(log_probabilities)
    dlogits -= targets
    dlogits /= len(logits)
    return loss, dlogits


def distillation(
    logits: FloatArray,
    targets: FloatArray,
    teacher_logits: FloatArray,
    *,
    temperature: float,
    weight: float,
) -> tuple[float, FloatArray]:
    """The loss to targets (N, K), and ``weight`` of it to the softened answers of a teacher.

    Both sides are softened by ``temperature``, and the soft part is multiplied by
    its square, so that the weight means the same at any temperature (Hinton,
    Vinyals and Dean 2015, section 2). Returns (loss, dlogits).
    """
    hard, dhard = softmax_cross_entropy_targets(logits, targets)
    soft, dsoft = softmax_cross_entropy_targets(
        logits / temperature, softmax(teacher_logits / temperature)
    )
    loss = (1 - weight) * hard + weight * temperature**2 * soft
    dhard *= 1 - weight
    dsoft *= weight * temperature
    dhard += dsoft
    return loss, dhard


def binary_cross_entropy(logits: FloatArray, targets: FloatArray) -> tuple[float, FloatArray]:
    """Cross-entropy of the sigmoid of each logit to targets (N, K), summed over the classes.

    The loss of one logit z with target t is max(z, 0) - z t + log(1 + exp(-|z|)),
    which overflows nowhere; its gradient is sigmoid(z) - t (Bishop 2006, section
    4.3.2). Returns (loss, dlogits).
    """
    losses = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
    dlogits = sigmoid(logits)
    dlogits -= targets
    dlogits /= len(logits)
    return float(losses.sum()) / len(logits), dlogits


def mean_squared_error(logits: FloatArray, targets: FloatArray) -> tuple[float, FloatArray]:
    """Squared error of the softmax of logits (N, K) to targets (N, K), summed over the classes.

    For one-hot targets this is the Brier score (Brier 1950). Returns (loss, dlogits).
    """
    probabilities = softmax(logits)
    errors = probabilities - targets
    loss = float(np.vdot(errors, errors)) / len(logits)
    return loss, softmax_backward(errors * (2 / len(logits)), probabilities)


def one_hot(
    labels: NDArray[np.integer], classes: int, dtype: np.dtype[np.floating], smoothing: float = 0.0
) -> FloatArray:
    """Targets (N, K) of labels (N,): 1 for the label, 0 elsewhere.

    ``smoothing`` of the label's 1 is spread evenly over all classes (Szegedy et
    al. 2016, section 7). A label that is none of the classes has all of it spread:
    of an image without a digit the network is to think nothing (outlier exposure,
    Hendrycks, Mazeika and Dietterich 2019).
    """
    targets: FloatArray = np.full((len(labels), classes), smoothing / classes, dtype)
    known = np.flatnonzero(labels < classes)
    targets[known, labels[known]] += 1 - smoothing
    targets[labels >= classes] = 1 / classes
    return targets


def objective(
    config: LossConfig, labels: NDArray[np.integer], teacher_logits: FloatArray | None = None
) -> Loss:
    """The recipe's loss of a batch with ``labels`` (N,), as a function of its logits (N, K)."""

    def targets(logits: FloatArray, smoothing: float = 0.0) -> FloatArray:
        return one_hot(labels, logits.shape[1], logits.dtype, smoothing)

    def loss(logits: FloatArray) -> tuple[float, FloatArray]:
        match config:
            case SoftmaxCrossEntropy(label_smoothing=0) if labels.max() < logits.shape[1]:
                return softmax_cross_entropy(logits, labels)
            case SoftmaxCrossEntropy(label_smoothing=smoothing):
                return softmax_cross_entropy_targets(logits, targets(logits, smoothing))
            case BinaryCrossEntropy():
                return binary_cross_entropy(logits, targets(logits))
            case MeanSquaredError():
                return mean_squared_error(logits, targets(logits))
            case Distillation():
                if teacher_logits is None:
                    raise ValueError("distillation needs the logits of the teacher")
                # What holds no digit the teacher is not asked about: equal logits know nothing.
                holds_digit = labels[:, None] < logits.shape[1]
                return distillation(
                    logits,
                    targets(logits),
                    teacher_logits * holds_digit,
                    temperature=config.temperature,
                    weight=config.weight,
                )

    return loss
