"""SIGTERM under load: whoever was let in is answered."""

import http.client
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.server import (
    Server,
    clean_environment,
    free_port,
    is_refused,
    launch,
    running,
    wait_for,
)
from tests.service.cases import pixels_json

CLIENTS = 16
BODY = pixels_json(np.eye(28, dtype=int).tolist())
HEADERS = {"Content-Type": "application/json"}


@dataclass
class Tally:
    """What became of one client's requests."""

    answered: int = 0
    dropped: list[str] = field(default_factory=list)


def send_until_refused(port: int, tally: Tally, *, keep_alive: bool) -> None:
    """Request after request, until nobody listens any more.

    A connection that is refused was never let in. One that was let in must be
    answered, unless the server had said ``Connection: close`` before.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while True:
        try:
            connection.connect()
        except (ConnectionRefusedError, ConnectionResetError):
            return
        is_open = True
        while is_open:
            try:
                connection.request("POST", "/predict", BODY, HEADERS)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException) as error:
                tally.dropped.append(repr(error))
                break
            tally.answered += response.status == http.client.OK
            is_open = keep_alive and not response.will_close
        connection.close()


@pytest.mark.parametrize("keep_alive", [True, False], ids=["kept connections", "new connections"])
def test_every_accepted_request_is_answered(tmp_path: Path, keep_alive: bool) -> None:  # noqa: FBT001 - a parameter
    tallies = [Tally() for _ in range(CLIENTS)]
    with running(tmp_path / "log") as server:
        threads = [
            threading.Thread(
                target=send_until_refused,
                args=(server.port, tally),
                kwargs={"keep_alive": keep_alive},
            )
            for tally in tallies
        ]
        for thread in threads:
            thread.start()
        wait_for("there is load", lambda: all(tally.answered > 20 for tally in tallies))
        assert server.stop() == 0
        for thread in threads:
            thread.join(30)
    assert [error for tally in tallies for error in tally.dropped] == []


def test_a_draining_worker_says_so_and_finishes(tmp_path: Path) -> None:
    """A kept connection, opened before SIGTERM, is told and then let go."""
    with running(tmp_path / "log", workers=1) as server:
        with server.client() as client:
            assert client.get("/readyz").status == 200
            server.process.terminate()
            wait_for("the worker drains", lambda: is_refused(server.port))
            answer = client.get("/readyz")
            assert (answer.status, answer.json["status"]) == (503, "draining")
            assert answer.headers["Connection"] == "close"
        assert server.process.wait(30) == 0


@pytest.mark.parametrize("worker_age", [0, 0.05, 0.1, 0.15, 0.2])
def test_workers_that_are_still_starting_end_too(tmp_path: Path, worker_age: float) -> None:
    """SIGTERM is lost on no worker: the graceful timeout, then SIGKILL, is not needed."""
    log = tmp_path / "log"
    process = launch(log, clean_environment(port=free_port(), workers=3, graceful_timeout=300))
    server = Server(0, process, log)
    wait_for("there are workers", lambda: len(server.workers()) == 3)
    time.sleep(worker_age)
    assert server.stop() == 0
