"""Instances behind nginx are replaced one by one by the next version; whoever asks sees nothing."""

import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from model.store import RELEASES
from tests.client import Answer, Client
from tests.deploy.nginx import UNLIMITED, Nginx, fronting
from tests.feedback.places import File, count, run
from tests.helpers import ROOT
from tests.server import Server, clean_environment, free_port, launch, wait_for, wait_until_ready
from tests.service.cases import GOOD, JSON, PNG, pixels_json

SEVEN = (ROOT / "tests/examples/seven.png").read_bytes()
V1 = json.dumps({"instances": [GOOD]}).encode()
V2 = json.dumps(
    {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": GOOD}]}
).encode()

LABELS = 1_000  # more than are sent meanwhile
PAUSE_SECONDS = 0.01
AFTERWARDS = 20  # answers of each kind that are waited for between two replacements

OLD, NEW = 1, 2


@dataclass
class Asked:
    """What was answered so far, and what went wrong."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def note(self, path: str, answer: Answer) -> None:
        self.statuses[path, answer.status] += 1
        self.versions[answer.headers.get("X-Model-Version", "")] += 1
        if answer.status != 200:
            self.failures.append(f"{path}: {answer.status} {answer.body.decode()}")


def predictions(client: Client, number: int) -> tuple[str, Answer]:
    """One of four kinds in turn."""
    path, body, headers = (
        ("/predict", pixels_json(GOOD), JSON),
        ("/predict", SEVEN, PNG),
        ("/v1/models/digits:predict", V1, JSON),
        ("/v2/models/digits/infer", V2, JSON),
    )[number % 4]
    return path, client.request("POST", path, body, headers)


def label(client: Client, number: int) -> tuple[str, Answer]:
    """Of an image that nobody has labelled yet."""
    body = json.dumps({"request_id": f"known-{number}", "label": number % 10}).encode()
    return "/feedback", client.request("POST", "/feedback", body, JSON)


@contextmanager
def asking(nginx: Nginx) -> Iterator[Asked]:
    """Meanwhile: by a connection that is kept, by a new one each time, and with labels."""
    asked, stop = Asked(), threading.Event()

    def ask(one: Callable[[Client, int], tuple[str, Answer]], on_a_connection: int) -> None:
        numbers = itertools.count()
        while not stop.is_set():
            with nginx.client() as client:
                for number in itertools.islice(numbers, on_a_connection):
                    try:
                        asked.note(*one(client, number))
                    except OSError as error:
                        asked.failures.append(repr(error))
                    if stop.wait(PAUSE_SECONDS):
                        return

    with ThreadPoolExecutor(3) as pool:
        pool.submit(ask, predictions, LABELS)
        pool.submit(ask, predictions, 1)
        pool.submit(ask, label, LABELS)
        try:
            yield asked
        finally:
            stop.set()


def start(folder: Path, port: int, version: int) -> Server:
    """An instance of a version, which keeps what it answers where all others do."""
    settings: Mapping[str, object] = {
        "port": port,
        "workers": 1,
        "model": RELEASES / f"digits-{version}.npz",
        "feedback": folder / "kept.db",
    }
    log = folder / f"{port}.log"
    server = Server(port, launch(log, clean_environment(**settings)), log)
    wait_until_ready(server)
    return server


def keep(server: Server, kept: File) -> None:
    """Have images there to be labelled."""
    with server.client() as client:
        for number in range(LABELS):
            headers = {**JSON, "X-Request-ID": f"known-{number}"}
            assert client.request("POST", "/predict", pixels_json(GOOD), headers).status == 200
    wait_for("all are kept", lambda: count(kept) == LABELS)


def test_nobody_sees_a_rolling_update(tmp_path: Path) -> None:
    kept = File(tmp_path / "kept.db")
    servers = [start(tmp_path, free_port(), OLD) for _ in range(2)]
    try:
        keep(servers[0], kept)
        ports = [server.port for server in servers]
        with (
            fronting(tmp_path / "nginx", ports, changes=UNLIMITED) as nginx,
            asking(nginx) as asked,
        ):
            some_more(asked)
            for index in range(len(servers)):
                replace(servers, index, tmp_path)
                some_more(asked)
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.stop()
    assert asked.failures == []
    assert {path for path, _ in asked.statuses} == {
        "/predict",
        "/feedback",
        "/v1/models/digits:predict",
        "/v2/models/digits/infer",
    }
    assert asked.versions[str(OLD)] > 0
    assert asked.versions[str(NEW)] > 0
    labelled = run(kept, "SELECT label_count, count(*) FROM digits_captures GROUP BY 1 ORDER BY 1")
    assert labelled[1:] == [(1, asked.statuses["/feedback", 200])]  # none of them twice


def replace(servers: list[Server], index: int, folder: Path) -> None:
    """One instance by the next version, as an orchestrator does: it has another's address."""
    old = servers[index]
    with old.client() as client:
        client.get("/readyz")
        old.process.terminate()
        wait_for("it is not ready", lambda: client.get("/readyz").status == 503)
    assert old.process.wait(60) == 0
    servers[index] = start(folder, old.port, NEW)


def some_more(asked: Asked) -> None:
    """Until some more of each kind are answered."""
    before = asked.statuses.copy()
    wait_for(
        "it goes on",
        lambda: (
            sum(asked.statuses.values()) > sum(before.values()) + 4 * AFTERWARDS
            or bool(asked.failures)
        ),
    )
