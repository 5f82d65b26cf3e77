"""What is looked at once a minute: processes, files, and the answers since the last look."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.faults.load import Outcome
from tests.server import Server

MEGABYTE = 1e6


@dataclass(frozen=True)
class Process:
    """A process at one time. memory: resident, in MB."""

    pid: int
    memory: float
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Sample:
    """The service at one time, and what it has answered since the last sample.

    at: seconds since the beginning. p50, p99: ms from when a request was due to its answer.
    files, file_bytes: of metrics. events: what was done to the service meanwhile.
    """

    at: float
    master: Process
    workers: Sequence[Process]
    files: int
    file_bytes: int
    p50: float
    p99: float
    statuses: dict[str, int]
    unexplained: dict[str, int]
    events: Sequence[str]


def process(pid: int) -> Process:
    folder = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text("utf-8").splitlines()
    )
    return Process(
        pid,
        int(status["VmRSS"].split()[0]) * 1024 / MEGABYTE,
        sum(1 for _ in (folder / "fd").iterdir()),
        int(status["Threads"]),
    )


def living(server: Server) -> list[Process]:
    """The workers; one that ends while it is looked at is none."""
    found = []
    for pid in server.workers():
        try:
            found.append(process(pid))
        except (OSError, KeyError):
            continue
    return found


def sample(  # noqa: PLR0913 - what a sample is made of
    server: Server,
    metrics: Path,
    *,
    began: float,
    outcomes: Sequence[Outcome],
    unexplained: Sequence[Outcome],
    events: Sequence[str],
) -> Sample:
    sizes = [file.stat().st_size for file in metrics.glob("*.db")]
    times = [one.seconds * 1_000 for one in outcomes] or [0.0]
    p50, p99 = np.percentile(times, [50, 99])
    return Sample(
        round(time.monotonic() - began, 1),
        process(server.process.pid),
        living(server),
        len(sizes),
        sum(sizes),
        round(float(p50), 2),
        round(float(p99), 2),
        dict(Counter(str(one.fate) for one in outcomes)),
        dict(Counter(f"{one.name}: {one.fate}" for one in unexplained)),
        list(events),
    )
