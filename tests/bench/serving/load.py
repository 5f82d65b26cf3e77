"""The load: wrk on a core of its own."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.serving.environments import CannotMeasure
from tests.bench.serving.requests import Request

SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True)
class Load:
    """What came of some seconds: answers a second, percentiles in ms, answers that were no 200."""

    rate: float
    p50: float
    p90: float
    p99: float
    longest: float
    errors: int


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit(
            "wrk makes the load and is not there; install it (Debian: apt install wrk)"
        )


def ask(
    port: int, request: Request, *, connections: int, seconds: int, cores: Sequence[int]
) -> Load:
    """Ask over keep-alive connections, each again as soon as it is answered.

    Raises CannotMeasure when nobody is there.
    """
    with tempfile.NamedTemporaryFile() as body:
        body.write(request.body)
        body.flush()
        headers = [f"{name}: {value}" for name, value in request.headers.items()]
        command = [
            *pinned(cores),
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{seconds}s", "--timeout", "10s"),
            *("--script", str(SCRIPT), f"http://127.0.0.1:{port}{request.path}"),
            *("--", request.method, body.name, *headers),
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise CannotMeasure(
            (run.stdout + run.stderr).strip()
        )  # "unable to connect", in wrk's words
    return Load(**json.loads(run.stdout.splitlines()[-1]))


def pinned(cores: Sequence[int]) -> list[str]:
    """Words before a command that keep it to these cores."""
    return ["taskset", "--cpu-list", ",".join(map(str, cores))]
