"""What is counted, in one process; several are counted in tests/e2e."""

import threading
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.instruments import CONFIDENCE_BUCKETS, Histogram
from service.metrics import Metrics
from service.settings import METRICS_VARIABLE
from tests.service.cases import JSON, PNG, pixels_json, png


def samples(client: FlaskClient) -> dict[tuple[str, ...], float]:
    """Every sample of /metrics by its name and label values."""
    text = client.get("/metrics").get_data(as_text=True)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_file_that_a_worker_has_just_made_holds_nothing_up(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(METRICS_VARIABLE, str(tmp_path))
    (tmp_path / "counter_1.db").touch()
    assert app.test_client().get("/metrics").status_code == 200


def test_requests_are_counted_by_route_template_and_status(client: FlaskClient) -> None:
    client.get("/livez?x=1")
    client.get("/no/such/path")
    client.get("/models/8888")
    client.get("/models/9999")
    client.post("/predict", data=b"", headers=JSON)
    counted = samples(client)
    assert counted["digits_requests_total", "/livez", "200"] == 1
    assert counted["digits_requests_total", "none", "404"] == 1
    assert counted["digits_requests_total", "/models/<version>", "404"] == 2
    assert counted["digits_requests_total", "/predict", "400"] == 1
    assert counted["digits_request_duration_seconds_count", "/livez"] == 1


def test_predictions_are_counted_by_digit_and_refusals_by_reason(client: FlaskClient) -> None:
    before = samples(client)
    client.post("/predict", data=png(np.zeros((28, 28))), headers=PNG)
    client.post("/predict", data=pixels_json([0] * 784), headers=JSON)
    after = samples(client)
    digits = [("digits_predictions_total", str(digit)) for digit in range(10)]
    assert sum(after[digit] - before[digit] for digit in digits) == 2
    assert after["digits_rejected_total", "blank"] == 2
    assert after["digits_confidence_count",] == 2
    assert after["digits_batch_size_sum",] == 2


def test_the_loaded_model_is_a_label(app: Flask, client: FlaskClient) -> None:
    artifact = app.extensions["models"].classifier.artifact
    info = ("digits_model_info", artifact.digest(), artifact.name, str(artifact.version))
    assert samples(client)[info] == 1
    assert samples(client)["digits_model_load_seconds",] > 0


@pytest.mark.parametrize("path", ["/metrics", "/no/such/path", "/predict"])
def test_nothing_stays_in_flight(client: FlaskClient, path: str) -> None:
    client.get(path)
    assert samples(client)["digits_requests_in_flight",] == 1  # the one that asks


def exposition(amounts: list[float], *, together: bool) -> bytes:
    registry = CollectorRegistry()
    histogram = Histogram("seen", "Some", buckets=CONFIDENCE_BUCKETS, registry=registry)
    if together:
        histogram.observe_all(amounts)
    else:
        for amount in amounts:
            histogram.observe(amount)
    return generate_latest(registry)


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_many_values_at_a_time_are_counted_as_one_by_one(count: int) -> None:
    """On the bounds of the buckets, too, and beyond the last."""
    rng = np.random.default_rng(count)
    amounts = rng.choice([*CONFIDENCE_BUCKETS, *rng.random(20), 0.0, 2.0], count).tolist()
    one_by_one, together = (exposition(amounts, together=way) for way in (False, True))
    said = [
        line for line in one_by_one.splitlines() if b"_sum" not in line and b"_created" not in line
    ]
    assert [line for line in together.splitlines() if line in said] == said
    assert len(said) >= len(CONFIDENCE_BUCKETS)


def alive(metrics: Metrics) -> float | None:
    labels = {"route": "/livez", "status": "200"}
    return metrics.registry.get_sample_value("digits_requests_total", labels)


def in_flight(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("digits_requests_in_flight")


@pytest.mark.parametrize("gathers", [False, True])
def test_what_is_counted_is_written_with_the_request_or_when_somebody_says_so(
    *, gathers: bool
) -> None:
    metrics = Metrics()
    metrics.gathers = gathers
    metrics.begin_request()
    metrics.count_request("/livez", 200, 0.1)
    metrics.end_request()
    assert alive(metrics) == (None if gathers else 1)
    metrics.write()
    assert alive(metrics) == 1
    assert in_flight(metrics) == 0


def test_nothing_that_is_counted_meanwhile_is_lost_or_counted_twice() -> None:
    metrics = Metrics()
    metrics.gathers = True
    stop = threading.Event()

    def count() -> None:
        for _ in range(5_000):
            metrics.begin_request()
            metrics.count_request("/livez", 200, 0.1)
            metrics.end_request()

    def write() -> None:
        while not stop.is_set():
            metrics.write()

    counters = [threading.Thread(target=count) for _ in range(3)]
    writers = [threading.Thread(target=write) for _ in range(2)]
    for thread in (*counters, *writers):
        thread.start()
    for thread in counters:
        thread.join()
    stop.set()
    for thread in writers:
        thread.join()
    metrics.write()
    assert alive(metrics) == 15_000
    assert in_flight(metrics) == 0
