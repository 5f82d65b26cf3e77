"""Artifacts, images and examinations of which every answer is known beforehand."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model import normalizer
from model.architecture import mlp
from model.artifact import Artifact
from model.confidence import ANY_ENERGY, Confidence, Thresholds
from training.dataset import Digits
from training.examination import Examination, examine

# A label, the answer it is to get, and the brightness, 1-255, that makes the answer certain.
Answer = tuple[int, int, int]


def reader(
    *,
    version: int = 1,
    blind_to: Sequence[int] = (),
    threshold: float = 0.5,
    energy: float = ANY_ENERGY,
    training: Mapping[str, Any] | None = None,
) -> Artifact:
    """Answers d where pixel d of the top row is the brightest; 0 where it is blind to d."""
    architecture = mlp(784, 10)
    weight = np.zeros((784, 10), np.float32)
    np.fill_diagonal(weight, 10)
    weight[list(blind_to)] = 0
    return Artifact(
        name="digits",
        version=version,
        architecture=architecture,
        parameters={"dense1.weight": weight, "dense1.bias": np.zeros(10, np.float32)},
        confidence=Confidence(thresholds=Thresholds(threshold, energy)),
        normalizer_version=normalizer.VERSION,
        golden_images=np.zeros((1, 28, 28), np.uint8),
        golden_logits=np.zeros((1, 10), np.float32),
        training=training or {},
    )


def answered(answers: Sequence[Answer]) -> Digits:
    """Images that a ``reader`` answers as told."""
    images = np.zeros((len(answers), 28, 28), np.uint8)
    for image, (_, answer, brightness) in zip(images, answers, strict=True):
        image[0, answer] = brightness
    return Digits(images, np.array([label for label, _, _ in answers], np.uint8))


def examined(artifact: Artifact, digits: Digits) -> Examination:
    """What an artifact answers, judged as it says."""
    return examine(artifact.network, artifact.confidence, digits)


def examination(
    confidences: Sequence[float], right: Sequence[bool], accepted: Sequence[bool] | None = None
) -> Examination:
    """Answers of 0 with those confidences, to 0s where right and to 1s where not."""
    sure = np.array(confidences)
    probabilities = np.column_stack([sure, *[(1 - sure) / 9] * 9])
    hits = np.array(right)
    return Examination(
        labels=np.where(hits, 0, 1).astype(np.uint8),
        probabilities=probabilities,
        answers=np.zeros(len(sure), np.intp),
        confidences=sure,
        right=hits,
        accepted=np.ones(len(sure), bool) if accepted is None else np.array(accepted),
    )
