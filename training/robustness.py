"""How well a classifier reads digits that were corrupted, and how often it knows better.

The sets are those of MNIST-C (``training.corruptions``); the figure that matters beside
the accuracy is how many wrong answers are accepted, for only these reach a user.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model.classifier import Prediction
from training.corruptions import CORRUPTIONS, corrupted
from training.errors import DataError
from training.evaluation import counted
from training.rows import Digits
from training.statistics import interval_in_words

BATCH = 500  # images classified at once
CLEAN = "clean"

Classify: TypeAlias = Callable[[NDArray[np.uint8]], Sequence[Prediction]]


@dataclass(frozen=True)
class Row:
    """The answers to one set: its name and counts of images.

    accepted_wrong: accepted answers that are wrong.
    """

    name: str
    images: int
    correct: int
    accepted: int
    accepted_wrong: int

    @property
    def accuracy(self) -> float:
        """Share of the images that are read right, accepted or not, in 0-1."""
        return self.correct / self.images

    @property
    def coverage(self) -> float:
        """Share of the images whose answer is accepted, in 0-1."""
        return self.accepted / self.images

    @property
    def accepted_errors(self) -> float:
        """Share of all images whose answer is accepted and wrong, in 0-1."""
        return self.accepted_wrong / self.images


def robustness(
    classify: Classify,
    digits: Digits,
    seed: int,
    names: Sequence[str] | None = None,
    *,
    progress: bool = True,
) -> list[Row]:
    """Classify ``digits`` as they are, then with each corruption of ``names``, or with all.

    What a corruption draws depends on ``seed`` and its place in ``CORRUPTIONS`` alone, so
    any of them may be computed without the others. progress: a bar, where stderr is a
    terminal. Raises DataError when there are no digits or no such corruption.
    """
    chosen = list(CORRUPTIONS) if names is None else list(names)
    places = {name: place for place, name in enumerate(CORRUPTIONS)}
    for name in chosen:
        if name not in places:
            raise DataError(f"{name!r} is not a corruption; name some of: {', '.join(places)}")
    if len(digits) == 0:
        raise DataError("there are no images to corrupt; name a data set that has some")
    total = len(digits) * (1 + len(chosen))
    silent = None if progress else True  # None: where nobody looks
    with tqdm(total=total, unit=" images", unit_scale=True, disable=silent, leave=False) as bar:

        def row(name: str, frames: NDArray[np.uint8]) -> Row:
            bar.set_description_str(name)
            return _row(name, classify, Digits(frames, digits.labels), bar.update)

        rows = [row(CLEAN, digits.images)]
        for name in chosen:
            rng = np.random.default_rng([seed, places[name]])
            rows.append(row(name, corrupted(name, digits.images, rng)))
    return rows


def _row(name: str, classify: Classify, digits: Digits, done: Callable[[int], object]) -> Row:
    correct = accepted = accepted_wrong = 0
    for start in range(0, len(digits), BATCH):
        batch = digits.part(start, start + BATCH)
        for answer, label in zip(classify(batch.images), batch.labels.tolist(), strict=True):
            right = answer.digit == label
            correct += right
            accepted += answer.accepted
            accepted_wrong += answer.accepted and not right
        done(len(batch))
    return Row(name, len(digits), correct, accepted, accepted_wrong)


def to_text(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, then mean and worst of the corruptions among them.

    Intervals are of 95 % (Wilson 1927). The mean has none: its sets are of the same digits.
    """
    lines = [
        "| images | accuracy | 95% interval | accepted | accepted and wrong | 95% interval |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        _line(
            row.name,
            f"{row.accuracy:.2%}",
            interval_in_words(row.correct, row.images),
            f"{row.coverage:.2%}",
            f"{row.accepted_errors:.2%}",
            interval_in_words(row.accepted_wrong, row.images),
        )
        for row in rows
    ]
    if found := _corrupted(rows):
        misread, misjudged = _worst(found), _most_accepted_wrong(found)
        lines += [
            _line(
                f"mean of {len(found)}",
                f"{_mean([row.accuracy for row in found]):.2%}",
                "",
                f"{_mean([row.coverage for row in found]):.2%}",
                f"{_mean([row.accepted_errors for row in found]):.2%}",
                "",
            ),
            _line(
                "worst",
                f"{misread.accuracy:.2%} ({misread.name})",
                "",
                "",
                f"{misjudged.accepted_errors:.2%} ({misjudged.name})",
                "",
            ),
        ]
    return "\n".join(lines)


def to_json(rows: Sequence[Row]) -> dict[str, Any]:
    """The rows as JSON values for an artifact's record; shares are in 0-1, intervals of 95 %.

    ``clean`` and ``corruptions`` by name hold counts and shares; the means and the worst
    are of the corruptions, and left out where there are none.
    """
    found = _corrupted(rows)
    document: dict[str, Any] = {row.name: _figures(row) for row in rows if row not in found}
    document["corruptions"] = {row.name: _figures(row) for row in found}
    if found:
        document["mean_accuracy"] = _mean([row.accuracy for row in found])
        document["mean_errors_accepted"] = _mean([row.accepted_errors for row in found])
        document["worst"] = _worst(found).name
        document["most_errors_accepted"] = _most_accepted_wrong(found).name
    return document


def _figures(row: Row) -> dict[str, Any]:
    return {
        **counted(row.correct, row.images),
        "accepted": row.accepted,
        "errors_accepted": row.accepted_wrong,
    }


def _corrupted(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.name != CLEAN]


def _worst(rows: Sequence[Row]) -> Row:
    return min(rows, key=lambda row: row.accuracy)


def _most_accepted_wrong(rows: Sequence[Row]) -> Row:
    return max(rows, key=lambda row: row.accepted_errors)


def _mean(shares: Sequence[float]) -> float:
    return sum(shares) / len(shares)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
