"""What several tests of the store ask for."""

import dataclasses
from pathlib import Path

import pytest

from model.artifact import Artifact
from model.store import Store


@pytest.fixture
def store(tiny_artifact: Artifact, tmp_path: Path) -> Store:
    """A store of versions 1, 2 and 10 of which none is promoted."""
    store = Store(tmp_path / "store")
    for number in (10, 1, 2):
        store.publish(dataclasses.replace(tiny_artifact, version=number))
    return store
