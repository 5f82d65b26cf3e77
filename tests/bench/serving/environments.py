"""The environments of the peers: each from its own lock, made when it is first asked for."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.helpers import ROOT

LOCKS = ROOT / "requirements" / "peers"
ENVIRONMENTS = ROOT / ".venv" / "peers"


class CannotMeasure(Exception):
    """Why a program cannot be measured, in one line."""


def python_of(name: str | None) -> Path:
    """The Python of an environment; None is the one that runs this.

    Installs what its lock says, unless that is there; raises CannotMeasure.
    """
    if name is None:
        return Path(sys.executable)
    lock = (LOCKS / f"{name}.txt").read_bytes()
    folder = ENVIRONMENTS / name
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if not installed.exists() or installed.read_bytes() != lock:
        _run(sys.executable, "-m", "venv", "--clear", folder)
        pip = (python, "-m", "pip", "install", "--quiet")
        options = ("--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:")
        _run(*pip, *options, "-r", LOCKS / f"{name}.txt")
        installed.write_bytes(lock)
    return python


def versions(python: Path, packages: Iterable[str]) -> str:
    """What is installed for a Python, as ``name version, ...``."""
    sites = [str(site) for site in python.parents[1].glob("lib/python3.*/site-packages")]
    found = {
        each.name.lower(): each.version for each in importlib.metadata.distributions(path=sites)
    }
    return ", ".join(f"{name} {found[name]}" for name in packages)


def _run(*command: str | Path) -> None:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise CannotMeasure((run.stderr.strip().splitlines() or ["no reason is given"])[-1])
