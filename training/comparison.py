"""Two artifacts side by side on the same images, and whether the difference is one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.architecture import CLASSES
from model.artifact import Artifact
from training.dataset import Digits
from training.errors import DataError
from training.examination import all_logits
from training.statistics import wilson_interval

SIGNIFICANT = 0.05  # the p-value under which a difference is called one
NEGLIGIBLE = 0.0001  # and the one under which its digits tell nothing


@dataclass(frozen=True)
class Side:
    """One of the two: what it is and how well it reads. Accuracy and its 95 % interval in 0-1."""

    version: int
    parameters: int
    temperature: float
    correct: int
    accuracy: float
    interval_95: tuple[float, float]
    correct_by_digit: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """Two artifacts on the same images.

    differ: indices of the images to which they give different answers, those
    on which both are wrong among them. p_value: of ``mcnemar``, 0-1.
    """

    images: int
    images_by_digit: tuple[int, ...]
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    p_value: float
    first: Side
    second: Side
    differ: tuple[int, ...]


def compare(first: Artifact, second: Artifact, digits: Digits) -> Comparison:
    """Let both artifacts read ``digits``; raises DataError when there are none."""
    if len(digits) == 0:
        raise DataError("there are no images to compare on; name a data set that has some")
    answers = [all_logits(side.network, digits.images).argmax(axis=1) for side in (first, second)]
    right = [answer == digits.labels for answer in answers]
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return Comparison(
        images=len(digits),
        images_by_digit=_by_digit(digits.labels),
        both_right=int((right[0] & right[1]).sum()),
        only_first=only_first,
        only_second=only_second,
        both_wrong=int((~right[0] & ~right[1]).sum()),
        p_value=mcnemar(only_first, only_second),
        first=_side(first, digits.labels, right[0]),
        second=_side(second, digits.labels, right[1]),
        differ=tuple(np.flatnonzero(answers[0] != answers[1]).tolist()),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of the difference between two readers (McNemar 1947).

    Images that both or neither read right say nothing of who is better. Each other
    one is a toss: with equal readers the smaller of the two counts is binomial with
    p = 0.5, and the p-value is min(1, 2 P(X <= it)). Exact in integers until the last
    division, for counts of any size; 1.0 where nothing differs. Raises ValueError for
    a negative count.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"counts {only_first} and {only_second} must be 0 or more")
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    ways = total = 1  # of choosing k out of tosses, and their sum up to k
    for k in range(fewer):
        ways = ways * (tosses - k) // (k + 1)  # comb(tosses, k + 1), one product away
        total += ways
    outcomes: int = 2**tosses
    return min(2 * total, outcomes) / outcomes


def to_text(comparison: Comparison, first_name: str, second_name: str) -> str:
    """The two side by side as a table for a terminal, and a sentence on the p-value."""
    sides = [
        _side_rows(side, name, comparison)
        for side, name in ((comparison.first, first_name), (comparison.second, second_name))
    ]
    table = [(label, text, sides[1][label]) for label, text in sides[0].items()]
    counts = [
        ("both right", f"{comparison.both_right:,}"),
        (f"only {first_name} right", f"{comparison.only_first:,}"),
        (f"only {second_name} right", f"{comparison.only_second:,}"),
        ("both wrong", f"{comparison.both_wrong:,}"),
        ("different answers", f"{len(comparison.differ):,}"),
    ]
    lines = [
        *_columns(table),
        "",
        *_columns(counts),
        "",
        verdict(comparison, first_name, second_name),
    ]
    return "\n".join(lines)


def verdict(comparison: Comparison, first_name: str, second_name: str) -> str:
    """One sentence on what the p-value means."""
    p, uneven = comparison.p_value, comparison.only_first + comparison.only_second
    if not uneven:
        return (
            "McNemar's test: p = 1; both are right on the same images, so nothing sets them apart."
        )
    if p < NEGLIGIBLE:
        shown, share = f"p < {NEGLIGIBLE}", f"fewer than {NEGLIGIBLE:.2%}"
    else:
        shown, share = f"p = {p:.3g}", f"{100 * p:.3g}%"
    better = first_name if comparison.only_first > comparison.only_second else second_name
    meaning = f"{better} reads better" if p < SIGNIFICANT else "this shows neither to read better"
    return (
        f"McNemar's test: {shown}; if both read equally well, the {uneven:,} images that only one "
        f"reads right would divide this unevenly in {share} of such sets, so {meaning}."
    )


def _side_rows(side: Side, name: str, comparison: Comparison) -> dict[str, str]:
    """One column of the table by the labels of its rows; a digit without images has no row."""
    low, high = side.interval_95
    by_digit = zip(side.correct_by_digit, comparison.images_by_digit, strict=True)
    return {
        "": name,
        "version": str(side.version),
        "parameters": f"{side.parameters:,}",
        "temperature": f"{side.temperature:.3f}",
        "right": f"{side.correct:,} of {comparison.images:,}",
        "accuracy": f"{side.accuracy:.2%}",
        "95% interval": f"{low:.2%} to {high:.2%}",
        **{
            f"accuracy on {digit}": f"{correct / images:.2%}"
            for digit, (correct, images) in enumerate(by_digit)
            if images
        },
    }


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines: the first cell to the left, the others to the right of their columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]


def _side(artifact: Artifact, labels: NDArray[np.uint8], right: NDArray[np.bool_]) -> Side:
    correct = int(right.sum())
    return Side(
        version=artifact.version,
        parameters=artifact.architecture.parameter_count(),
        temperature=artifact.confidence.temperature,
        correct=correct,
        accuracy=correct / len(labels),
        interval_95=wilson_interval(correct, len(labels)),
        correct_by_digit=_by_digit(labels[right]),
    )


def _by_digit(labels: NDArray[np.uint8]) -> tuple[int, ...]:
    return tuple(np.bincount(labels, minlength=CLASSES).tolist())
