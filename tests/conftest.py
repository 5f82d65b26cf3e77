"""What every test may ask for: the real MNIST, and a small model made without it."""

from pathlib import Path

import pytest

from model import artifact as artifacts
from model.artifact import Artifact
from tests.helpers import TINY_RECIPE, missing, synthetic_mnist
from training.dataset import Mnist, find_folder, load_mnist
from training.drawings import find_drawings
from training.errors import DataError
from training.release import build


@pytest.fixture(scope="session")
def mnist() -> Mnist:
    """The real data set."""
    try:
        return load_mnist(find_folder())
    except DataError as error:
        missing(f"MNIST is needed: {error}")


@pytest.fixture(scope="session")
def drawings_folder() -> Path:
    """Where the drawings are."""
    try:
        return find_drawings()
    except DataError as error:
        missing(f"the drawings are needed: {error}")


@pytest.fixture(scope="session")
def tiny_artifact() -> Artifact:
    """A real, small artifact, trained in a second on synthetic data."""
    return build(TINY_RECIPE, synthetic_mnist(), show_progress=False)


@pytest.fixture(scope="session")
def tiny_artifact_path(tiny_artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of ``tiny_artifact``; not to be changed."""
    path = tmp_path_factory.mktemp("artifact") / "tiny.npz"
    artifacts.write(path, tiny_artifact)
    return path
