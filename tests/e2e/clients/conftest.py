"""One running service for the clients of others."""

from collections.abc import Iterator

import pytest

from tests.server import Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shipped model behind two workers."""
    log = tmp_path_factory.mktemp("server") / "log"
    with running(log, max_batch=64) as server:
        yield server
    assert "Traceback" not in log.read_text("utf-8")
