"""Real workers that keep what they answer, in real databases, and what happens without one."""

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.client import Answer, Client
from tests.feedback.places import Place, Served, count, read
from tests.server import (
    Server,
    ask_all,
    clean_environment,
    free_port,
    launch,
    of_gunicorn,
    ready,
    wait_for,
)

JSON = {"Content-Type": "application/json"}


@contextmanager
def serving(place: Place, log: Path, **settings: object) -> Iterator[Server]:
    """Two workers."""
    port = free_port()
    variables = clean_environment(port=port, metrics_dir=log.parent / "metrics", **settings)
    variables |= {f"DIGITS_{name.upper()}": value for name, value in place.settings.items()}
    process = launch(log, variables, module=of_gunicorn("tests.feedback.serving:create()"))
    with ready(Server(port, process, log)) as server:
        yield server


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def keep(client: Client, name: str, images: int = 1) -> Answer:
    return client.request("POST", f"/keep/{images}", headers={"X-Request-ID": name})


def label(client: Client, name: str, digit: int = 8, **more: object) -> Answer:
    body = json.dumps({"request_id": name, "label": digit, **more}).encode()
    return client.request("POST", "/feedback", body, JSON)


def counted(client: Client) -> Counter[str]:
    found = re.findall(
        r'^(digits_\w+_total)(?:{result="(\w+)"})? ([\d.e+]+)$',
        client.get("/metrics").body.decode(),
        re.MULTILINE,
    )
    return Counter({result or name: int(float(value)) for name, result, value in found})


def test_whichever_worker_is_asked_finds_what_another_has_kept(place: Place, log: Path) -> None:
    names = [f"request-{number}" for number in range(60)]

    def keep_and_label(client: Client, name: str) -> tuple[int, int]:
        keep(client, name, 2)
        with Client(server.port) as other:
            return label(other, name, 4, index=1).status, label(other, name, 5, index=1).status

    with serving(place, log) as server:
        assert ask_all(server, keep_and_label, names) == [(200, 200)] * 60
        with server.client() as client:
            wait_for("all are stored", lambda: counted(client)["stored"] == 120)
            assert counted(client).items() >= {"noted": 60, "changed": 60}.items()
    found = read(place)
    assert sorted(found.request_ids) == sorted(names * 2)
    assert (found.labels == 5).sum() == 60
    assert "Traceback" not in log.read_text("utf-8")


def test_what_waits_is_written_when_the_service_is_told_to_stop(place: Place, log: Path) -> None:
    with serving(place, log) as server:
        with server.client() as client:
            keep(client, "before")
            wait_for("it is stored", lambda: counted(client)["stored"] == 1)
        with place.hung():
            ask_all(server, lambda client, name: keep(client, name, 20), list("abcdefgh"))
            server.process.send_signal(signal.SIGTERM)
            time.sleep(1.5)  # all is answered by now
        assert server.process.wait(60) == 0
    assert count(place) == 161


def test_a_worker_that_is_killed_loses_what_waited_and_nothing_else(
    place: Place, log: Path
) -> None:
    with serving(place, log) as server, server.client() as client:
        keep(client, "before")
        wait_for("it is stored", lambda: count_or_none(place) == 1)
        for worker in server.workers():
            os.kill(worker, signal.SIGKILL)
        with server.client() as another:
            wait_for("there is another worker", lambda: keep_or_fail(server))
            assert label(another, "before").status == 200
    assert read(place, labelled_only=True).request_ids.tolist() == ["before"]


def count_or_none(place: Place) -> int | None:
    try:
        return count(place)
    except Exception:  # noqa: BLE001 - there may be no table yet
        return None


def keep_or_fail(server: Server) -> bool:
    try:
        with server.client() as client:
            return keep(client, "after").status == 200
    except OSError:
        return False


def test_during_an_outage_all_is_answered_but_labels(place: Place, log: Path) -> None:
    with serving(place, log, feedback_queue=8) as server, server.client() as client:
        keep(client, "before")
        wait_for("it is stored", lambda: counted(client)["stored"] == 1)
        with place.outage():
            began = time.monotonic()
            assert {keep(client, f"during-{number}").status for number in range(40)} == {200}
            assert time.monotonic() - began < 10
            answer = label(client, "before")
            assert (answer.status, answer.json["code"]) == (503, "feedback_unavailable")
            assert answer.headers["Retry-After"] == "1"
            assert client.get("/readyz").status == 200
            wait_for(
                "it is counted",
                lambda: counted(client)["digits_feedback_database_failures_total"] > 0,
            )
            told = counted(client)
            assert told["dropped"] >= 40 - 2 * 8  # of two workers
            assert told["unavailable"] == 1
        wait_for("labels are noted again", lambda: label(client, "before").status == 200)
        wait_for("what waited is stored", lambda: settled(client))
        told = counted(client)
    assert count(place) == told["stored"] == 41 - told["dropped"]
    assert "can be stored again" in log.read_text("utf-8")


def settled(client: Client) -> bool:
    told = counted(client)
    return told["stored"] + told["dropped"] == 41


@pytest.mark.postgresql
def test_a_database_may_come_up_later(served: Served, log: Path) -> None:
    with served.outage():
        context = serving(served, log)
        server = context.__enter__()
        with server.client() as client:
            assert keep(client, "early").status == 200
            assert label(client, "early").status == 503
    with server.client() as client:
        wait_for("it is stored and labelled", lambda: label(client, "early").status == 200)
    context.__exit__(None, None, None)
    assert read(served).labels.tolist() == [8]


@pytest.mark.postgresql
def test_a_database_that_hangs_holds_up_labels_for_seconds_and_nothing_else(
    served: Served, log: Path
) -> None:
    with serving(served, log, workers=1, threads=2) as server, server.client() as client:
        keep(client, "before")
        wait_for("it is stored", lambda: counted(client)["stored"] == 1)
        with served.hung():
            began = time.monotonic()
            assert label(client, "before").status == 503
            assert time.monotonic() - began < 10
            began = time.monotonic()
            assert {label(client, "before").status for _ in range(20)} == {503}
            assert {keep(client, "during").status for _ in range(20)} == {200}
            assert time.monotonic() - began < 3
        wait_for("labels are noted again", lambda: label(client, "before").status == 200)


@dataclass(frozen=True)
class Address:
    """Where nobody listens."""

    url: str

    @property
    def settings(self) -> dict[str, str]:
        return {"feedback_url": self.url}

    def outage(self) -> AbstractContextManager[None]:
        return nullcontext()

    def hung(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_no_password_is_logged(log: Path) -> None:
    nobody = Address(f"postgresql://digits:k3y@127.0.0.1:{free_port()}/digits")
    with serving(nobody, log) as server, server.client() as client:
        keep(client, "early")
        assert label(client, "early").status == 503
    text = log.read_text("utf-8")
    assert "cannot be stored" in text
    assert "k3y" not in text
