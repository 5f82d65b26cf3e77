"""Commands of sweeps, clusters of real processes, and what they leave."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.helpers import ROOT, environment
from tests.server import free_port
from tests.training.sweeps import PATIENCE

Finished = subprocess.CompletedProcess[str]


@contextmanager
def begun(
    *arguments: object,
    data: Path,
    cwd: Path = ROOT,
    environ: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A Python with these arguments, in a process group of its own, of which nothing is left."""
    changes = {"DIGITS_DATA": str(data), "PYTHONPATH": str(ROOT), **(environ or {})}
    with subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=environment(changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):  # as it should be
                os.killpg(process.pid, signal.SIGKILL)


def finished(process: subprocess.Popen[str]) -> Finished:
    """What came of it, when it and all that it started have ended."""
    output, errors = process.communicate(timeout=PATIENCE)
    return Finished(process.args, process.returncode, output, errors)


def training(*arguments: object, data: Path, cwd: Path = ROOT) -> Finished:
    """A command of the training package, to its end."""
    with begun("-m", "training", *arguments, data=data, cwd=cwd) as process:
        return finished(process)


def artifacts_in(output: Path, place: str = "runs") -> dict[str, bytes]:
    """The artifacts of a sweep by the names of their runs."""
    found = (output / place).glob("*/artifact.npz")
    return {path.parent.name: path.read_bytes() for path in found}


def epochs_done(run: int) -> int:
    """How many epochs the process of a run has told of."""
    with contextlib.suppress(OSError, IndexError):
        return len((_folder(run) / "journal.jsonl").read_bytes().splitlines())
    return 0


def seed_of(run: int) -> int:
    """The seed that the process of a run has been given."""
    seed: int = json.loads((_folder(run) / "order.json").read_bytes())["recipe"]["seed"]
    return seed


def parent(pid: int) -> int:
    """The process that started it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@contextmanager
def scheduler(data: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A scheduler of its own, and its address."""
    port = free_port()
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with begun("-m", "dask", "scheduler", *arguments, data=data) as process:
        yield f"tcp://127.0.0.1:{port}", process


@contextmanager
def worker(
    address: str, data: Path, cwd: Path = ROOT, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """One more worker of that scheduler, as `dask worker` starts it."""
    arguments = [address, "--nthreads", "1", "--no-dashboard"]
    with begun("-m", "dask", "worker", *arguments, data=data, cwd=cwd, environ=environ) as process:
        yield process


def _folder(run: int) -> Path:
    return Path(Path(f"/proc/{run}/cmdline").read_bytes().split(b"\0")[-2].decode())
