"""The files of all workers' metrics, right with any number of workers.

Under gunicorn every worker writes its values to files of a shared directory,
and whichever worker is asked adds them all up. Files are named after the
worker's *slot*, the lowest number that no living worker has, not after its
process: a replacement goes on counting where the dead one stopped, so
counters never go backwards and the number of files stays bounded.

The files are written and read in the format of prometheus-client, by its own
code, but for when they are given room: see ``metric_room.py``.
"""

import errno
import logging
import mmap
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, Metric, multiprocess, values
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.registry import Collector

from service import metric_room
from service.settings import METRICS_VARIABLE

MOST_BYTES = 2**20  # of a file; the label ``version`` has another value with each new model

ENTRY_BYTES = 32  # at most, beside the key: its length, padding, value and time

log = logging.getLogger("digits.metrics")


class NumberFile(MmapedDict):
    """Numbers by name in a file. All blocks that are written to are there before."""

    def __init__(self, file: Path, size: int) -> None:
        """size: bytes that the file has at least. Raises OSError without room for them."""
        metric_room.hold(file, size)
        super().__init__(str(file))
        self._f.close()  # the mapping stays

    def _init_value(self, key: str) -> None:
        while self._used + len(key.encode()) + ENTRY_BYTES > self._capacity:
            self._grow()
        super()._init_value(key)

    def _grow(self) -> None:
        size = 2 * self._capacity
        if size > MOST_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        file = Path(self._fname)
        metric_room.hold(file, size)
        with file.open("r+b") as opened:
            self._m = mmap.mmap(opened.fileno(), size)
        self._capacity = size


class SharedValue(values.MutexValue):
    """A number of this process that is in a file, too, for the others."""

    def __init__(self, file: NumberFile, what: Sequence[Any]) -> None:
        super().__init__(*what)
        self._file, self._key = file, mmap_key(*what[1:])
        self._value = file.read_value(self._key)[0]

    def inc(self, amount: float) -> None:
        """Add to the number."""
        with self._lock:
            self._value += amount
            self._file.write_value(self._key, self._value, 0.0)

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Replace the number."""
        with self._lock:
            self._value = value
            self._file.write_value(self._key, value, timestamp or 0.0)


class SlotFiles:
    """The files of one slot, which one worker writes."""

    def __init__(self, directory: Path, slot: int) -> None:
        self._directory, self._slot = directory, slot
        self._files: dict[str, NumberFile] = {}
        self._lock = Lock()
        self._has_told = False

    def value(self, *what: Any, multiprocess_mode: str = "") -> values.MutexValue:  # noqa: ANN401 - as prometheus-client has it
        """A number of a metric; one without room is in memory only, and the log says so, once.

        what: type and name of the metric, name of the number, names and values of its labels,
        help.
        """
        with self._lock:
            try:
                file = self._file("_".join(filter(None, (what[0], multiprocess_mode))))
                return SharedValue(file, what)
            except OSError as error:
                self._tell(error)
        return values.MutexValue(*what)

    def _file(self, kind: str) -> NumberFile:
        if kind not in self._files:
            file = self._directory / metric_room.FILE.format(kind=kind, slot=self._slot)
            self._files[kind] = NumberFile(file, metric_room.BYTES.get(kind, 0))
        return self._files[kind]

    def _tell(self, error: OSError) -> None:
        if not self._has_told:
            log.error(
                "%s has no room for all metrics of a worker (%s): some are not told. %s",
                self._directory,
                error.strerror,
                metric_room.REMEDY,
            )
        self._has_told = True


def write_under_slot(directory: Path, slot: int) -> None:
    """Have this worker write to the files of its slot; called once, before any metric is made."""
    values.ValueClass = SlotFiles(directory, slot).value


def together(own: CollectorRegistry, beside: Sequence[Collector] = ()) -> CollectorRegistry:
    """A registry with the values of every worker: ``own``, where there are no files.

    beside: what collects those of all workers itself.
    """
    directory = os.environ.get(METRICS_VARIABLE)
    if directory is None or not Path(directory).is_dir():
        return own
    registry = CollectorRegistry()
    AllFiles(registry, directory)
    for collector in beside:
        registry.register(collector)
    return registry


class AllFiles(multiprocess.MultiProcessCollector):
    """The values in all files, but for those that a worker has made and not begun."""

    def collect(self) -> Iterable[Metric]:
        """The values, put together as each metric says."""
        files = [str(file) for file in Path(self._path).glob("*.db") if _is_begun(file)]
        together: Iterable[Metric] = self.merge(files, accumulate=True)
        return together


def _is_begun(file: Path) -> bool:
    """Whether a file has its size, which it is given a moment after it is made."""
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # of a worker that has just ended
        return False
