"""What a request may cost the service: the time and the memory of its workers."""

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.server import Server

FORGET_PEAK = "5"  # proc_pid_clear_refs(5)


@dataclass(frozen=True)
class Cost:
    """seconds: of a processor. megabytes: that the workers took at once, at the peak."""

    seconds: float = 1.0
    megabytes: float = 10.0

    def is_within(self, most: "Cost") -> bool:
        return self.seconds <= most.seconds and self.megabytes <= most.megabytes


@dataclass
class Meter:
    """What was measured last."""

    cost: Cost = dataclasses.field(default_factory=lambda: Cost(0, 0))


@contextmanager
def metered(server: Server) -> Iterator[Meter]:
    """Measure what the workers take while it is left open."""
    meter, workers = Meter(), server.workers()
    for worker in workers:
        Path(f"/proc/{worker}/clear_refs").write_text(FORGET_PEAK, "ascii")
    before, began = resident(workers), _seconds(workers)
    yield meter
    seconds = _seconds(workers) - began
    meter.cost = Cost(seconds, _megabytes(workers, "VmHWM") - before)


def resident(workers: list[int]) -> float:
    """The resident memory of processes, in megabytes."""
    return _megabytes(workers, "VmRSS")


def _seconds(workers: list[int]) -> float:
    """The time that processes have had a processor (proc_pid_stat(5)), in steps of 10 ms.

    How long somebody waits depends on who else uses the machine; this does not.
    """
    ticks = 0
    for worker in workers:
        fields = Path(f"/proc/{worker}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # in user mode and in the kernel
    return ticks / os.sysconf("SC_CLK_TCK")


def _megabytes(workers: list[int], name: str) -> float:
    """What the system says of processes under a name (proc_pid_status(5)), in kilobytes there."""
    kilobytes = 0
    for worker in workers:
        for line in Path(f"/proc/{worker}/status").read_text("ascii").splitlines():
            if line.startswith(f"{name}:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1_000
