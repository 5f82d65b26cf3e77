"""What a run leaves beside its artifact: checkpoints, a journal and a report."""

import time
from dataclasses import dataclass
from pathlib import Path

from training import checkpoint as checkpoints
from training.checkpoint import Checkpoint
from training.config import Recipe
from training.errors import TrainingError
from training.progress import Progress

SHARE_OF_TIME = 0.05  # that checkpoints may take of a run


@dataclass(frozen=True)
class RunFolder:
    """Where each of them is."""

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
    def artifact(self) -> Path:
        """A teacher's artifact, which is not published."""
        return self.path / "teacher.npz"

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
