"""What tests of several packages share: data that needs no download, files, commands."""

import gzip
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn, TextIO

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from model.architecture import CLASSES, FRAME_SIDE, mlp
from training.config import AdamW, Recipe
from training.dataset import FILES, WRITERS, Digits, Mnist

ROOT = Path(__file__).parents[1]

# How properties are tested: the same examples every time, and no verdict on speed.
PROPERTY = settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

TINY_RECIPE = Recipe(
    name="tiny",
    version=1,
    seed=7,
    architecture=mlp(784, 16, 10),
    epochs=2,
    batch_size=32,
    optimizer=AdamW(learning_rate=0.01),
)

# A digit of the synthetic data is a pattern of 5x5 blocks within MNIST's 20x20 box.
BLOCKS, BLOCK_SIDE, MARGIN = 5, 4, 4
FLIPPED = 0.08  # share of the blocks that differ from the pattern: some digits are hard to read
NOISE = 25.0


def table(names: str, cases: Mapping[str, object]) -> pytest.MarkDecorator:
    """Run a test once for every case; the keys say what each case is about."""
    return pytest.mark.parametrize(names, list(cases.values()), ids=list(cases))


def missing(message: str) -> NoReturn:
    """A test without what it needs is skipped, save in CI, where it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def synthetic_mnist(
    seed: int = 0, *, train: int = 600, test: int = 200, writers: int | None = 20
) -> Mnist:
    """A data set of MNIST's form that takes a second to learn: ten random patterns and noise."""
    rng = np.random.default_rng(seed)
    patterns = rng.random((CLASSES, BLOCKS, BLOCKS)) < 0.5  # where there is ink

    def half(count: int) -> Digits:
        labels = np.arange(count, dtype=np.uint8) % CLASSES
        inked = patterns[labels] ^ (rng.random((count, BLOCKS, BLOCKS)) < FLIPPED)
        boxes = np.kron(inked * 255.0, np.ones((1, BLOCK_SIDE, BLOCK_SIDE)))  # (N, 20, 20)
        images = np.pad(boxes, [(0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)])  # (N, 28, 28)
        images += rng.normal(0, NOISE, (count, FRAME_SIDE, FRAME_SIDE))
        return Digits(np.clip(images, 0, 255).astype(np.uint8), labels)

    digits, test_digits = half(train), half(test)
    known = None if writers is None else rng.integers(0, writers, train)
    arrays = idx_arrays(digits, test_digits)
    digests = {name: hashlib.sha256(idx_bytes(array)).hexdigest() for name, array in arrays.items()}
    return Mnist(digits, test_digits, known, digests)


def idx_arrays(train: Digits, test: Digits) -> dict[str, NDArray[np.uint8]]:
    """The arrays of the four IDX files, by file name."""
    return {
        FILES["train_images"]: train.images,
        FILES["train_labels"]: train.labels,
        FILES["test_images"]: test.images,
        FILES["test_labels"]: test.labels,
    }


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    """An array as an IDX file of unsigned bytes."""
    lengths = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 0x08, array.ndim]) + lengths + array.tobytes()


def write_idx_folder(folder: Path, mnist: Mnist, *, gz: bool = True) -> Path:
    """Write a data set as its four IDX files, packed or plain, and its writers where known."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in idx_arrays(mnist.train, mnist.test).items():
        data = idx_bytes(array)
        if gz:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data, 1))
        else:
            (folder / name).write_bytes(data)
    if mnist.writers is not None and mnist.test_writers is not None:
        known = folder / WRITERS
        np.savez(known, train_writer=mnist.writers, test_writer=mnist.test_writers)
    elif mnist.writers is not None:
        np.savez(folder / WRITERS, train_writer=mnist.writers)
    return folder


def seen_on_a_terminal(action: Callable[[TextIO], object]) -> str:
    """What a person sees of what ``action`` writes to a terminal."""
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    seen = b""
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "w") as terminal:
        action(terminal)
        terminal.flush()
        while chunk := screen.read(4096):  # None when all is read
            seen += chunk
    return seen.decode()


def assert_one_line_error(run: subprocess.CompletedProcess[str], *words: str) -> None:
    """A command said what was wrong on the last line of stderr, and exited with status 1."""
    last = run.stderr.splitlines()[-1:]
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    assert last
    assert last[0].startswith("error: ")
    for word in words:
        assert word in last[0]


def run_module(
    module: str, *arguments: str | Path, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m module`` as a user does, from the root, without settings of this machine."""
    return _run_python("-m", module, *arguments, environ=environ or {})


def run_python(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a Python of its own, whose limits it may change."""
    return _run_python("-c", script, *arguments, environ={})


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without the settings of this machine, and with ``changes``."""
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("DIGITS_", "OTEL_"))
    }
    return {**inherited, **changes}


def _run_python(
    *arguments: str | Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=environment(environ),
        capture_output=True,
        text=True,
        check=False,
    )
