"""The application under gunicorn's own threads, without a line of configuration."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import Client
from tests.helpers import ROOT
from tests.server import clean_environment, free_port, wait_for
from tests.service.cases import GOOD

COMMAND = ("gunicorn", "--worker-class", "gthread", "--threads", "2", "--no-control-socket")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    port = free_port()
    bind = ("--bind", f"127.0.0.1:{port}", "service.app:create_app()")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *COMMAND, *bind],
            cwd=ROOT,
            env=clean_environment(),
            stdout=log,
            stderr=log,
        )
    try:
        wait_for("it answers", lambda: is_ready(port))
        with Client(port) as client:
            yield client
    finally:
        process.terminate()
        assert process.wait(20) == 0


def is_ready(port: int) -> bool:
    try:
        with Client(port) as client:
            return client.get("/readyz").status == 200
    except OSError:
        return False


def test_it_answers_as_ever(client: Client) -> None:
    predicted = client.predict_json({"pixels": GOOD})
    assert (predicted.status, predicted.json["predictions"][0]["reason"]) == (200, "blank")
    assert predicted.headers["X-Request-ID"] == predicted.json["request_id"]
    assert client.predict_json({"pixels": [1]}).json["code"] == "wrong_pixel_count"
    assert client.get("/nothing").status == 404
    head, get = client.request("HEAD", "/models"), client.get("/models")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.body))
    text = client.get("/metrics").body.decode()
    assert 'digits_requests_total{route="/predict",status="200"} 1.0' in text
    assert 'digits_requests_total{route="/predict",status="422"} 1.0' in text
