"""Drift as an operator sees it: workers, their files, the answer and the gauges."""

import json
from functools import partial
from pathlib import Path

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from model.reference import FEATURES
from tests.server import Server, running, wait_for
from tests.service.cases import npy
from training.dataset import Mnist

WORKERS = 3


def told(server: Server) -> dict[str, object]:
    with server.client() as client:
        answer = client.get("/drift")
    document: dict[str, object] = answer.json
    return document


def all_know_of(server: Server, images: int) -> bool:
    """Whether so many are told by whichever worker is asked: what others count takes a second."""
    return {told(server)["samples"] for _ in range(10)} == {images}


def gauges(server: Server) -> dict[str, float]:
    """The index of each feature, and the samples under ``samples``."""
    with server.client() as client:
        text = client.get("/metrics").body.decode()
    return {
        sample.labels.get("feature", "samples"): sample.value
        for family in text_string_to_metric_families(text)
        if family.name.startswith("digits_drift")
        for sample in family.samples
    }


def send(server: Server, images: np.ndarray, each: int = 50) -> None:
    for start in range(0, len(images), each):  # a connection each, so that all workers get some
        with server.client() as client:
            body = npy(images[start : start + each])
            assert client.predict(body, "application/x-npy").status == 200


def send_slowly(server: Server, images: np.ndarray, before: int) -> None:
    """No more at a time than one worker counts in a second, should all go to it."""
    for start in range(0, len(images), 500):
        part = images[start : start + 500]
        send(server, part)
        before += len(part)
        wait_for("all are counted", partial(all_know_of, server, before))


def test_two_thousand_images_as_ever_and_then_others(tmp_path: Path, mnist: Mnist) -> None:
    images = mnist.test.images[4000:6000]
    directory = tmp_path / "metrics"
    with running(tmp_path / "log", workers=WORKERS, metrics_dir=directory) as server:
        send_slowly(server, images, before=0)
        assert told(server)["verdict"] == "stable"
        assert gauges(server).keys() == {*FEATURES, "samples"}
        assert max(value for name, value in gauges(server).items() if name != "samples") < 0.1
        assert {file.name for file in directory.glob("drift_*")} <= {
            f"drift_{slot}.json" for slot in range(WORKERS)
        }
        send_slowly(server, np.roll(images, 3, axis=2), before=2000)
        document = told(server)
        assert document["verdict"] == "drifted"
        assert document["features"]["framing"]["verdict"] == "drifted"  # type: ignore[index]
        assert gauges(server)["framing"] > 1
        assert {json.dumps(told(server)) for _ in range(10)} == {json.dumps(document)}


def test_a_new_start_begins_anew(tmp_path: Path) -> None:
    directory = tmp_path / "metrics"
    for _ in range(2):
        with running(tmp_path / "log", workers=1, metrics_dir=directory) as server:
            assert told(server)["samples"] == 0
            send(server, np.zeros((7, 28, 28), np.uint8))
            wait_for("it is written", (directory / "drift_0.json").exists)
            assert told(server)["samples"] == 7
