"""What a run was made on: part of the training record and of every benchmark."""

import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

ROOT = Path(__file__).parents[1]


def machine() -> dict[str, Any]:
    """Processor, BLAS with its kernels and threads, and the versions of what computes."""
    blas: dict[str, Any] = next(
        (pool for pool in threadpool_info() if pool["user_api"] == "blas"), {}
    )
    return {
        "cpu": _cpu(),
        "blas": {key: blas.get(key) for key in ("internal_api", "version", "architecture")},
        "blas_threads": blas.get("num_threads"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def peak_memory() -> int:
    """The most bytes of memory that this process has held so far.

    ``getrusage`` also counts the process that this one was forked from, so it is asked
    only where there is nothing better.
    """
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def source_revision() -> str:
    """The git commit of the source, marked when it was changed; ``unknown`` without git."""
    try:
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--", "model/*.py", "training")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}-changed" if changed else commit


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # nosec B603  # noqa: S603 - fixed words


def _cpu() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
