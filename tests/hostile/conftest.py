"""One running service as it is shipped, looked at after every case."""

from collections.abc import Iterator

import pytest

from tests.hostile.assault import Witness
from tests.server import Server, running, wait_for
from tests.service.hostile import WHOLE

WORKERS = 2


@pytest.fixture(scope="session")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    """The shipped model with the shipped limits, after its first requests of every kind."""
    log = tmp_path_factory.mktemp("hostile") / "log"
    with running(log, workers=WORKERS, read_timeout=5, access_log=1) as server:
        wait_for("all workers run", lambda: len(server.workers()) == WORKERS)
        warm(server)
        yield Witness.of(server)


@pytest.fixture
def server(witness: Witness) -> Iterator[Server]:
    """The same; it is as it was when the test ends."""
    yield witness.server
    witness.assert_unharmed()


def warm(server: Server) -> None:
    """Let both workers import and allocate what every first request of a kind does."""
    for _ in range(8):
        for kind, body in WHOLE.items():
            with server.client() as client:  # each connection may go to another worker
                assert client.predict(body, f"image/{kind.lower()}").status == 200
                assert client.get("/openapi.json").status == 200
                assert client.predict(body * 300, f"image/{kind.lower()}").status == 200
