"""The training loop: batches in, a trained network out."""

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from model.network import Network
from training.batches import source, steps_per_epoch
from training.checkpoint import Checkpoint
from training.config import Recipe
from training.dataset import Digits
from training.errors import DivergedError
from training.examination import accuracy, all_logits
from training.helper import Helper
from training.initializers import initialize, learned_count, named_views
from training.memory import keep_freed_memory
from training.optimizers import Optimizer, average, clip
from training.parts import BatchGradient
from training.progress import Epoch, Progress
from training.rows import NO_DIGIT
from training.schedules import learning_rate
from training.streams import Stream, generator


def train(  # noqa: PLR0913 - the last five may be left out
    recipe: Recipe,
    digits: Digits,
    validation: Digits,
    *,
    first: Network | None = None,
    teachers: Sequence[Network] = (),
    progress: Progress | None = None,
    start: Checkpoint | None = None,
    save: Callable[[Checkpoint], None] | None = None,
) -> tuple[Network, tuple[Epoch, ...]]:
    """Train a network as ``recipe`` says; returns it with the record of its epochs.

    first: whose parameters to begin with, not drawn ones; of the recipe's architecture.
    teachers: whom a recipe with ``Distillation`` learns from. start: the checkpoint to go on
    from. save: takes one after every epoch. The same
    recipe, data and kind of machine give the same parameters, bit for bit, however
    often the run was taken up again. Raises DivergedError.
    """
    with ExitStack() as stack:
        helper = stack.enter_context(Helper()) if recipe.threads > 1 else None
        run = Run(recipe, start, helper, teachers, first)
        batches = stack.enter_context(source(digits, recipe, len(run.history) + 1))
        while not run.finished:
            number = len(run.history) + 1
            epoch = run.epoch(batches.epoch(number), len(digits), validation, progress)
            # In this order: a journal that is ahead of the checkpoint can be cut back to it.
            if progress:
                progress.epoch(epoch)
            if save:
                save(run.checkpoint())
    return run.network(), run.history


class Run:
    """A network while it is trained: all that a step changes, and the step."""

    def __init__(
        self,
        recipe: Recipe,
        start: Checkpoint | None = None,
        helper: Helper | None = None,
        teachers: Sequence[Network] = (),
        first: Network | None = None,
    ) -> None:
        self.recipe = recipe
        self.history: tuple[Epoch, ...] = start.history if start else ()
        architecture = recipe.architecture
        rng = generator(recipe.seed, Stream.PARAMETERS)
        self._vector = initialize(architecture, recipe.initialization, rng)
        if first:
            for name, view in named_views(architecture, self._vector).items():
                view[...] = first.parameters[name]
        self._optimizer = Optimizer(recipe.optimizer, learned_count(architecture))
        self._running = self._vector.copy() if recipe.average_decay else self._vector
        self._best = self._vector.copy() if recipe.patience else None
        if start:
            self._optimizer.step = start.step
            for name, array in self._arrays().items():
                array[...] = start.arrays[name]
        self._helper = helper
        self._gradient_of = BatchGradient(recipe, self._vector, helper, teachers)
        keep_freed_memory()

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or none has been better for as long as the recipe waits."""
        done = len(self.history)
        waits = self.recipe.patience
        return done >= self.recipe.epochs or (
            waits is not None and done - self._best_epoch >= waits
        )

    def epoch(
        self,
        batches: Iterable[Digits],
        images: int,
        validation: Digits,
        progress: Progress | None = None,
    ) -> Epoch:
        """Train on the batches of one epoch, then validate. Raises DivergedError."""
        number = len(self.history) + 1
        dropout = generator(self.recipe.seed, Stream.DROPOUT, number).spawn(2)
        steps = steps_per_epoch(self.recipe, images)
        losses, correct, seen, rate = 0.0, 0, 0, 0.0
        with np.errstate(over="ignore", invalid="ignore"):  # _check says it in words
            for batch in batches:
                rate = learning_rate(self.recipe, self._optimizer.step, steps)
                loss, right = self._step(batch, rate, dropout)
                self._check("loss", loss)
                losses += loss * len(batch)
                correct += right
                seen += len(batch)
                if progress:
                    progress.batch(int(np.count_nonzero(batch.labels != NO_DIGIT)), loss)
            self._check("largest parameter", float(np.abs(self._vector).max()))
            score = self._score(validation) if len(validation) else None
        self.history += (Epoch(number, losses / seen, correct / images, score, rate),)
        if self._best is not None and self._best_epoch == number:
            self._best[...] = self._running
        return self.history[-1]

    def network(self) -> Network:
        """What came of it: the best, the running average, or the last parameters."""
        vector = self._running if self._best is None else self._best
        architecture = self.recipe.architecture
        return Network(architecture, named_views(architecture, vector.copy()))

    def checkpoint(self) -> Checkpoint:
        """All that another run needs to go on from here; views, not copies."""
        return Checkpoint(self._arrays(), self._optimizer.step, self.history)

    def _arrays(self) -> dict[str, NDArray[np.float32]]:
        arrays = {"parameters": self._vector, "moments": self._optimizer.moments}
        if self._running is not self._vector:
            arrays["running"] = self._running
        if self._best is not None:
            arrays["best"] = self._best
        return arrays

    def _score(self, validation: Digits) -> float:
        architecture = self.recipe.architecture
        network = Network(architecture, named_views(architecture, self._running))
        return accuracy(all_logits(network, validation.images), validation.labels)

    def _check(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            number = len(self.history) + 1
            raise DivergedError(
                f"the {what} is {value} in epoch {number}; lower optimizer.learning_rate"
            )

    @property
    def _best_epoch(self) -> int:
        """The first of the epochs with the highest validation accuracy, 0 before any."""
        best = max(self.history, key=lambda epoch: epoch.validation_accuracy or 0, default=None)
        return best.number if best else 0

    def _step(
        self, batch: Digits, rate: float, dropout: Sequence[np.random.Generator]
    ) -> tuple[float, int]:
        """One update; returns the loss of the batch before it, and how many were right."""
        gradient, loss, correct = self._gradient_of(batch, dropout)
        if self.recipe.clip_norm is not None:
            clip(gradient, self.recipe.clip_norm)
        self._optimizer.update(self._vector[: len(gradient)], gradient, rate, self._helper)
        if self._running is not self._vector:
            decay = self.recipe.average_decay
            average(self._running, self._vector, decay, self._optimizer.step)
        return loss, correct
