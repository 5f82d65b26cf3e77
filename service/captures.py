"""What was answered, and the truth about it, on their way to a database.

A request leaves in memory what is to be kept of it, and goes on. One thread of each
worker does all that is done with the database: it writes what has gathered, notes
labels, and removes what is too old. So a database that is slow, hung or gone costs
captures, which are counted, and holds up nobody but who sends labels, and those for
seconds.
"""

import atexit
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model import Prediction
from service.metrics import Metrics

WRITE_IMAGES = 512  # at most so many are written at once, or one request

# Between two writes, so that captures gather: one write of many takes as long as one of few.
PAUSE_SECONDS = 0.05

RETRY_SECONDS = 1.0  # after a database could not be used

# An image that is not there may just wait in another worker.
SECOND_LOOK_SECONDS = 4 * PAUSE_SECONDS

PATIENCE_SECONDS = 3.0  # so long a label waits for the database

# The store is looked over for what has to go after so many images, and after so long.
PRUNE_IMAGES = 1_000
PRUNE_SECONDS = 60.0

CLOSE_SECONDS = 5.0  # to write what is left, when the worker ends

STORED, DROPPED = "stored", "dropped"

log = logging.getLogger("digits.feedback")


class DatabaseDown(Exception):
    """The database cannot be used now; the message says why, to the log."""


@dataclass(frozen=True)
class Capture:
    """What is kept of one request.

    pixels: the frames that the network saw, (N, 28, 28) uint8, as bytes. client: who sent it,
    as ``Keys.client`` has it. time: when it was answered, in Unix time.
    """

    request_id: str
    version: int
    pixels: bytes
    predictions: Sequence[Prediction]
    client: str
    time: float


@dataclass(frozen=True)
class Label:
    """What an image is said to have been.

    request_id, index: which image; None where the request had only one. client, time: of
    whom it is, and since when, as in ``Capture``.
    """

    request_id: str
    index: int | None
    digit: int
    client: str
    time: float


@dataclass(frozen=True)
class Found:
    """The image that a label is for. images: of its request. label: that it had before."""

    images: int
    label: int | None


class Database(Protocol):
    """Where captures are kept. Used by one thread; each method raises DatabaseDown."""

    def write(self, captures: Sequence[Capture]) -> None:
        """Keep all of them, or none."""

    def label(self, label: Label) -> Found | None:
        """Note a label, unless it says not which image of several; None where none is kept."""

    def prune(self) -> None:
        """Remove what is too old or too much."""

    def close(self) -> None:
        """Let go of it."""


Asked: TypeAlias = "tuple[Label, Future[Found | None]]"


