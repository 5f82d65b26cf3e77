"""Room for the files of all workers' metrics, taken before the first number is written.

Workers write to mapped memory (``metric_files.py``). Where a disk has no block left for what
is written there, the kernel kills the process (SIGBUS). So the master takes all blocks when
it starts, and none is given back while the service runs. It imports nothing for that.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from service.settings import DRIFT_FILE

FILE = "{kind}_{slot}.db"

# Bytes of the files of a slot; they are named as prometheus-client names them. All routes with
# all statuses, and all codes, take 120 KiB of counters; all routes 110 KiB of histograms.
BYTES = {
    "counter": 256 * 1024,
    "histogram": 256 * 1024,
    "gauge_livesum": 16 * 1024,
    "gauge_livemax": 16 * 1024,
    "gauge_livemin": 16 * 1024,
    "gauge_max": 16 * 1024,
}

# As many slots again as workers: on SIGHUP the new ones start before the old ones end.
GENERATIONS = 2

MEMORY = Path("/dev/shm")  # nosec B108  # noqa: S108 - where a disk has no room

PREFIX = "digits-metrics-"

HEADER_BYTES = 8  # of a file: how much of it is in use

REMEDY = "To mend that, make room there or name another directory in DIGITS_METRICS_DIR, and start again."  # noqa: E501 - a sentence


def find(wanted: Path | None, workers: int, tell: Callable[[str], object]) -> Path | None:
    """A directory with room for the metrics of all workers, empty but for that; None without any.

    wanted: the first choice; else a temporary directory. The second is one in memory.
    ``tell`` is called with a sentence when it is not the first choice.
    """
    slots = GENERATIONS * workers
    try:
        return _emptied(wanted, slots) if wanted else _temporary(None, slots)
    except OSError as error:
        place = wanted or "the directory of temporary files"
        mebibytes = slots * sum(BYTES.values()) / 2**20
        fault = f"{place} has no room for the metrics, {mebibytes:.1f} MiB ({error.strerror})"
    try:
        directory = _temporary(MEMORY, slots)
    except OSError:
        tell(f"{fault}: each worker tells of itself only at /metrics and /drift. {REMEDY}")
        return None
    tell(f"{fault}: they are kept in memory, in {directory}. {REMEDY}")
    return directory


def hold(file: Path, size: int) -> None:
    """Give a file at least ``size`` bytes, and blocks for all that it did not have.

    Raises OSError. Zeros are written: not all file systems can allocate without.
    """
    with file.open("ab") as opened:
        opened.write(bytes(max(0, size - opened.tell())))


def forget_gauges(directory: Path, slot: int) -> None:
    """Drop the live gauges of a worker that has ended; its counters stay.

    The files are emptied in place, so that the next worker of the slot needs no new blocks.
    """
    for file in directory.glob(FILE.format(kind="gauge_live*", slot=slot)):
        with contextlib.suppress(OSError), file.open("r+b") as opened:  # or the master would end
            opened.write(bytes(HEADER_BYTES))


def _reserve(directory: Path, slots: int) -> None:
    for slot in range(slots):
        for kind, size in BYTES.items():
            hold(directory / FILE.format(kind=kind, slot=slot), size)


def _emptied(directory: Path, slots: int) -> Path:
    """A directory that somebody has named, where other files may lie."""
    directory.mkdir(parents=True, exist_ok=True)
    _empty(directory)
    try:
        _reserve(directory, slots)
    except OSError:
        _empty(directory)
        raise
    return directory


def _empty(directory: Path) -> None:
    drift = Path(DRIFT_FILE.format(slot="*"))
    for pattern in (FILE.format(kind="*", slot="*"), drift.name, drift.with_suffix(".tmp").name):
        for stale in directory.glob(pattern):
            stale.unlink()


def _temporary(parent: Path | None, slots: int) -> Path:
    directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    try:
        _reserve(directory, slots)
    except OSError:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return directory
