"""What a model's training images look like to it: the reference of its drift."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from model import normalizer
from model.artifact import Artifact
from model.confidence import energies
from model.engine import Engine
from model.frame import Frame
from model.reference import Reference, Served, energy_edges, histograms
from training.errors import DivergedError

BATCH = 1000  # images at a time: a copy of all would be as large as the data set


def with_reference(artifact: Artifact, images: NDArray[np.uint8]) -> Artifact:
    """The artifact with the reference that images (N, 28, 28), N > 0, make as they are served.

    They are all training images, held out or not: few writers have a hand of their own, and one
    in ten of MNIST's writes thinner than its test set. Raises DivergedError.
    """
    engine = Engine(artifact.network)
    with np.errstate(over="ignore", invalid="ignore"):
        logits = np.concatenate([engine.logits(_stacked(batch)) for batch in _frames(images)])
        seen = energies(logits)
    if not np.isfinite(seen).all():
        raise DivergedError(
            "the trained network gives no finite logits; lower optimizer.learning_rate"
        )
    probabilities = artifact.confidence.probabilities(logits)
    digits, confidences = probabilities.argmax(axis=1), probabilities.max(axis=1)
    edges = energy_edges(seen)
    counts = []
    for start, batch in zip(range(0, len(images), BATCH), _frames(images), strict=True):
        rows = slice(start, start + BATCH)
        served = Served.of(batch, digits[rows], confidences[rows], seen[rows])
        counts.append(histograms(served, edges))
    reference = Reference(edges, tuple(np.sum(counts, axis=0).tolist()))
    return dataclasses.replace(artifact, reference=reference)


def _frames(images: NDArray[np.uint8]) -> Iterator[list[Frame]]:
    for start in range(0, len(images), BATCH):
        yield normalizer.normalize_all(images[start : start + BATCH])


def _stacked(frames: list[Frame]) -> NDArray[np.uint8]:
    return np.array([frame.pixels for frame in frames])