class Captures:
    """Captures and labels of one worker, and the thread that brings them to ``database``.

    percent: of the requests that are kept. capacity: most images that wait to be written;
    what comes beyond is dropped.
    """

    def __init__(
        self, database: Database, metrics: Metrics, *, percent: int, capacity: int
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._percent = percent
        self._capacity = capacity
        self._waiting: deque[Capture] = deque()
        self._images = 0  # that wait, or are being written
        self._asked: deque[Asked] = deque()
        self._closing = threading.Event()
        self._is_down = False
        self._is_stalled = False  # a label has waited in vain, and the thread still does
        self._unpruned = 0
        self._prune_at = 0.0
        self._work = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="captures", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def keep(
        self,
        request_id: str,
        version: int,
        frames: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
        predictions: Sequence[Prediction],
        client: str,
    ) -> None:
        """Keep what was answered to one request, where it is drawn and there is room; at once.

        frames: (N, 28, 28) uint8, what the network saw; they are copied. predictions: N, of
        which the caller changes nothing any more. client: as ``Keys.client`` has it.
        """
        if self._percent < 100 and random.random() * 100 >= self._percent:  # noqa: PLR2004 - percent
            return
        count = len(predictions)
        pixels = np.asarray(frames, np.uint8).tobytes()
        capture = Capture(request_id, version, pixels, predictions, client, time.time())
        with self._work:
            has_room = not self._closing.is_set() and self._images + count <= self._capacity
            if has_room:
                self._waiting.append(capture)
                self._images += count
                self._work.notify()
        if not has_room:
            self._metrics.captures.labels(DROPPED).inc(count)

    def label(self, label: Label) -> Found | None:
        """Note a label, after all captures that wait here; None where the image is not kept.

        Nothing is noted where the request had several images and the label says not which.
        Raises DatabaseDown, after some seconds at most.
        """
        found = self._ask(label)
        if found is None:
            self._closing.wait(SECOND_LOOK_SECONDS)
            found = self._ask(label)
        return found

    def close(self) -> None:
        """Write what waits, in some seconds at most; what comes from now on is dropped."""
        with self._work:
            self._closing.set()
            self._work.notify()
        self._thread.join(CLOSE_SECONDS)
        atexit.unregister(self.close)

    def _ask(self, label: Label) -> Found | None:
        """What the thread answers."""
        answer: Future[Found | None] = Future()
        with self._work:
            if self._closing.is_set() or self._is_down or self._is_stalled:
                raise DatabaseDown("it could not be used a moment ago")
            self._asked.append((label, answer))
            self._work.notify()
        try:
            return answer.result(PATIENCE_SECONDS)
        except TimeoutError:
            self._is_stalled = True
            raise DatabaseDown("it does not answer") from None

    def _run(self) -> None:
        while not self._closing.is_set():
            self._turn()
            self._closing.wait(RETRY_SECONDS if self._is_down else PAUSE_SECONDS)
            with self._work:
                self._work.wait_for(self._has_work, PRUNE_SECONDS)
        self._finish()

    def _has_work(self) -> bool:
        is_in_trouble = self._is_down or self._is_stalled
        return bool(is_in_trouble or self._waiting or self._asked or self._closing.is_set())

    def _turn(self) -> None:
        """Do what there is to be done now; whatever happens, the thread goes on.

        A label is noted after the captures that waited when it came, so of labels that never
        cease only those have their turn that were here before the captures were looked at.
        """
        asked = len(self._asked)
        try:
            left = len(self._waiting)
            while left > 0:
                left -= self._write()
            self._prune()
            for _ in range(asked):
                self._note()
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it
            self._went_down(error)
        else:
            self._came_back()

    def _write(self) -> int:
        """Write some captures; where that fails they still wait. Returns how many it were."""
        batch: list[Capture] = []
        count = 0
        with self._work:
            for capture in self._waiting:
                if batch and count + len(capture.predictions) > WRITE_IMAGES:
                    break
                batch.append(capture)
                count += len(capture.predictions)
        self._database.write(batch)
        self._is_stalled = False
        self._forget(len(batch))
        self._metrics.captures.labels(STORED).inc(count)
        self._unpruned += count
        return len(batch)

    def _forget(self, captures: int) -> int:
        """Take captures from the front of the queue; returns how many images they were of."""
        with self._work:
            gone = [self._waiting.popleft() for _ in range(captures)]
            count = sum(len(capture.predictions) for capture in gone)
            self._images -= count
        return count

    def _prune(self) -> None:
        now = time.monotonic()
        if self._unpruned >= PRUNE_IMAGES or now >= self._prune_at:
            self._database.prune()
            self._unpruned, self._prune_at = 0, now + PRUNE_SECONDS

    def _note(self) -> None:
        """Note the first of the labels that wait."""
        label, answer = self._asked.popleft()
        try:
            answer.set_result(self._database.label(label))
        except Exception:
            answer.set_exception(DatabaseDown("it failed"))
            raise

    def _went_down(self, error: Exception) -> None:
        self._metrics.feedback_failures.inc()
        if not self._is_down:
            unknown = None if isinstance(error, DatabaseDown) else error
            log.error("captures and labels cannot be stored: %s", error, exc_info=unknown)
        with self._work:
            self._is_down, self._is_stalled = True, False
            while self._asked:
                self._asked.popleft()[1].set_exception(DatabaseDown("it failed"))

    def _came_back(self) -> None:
        if self._is_down:
            log.warning("captures and labels can be stored again")
        self._is_down = self._is_stalled = False

    def _finish(self) -> None:
        """The last turn: what cannot be written now is dropped."""
        self._turn()
        dropped = self._forget(len(self._waiting))
        if dropped:
            self._metrics.captures.labels(DROPPED).inc(dropped)
            log.error("%d images were dropped, since they could not be stored", dropped)
        self._database.close()
