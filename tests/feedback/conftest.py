"""Every test here runs on each kind of database."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.feedback.places import Cluster, File, Place, Served, postgresql

NAMES = (f"test{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with postgresql() as cluster:
        yield cluster


@pytest.fixture
def served(cluster: Cluster) -> Served:
    """An empty database of a server."""
    place = Served(cluster, next(NAMES))
    cluster.create(place.name)
    return place


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where nothing was ever kept."""
    if request.param == "sqlite":
        return File(tmp_path / "kept.db")
    served: Served = request.getfixturevalue("served")
    return served
