"""What there is to see in a network's answers: confusions, bad mistakes, calibration, refusals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.architecture import CLASSES
from model.confidence import Confidence, energies
from model.layers import FloatArray
from model.network import Network, scale_pixels
from training.dataset import Digits
from training.errors import DataError
from training.statistics import risks

BATCH = 1000  # images to a forward pass: enough for BLAS, little memory

RELIABILITY_BINS = 15


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


@dataclass(frozen=True)
class Bin:
    """Answers of about the same confidence: their mean confidence in 0-1, how many are right."""

    images: int
    confidence: float
    correct: int

    @property
    def accuracy(self) -> float:
        """Share that is right, 0-1."""
        return self.correct / self.images


@dataclass(frozen=True)
class Examination:
    """The answers to N labelled images.

    probabilities: (N, 10), calibrated. answers: (N,) the most probable digit;
    confidences: (N,) its probability; right: (N,) bool; accepted: (N,) bool, whether
    the model stands by it.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float64]
    answers: NDArray[np.intp]
    confidences: NDArray[np.float64]
    right: NDArray[np.bool_]
    accepted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def correct(self) -> int:
        """How many answers are right."""
        return int(self.right.sum())

    def confusion(self) -> NDArray[np.intp]:
        """Counts (10, 10): the row is the label, the column the answer."""
        counts = np.zeros((CLASSES, CLASSES), np.intp)
        np.add.at(counts, (self.labels, self.answers), 1)
        return counts

    def worst(self, count: int) -> NDArray[np.intp]:
        """Indices of at most ``count`` wrong answers, the most confident first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidences[wrong], kind="stable")][:count]

    def negative_log_likelihood(self) -> float:
        """Mean -ln of the probability of the label."""
        chosen = self.probabilities[np.arange(len(self)), self.labels]
        return 0.0 - float(np.log(np.maximum(chosen, np.finfo(chosen.dtype).tiny)).mean())

    def risks(self) -> NDArray[np.float64]:
        """Share of errors among the k most confident answers, for k from 1 to N: (N,)."""
        return risks(self.right, self.confidences)

    def bins(self, count: int = RELIABILITY_BINS) -> list[Bin]:
        """The answers by rising confidence, in ``count`` bins that differ by one image at most.

        Bins of equal mass, not equal width (Nguyen and O'Connor 2015, "Posterior calibration
        and exploratory analysis"): nearly all answers to digits are of nearly full confidence.
        """
        order = np.argsort(self.confidences, kind="stable")
        return [
            Bin(len(rows), float(self.confidences[rows].mean()), int(self.right[rows].sum()))
            for rows in np.array_split(order, min(count, len(self)))
        ]

    def calibration_error(self) -> float:
        """Expected calibration error, 0-1 (Naeini et al. 2015), over ``bins``."""
        gaps = (bin_.images * abs(bin_.accuracy - bin_.confidence) for bin_ in self.bins())
        return sum(gaps) / len(self)


def examine(network: Network, confidence: Confidence, digits: Digits) -> Examination:
    """Let a network read all of ``digits``; raises DataError when there are none."""
    if len(digits) == 0:
        raise DataError("there are no images to read; name a data set that has some")
    logits = all_logits(network, digits.images)
    probabilities = confidence.probabilities(logits)
    answers, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    thresholds = confidence.thresholds
    return Examination(
        labels=digits.labels,
        probabilities=probabilities,
        answers=answers,
        confidences=confidences,
        right=answers == digits.labels,
        accepted=(confidences >= thresholds.confidence) & (energies(logits) >= thresholds.energy),
    )
