"""What the tests of this package may ask for."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

from tests.training.mirrors import StartMirror, mirrors


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartMirror]:
    """Starts mirrors, which end with the test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with mirrors() as start:
        yield start


@pytest.fixture
def one_blas_thread() -> Iterator[None]:
    """As in a real run: a second thread may change the last bit, and here only costs time."""
    with threadpool_limits(1, user_api="blas"):
        yield
