"""How well scenes are read, by kind, and how they would be read without the normalizer.

A server that leaves it to its users gets what they have at hand: the sheet, resized to 28x28
by area and not inverted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from model.architecture import FRAME_SIDE
from training.drawings import Classify
from training.errors import DataError
from training.evaluation import counted
from training.rows import Digits
from training.scene_kinds import KINDS
from training.scene_pens import Picture
from training.scenes import scenes
from training.statistics import interval_in_words

HEADINGS = (
    "scenes",
    "images",
    "read right",
    "95% interval",
    "refused",
    "accepted and wrong",
    "un-normalized",
    "95% interval",
)

BATCH = 50  # sheets classified at once: large ones are half a megabyte


@dataclass(frozen=True)
class Row:
    """The answers to the scenes of one kind, or to all: counts of images.

    refused: answers that are not accepted; all of the images show one digit. accepted_wrong:
    accepted answers that are wrong. unnormalized: read right without the normalizer.
    """

    name: str
    images: int
    correct: int
    refused: int
    accepted_wrong: int
    unnormalized: int


def chosen(digits: Digits, count: int, seed: int) -> Digits:
    """``count`` of the digits, drawn without replacement by ``seed``; all where there are fewer.

    Raises DataError when there are none.
    """
    if len(digits) == 0:
        raise DataError("there are no images to show in scenes; name a data set that has some")
    order = np.random.default_rng(seed).permutation(len(digits))
    return digits.take(order[:count])


def judged(classify: Classify, unnormalized: Classify, digits: Digits, seed: int) -> list[Row]:
    """Classify a scene of each digit: a row for each of ``KINDS`` that there are scenes of.

    classify takes sheets of any size, unnormalized frames of 28x28, which it leaves as they
    are; both as ``model.classifier.Classifier.classify``. The scenes are those of
    ``scenes.scenes`` with this ``seed``.
    """
    counts = {name: np.zeros(5, np.intp) for name in KINDS}
    shown = scenes(digits, seed)
    with tqdm(desc="scenes", total=len(digits), unit=" images", disable=None, leave=False) as bar:
        while batch := list(islice(shown, BATCH)):
            sheets = [sheet for sheet, _, _ in batch]
            answers = zip(classify(sheets), unnormalized(list(map(_frame, sheets))), strict=True)
            for (_, label, kind), (answer, other) in zip(batch, answers, strict=True):
                right, refused = answer.digit == label, not answer.accepted
                wrong = not right and not refused
                counts[kind] += (1, right, refused, wrong, other.digit == label)
            bar.update(len(batch))
    return [Row(name, *found.tolist()) for name, found in counts.items() if found[0]]


def _frame(sheet: Picture) -> NDArray[np.uint8]:
    size = (FRAME_SIDE, FRAME_SIDE)
    return np.asarray(Image.fromarray(sheet).resize(size, Image.Resampling.BOX))


def total(rows: Sequence[Row]) -> Row:
    """All rows as one, named "all"."""
    return Row("all", *np.sum([_counts(row) for row in rows], axis=0).tolist())


def _counts(row: Row) -> tuple[int, ...]:
    return (row.images, row.correct, row.refused, row.accepted_wrong, row.unnormalized)


def to_text(rows: Sequence[Row]) -> str:
    """The rows and their sum as a Markdown table; intervals are of 95 % (Wilson 1927)."""
    lines = [
        _line_of(HEADINGS),
        _line_of(["---", *["---:"] * (len(HEADINGS) - 1)]),
    ]
    return "\n".join([*lines, *map(_line, rows), _line(total(rows))])


def _line(row: Row) -> str:
    cells = [
        row.name,
        f"{row.images:,}",
        f"{row.correct / row.images:.2%}",
        interval_in_words(row.correct, row.images),
        f"{row.refused / row.images:.2%}",
        f"{row.accepted_wrong / row.images:.2%}",
        f"{row.unnormalized / row.images:.2%}",
        interval_in_words(row.unnormalized, row.images),
    ]
    return _line_of(cells)


def _line_of(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def to_json(rows: Sequence[Row]) -> dict[str, Any]:
    """The rows under ``kinds`` and the figures of all, for the record of an artifact.

    Shares are in 0-1, intervals of 95 %; ``unnormalized`` are the figures without the normalizer.
    """
    return {"kinds": {row.name: _figures(row) for row in rows}, **_figures(total(rows))}


def _figures(row: Row) -> dict[str, Any]:
    return {
        **counted(row.correct, row.images),
        "accepted": row.images - row.refused,
        "errors_accepted": row.accepted_wrong,
        "unnormalized": counted(row.unnormalized, row.images),
    }
