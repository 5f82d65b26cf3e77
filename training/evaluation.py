"""How well a network reads one set of digits: the record that its artifact keeps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.architecture import CLASSES
from training.examination import Examination
from training.statistics import clustered_interval, wilson_interval

# What is left of the errors when the least confident of so many answers are not given.
COVERAGES = (0.99, 0.98)


def evaluate(found: Examination, writers: NDArray[np.integer] | None = None) -> dict[str, Any]:
    """The figures of one set as JSON values; shares are in 0-1, intervals of 95 %.

    writers: (N,) who wrote each image, where that is known.
    """
    risks = found.risks()
    figures = {
        **proportion(found.right),
        "by_digit": {
            str(digit): proportion(found.right[found.labels == digit])
            for digit in range(CLASSES)
            if digit in found.labels
        },
        "negative_log_likelihood": found.negative_log_likelihood(),
        "expected_calibration_error": found.calibration_error(),
        "errors_at_coverage": {
            f"{coverage:.0%}": risks[round(coverage * len(found)) - 1] for coverage in COVERAGES
        },
        "area_under_risk_coverage": float(risks.mean()),
        "accepted": int(found.accepted.sum()),
        "errors_accepted": int((found.accepted & ~found.right).sum()),
    }
    if writers is not None:
        figures["writers"] = len(np.unique(writers))
        figures["interval_95_by_writers"] = list(clustered_interval(found.right, writers))
    return figures


def evaluate_test(found: Examination, writers: NDArray[np.integer] | None = None) -> dict[str, Any]:
    """The figures of the test set; where its writers (N,) are known, also of its halves.

    MNIST's first half was written by other people than its second, and more clearly
    (LeCun, Cortes and Burges, the page of the MNIST database).
    """
    figures = evaluate(found, writers)
    if writers is not None:
        half = len(found) // 2
        figures["by_half"] = {
            f"0-{half - 1}": proportion(found.right[:half]),
            f"{half}-{len(found) - 1}": proportion(found.right[half:]),
        }
    return figures


def proportion(right: NDArray[np.bool_]) -> dict[str, Any]:
    """How many of some images are right."""
    return counted(int(right.sum()), len(right))


def counted(correct: int, images: int) -> dict[str, Any]:
    """The record of how many images are right, of how many."""
    return {
        "images": images,
        "correct": correct,
        "accuracy": correct / images,
        "interval_95": list(wilson_interval(correct, images)),
    }
