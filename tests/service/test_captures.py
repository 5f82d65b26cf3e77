"""What is to be kept, on its way to the database: bounded, counted, and in nobody's way."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from model import Prediction
from service import captures as module
from service.captures import Capture, Captures, DatabaseDown, Found, Label
from service.metrics import Metrics
from tests.server import wait_for

PREDICTION = Prediction(3, 0.75, (0.1,) * 10, None, ())

LABEL = Label("id", None, 3, "a", 5.0)


@dataclass
class Moody:
    """A database that can be told to fail, or to hang."""

    fault: Exception | None = None
    going: threading.Event = field(default_factory=threading.Event)
    written: list[Capture] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    labelled: int = 0
    pruned: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        self.going.set()

    def _go(self) -> None:
        self.going.wait()
        if self.fault:
            raise self.fault

    def write(self, captures: Sequence[Capture]) -> None:
        self._go()
        self.written += captures
        self.batches.append(sum(len(capture.predictions) for capture in captures))

    def label(self, label: Label) -> Found | None:
        self._go()
        self.labelled += 1
        known = [capture.request_id for capture in self.written]
        return Found(1, None) if label.request_id in known else None

    def prune(self) -> None:
        self._go()
        self.pruned += 1

    def close(self) -> None:
        self.closed = True


class Slow(Moody):
    """Where a label takes longer than asking for the next one."""

    def label(self, label: Label) -> Found | None:
        time.sleep(0.005)
        return super().label(label)


@dataclass(frozen=True)
class Kept:
    """Captures on their way to a moody database."""

    captures: Captures
    database: Moody
    registry: CollectorRegistry

    def keep(self, name: str = "id", images: int = 1) -> None:
        frames = np.zeros((images, 28, 28), np.uint8)
        self.captures.keep(name, 2, frames, [PREDICTION] * images, "a")

    def counted(self, result: str) -> float:
        return self.registry.get_sample_value("digits_captures_total", {"result": result}) or 0

    def failures(self) -> float:
        return self.registry.get_sample_value("digits_feedback_database_failures_total") or 0


@contextmanager
def keeping(database: Moody, *, percent: int = 100, capacity: int = 100) -> Iterator[Kept]:
    metrics = Metrics()
    captures = Captures(database, metrics, percent=percent, capacity=capacity)
    try:
        yield Kept(captures, database, metrics.registry)
    finally:
        database.going.set()
        captures.close()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(module, "CLOSE_SECONDS", 2.0)


@pytest.fixture
def kept() -> Iterator[Kept]:
    with keeping(Moody()) as kept:
        yield kept


def test_all_that_the_caller_says_is_kept(kept: Kept) -> None:
    frames = np.arange(2 * 784).reshape(2, 28, 28).astype(np.uint8)
    kept.captures.keep("id", 2, frames, [PREDICTION] * 2, "key 1")
    before = frames.tobytes()
    frames[:] = 0  # the caller may use its memory again
    kept.captures.close()
    [capture] = kept.database.written
    assert (capture.request_id, capture.version, capture.client) == ("id", 2, "key 1")
    assert capture.pixels == before
    assert list(capture.predictions) == [PREDICTION] * 2
    assert time.time() - capture.time < 60


def test_frames_may_be_a_list(kept: Kept) -> None:
    kept.captures.keep("id", 2, [np.full((28, 28), 7, np.uint8)] * 2, [PREDICTION] * 2, "a")
    kept.captures.close()
    assert kept.database.written[0].pixels == bytes([7]) * 2 * 784


def test_what_is_stored_is_counted_by_images(kept: Kept) -> None:
    kept.keep("one")
    kept.keep("three", 3)
    kept.captures.close()
    assert kept.counted("stored") == 4


def test_nobody_waits_for_a_database_that_hangs_and_what_finds_no_room_is_counted() -> None:
    with keeping(Moody(), capacity=10) as kept:
        kept.database.going.clear()
        began = time.monotonic()
        for number in range(8):
            kept.keep(str(number), 3)
        assert time.monotonic() - began < 5
        assert kept.counted("dropped") == 5 * 3
        kept.database.going.set()
        wait_for("all are stored", lambda: kept.counted("stored") == 3 * 3)
        assert [capture.request_id for capture in kept.database.written] == ["0", "1", "2"]
        kept.keep("later", 3)
        wait_for("there is room again", lambda: kept.counted("stored") == 4 * 3)


def test_labels_that_never_cease_hold_up_no_capture() -> None:
    stop = threading.Event()

    def label(kept: Kept) -> None:
        while not stop.is_set():
            kept.captures.label(LABEL)

    with keeping(Slow()) as kept, ThreadPoolExecutor(4) as pool:
        kept.keep()
        asking = [pool.submit(label, kept) for _ in range(4)]
        wait_for("labels are noted", lambda: kept.database.labelled > 10)
        try:
            kept.keep("late")
            wait_for("it is stored", lambda: kept.counted("stored") == 2, seconds=5)
        finally:
            stop.set()
        for one in asking:
            one.result()


def test_captures_wait_until_the_database_is_back() -> None:
    with keeping(Moody(fault=DatabaseDown("gone"))) as kept:
        kept.keep()
        wait_for("it was tried again", lambda: kept.failures() >= 3)
        assert kept.counted("stored") == kept.counted("dropped") == 0
        kept.database.fault = None
        wait_for("it is stored", lambda: kept.counted("stored") == 1)
        assert len(kept.database.written) == 1


def test_a_failure_is_logged_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    with keeping(Moody(fault=DatabaseDown("gone"))) as kept:
        wait_for("it was tried again", lambda: kept.failures() >= 3)
        kept.database.fault = None
        wait_for("it is back", lambda: kept.database.pruned > 0)
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "captures and labels cannot be stored: gone",
        "captures and labels can be stored again",
    ]


def test_what_nobody_has_thought_of_does_not_end_the_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with keeping(Moody(fault=ValueError("surprise"))) as kept:
        kept.keep()
        wait_for("it was tried again", lambda: kept.failures() >= 2)
        kept.database.fault = None
        wait_for("it is stored", lambda: kept.counted("stored") == 1)
    assert "surprise" in caplog.text


def test_much_is_written_in_pieces(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_IMAGES", 10)
    kept.database.going.clear()
    for images in (4, 4, 4, 30, 1):
        kept.keep(images=images)
    kept.database.going.set()
    wait_for("all are stored", lambda: kept.counted("stored") == 43)
    assert max(kept.database.batches) == 30
    assert [batch for batch in kept.database.batches if batch <= 10]


def test_a_label_comes_after_the_captures_before_it(kept: Kept) -> None:
    kept.database.going.clear()
    kept.keep("id")
    threading.Timer(0.05, kept.database.going.set).start()
    assert kept.captures.label(LABEL) == Found(1, None)


def test_an_image_of_another_worker_is_looked_for_again(kept: Kept) -> None:
    other = Capture("id", 2, bytes(784), [PREDICTION], "a", 5.0)
    threading.Timer(0.05, kept.database.written.append, [other]).start()
    assert kept.captures.label(LABEL) == Found(1, None)


def test_an_unknown_image_is_none(kept: Kept) -> None:
    assert kept.captures.label(LABEL) is None


@pytest.mark.parametrize("fault", [DatabaseDown("gone"), ValueError("surprise")])
def test_a_label_is_told_that_the_database_is_gone(fault: Exception) -> None:
    with keeping(Moody(fault=fault)) as kept, pytest.raises(DatabaseDown):
        kept.captures.label(LABEL)


def test_a_label_waits_for_a_database_that_hangs_no_longer_than_it_must(kept: Kept) -> None:
    kept.keep()
    wait_for("it is stored", lambda: kept.counted("stored") == 1)
    kept.database.going.clear()

    def seconds() -> float:
        began = time.monotonic()
        with pytest.raises(DatabaseDown):
            kept.captures.label(LABEL)
        return time.monotonic() - began

    assert seconds() >= module.PATIENCE_SECONDS
    assert min(seconds() for _ in range(20)) < module.PATIENCE_SECONDS / 2
    kept.database.going.set()
    wait_for("it answers again", lambda: answers(lambda: kept.captures.label(LABEL)))


def answers(ask: Callable[[], object]) -> bool:
    try:
        return ask() is not None
    except DatabaseDown:
        return False


def test_the_end_writes_what_waits_and_drops_what_comes_then(kept: Kept) -> None:
    kept.database.going.clear()
    for number in range(50):
        kept.keep(str(number))
    threading.Timer(0.05, kept.database.going.set).start()
    kept.captures.close()
    kept.keep("late")
    assert len(kept.database.written) == 50
    assert kept.database.closed
    assert (kept.counted("stored"), kept.counted("dropped")) == (50, 1)
    with pytest.raises(DatabaseDown):
        kept.captures.label(LABEL)


def test_the_end_does_not_wait_for_a_database_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 60.0)
    with keeping(Moody(fault=DatabaseDown("gone"))) as kept:
        for _ in range(3):
            kept.keep()
        began = time.monotonic()
        kept.captures.close()
        assert time.monotonic() - began < 1
        assert kept.counted("dropped") == 3


def test_the_store_is_looked_over_at_the_start_and_after_many_images(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PRUNE_IMAGES", 5)
    wait_for("the first time", lambda: kept.database.pruned == 1)
    for _ in range(5):
        kept.keep()
    wait_for("once more", lambda: kept.database.pruned == 2)
    kept.keep()
    wait_for("it is stored", lambda: kept.counted("stored") == 6)
    assert kept.database.pruned == 2


def test_the_store_is_looked_over_though_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PRUNE_SECONDS", 0.05)
    with keeping(Moody()) as kept:
        wait_for("more than once", lambda: kept.database.pruned > 2)


@pytest.mark.parametrize("percent", [1, 30, 100])
def test_of_a_hundred_requests_so_many_are_kept(percent: int) -> None:
    with keeping(Moody(), percent=percent, capacity=10_000) as kept:
        for _ in range(2_000):
            kept.keep(images=1)
        kept.captures.close()
        share = len(kept.database.written) / 2_000
    assert share == pytest.approx(percent / 100, abs=0.06 if percent < 100 else 0)
    assert share > 0


def test_many_threads_lose_nothing(kept: Kept) -> None:
    with keeping(Moody(), capacity=100_000) as many:

        def work() -> None:
            for _ in range(500):
                many.keep(images=2)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        many.captures.close()
        assert many.counted("stored") == 4 * 500 * 2
    assert kept.counted("stored") == 0
