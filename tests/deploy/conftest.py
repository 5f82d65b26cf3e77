"""A real Prometheus with the rules of this project, and the real service that it watches."""

import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import yaml

from model.store import RELEASES, Store
from tests.client import Answer, Client
from tests.deploy.expressions import PROMETHEUS
from tests.e2e.test_workers import SLOW_PNG
from tests.helpers import missing
from tests.server import CLIENTS, Server, ask_all, free_port, running, wait_for
from tests.service.cases import GOOD, JSON, PNG, RAW, pixels_json

# What is answered, what is not accepted, and what is refused: by the end there is too much.
BATCH = np.random.default_rng(0).integers(0, 256, (64, 784), np.uint8).tobytes()
V1 = json.dumps({"instances": [GOOD]}).encode()
V2 = json.dumps(
    {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": GOOD}]}
).encode()
REQUESTS = [
    ("/predict", pixels_json(GOOD), JSON),
    ("/predict", BATCH, RAW),
    ("/v1/models/digits:predict", V1, JSON),
    ("/v2/models/digits/infer", V2, JSON),
    ("/explain", pixels_json(GOOD), JSON),
    ("/predict", b"{", JSON),
    ("/nowhere", b"", {}),
    ("/feedback", b'{"request_id": "known", "label": 7}', JSON),
    ("/predict", pixels_json(GOOD), {**JSON, "X-Request-ID": "known"}),
    *[("/predict", SLOW_PNG, PNG)] * 2,
]
ROUNDS, OTHER_CHAMPION = 8, 3


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus, asked for what was at a time, in Unix time; without one, for now."""

    port: int
    time: float | None = None

    def ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - any JSON value
        """What its HTTP API answers; fails where it answers an error."""
        with Client(self.port) as client:
            answer = client.get(f"/api/v1/{path}?{urlencode(parameters)}")
        assert answer.status == http.client.OK, answer.body.decode()
        return answer.json["data"]

    def query(self, expression: str) -> list[Any]:
        """The series that an expression gives, of which NaN is not one."""
        when = {} if self.time is None else {"time": str(self.time)}
        series: list[Any] = self.ask("query", query=expression, **when)["result"]
        return [one for one in series if one["value"][1] != "NaN"]

    def labels(self, metric: str) -> set[str]:
        """All labels of a metric's series."""
        series = self.ask("series", **{"match[]": f"{{__name__={json.dumps(metric)}}}"})
        return {label for one in series for label in one} - {"__name__"}


def configuration(folder: Path, target: str, patience: str | None) -> Path:
    """The example's configuration, of this target and once a second.

    patience: how long an alert holds before it fires, instead of as long as its rule says.
    """
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    rules = yaml.safe_load((PROMETHEUS / "rules.yml").read_text("utf-8"))
    for group in rules["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            if patience and "for" in rule:
                rule["for"] = patience
    (folder / "rules.yml").write_text(yaml.safe_dump(rules), "utf-8")
    return folder / "prometheus.yml"


@contextmanager
def watching(folder: Path, target: str, patience: str | None = None) -> Iterator[Prometheus]:
    """A Prometheus that scrapes a target, ended when this is left."""
    if shutil.which("prometheus") is None:
        missing("prometheus is needed")
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={configuration(folder, target, patience)}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        prometheus = Prometheus(port)
        wait_for("Prometheus is ready", lambda: _is_ready(port), 60)
        yield prometheus
    finally:
        process.terminate()
        process.wait(60)


def _is_ready(port: int) -> bool:
    try:
        with Client(port) as client:
            return client.get("/-/ready").status == http.client.OK
    except OSError:
        return False


def send(client: Client, request: tuple[str, bytes, dict[str, str]]) -> Answer:
    path, body, headers = request
    return client.request("POST", path, body, headers)


def work(server: Server, store: Store, prometheus: Prometheus) -> None:
    """Some seconds of all kinds of requests; midway champion and challenger change places."""
    statuses = set()
    for number in range(ROUNDS):
        if number == OTHER_CHAMPION:
            store.promote(2)
            store.challenge(1)
        answers = ask_all(server, send, REQUESTS * CLIENTS)
        statuses |= {answer.status for answer in answers}
        wait_for_scrape(prometheus)
    assert statuses >= {200, 400, 404, 429}


def wait_for_scrape(prometheus: Prometheus) -> None:
    """Until it has seen what happened before this call."""
    count = "count_over_time(up[1h])"
    seen = [series["value"][1] for series in prometheus.query(count)]
    wait_for(
        "another scrape",
        lambda: [series["value"][1] for series in prometheus.query(count)] != seen,
    )


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has watched two workers under load for some seconds."""
    folder = tmp_path_factory.mktemp("prometheus")
    store = Store(folder / "store")
    shutil.copytree(RELEASES, store.root)
    store.promote(1)  # which knows nothing of drift; the one after it does
    store.challenge(2)
    settings = {"store": store.root, "feedback": folder / "kept.db", "shadow_percent": 100}
    narrow = {"workers": 2, "threads": 1, "max_in_flight": 1}
    with (
        running(folder / "service.log", **settings, **narrow) as server,
        watching(folder, f"127.0.0.1:{server.port}") as prometheus,
    ):
        work(server, store, prometheus)

        def is_drift_told() -> bool:
            ask_all(server, send, REQUESTS * CLIENTS)
            return bool(prometheus.query("count_over_time(digits_drift_psi[10m]) > 2"))

        wait_for("drift is told", is_drift_told, 60)
        yield replace(prometheus, time=time.time())  # tests come when rates are 0 again
