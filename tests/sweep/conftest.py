"""What the tests of sweeps on a cluster may ask for."""

import importlib.util
from pathlib import Path

import pytest

from tests.helpers import missing, synthetic_mnist, write_idx_folder


@pytest.fixture(autouse=True, scope="session")
def dask() -> None:
    if importlib.util.find_spec("distributed") is None:
        missing("distributed is not installed; run these tests by `make test-sweep`")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_idx_folder(tmp_path_factory.mktemp("data"), synthetic_mnist(train=300, test=100))
