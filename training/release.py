"""From a trained network to the artifact: calibrate, evaluate, record."""

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from model import normalizer
from model.architecture import FRAME_SIDE
from model.artifact import Artifact
from model.confidence import Confidence
from model.network import Network
from training import checkpoint as checkpoints
from training import environment
from training.calibration import calibrate
from training.config import Recipe
from training.dataset import Digits, Mnist, split
from training.errors import DivergedError, TrainingError
from training.evaluation import evaluate, evaluate_test
from training.examination import all_logits, examine
from training.progress import Progress
from training.references import with_reference
from training.report import write_report
from training.run_folder import RunFolder, Saver
from training.streams import Stream, generator
from training.trainer import train

# Not the recipe's: all runs hold out the same writers, so that they can be compared on
# them, and what a teacher was taught is never what its student is tried on.
SPLIT_SEED = 1

GOLDEN_IMAGES = 16
GOLDEN_STROKE_POINTS = 40


@dataclass(frozen=True)
class Continuation:
    """What a run goes on from, and learns beside its own data.

    first: the artifact whose parameters it begins with, None to begin anew. digits: what it
    learns besides, in every epoch. digests: of all that makes the run another one, by name,
    beside those of the data. record: what the training record says of it.
    """

    first: Artifact | None
    digits: Digits
    digests: Mapping[str, str]
    record: Mapping[str, Any]


def build(  # noqa: PLR0913 - the last six may be left out
    recipe: Recipe,
    data: Mnist,
    *,
    continuation: Continuation | None = None,
    teachers: Sequence[Artifact] = (),
    folder: RunFolder | None = None,
    resume: bool = False,
    open_test: bool = True,
    show_progress: bool = True,
) -> Artifact:
    """Run ``recipe`` on ``data`` and return the finished artifact.

    Temperature and threshold are fitted on held-out images; the test set is read
    once, at the end, to be reported, and not at all without ``open_test``: so runs
    are to be made from which one is chosen. With ``folder``, every epoch leaves a
    checkpoint in it, from which a run with ``resume`` goes on, and the end a
    report; one that cannot be written costs no more than itself. Raises
    TrainingError.
    """
    digits, validation, held_out = divided(recipe, data)
    digests = data.digests | teacher_digests(teachers)
    if continuation:
        digits = _joined(digits, continuation.digits)
        digests |= continuation.digests
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
            recipe,
            digits,
            validation,
            first=continuation.first.network if continuation and continuation.first else None,
            teachers=[teacher.network for teacher in teachers],
            progress=progress,
            start=start,
            save=save,
        )
        record = {
            "recipe": recipe.to_json(),
            "data": digests,
            "images": len(digits),
            "held_out": held_out,
            "source_revision": environment.source_revision(),
            "machine": environment.machine(),
            "epochs": [dataclasses.asdict(epoch) for epoch in history],
            **(continuation.record if continuation else {}),
        }
        artifact = with_reference(
            _artifact(recipe, network, record, validation, data if open_test else None),
            data.train.images,
        )
        if folder and artifact.evaluation:
            shown = (
                (validation, "the validation set")
                if len(validation)
                else (data.test, "the test set")
            )
            try:
                write_report(folder.report, artifact, *shown)
            except TrainingError as error:
                if progress is None:
                    raise
                progress.say(str(error))
    return artifact


def divided(recipe: Recipe, data: Mnist) -> tuple[Digits, Digits, str]:
    """Training and validation digits as ``dataset.split`` gives them, alike in all runs."""
    fraction = recipe.data.validation_fraction
    return split(data, fraction, generator(SPLIT_SEED, Stream.SPLIT))


def _joined(digits: Digits, more: Digits) -> Digits:
    return Digits(
        np.concatenate([digits.images, more.images]), np.concatenate([digits.labels, more.labels])
    )


def teacher_digests(teachers: Sequence[Artifact]) -> dict[str, str]:
    """Teachers' answers are data, too."""
    return {
        f"teacher {number}": teacher.digest().removeprefix("sha256:")
        for number, teacher in enumerate(teachers, start=1)
    }


def _artifact(
    recipe: Recipe,
    network: Network,
    record: dict[str, Any],
    validation: Digits,
    opened: Mnist | None,
) -> Artifact:
    """Calibrate and evaluate a trained network. One that held nothing out refuses nothing."""
    golden = golden_images(generator(recipe.seed, Stream.GOLDEN))
    golden_logits = _finite_logits(network, golden)
    confidence = Confidence()
    evaluation = {}
    if len(validation):
        confidence = calibrate(_finite_logits(network, validation.images), validation.labels)
        evaluation["validation"] = evaluate(examine(network, confidence, validation))
    if opened:
        found = examine(network, confidence, opened.test)
        evaluation["test"] = evaluate_test(found, opened.test_writers)
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
    return np.stack([normalizer.normalize(image).pixels for image in ink])
