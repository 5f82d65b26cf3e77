"""Servers that stand still while another is measured.

An idle server is not without cost: some ask themselves every few milliseconds whether there
is work. So all processes of a server are stopped (SIGSTOP) until its turn comes.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.serving.environments import ENVIRONMENTS, python_of
from tests.bench.serving.load import pinned
from tests.bench.serving.programs import Program
from tests.helpers import ROOT, environment
from tests.server import STOP_SECONDS, free_port

# One thread for all that computes: a server has one core.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

# The processes that others watch wake up first, and report before their watchers look.
HEAD_START = 0.05

# A server that uses less than so much of the processor's time between two looks is idle.
LOOK_SECONDS, IDLE_TICKS = 0.05, 1
IDLE_SECONDS = 5  # and is waited for so long


@dataclass(frozen=True)
class Weights:
    """One model as the service reads it and as ONNX Runtime does."""

    artifact: Path
    onnx: Path


@dataclass(frozen=True)
class Server:
    """A program that runs."""

    program: Program
    port: int
    cores: Sequence[int]
    process: subprocess.Popen[bytes]
    log: Path

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let it run for as long as this lasts."""
        self._wake()
        try:
            yield
        finally:
            self.sleep()

    def sleep(self) -> None:
        """Stop all its processes, those first that start others."""
        for pid in family(self.process.pid):
            _signal(pid, signal.SIGSTOP)

    def _wake(self) -> None:
        first, *others = family(self.process.pid)
        for pid in reversed(others):
            _signal(pid, signal.SIGCONT)
        time.sleep(HEAD_START)
        _signal(first, signal.SIGCONT)

    def wait_until_idle(self) -> None:
        """Wait until its processes have nothing to do, for some seconds at most."""
        deadline, used = time.monotonic() + IDLE_SECONDS, -1
        while time.monotonic() < deadline and (now := self._ticks()) - used > IDLE_TICKS:
            used = now
            time.sleep(LOOK_SECONDS)

    def _ticks(self) -> int:
        """The processor's time that all its processes have had, in ticks of the clock (proc(5))."""
        ticks = 0
        for pid in family(self.process.pid):
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it says nothing"

    def end(self) -> None:
        """SIGTERM, and for what is left of it SIGKILL."""
        if self.process.poll() is not None:
            return
        self._wake()
        members = family(self.process.pid)
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        for pid in members:
            _signal(pid, signal.SIGKILL)


@contextmanager
def launched(
    program: Program, weights: Weights, cores: Sequence[int], folder: Path
) -> Iterator[Server]:
    """A server that was started and may not be ready yet; raises CannotMeasure."""
    python, port = python_of(program.environment), free_port()
    module = [word.format(port=port, peers=ENVIRONMENTS) for word in program.command]
    variables = {
        **ONE_THREAD,
        "PYTHONPATH": str(ROOT),
        "BENCH_PORT": str(port),
        "BENCH_MODEL": str(weights.onnx),
        "DIGITS_PORT": str(port),
        "DIGITS_MODEL": str(weights.artifact),
        **program.variables,
    }
    log = folder / f"{port}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*pinned(cores), str(python), "-m", *module],
            cwd=ROOT,
            env=environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    server = Server(program, port, cores, process, log)
    try:
        yield server
    finally:
        server.end()


def family(pid: int) -> list[int]:
    """A process and all that come from it, parents before children."""
    members = [pid]
    for member in members:  # grows meanwhile
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            with suppress(OSError):
                members += map(int, children.read_text("ascii").split())
    return members


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
