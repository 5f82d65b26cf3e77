"""From a trained network to the artifact: calibrate, evaluate, record."""

import dataclasses
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from model import artifact as artifacts
from model import normalizer
from model.architecture import FRAME_SIDE
from model.artifact import Artifact
from model.confidence import Confidence
from model.network import Network
from training import checkpoint as checkpoints
from training import environment
from training.config import Distillation, Recipe
from training.dataset import Digits, Mnist, split
from training.errors import DivergedError, TrainingError
from training.evaluation import all_logits, calibrate, evaluate
from training.progress import Progress
from training.report import write_report
from training.run_folder import RunFolder, Saver
from training.streams import Stream, generator
from training.trainer import train

GOLDEN_IMAGES = 16
GOLDEN_STROKE_POINTS = 40


def build(
    recipe: Recipe,
    data: Mnist,
    *,
    folder: RunFolder | None = None,
    resume: bool = False,
    show_progress: bool = True,
) -> Artifact:
    """Run ``recipe`` on ``data`` and return the finished artifact.

    Temperature and threshold are fitted on held-out images; the test set is read
    once, at the end, to be reported. With ``folder``, every epoch leaves a
    checkpoint in it, from which a run with ``resume`` goes on, and the end a
    report; one that cannot be written costs no more than itself. Raises
    TrainingError.
    """
    rng = generator(recipe.seed, Stream.SPLIT)
    digits, validation, held_out = split(data, recipe.data.validation_fraction, rng)
    digests = data.digests | _teacher_digest(recipe)
    start = None
    if folder:
        folder.create(keep=resume)
        start = checkpoints.load(folder.checkpoint, recipe, digests) if resume else None
    progress = None
    if show_progress:
        done = len(start.history) if start else 0
        journal = folder.journal if folder else None
        progress = Progress(recipe.epochs, len(digits), done=done, journal=journal)
    save = Saver(folder.checkpoint, recipe, digests, progress) if folder else None
    with threadpool_limits(recipe.blas_threads, user_api="blas"), progress or nullcontext():
        network, history = train(
            recipe, digits, validation, progress=progress, start=start, save=save
        )
        record = {
            "recipe": recipe.to_json(),
            "data": digests,
            "images": len(digits),
            "held_out": held_out,
            "source_revision": environment.source_revision(),
            "machine": environment.machine(),
            "epochs": [dataclasses.asdict(epoch) for epoch in history],
        }
        artifact = _artifact(recipe, network, record, validation, data.test)
        if folder:
            try:
                _report(folder.report, artifact, validation, data.test)
            except TrainingError as error:
                if progress is None:
                    raise
                progress.say(str(error))
    return artifact


def _teacher_digest(recipe: Recipe) -> dict[str, str]:
    """A teacher's answers are data, too."""
    if not isinstance(recipe.loss, Distillation):
        return {}
    return {"teacher": artifacts.read(Path(recipe.loss.teacher)).digest().removeprefix("sha256:")}


def _report(path: Path, artifact: Artifact, validation: Digits, test: Digits) -> None:
    if len(validation):
        write_report(path, artifact, validation, "the validation set")
    else:
        write_report(path, artifact, test, "the test set")


def _artifact(
    recipe: Recipe, network: Network, record: dict[str, Any], validation: Digits, test: Digits
) -> Artifact:
    """Calibrate and evaluate a trained network. One that held nothing out refuses nothing."""
    golden = golden_images(generator(recipe.seed, Stream.GOLDEN))
    golden_logits = _finite_logits(network, golden)
    confidence = Confidence(temperature=1.0, threshold=0.0)
    evaluation = {}
    if len(validation):
        confidence = calibrate(_finite_logits(network, validation.images), validation.labels)
        evaluation["validation"] = evaluate(network, validation, confidence)
    evaluation["test"] = evaluate(network, test, confidence)
    return Artifact(
        name="digits",
        version=recipe.version,
        architecture=network.architecture,
        parameters=network.parameters,
        confidence=confidence,
        normalizer_version=normalizer.VERSION,
        golden_images=golden,
        golden_logits=golden_logits,
        training=record,
        evaluation=evaluation,
    )


def _finite_logits(network: Network, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (N, 10); raises DivergedError for a network whose last steps were too large."""
    with np.errstate(over="ignore", invalid="ignore"):
        logits = all_logits(network, images)
    if not np.isfinite(logits).all():
        raise DivergedError(
            "the trained network gives no finite logits; lower optimizer.learning_rate"
        )
    return logits


def golden_images(rng: np.random.Generator, count: int = GOLDEN_IMAGES) -> NDArray[np.uint8]:
    """Frames (count, 28, 28) of random strokes: no data set's image travels in an artifact."""
    steps = rng.normal(0, 0.35, (count, GOLDEN_STROKE_POINTS, 2)).cumsum(axis=1).cumsum(axis=1)
    middle, reach = steps.mean(axis=1, keepdims=True), np.abs(steps).max(axis=(1, 2), keepdims=True)
    points = FRAME_SIDE / 2 + (steps - middle) * (FRAME_SIDE / 4) / reach  # (G, P, 2)
    pixels = np.indices((FRAME_SIDE, FRAME_SIDE)).transpose(1, 2, 0)[None, :, :, None]
    distance = np.linalg.norm(pixels - points[:, None, None], axis=-1).min(axis=-1)  # (G, 28, 28)
    ink: NDArray[np.uint8] = np.rint(255 * np.clip(2 - distance, 0, 1)).astype(np.uint8)
    return ink
