"""Everything that is known of how well a model reads, measured and put into its artifact."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from model.artifact import Artifact
from model.classifier import Classifier
from training import drawings, robustness, scene_judging, strangers
from training.dataset import Digits, Mnist
from training.errors import DataError
from training.evaluation import evaluate_test
from training.examination import examine
from training.stranger_glyphs import find_fonts

# Not the recipe's: whoever judges a model sets the same tasks as for every other.
SEED = 1
STRANGERS = 1000  # images of each set
SCENES = 5000


@dataclass(frozen=True)
class Sizes:
    """How many images are drawn: strangers of each set, and scenes in all."""

    strangers: int = STRANGERS
    scenes: int = SCENES


SIZES = Sizes()


def judged(
    artifact: Artifact,
    data: Mnist,
    siblings: Sequence[Artifact],
    drawn: Digits,
    sizes: Sizes = SIZES,
) -> Artifact:
    """The artifact with its evaluation on every set there is; raises TrainingError.

    siblings: what the same recipe gives with other seeds, each with its test figures; with
    none, what the artifact says of them stays.
    drawn: digits from another hand and pen (``training.drawings``).
    """
    classifier = Classifier(artifact)
    classify = classifier.classify
    evaluation = {
        **artifact.evaluation,
        "drawings": drawings.to_json(drawings.drawings(classify, drawn, SEED)),
        "robustness": robustness.to_json(robustness.robustness(classify, data.test, SEED)),
        "refusals": refusals(classify, data, sizes.strangers)[1],
        "scenes": scene_judging.to_json(scenes(classifier, data.test, sizes.scenes)),
    }
    if "test" not in evaluation:
        found = examine(artifact.network, artifact.confidence, data.test)
        evaluation["test"] = evaluate_test(found, data.test_writers)
    whole = dataclasses.replace(artifact, evaluation=evaluation)
    if not siblings and "seeds" in evaluation:
        return whole
    return dataclasses.replace(
        whole, evaluation={**evaluation, "seeds": _seeds([whole, *siblings])}
    )


def scenes(classifier: Classifier, digits: Digits, count: int = SCENES) -> list[scene_judging.Row]:
    """How well scenes of ``count`` digits, or of all if there are fewer, are read, by kind."""
    some = scene_judging.chosen(digits, count, SEED)
    unnormalized = partial(classifier.classify, manner="never")
    return scene_judging.judged(classifier.classify, unnormalized, some, SEED)


def refusals(
    classify: strangers.Classify, data: Mnist, count: int = STRANGERS
) -> tuple[str, dict[str, Any]]:
    """What is refused that is not one digit, as a table and as JSON values."""
    fonts = find_fonts()
    rows = strangers.refusals(classify, data.test.images, SEED, fonts, count)
    return strangers.to_text(rows, fonts), strangers.to_json(rows, fonts)


def _seeds(artifacts: Sequence[Artifact]) -> dict[str, Any]:
    """Mean and standard deviation of what one recipe gives with several seeds."""
    first, *others = (_recipe_but_seed(artifact) for artifact in artifacts)
    if any(other != first for other in others):
        raise DataError("the siblings are not of the same recipe; name those that are")
    accuracies = [artifact.evaluation["test"]["accuracy"] for artifact in artifacts]
    record = {
        "seeds": [artifact.training["recipe"]["seed"] for artifact in artifacts],
        "test_accuracies": accuracies,
        "mean_accuracy": float(np.mean(accuracies)),
    }
    if others:
        record["standard_deviation"] = float(np.std(accuracies, ddof=1))
    return record


def _recipe_but_seed(artifact: Artifact) -> Mapping[str, Any]:
    return {key: value for key, value in artifact.training["recipe"].items() if key != "seed"}
