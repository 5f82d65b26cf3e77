"""More work than the service takes on: some is refused, nothing is lost, health answers."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import Answer
from tests.e2e.counted import samples
from tests.e2e.test_workers import SLOW_PNG
from tests.helpers import table
from tests.server import Server, running
from tests.service.cases import GOOD, JSON, PNG, pixels_json

SENDERS, EACH = 12, 6
WATCHED = ("/livez", "/readyz", "/metrics")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "log", workers=1, threads=2, max_in_flight=3) as server:
        yield server
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8")


def send(server: Server, request: tuple[str, bytes, dict[str, str]], seen: list[Answer]) -> None:
    path, body, headers = request
    with server.client() as client:
        seen += [client.request("POST", path, body, headers) for _ in range(EACH)]


def watch(server: Server, enough: threading.Event, seen: Counter[int]) -> None:
    with server.client() as client:
        while not enough.is_set():
            seen.update(client.get(path).status for path in WATCHED)


@table(
    "path, body, headers",
    {
        "pictures": ("/predict", SLOW_PNG, PNG),
        "explanations": ("/explain", pixels_json(GOOD), JSON),
    },
)
def test_beyond_the_limit_requests_are_refused_and_health_answers(
    server: Server, path: str, body: bytes, headers: dict[str, str]
) -> None:
    enough, seen, answers = threading.Event(), Counter[int](), list[Answer]()
    watcher = threading.Thread(target=watch, args=(server, enough, seen))
    senders = [
        threading.Thread(target=send, args=(server, (path, body, headers), answers))
        for _ in range(SENDERS)
    ]
    for thread in [watcher, *senders]:
        thread.start()
    for sender in senders:
        sender.join()
    enough.set()
    watcher.join()

    statuses = Counter(answer.status for answer in answers)
    assert statuses.keys() == {200, 429}
    assert statuses.total() == SENDERS * EACH
    refused = [answer for answer in answers if answer.status == 429]
    assert {(answer.headers["Retry-After"], answer.json["code"]) for answer in refused} == {
        ("1", "overloaded")
    }
    assert seen.keys() == {200}
    assert seen.total() >= len(WATCHED)

    counted = samples(server)
    for status, count in statuses.items():
        assert counted["digits_requests_total", path, str(status)] == count
    assert counted["digits_refused_total", "overloaded"] == statuses[429]
    assert counted["digits_requests_total", "/livez", "200"] == seen.total() / len(WATCHED)
    assert counted["digits_requests_in_flight",] == 1  # the one that asks
    with server.client() as client:
        assert client.request("POST", path, body, headers).status == 200
