import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from model.artifact import Artifact, decode, encode
from model.card import card, to_text
from tests.helpers import TINY_RECIPE, synthetic_mnist
from training.config import Recipe
from training.corruptions import CORRUPTIONS
from training.dataset import Digits
from training.drawings import VARIANTS
from training.errors import DataError
from training.judging import Sizes, judged
from training.release import build
from training.scene_kinds import KINDS
from training.strangers import SETS

MNIST = synthetic_mnist(test=60)
OTHER_SEEDS = [dataclasses.replace(TINY_RECIPE, seed=seed) for seed in (8, 9)]
DRAWN = Digits(255 - MNIST.test.images[:5], MNIST.test.labels[:5])


def built(recipe: Recipe) -> Artifact:
    return build(recipe, MNIST, show_progress=False)


@pytest.fixture(scope="module")
def candidate() -> Artifact:
    return built(TINY_RECIPE)


@pytest.fixture(scope="module")
def siblings() -> list[Artifact]:
    return [built(recipe) for recipe in OTHER_SEEDS]


@pytest.fixture(scope="module")
def whole(candidate: Artifact, siblings: list[Artifact]) -> Artifact:
    return judged(candidate, MNIST, siblings, DRAWN, Sizes(strangers=3, scenes=20))


def figures(whole: Artifact) -> Mapping[str, Any]:
    return whole.evaluation


def test_every_set_is_judged(whole: Artifact) -> None:
    found = figures(whole)
    assert found.keys() == {
        *("validation", "test", "seeds"),
        *("drawings", "robustness", "refusals", "scenes"),
    }
    assert found["robustness"]["corruptions"].keys() == CORRUPTIONS.keys()
    assert found["robustness"]["clean"]["images"] == 60
    assert found["refusals"]["sets"].keys() == SETS.keys()
    assert {row["images"] for row in found["refusals"]["sets"].values()} == {3}
    assert found["drawings"]["variants"].keys() == VARIANTS.keys()
    assert {row["images"] for row in found["drawings"]["variants"].values()} == {5}
    assert found["scenes"]["images"] == 20
    assert found["scenes"]["kinds"].keys() <= KINDS.keys()


def test_judging_changes_nothing_but_the_evaluation(candidate: Artifact, whole: Artifact) -> None:
    bare = dataclasses.replace(whole, evaluation=candidate.evaluation)
    assert encode(bare) == encode(candidate)
    assert figures(whole)["test"] == candidate.evaluation["test"]
    assert decode(encode(whole)).evaluation == figures(whole)


def test_the_seeds_tell_what_is_luck(
    candidate: Artifact, siblings: list[Artifact], whole: Artifact
) -> None:
    accuracies = [one.evaluation["test"]["accuracy"] for one in (candidate, *siblings)]
    assert figures(whole)["seeds"] == {
        "seeds": [7, 8, 9],
        "test_accuracies": accuracies,
        "mean_accuracy": pytest.approx(np.mean(accuracies)),
        "standard_deviation": pytest.approx(np.std(accuracies, ddof=1)),
    }


def test_a_test_set_that_stayed_shut_is_opened_once(whole: Artifact) -> None:
    shut = build(TINY_RECIPE, MNIST, open_test=False, show_progress=False)
    once = judged(shut, MNIST, [], DRAWN, Sizes(strangers=3, scenes=20))
    assert once.evaluation["test"]["images"] == 60
    again = judged(once, synthetic_mnist(seed=5, test=10), [], DRAWN, Sizes(strangers=1, scenes=1))
    assert again.evaluation["test"] == once.evaluation["test"]
    # The same model gets the same figures; with one seed, nobody knows what is luck.
    for name in ("drawings", "robustness", "refusals", "scenes"):
        assert once.evaluation[name] == figures(whole)[name]
    assert once.evaluation["seeds"].keys() == {"seeds", "test_accuracies", "mean_accuracy"}


def test_a_sibling_of_another_recipe_is_refused(candidate: Artifact) -> None:
    stranger = built(dataclasses.replace(TINY_RECIPE, epochs=1))
    with pytest.raises(DataError, match="not of the same recipe"):
        judged(candidate, MNIST, [stranger], DRAWN, Sizes(strangers=1, scenes=1))


def test_the_card_shows_all_of_it(whole: Artifact) -> None:
    shown = card(whole)
    assert json.loads(json.dumps(shown)) == shown
    text = to_text(shown)
    for word in ("zigzag", "off_centre", "several_digits", "unnormalized", "standard_deviation"):
        assert word.replace("_", " ") in text or word in text
    assert "not measured" not in text
