"""What the commands of ``python -m training`` share: default places, kinds of arguments."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training import dataset
from training.config import MNIST, Recipe
from training.errors import TrainingError
from training.run_folder import RunFolder
from training.streams import Stream, generator

STORE = Path("build/store")
RUNS = Path("build/runs")


def count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def share(text: str) -> float:
    """A number above 0, below 1."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0 and below 1")
    return number


def mnist(arguments: argparse.Namespace) -> dataset.Mnist:
    """MNIST, from the folder that was named or where it is looked for; raises DataError."""
    return dataset.load_mnist(arguments.data or dataset.find_folder())


def read_data(recipe: Recipe, folder: Path | None) -> dataset.Mnist:
    """What the recipe learns from, in the folder that was named or where it is looked for.

    Raises DataError.
    """
    source = recipe.data.source
    at_hand = source != MNIST and Path(source).exists()
    folder = folder or (Path() if at_hand else dataset.find_folder())
    return dataset.load(recipe.data, folder, generator(recipe.seed, Stream.ROWS))


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Imports of what only some install; raises a TrainingError that says how."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise TrainingError(
            f'{missing.name} is not installed; install it: pip install "digits[{name}]"'
        ) from None


def announce(text: str) -> None:
    """Say it on stderr: stdout is for what came of it."""
    print(text, file=sys.stderr)  # noqa: T201 - for a command line


def resumable(folder: RunFolder) -> list[str]:
    """What to say of a run that has got somewhere."""
    path = folder.checkpoint
    return [f"--resume goes on from {path}"] if path.exists() else []
