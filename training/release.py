"""From a trained network to the artifact: calibrate, evaluate, record."""

import dataclasses

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from model import normalizer
from model.architecture import FRAME_SIDE
from model.artifact import Artifact
from training import environment
from training.config import Recipe
from training.dataset import Mnist, split
from training.evaluation import all_logits, calibrate, evaluate
from training.progress import Progress
from training.trainer import steps_per_epoch, train

GOLDEN_IMAGES = 16
GOLDEN_STROKE_POINTS = 40


def build(recipe: Recipe, mnist: Mnist, *, show_progress: bool = True) -> Artifact:
    """Run ``recipe`` on ``mnist`` and return the finished artifact.

    Temperature and threshold are fitted on held-out writers; the test set is
    read once, at the end, to be reported.
    """
    with threadpool_limits(recipe.blas_threads, user_api="blas"):
        return _build(recipe, mnist, show_progress=show_progress)


def _build(recipe: Recipe, mnist: Mnist, *, show_progress: bool) -> Artifact:
    split_rng, train_rng, golden_rng = np.random.default_rng(recipe.seed).spawn(3)
    digits, validation, held_out = split(mnist, recipe.validation_fraction, split_rng)
    progress = Progress(recipe.epochs, steps_per_epoch(recipe, digits)) if show_progress else None
    try:
        network, history = train(recipe, digits, validation, train_rng, progress)
    finally:
        if progress:
            progress.close()
    confidence = calibrate(all_logits(network, validation.images), validation.labels)
    golden = golden_images(golden_rng)
    return Artifact(
        name="digits",
        version=recipe.version,
        architecture=network.architecture,
        parameters=network.parameters,
        confidence=confidence,
        normalizer_version=normalizer.VERSION,
        golden_images=golden,
        golden_logits=all_logits(network, golden),
        training={
            "recipe": recipe.to_json(),
            "data": mnist.digests,
            "images": len(digits),
            "held_out": held_out,
            "source_revision": environment.source_revision(),
            "machine": environment.machine(),
            "epochs": [dataclasses.asdict(epoch) for epoch in history],
        },
        evaluation={
            "validation": evaluate(network, validation, confidence),
            "mnist_test": evaluate(network, mnist.test, confidence),
        },
    )


def golden_images(rng: np.random.Generator, count: int = GOLDEN_IMAGES) -> NDArray[np.uint8]:
    """Frames (count, 28, 28) of random strokes: no data set's image travels in an artifact."""
    steps = rng.normal(0, 0.35, (count, GOLDEN_STROKE_POINTS, 2)).cumsum(axis=1).cumsum(axis=1)
    middle, reach = steps.mean(axis=1, keepdims=True), np.abs(steps).max(axis=(1, 2), keepdims=True)
    points = FRAME_SIDE / 2 + (steps - middle) * (FRAME_SIDE / 4) / reach  # (G, P, 2)
    pixels = np.indices((FRAME_SIDE, FRAME_SIDE)).transpose(1, 2, 0)[None, :, :, None]
    distance = np.linalg.norm(pixels - points[:, None, None], axis=-1).min(axis=-1)  # (G, 28, 28)
    ink: NDArray[np.uint8] = np.rint(255 * np.clip(2 - distance, 0, 1)).astype(np.uint8)
    return ink
