"""The files of a worker's metrics: what is in them, and what is done without room."""

import logging
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

from model import Artifact
from service import metric_files, metric_room, problems
from service.app import create_app
from service.captures import Captures
from service.metric_files import MOST_BYTES, AllFiles
from service.metric_room import BYTES
from service.metrics import STAGES, Metrics
from service.settings import METRICS_VARIABLE
from tests.helpers import table
from tests.service.conftest import SETTINGS


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the room for two slots; metrics that are made are those of slot 0."""
    directory = tmp_path / "metrics"
    assert metric_room.find(directory, 1, print) == directory
    monkeypatch.setenv(METRICS_VARIABLE, str(directory))
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)  # put back afterwards
    metric_files.write_under_slot(directory, 0)
    return directory


def told(directory: Path) -> dict[tuple[str, ...], float]:
    """All samples of all files."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in AllFiles(None, str(directory)).collect()
        for sample in metric.samples
    }


def sizes(directory: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in directory.iterdir()}


def counter(*labels: str) -> Counter:
    return Counter("seen", "Some", labels, registry=None)


def gauge(mode: str) -> Gauge:
    return Gauge("now", "Some", multiprocess_mode=mode, registry=None)


def test_metrics_of_all_slots_are_added_up(directory: Path) -> None:
    for slot in (0, 1):
        metric_files.write_under_slot(directory, slot)
        counter("x").labels("a").inc(slot + 1)
        gauge("livesum").set(5)
    assert told(directory) == {("seen_total", "a"): 3, ("now",): 10}


def test_the_next_worker_of_a_slot_goes_on_counting_and_not_with_gauges(directory: Path) -> None:
    counter("x").labels("a").inc(3)
    gauge("livesum").set(5)
    metric_room.forget_gauges(directory, 0)
    assert told(directory) == {("seen_total", "a"): 3}
    metric_files.write_under_slot(directory, 0)
    counter("x").labels("a").inc()
    gauge("livesum").inc()
    assert told(directory) == {("seen_total", "a"): 4, ("now",): 1}


def test_whatever_the_service_can_count_has_room_twice(directory: Path, shipped: Artifact) -> None:
    """Every route with every status, every error, every reason: no file grows for it."""
    room = sizes(directory)
    app = create_app(SETTINGS)
    metrics: Metrics = app.extensions["metrics"]
    metrics.set_model(shipped, 0.1)
    statuses = {problem.status for problem in problems.TABLE.values()} | {
        HTTPStatus.OK, HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.NOT_MODIFIED,
    }
    for route in ["none", "/feedback", *(rule.rule for rule in app.url_map.iter_rules())]:
        for status in statuses:
            metrics.count_request(route, status, 0.1)
    for problem in problems.TABLE.values():
        metrics.count_refusal(problem.code)
    metrics.write()
    assert sizes(directory) == room
    assert {kind for kind in BYTES if _used(directory / f"{kind}_0.db")} == set(BYTES)
    assert all(2 * _used(directory / f"{kind}_0.db") < size for kind, size in BYTES.items())


def _used(file: Path) -> int:
    return int.from_bytes(file.read_bytes()[:4], "little")


def test_a_file_grows_by_room_that_is_held_first(directory: Path) -> None:
    metric = Gauge("many", "Some", ["x"], multiprocess_mode="livemax", registry=None)
    for number in range(1000):
        metric.labels(f"{number:0100d}").set(number)
    file = directory / "gauge_livemax_0.db"
    assert file.stat().st_size == 2**18
    assert file.stat().st_blocks * 512 >= 2**18
    assert [value for _, value in sorted(told(directory).items())] == list(range(1000))
    metric.labels("0".zfill(100)).set(7)  # of the first mapping
    assert told(directory)["many", "0".zfill(100)] == 7


@table(
    "full",
    {
        "a file that is as large as it may be": "largest",
        "a directory that is gone": "gone",
        "a disk without room": "no room",
    },
)
def test_what_has_no_room_is_counted_in_memory_and_said_once(
    full: str, directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ...
