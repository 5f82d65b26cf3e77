"""Whether anything has grown that should not: the verdict on the samples of a soak.

A slope is the median of the slopes between all pairs of samples, and its interval is that of
ranks (Theil 1950, Sen 1968), so single samples that stand out count for nothing. A series has
grown when, at 95 %, it has grown by more than its noise over the time that was looked at. A
worker that was replaced is a series of its own.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tests.soak.samples import Process, Sample

WARM_UP = 3  # samples of a process or a run that do not count: caches fill
FEWEST = 8  # samples of what is judged
NORMAL_95 = 1.96

# What may come and go: memory in MB (two models are loaded while they are exchanged),
# descriptors (the connections of the load), threads of the pools, bytes of files.
NOISE = {"memory": 5.0, "descriptors": 16.0, "threads": 4.0}
P99_FACTOR, P99_ROOM = 1.5, 1.0  # ms: of the last quarter, beside the first


@dataclass(frozen=True)
class Finding:
    """One thing that was judged. holds: whether it is as it should be."""

    name: str
    holds: bool
    words: str


@dataclass(frozen=True)
class Growth:
    """By how much a series has grown from its first sample to its last, and the 95 % interval."""

    total: float
    low: float
    high: float


def growth(times: Sequence[float], values: Sequence[float]) -> Growth:
    """Theil and Sen's estimate over the whole of two or more samples."""
    x, y = np.array(times), np.array(values)
    first, second = np.triu_indices(len(x), 1)
    slopes = np.sort((y[second] - y[first]) / (x[second] - x[first]))
    count, span = len(slopes), x[-1] - x[0]
    spread = NORMAL_95 * math.sqrt(len(x) * (len(x) - 1) * (2 * len(x) + 5) / 18)
    low, high = int((count - spread) / 2), min(count - 1, int((count + spread) / 2) + 1)
    total, least, most = np.median(slopes), slopes[max(0, low)], slopes[high]
    return Growth(*(float(slope * span) for slope in (total, least, most)))


def judge(samples: Sequence[Sample]) -> list[Finding]:
    """All findings; fewer than ``FEWEST`` samples of a process say nothing of it."""
    return [*_processes(samples), *_files(samples), _p99(samples), _answers(samples)]


def _processes(samples: Sequence[Sample]) -> Iterator[Finding]:
    lives: dict[int, list[tuple[float, Process]]] = {}
    for one in samples:
        for process in (one.master, *one.workers):
            lives.setdefault(process.pid, []).append((one.at, process))
    master = samples[0].master.pid
    for pid, life in lives.items():
        counted = life[WARM_UP:]
        if len(counted) < FEWEST:
            continue
        name = "master" if pid == master else f"worker {pid}"
        times = [at for at, _ in counted]
        for what, noise in NOISE.items():
            values = [float(getattr(process, what)) for _, process in counted]
            yield _grown(f"{what} of the {name}", times, values, noise)


def _grown(name: str, times: Sequence[float], values: Sequence[float], noise: float) -> Finding:
    found = growth(times, values)
    minutes = (times[-1] - times[0]) / 60
    words = f"{found.total:+.2f} ({found.low:+.2f} to {found.high:+.2f}) in {minutes:.1f} min"
    return Finding(name, bool(found.low <= noise), f"{words}; noise is {noise:g}")


def _files(samples: Sequence[Sample]) -> Iterator[Finding]:
    counted = samples[WARM_UP:]
    for name, value in _FILES.items():
        values = [value(one) for one in counted]
        words = f"{min(values)} to {max(values)}"
        yield Finding(name, values[-1] <= values[0], words)


_FILES: dict[str, Callable[[Sample], int]] = {
    "files of metrics": lambda one: one.files,
    "bytes of metrics": lambda one: one.file_bytes,
}


def _p99(samples: Sequence[Sample]) -> Finding:
    """The last quarter beside the first, without samples in which workers were replaced."""
    calm = [one.p99 for one in samples[WARM_UP:] if not one.events]
    quarter = max(1, len(calm) // 4)
    if len(calm) < 2 * quarter:
        return Finding("p99", holds=False, words="too few samples without events")
    first, last = statistics.median(calm[:quarter]), statistics.median(calm[-quarter:])
    holds = last <= P99_FACTOR * first + P99_ROOM
    return Finding("p99", holds, f"{first:.2f} ms in the first quarter, {last:.2f} in the last")


def _answers(samples: Sequence[Sample]) -> Finding:
    wrong = [text for one in samples for text in one.unexplained]
    words = "; ".join(sorted(set(wrong))[:5]) or "each was the expected one"
    return Finding("unexplained answers", not wrong, words)
