"""The shipped champion, measured again on every set: what its card says, and what it must reach.

What made it, ``make train RECIPE=flagship``, takes 40 minutes and is run for a release only.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import artifact as artifacts
from model.artifact import Artifact
from model.classifier import Classifier
from model.store import locate
from tests.helpers import table
from training.dataset import Mnist
from training.drawings import read_drawings
from training.judging import judged

Card = Mapping[str, Any]

# What another machine's kernels of BLAS may change: an image or two on the edge of a threshold.
EDGE = 3


@pytest.fixture(scope="module")
def champion() -> Artifact:
    return artifacts.read(locate())


@pytest.fixture(scope="module")
def measured(champion: Artifact, mnist: Mnist, drawings_folder: Path) -> Card:
    """Every set but the seeds, measured now."""
    bare = dataclasses.replace(champion, evaluation={})
    return judged(bare, mnist, [], read_drawings(drawings_folder)).evaluation


def counts(record: object, path: str = "") -> dict[str, int]:
    """Every whole number in a record, by where it stands."""
    if isinstance(record, dict):
        return {
            place: number
            for name, value in record.items()
            for place, number in counts(value, f"{path}/{name}").items()
        }
    return {path: record} if isinstance(record, int) else {}


@pytest.mark.parametrize("name", ["test", "drawings", "robustness", "refusals", "scenes"])
def test_the_card_says_what_is_measured(champion: Artifact, measured: Card, name: str) -> None:
    recorded, found = champion.evaluation[name], measured[name]
    if name == "refusals" and recorded["fonts"] != found["fonts"]:
        for of_fonts in ("letters", "ambiguous_letters", "symbols"):
            recorded["sets"].pop(of_fonts), found["sets"].pop(of_fonts)
    expected = counts(recorded)
    now = counts(found)
    assert expected.keys() == now.keys() or name == "refusals"  # of reasons one may be missing
    off = {place: (expected.get(place, 0), now.get(place, 0)) for place in expected | now}
    assert {place: pair for place, pair in off.items() if abs(pair[0] - pair[1]) > EDGE} == {}


BARS: dict[str, Callable[[Card], bool]] = {
    "accuracy of 99.5 %": lambda card: card["test"]["accuracy"] >= 0.995,
    "calibration": lambda card: card["test"]["expected_calibration_error"] <= 0.003,
    "likelihood": lambda card: card["test"]["negative_log_likelihood"] <= 0.015,
    "coverage of test images": lambda card: card["test"]["accepted"] >= 9900,
    "drawings as drawn": lambda card: card["drawings"]["variants"]["as_drawn"]["accuracy"] >= 0.997,
    "drawings changed": lambda card: all(
        row["accuracy"] >= 0.99 for row in card["drawings"]["variants"].values()
    ),
    "corruptions on average": lambda card: card["robustness"]["mean_accuracy"] >= 0.96,
    "every corruption": lambda card: all(
        row["accuracy"] >= 0.85 for row in card["robustness"]["corruptions"].values()
    ),
    "accepted errors": lambda card: card["robustness"]["mean_errors_accepted"] <= 0.015,
    "scenes": lambda card: card["scenes"]["accuracy"] >= 0.985,
    "blanks": lambda card: card["refusals"]["sets"]["blank"]["share"] >= 0.995,
    "constants": lambda card: card["refusals"]["sets"]["constant"]["share"] >= 0.995,
    "noise": lambda card: card["refusals"]["sets"]["noise"]["share"] >= 0.995,
    "textures": lambda card: card["refusals"]["sets"]["textures"]["share"] >= 0.95,
    "letters": lambda card: card["refusals"]["sets"]["letters"]["share"] >= 0.85,
    "symbols": lambda card: card["refusals"]["sets"]["symbols"]["share"] >= 0.85,
}


@table("reaches", BARS)
def test_the_champion_reaches_its_bars(measured: Card, reaches: Callable[[Card], bool]) -> None:
    assert reaches(measured)


def test_what_is_served_reads_the_test_set_like_the_network(
    champion: Artifact, mnist: Mnist
) -> None:
    answers = Classifier(champion).classify(mnist.test.images)
    right = np.array([answer.digit for answer in answers]) == mnist.test.labels
    assert abs(int(right.sum()) - champion.evaluation["test"]["correct"]) <= 1


def test_the_champion_is_small(champion: Artifact) -> None:
    assert locate().stat().st_size <= 2_000_000
    assert champion.architecture.parameter_count() <= 500_000
