"""From a trained network to the artifact: calibrate, evaluate, record."""

import dataclasses
import time
from contextlib import nullcontext
from dataclasses import dataclass
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
from training.checkpoint import Checkpoint
from training.config import Distillation, Recipe
from training.dataset import Digits, Mnist, split
from training.errors import DivergedError, TrainingError
from training.evaluation import all_logits, calibrate, evaluate
from training.progress import Progress
from training.report import write_report
from training.streams import Stream, generator
from training.trainer import train

SHARE_OF_TIME = 0.05  # that checkpoints may take of a run

GOLDEN_IMAGES = 16
GOLDEN_STROKE_POINTS = 40


@dataclass(frozen=True)
class RunFolder:
    """What a run leaves beside its artifact: checkpoints, a journal and a report."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """Where the last finished epoch is kept until the artifact is published."""
        return self.path / "checkpoint.npz"

    @property
    def journal(self) -> Path:
        """One JSON object a line for every epoch."""
        return self.path / "journal.jsonl"

    @property
    def report(self) -> Path:
        """The run for people who would rather look than read."""
        return self.path / "report.html"

    def create(self, *, keep: bool) -> None:
        """Make the folder, and clear away what a killed run was writing.

        Without ``keep`` also what an earlier run has left. Raises TrainingError.
        """
        finished = (self.checkpoint, self.report)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for file in finished:
                for temporary in self.path.glob(f".{file.name}.*.tmp"):
                    temporary.unlink()
                if not keep:
                    file.unlink(missing_ok=True)
        except OSError as error:
            raise TrainingError(
                f"{error.filename}: cannot hold a run ({error.strerror}); name another folder"
            ) from None


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
        write_report(path, artifact, validation, "held-out images")
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


class Saver:
    """Keeps the checkpoints of a run, in at most a twentieth of its time.

    Where one cannot be written, the run says so, once until one can again, and goes
    on, and the last one stands.
    """

    def __init__(
        self, path: Path, recipe: Recipe, digests: dict[str, str], progress: Progress | None
    ) -> None:
        self._path, self._recipe, self._digests = path, recipe, digests
        self._progress = progress
        self._not_before = 0.0
        self._failing = False

    def __call__(self, checkpoint: Checkpoint) -> None:
        """Keep this checkpoint, or leave it for one of the next epochs."""
        began = time.monotonic()
        last = len(checkpoint.history) == self._recipe.epochs
        if began < self._not_before and not last:
            return
        try:
            checkpoints.save(self._path, checkpoint, self._recipe, self._digests)
            self._failing = False
        except OSError as error:
            if self._progress and not self._failing:
                self._progress.say(
                    f"{self._path}: cannot be written ({error.strerror}); training goes on, and "
                    "the last checkpoint stands; mend that and the next epochs are kept"
                )
            self._failing = True
        now = time.monotonic()
        self._not_before = now + (now - began) / SHARE_OF_TIME


def golden_images(rng: np.random.Generator, count: int = GOLDEN_IMAGES) -> NDArray[np.uint8]:
    """Frames (count, 28, 28) of random strokes: no data set's image travels in an artifact."""
    steps = rng.normal(0, 0.35, (count, GOLDEN_STROKE_POINTS, 2)).cumsum(axis=1).cumsum(axis=1)
    middle, reach = steps.mean(axis=1, keepdims=True), np.abs(steps).max(axis=(1, 2), keepdims=True)
    points = FRAME_SIDE / 2 + (steps - middle) * (FRAME_SIDE / 4) / reach  # (G, P, 2)
    pixels = np.indices((FRAME_SIDE, FRAME_SIDE)).transpose(1, 2, 0)[None, :, :, None]
    distance = np.linalg.norm(pixels - points[:, None, None], axis=-1).min(axis=-1)  # (G, 28, 28)
    ink: NDArray[np.uint8] = np.rint(255 * np.clip(2 - distance, 0, 1)).astype(np.uint8)
    return ink
