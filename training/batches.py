"""The batches of an epoch, made in this process or ahead of it in a second one.

Any epoch's batches follow from the recipe and the epoch's number alone, so a run
can begin with any of them, and both ways give the same batches, bit for bit.
"""

import contextlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from math import prod
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from model.architecture import FRAME_SIDE
from training.augmentation import augment_both
from training.config import Distillation, Recipe
from training.dataset import Digits
from training.errors import ProducerError
from training.interrupts import interrupts_held
from training.memory import keep_freed_memory
from training.outliers import outliers
from training.rows import NO_DIGIT
from training.streams import Stream, generator

if sys.platform == "linux":
    import fcntl

# What the producer may be ahead by: ten batches of 128 images. It is all that Linux
# lets a pipe hold without privileges; elsewhere a pipe keeps its 16 to 64 KiB.
PIPE_BYTES = 2**20
MESSAGE_BYTES = 2**20  # at most, for the receiver holds a message twice

OUT_OF_MEMORY = 3  # the producer's exit status
FAREWELL = 5  # seconds for a producer whose pipe is shut to be gone


def steps_per_epoch(recipe: Recipe, images: int) -> int:
    """Batches in one pass over so many images, the last one perhaps short."""
    return -(-images // (recipe.batch_size or images))


def batches(digits: Digits, recipe: Recipe, epoch: int) -> Iterator[Digits]:
    """The batches of an epoch (1 or more), in order, augmented as ``recipe`` says.

    Without a batch size there is one: all the digits in their own order, not copied
    unless they are augmented. Outliers, where the recipe wants some, are drawn for each
    batch and stand anywhere in it.
    """
    rng = generator(recipe.seed, Stream.AUGMENTATION, epoch)
    rng_of_outliers = generator(recipe.seed, Stream.OUTLIERS, epoch)
    for batch_of_digits in _in_order(digits, recipe, epoch):
        batch = batch_of_digits
        if count := outliers_to(recipe, len(batch)):
            batch = _mixed(batch, outliers(count, digits.images, rng_of_outliers), rng_of_outliers)
        if recipe.augmentation.enabled:
            plain, spoilt = augment_both(batch.images, recipe.augmentation, rng)
            batch = Digits(spoilt, batch.labels, plain if shows_plain(recipe) else None)
        yield batch


def shows_plain(recipe: Recipe) -> bool:
    """Whether there are teachers, who are shown the images before they are spoilt."""
    return isinstance(recipe.loss, Distillation) and recipe.augmentation.spoils


def outliers_to(recipe: Recipe, digits: int) -> int:
    """How many outliers join so many digits."""
    return round(recipe.data.outliers * digits)


def _mixed(digits: Digits, strange: NDArray[np.uint8], rng: np.random.Generator) -> Digits:
    """Digits and outliers in one batch, in random order: its parts are alike."""
    images = np.concatenate([digits.images, strange])
    labels = np.concatenate([digits.labels, np.full(len(strange), NO_DIGIT, np.uint8)])
    return Digits(images, labels).take(rng.permutation(len(labels)))


def _in_order(digits: Digits, recipe: Recipe, epoch: int) -> Iterator[Digits]:
    if recipe.batch_size is None:
        yield digits
        return
    shuffle = generator(recipe.seed, Stream.SHUFFLE, (epoch - 1) // recipe.shuffle_every)
    order = shuffle.permutation(len(digits))
    for start in range(0, len(digits), recipe.batch_size):
        yield digits.take(order[start : start + recipe.batch_size])


class Source(Protocol):
    """Where a trainer gets its batches."""

    def epoch(self, number: int) -> Iterator[Digits]:
        """The batches of that epoch; epochs are asked for in order, each to its end."""


def source(digits: Digits, recipe: Recipe, first_epoch: int) -> AbstractContextManager[Source]:
    """The batches from ``first_epoch`` on, made ahead where making them is work."""
    work = recipe.augmentation.enabled or recipe.data.outliers > 0
    if work and recipe.batch_size is not None and first_epoch <= recipe.epochs:
        return Ahead(digits, recipe, first_epoch)
    return nullcontext(Here(digits, recipe))


@dataclass(frozen=True)
class Here:
    """``batches``, made in this process when they are asked for."""

    digits: Digits
    recipe: Recipe

    def epoch(self, number: int) -> Iterator[Digits]:
        """The batches of that epoch."""
        return batches(self.digits, self.recipe, number)


class Ahead:
    """``batches`` of the epochs from ``first_epoch`` to the last, made by a second process.

    A context: the producer runs inside it. It works on while the trainer computes,
    until the pipe between them is full. Neither outlives the other: a producer that
    ends before its time is a ProducerError here, and a trainer that ends, however
    it does, leaves the producer a pipe without a reader, which ends it too.
    """

    def __init__(self, digits: Digits, recipe: Recipe, first_epoch: int) -> None:
        self._digits = digits
        self._recipe = recipe
        self._position = (first_epoch, 0)  # the next batch: its epoch, and images before it
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        # Spawned, not forked: BLAS has threads, which a fork would lose while they hold locks.
        context = get_context("spawn")
        with ExitStack() as exits:
            self._batches, batches_out = context.Pipe(duplex=False)
            exits.enter_context(self._batches)
            digits_in, digits = context.Pipe(duplex=False)
            exits.enter_context(digits)
            _enlarge(self._batches)
            first_epoch, _ = self._position
            work = len(self._digits), self._recipe, first_epoch
            self._producer = context.Process(
                target=_produce, args=(digits_in, batches_out, *work), daemon=True
            )
            # Our copies of its ends are closed, or its death would not show.
            with digits_in, batches_out, interrupts_held():
                self._producer.start()
                exits.callback(_end, self._producer)
            with self._fate_told(first_epoch):
                for array in (self._digits.images, self._digits.labels):
                    _send(digits, array)
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exits.close()

    def epoch(self, number: int) -> Iterator[Digits]:
        """The batches of that epoch; raises ProducerError, and ValueError out of turn."""
        if (number, 0) != self._position:
            epoch, taken = self._position
            raise ValueError(f"epoch {number} was asked for after {taken} images of epoch {epoch}")
        images, size = len(self._digits), self._recipe.batch_size or len(self._digits)
        for start in range(0, images, size):
            count = min(size, images - start)
            whole = count + outliers_to(self._recipe, count)
            batch = _empty(whole, plain=shows_plain(self._recipe))
            with self._fate_told(number):
                for array in _arrays(batch):
                    _receive(self._batches, array)
            taken = start + count
            self._position = (number, taken) if taken < images else (number + 1, 0)
            yield batch

    @contextlib.contextmanager
    def _fate_told(self, epoch: int) -> Iterator[None]:
        """Turn the end of a pipe into the ProducerError that says how the producer ended."""
        try:
            yield
        except (EOFError, OSError):
            self._producer.join(FAREWELL)
            status = self._producer.exitcode or 0
            if status == OUT_OF_MEMORY:
                fate = "ran out of memory"
            elif status < 0:
                fate = f"was killed by signal {-status}"
            else:
                fate = f"ended with status {status}"
            raise ProducerError(
                f"epoch {epoch}: the process that prepares the batches {fate}; see that there "
                "is memory for a second copy of the images, and train again with --resume"
            ) from None


def _end(producer: SpawnProcess) -> None:
    producer.kill()  # it has nothing to put in order
    producer.join()
    producer.close()


def _enlarge(pipe: Connection) -> None:
    if sys.platform == "linux":
        # Refused where the administrator allows less.
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


# -- the second process -------------------------------------------------------


def _produce(
    digits_in: Connection, batches_out: Connection, images: int, recipe: Recipe, first_epoch: int
) -> None:
    """Take in the digits, then send batches until all epochs are done or nobody reads."""
    try:
        digits = _empty(images)
        with digits_in:
            _receive(digits_in, digits.images)
            _receive(digits_in, digits.labels)
        keep_freed_memory()
        with threadpool_limits(1, user_api="blas"):  # the other cores are the trainer's
            for epoch in range(first_epoch, recipe.epochs + 1):
                for batch in batches(digits, recipe, epoch):
                    for array in _arrays(batch):
                        _send(batches_out, array)
    except (EOFError, OSError):
        pass  # the trainer is gone
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)


def _empty(count: int, *, plain: bool = False) -> Digits:
    shape = count, FRAME_SIDE, FRAME_SIDE
    before = np.empty(shape, np.uint8) if plain else None
    return Digits(np.empty(shape, np.uint8), np.empty(count, np.uint8), before)


def _arrays(digits: Digits) -> list[NDArray[np.uint8]]:
    """What goes through the pipe, in this order."""
    plain = [] if digits.plain is None else [digits.plain]
    return [digits.images, digits.labels, *plain]


def _send(connection: Connection, array: NDArray[np.uint8]) -> None:
    """Write the bytes of an array, straight from its memory."""
    for part in _parts(array):
        connection.send_bytes(np.ascontiguousarray(part).reshape(-1).data)


def _receive(connection: Connection, array: NDArray[np.uint8]) -> None:
    """Fill an array with what ``_send`` wrote; raises EOFError or OSError at the pipe's end."""
    for part in _parts(array):
        connection.recv_bytes_into(part.reshape(-1).data)


def _parts(array: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    rows = MESSAGE_BYTES // prod(array.shape[1:])
    for start in range(0, len(array), rows):
        yield array[start : start + rows]
