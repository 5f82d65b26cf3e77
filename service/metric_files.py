"""The files of all workers' metrics, right with any number of workers.

Under gunicorn every worker writes its values to files of a shared directory,
and whichever worker is asked adds them all up. Files are named after the
worker's *slot*, the lowest number that no living worker has, not after its
process: a replacement goes on counting where the dead one stopped, so
counters never go backwards and the number of files stays bounded.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, multiprocess, values

from service.settings import METRICS_VARIABLE


def write_under_slot(slot: int) -> None:
    """Name this worker's files after its slot; called once, before any metric is made."""
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: slot)


def forget_gauges(slot: int, directory: Path) -> None:
    """Drop the live gauges of a worker that has ended; its counters stay."""
    multiprocess.mark_process_dead(slot, str(directory))


def together(own: CollectorRegistry) -> CollectorRegistry:
    """A registry with the values of every worker: ``own``, where there are no files."""
    directory = os.environ.get(METRICS_VARIABLE)
    if directory is None:
        return own
    registry = CollectorRegistry()
    AllFiles(registry, directory)
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
