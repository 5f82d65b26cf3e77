"""What the tests of sweeps share: a small recipe as a file, and processes to look for."""

import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 60  # seconds: far beyond what anything here takes

TINY = """
name = "tiny"
version = 1
seed = 7
epochs = 2
batch_size = 32
architecture = [
    { type = "dense", outputs = 16 },
    { type = "relu" },
    { type = "dense", outputs = 10 },
]
[optimizer]
type = "adamw"
learning_rate = 0.01
"""


def write_recipe(path: Path, *, name: str = "tiny", epochs: int = 2, more: str = "") -> Path:
    """The small recipe under a name, with more lines at its end."""
    text = TINY.replace('"tiny"', f'"{name}"').replace("epochs = 2", f"epochs = {epochs}")
    path.write_text(text + more)
    return path


def runs_of(pid: int) -> list[int]:
    """The processes of runs below this one, as deep as they are."""
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, tasks.read_text().split()):
            found += [child] if b"training.errand" in _command(child) else runs_of(child)
    return found


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until(true: Callable[[], bool]) -> None:
    """Wait, with patience."""
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return b""
