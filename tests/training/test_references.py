"""The reference of a model's drift: its training images, as they are served to it."""

import dataclasses

import numpy as np
import pytest

from model.artifact import Artifact
from model.classifier import Classifier
from model.confidence import energies
from model.network import scale_pixels
from model.reference import Reference, by_feature
from tests.helpers import synthetic_mnist, table
from training import references
from training.errors import DivergedError
from training.references import with_reference

MNIST = synthetic_mnist()  # what the tiny artifact was trained on


def reference(artifact: Artifact) -> Reference:
    assert artifact.reference is not None
    return artifact.reference


def test_all_training_images_are_counted_held_out_or_not(tiny_artifact: Artifact) -> None:
    assert reference(tiny_artifact).images == len(MNIST.train) > tiny_artifact.training["images"]


def test_counted_is_what_the_classifier_answers(tiny_artifact: Artifact) -> None:
    counts = by_feature(np.array(reference(tiny_artifact).counts))
    answers = Classifier(tiny_artifact).classify(MNIST.train.images)
    digits = np.bincount([answer.digit for answer in answers], minlength=10)
    doubtful = sum(answer.confidence < 0.5 for answer in answers)
    assert counts["digit"].tolist() == digits.tolist()
    assert counts["confidence"][0] == doubtful > 0


def test_the_edges_of_energy_divide_the_images_evenly(tiny_artifact: Artifact) -> None:
    counts = by_feature(np.array(reference(tiny_artifact).counts))["energy"]
    assert counts.tolist() == [60] * 10
    frames = [frame.pixels for batch in references._frames(MNIST.train.images) for frame in batch]
    seen = energies(tiny_artifact.network.logits(scale_pixels(np.array(frames))))
    middle = reference(tiny_artifact).energy_edges[4]
    assert float(np.median(seen)) == pytest.approx(middle, abs=1e-4)


def test_images_are_counted_as_they_are_served(tiny_artifact: Artifact) -> None:
    dark = with_reference(tiny_artifact, 255 - MNIST.train.images)
    assert by_feature(np.array(reference(dark).counts))["polarity"].tolist() == [0, 600]


@table("batch", {"one": 1, "some": 7, "all": 600, "more": 601})
def test_how_many_are_taken_at_a_time_changes_nothing(
    batch: int, tiny_artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "BATCH", batch)
    again = reference(with_reference(tiny_artifact, MNIST.train.images))
    assert again.counts == reference(tiny_artifact).counts
    np.testing.assert_allclose(again.energy_edges, reference(tiny_artifact).energy_edges, rtol=1e-5)


def test_a_network_that_overflows_makes_none(tiny_artifact: Artifact) -> None:
    huge = {name: np.full_like(each, 3e38) for name, each in tiny_artifact.parameters.items()}
    with pytest.raises(DivergedError, match="lower"):
        with_reference(dataclasses.replace(tiny_artifact, parameters=huge), MNIST.train.images)
