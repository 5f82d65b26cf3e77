"""The files of a worker's metrics: what is in them, and what is done without room."""

import os
import resource
import shutil
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, values

from service import metric_files, metric_room, problems
from service.app import create_app
from service.metric_room import BYTES
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
    assert os.environ[METRICS_VARIABLE] == str(directory)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in metric_files.together(CollectorRegistry()).collect()
        for sample in metric.samples
    }


def sizes(directory: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in directory.iterdir()}


def counter(*labels: str) -> Counter:
    return Counter("seen", "Some", labels, registry=None)


def gauge() -> Gauge:
    return Gauge("now", "Some", multiprocess_mode="livesum", registry=None)


def test_metrics_of_all_slots_are_added_up(directory: Path) -> None:
    for slot in (0, 1):
        metric_files.write_under_slot(directory, slot)
        counter("x").labels("a").inc(slot + 1)
        gauge().set(5)
    assert told(directory) == {("seen_total", "a"): 3, ("now",): 10}


def test_the_next_worker_of_a_slot_goes_on_counting_and_not_with_gauges(directory: Path) -> None:
    counter("x").labels("a").inc(3)
    gauge().set(5)
    metric_room.forget_gauges(directory, 0)
    assert told(directory) == {("seen_total", "a"): 3}
    metric_files.write_under_slot(directory, 0)
    counter("x").labels("a").inc()
    gauge().inc()
    assert told(directory) == {("seen_total", "a"): 4, ("now",): 1}


def test_whatever_the_service_can_count_has_room_twice(directory: Path) -> None:
    """Every route with every status, every error, every reason: no file grows for it."""
    room = sizes(directory)
    app = create_app(SETTINGS)
    metrics = app.extensions["metrics"]
    statuses = {problem.status for problem in problems.TABLE.values()} | {
        HTTPStatus.OK,
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.NOT_MODIFIED,
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


@pytest.fixture
def no_room() -> Iterator[None]:
    """Files may not become larger than those that are there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(BYTES.values()), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@table("most", {"a full disk": None, "a file that is as large as it may be": 2**18})
def test_what_has_no_room_is_in_memory_only_and_said_once(
    most: int | None,
    directory: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if most:
        monkeypatch.setattr(metric_files, "MOST_BYTES", most)
    else:
        request.getfixturevalue("no_room")
    registry = CollectorRegistry()
    metric = Counter("seen", "Some", ["x"], registry=registry)
    labels = [f"{number:0100d}" for number in range(2000)]
    for label in labels * 2:
        metric.labels(label).inc()
    known = [each for found in registry.collect() for each in found.samples]
    assert [each.value for each in known if each.name == "seen_total"] == [2] * len(labels)
    assert set(told(directory).values()) == {2}
    assert 1000 < len(told(directory)) < 2000
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{directory} has no room for all metrics of a worker")


def test_a_worker_whose_directory_is_gone_tells_of_itself(directory: Path) -> None:
    shutil.rmtree(directory)
    client = create_app(SETTINGS).test_client()
    for count in (1, 2):
        client.get("/livez")
        text = client.get("/metrics").get_data(as_text=True)
        assert f'digits_requests_total{{route="/livez",status="200"}} {count}.0\n' in text
