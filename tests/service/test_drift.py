"""Whether drift is told where there is some, and only there."""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from model import Artifact
from model.confidence import energies
from model.engine import Engine
from model.frame import Frame, blank
from model.normalizer import normalize_all
from model.reference import FEATURES, MINIMUM_SAMPLES, Served, histograms
from service.drift import Batch, Drift
from service.slices import SLICES
from tests.helpers import table
from training.dataset import Mnist

Images = NDArray[np.uint8]
Changed = Callable[[Images], Images]

HOUR = 3600
PLENTY = 100_000  # images between two ticks
START = 1_000_000_800.0  # a whole number of hours
DIGIT = np.zeros((28, 28), np.uint8)
DIGIT[4:24, 12:16] = 255


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def drift(shipped: Artifact, clock: Clock) -> Drift:
    return Drift(shipped, HOUR, clock, PLENTY)


def worker(artifact: Artifact, clock: Clock, directory: Path, slot: int) -> Drift:
    """The drift of one worker of several."""
    made = Drift(artifact, HOUR, clock, PLENTY)
    made.keep(directory, slot)
    return made


def some(count: int, digit: int = 3) -> Batch:
    """What is served to a request with so many images, all alike."""
    return [Frame(DIGIT)] * count, [digit] * count, [0.97] * count, [5.0] * count


def found(drift: Drift, feature: str = "digit") -> dict[str, float]:
    """Shares of a feature that are not 0."""
    bins = drift.report()["features"][feature]["bins"]
    return {each["bin"]: each["found"] for each in bins if each["found"]}


# -- on MNIST ---------------------------------------------------------------


def answered(artifact: Artifact, images: Images) -> Batch:
    """What the classifier has of images, as it would be observed."""
    frames = normalize_all(images)
    with threadpool_limits(1, user_api="blas"):  # as a worker has it
        logits = Engine(artifact.network).logits(np.array([frame.pixels for frame in frames]))
    shares = artifact.confidence.probabilities(logits)
    return frames, shares.argmax(axis=1).tolist(), shares.max(axis=1).tolist(), seen(logits)


def seen(logits: NDArray[np.float32]) -> list[float]:
    listed: list[float] = energies(logits).tolist()
    return listed


def indices(artifact: Artifact, batch: Batch) -> dict[str, float]:
    """The index of every feature."""
    drift = Drift(artifact, HOUR, Clock(), PLENTY)
    drift.observe(*batch)
    report = drift.report()
    assert report["samples"] == len(batch[0])
    return {name: feature["psi"] for name, feature in report["features"].items()}


@pytest.fixture(scope="module")
def ordinary(shipped: Artifact, mnist: Mnist) -> Batch:
    """MNIST's whole test set."""
    return answered(shipped, mnist.test.images)


def chosen(batch: Batch, places: NDArray[np.intp]) -> Batch:
    frames, digits, confidences, values = ([part[place] for place in places] for part in batch)
    return frames, digits, confidences, values


def test_any_2000_ordinary_images_are_as_ever(shipped: Artifact, ordinary: Batch) -> None:
    served, reference = Served.of(*ordinary), shipped.reference
    assert reference is not None
    rng = np.random.default_rng(0)
    largest = 0.0
    for _ in range(200):
        draw = rng.choice(10_000, 2000, replace=False)
        some = Served(**{name: each[draw] for name, each in vars(served).items()})
        found = histograms(some, reference.energy_edges)
        largest = max(largest, *map(float, reference.psi(found).values()))
    assert 0.01 < largest < 0.05


@pytest.mark.parametrize("start", range(0, 10_000, 2000))
def test_2000_images_by_a_few_writers_are_no_alarm(
    start: int, shipped: Artifact, ordinary: Batch
) -> None:
    assert max(indices(shipped, chosen(ordinary, np.arange(start, start + 2000))).values()) < 0.25


def thicker(images: Images) -> Images:
    """Strokes two pixels wider."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    beside = np.maximum(padded[:, 1:-1, :-2], padded[:, 1:-1, 2:])
    above = np.maximum(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1])
    return np.maximum(images, np.maximum(beside, above))


def turned(degrees: float) -> Changed:
    """Counter-clockwise."""

    def turn(images: Images) -> Images:
        pictures = (Image.fromarray(image) for image in images)
        turned = [picture.rotate(degrees, Image.Resampling.BILINEAR) for picture in pictures]
        return np.array([np.asarray(each) for each in turned])

    return turn


def shifted(down: int, right: int) -> Changed:
    return lambda images: np.roll(images, (down, right), axis=(1, 2))


DRIFTED: Mapping[str, tuple[Changed, set[str], set[str]]] = {
    "thicker": (thicker, {"thickness", "ink", "size"}, {"slant", "digit", "framing", "polarity"}),
    "turned left": (turned(20), {"slant", "size", "offset"}, {"ink", "digit", "framing"}),
    "turned right": (turned(-30), {"slant", "size", "offset"}, {"ink", "digit", "framing"}),
    "upside down": (turned(180), {"digit", "energy", "confidence"}, {"ink", "size", "thickness"}),
    "on their side": (turned(90), {"aspect", "slant", "energy"}, {"ink", "size", "thickness"}),
    "shifted by 1": (shifted(0, 1), {"offset"}, {"framing", "ink", "slant", "digit", "energy"}),
    "shifted by 3": (shifted(2, -2), {"framing"}, {"ink", "thickness", "slant", "polarity"}),
    "black on white": (lambda images: 255 - images, {"polarity", "framing"}, {"ink", "digit"}),
    "dim": (lambda images: images // 5 * 3, {"ink"}, {"slant", "aspect", "digit"}),
}


@table("changed, drifted, stable", DRIFTED)
def test_images_that_are_otherwise_are_told_by_what_is_otherwise(
    changed: Changed, drifted: set[str], stable: set[str], shipped: Artifact, mnist: Mnist
) -> None:
    psi = indices(shipped, answered(shipped, changed(mnist.test.images[4000:6000])))
    assert {name for name in drifted if psi[name] > 0.25} == drifted, psi
    assert {name for name in stable if psi[name] < 0.1} == stable, psi


def test_nothing_but_threes_is_told_by_the_digit(
    shipped: Artifact, ordinary: Batch, mnist: Mnist
) -> None:
    psi = indices(shipped, chosen(ordinary, np.flatnonzero(mnist.test.labels == 3)))
    assert psi["digit"] == max(psi.values()) > 5
    assert {psi[name] < 0.1 for name in ("size", "thickness", "offset", "framing")} == {True}


@table("changed, drifted", {name: case[:2] for name, case in DRIFTED.items()})
def test_half_of_it_is_enough(
    changed: Changed, drifted: set[str], shipped: Artifact, mnist: Mnist
) -> None:
    images = mnist.test.images[4000:5000]
    mixed = answered(shipped, np.concatenate([images, changed(images)]))
    psi = indices(shipped, mixed)
    assert max(psi[name] for name in drifted) > 0.25, psi


# -- what is told -----------------------------------------------------------


def test_before_the_first_image_nothing_is_known(drift: Drift, shipped: Artifact) -> None:
    report = drift.report()
    features = report.pop("features")
    assert report == {
        "model": {"name": "digits", "version": shipped.version},
        "verdict": "unknown",
        "since": None,
        "samples": 0,
        "minimum_samples": MINIMUM_SAMPLES,
        "window_seconds": HOUR,
        "reference_images": 60_000,
    }
    assert list(features) == list(FEATURES)
    assert {feature["verdict"] for feature in features.values()} == {"unknown"}


def test_every_feature_is_told_beside_its_reference(drift: Drift) -> None:
    drift.observe(*some(30))
    drift.observe(*some(10, digit=7))
    digit = drift.report()["features"]["digit"]
    assert digit["samples"] == 40
    assert [each["bin"] for each in digit["bins"]] == list("0123456789")
    assert sum(each["reference"] for each in digit["bins"]) == pytest.approx(1, abs=1e-5)
    assert found(drift) == {"3": 0.75, "7": 0.25}
    assert found(drift, "framing") == {"left": 1}
    assert found(drift, "size") == {"19 to 21": 1}


def test_blank_images_are_counted_too(drift: Drift) -> None:
    drift.observe([blank()], [1], [0.2], [0.5])
    assert found(drift, "framing") == {"unreadable": 1}
    assert found(drift, "ink") == {"below 0.08": 1}


@pytest.mark.parametrize("samples", [MINIMUM_SAMPLES - 1, MINIMUM_SAMPLES])
def test_too_few_images_tell_nothing(samples: int, drift: Drift) -> None:
    drift.observe(*some(samples))
    known = samples >= MINIMUM_SAMPLES
    assert drift.report()["verdict"] == ("drifted" if known else "unknown")
    index, seen = drift.collect()
    assert [sample.labels["feature"] for sample in index.samples] == list(FEATURES) * known
    assert [sample.value for sample in seen.samples] == [samples]


def test_the_gauges_are_what_is_told(drift: Drift) -> None:
    drift.observe(*some(1000))
    index, _ = drift.collect()
    told = {name: each["psi"] for name, each in drift.report()["features"].items()}
    gauges = {sample.labels["feature"]: sample.value for sample in index.samples}
    assert gauges == pytest.approx(told, abs=1e-4)


def test_of_a_model_without_a_reference_nothing_is_known(shipped: Artifact, clock: Clock) -> None:
    drift = Drift(dataclasses.replace(shipped, reference=None), HOUR, clock, PLENTY)
    drift.observe(*some(1000))
    drift.tick()
    report = drift.report()
    assert (report["verdict"], report["since"], report["reference_images"]) == (
        "unknown",
        None,
        None,
    )
    assert (report["samples"], report["features"]) == (0, {})
    assert [sample.value for metric in drift.collect() for sample in metric.samples] == [0]


def test_it_is_answered_over_http(client: FlaskClient, shipped: Artifact) -> None:
    answer = client.get("/drift")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.get_json() == Drift(shipped, HOUR).report()


# -- since when -------------------------------------------------------------


def test_the_verdict_is_told_with_its_beginning(
    shipped: Artifact, ordinary: Batch, clock: Clock
) -> None:
    drift = Drift(shipped, HOUR, clock, PLENTY)

    def told() -> tuple[Any, Any]:
        report = drift.report()
        return report["verdict"], report["since"]

    drift.observe(*chosen(ordinary, np.arange(0, 10_000, 50)))
    assert told() == ("unknown", "2001-09-09T02:00:00Z")
    clock.now += 600
    drift.observe(*chosen(ordinary, np.arange(0, 10_000, 5)))
    assert told() == ("stable", "2001-09-09T02:10:00Z")
    clock.now += 90
    drift.observe(*some(2000))
    assert told() == ("drifted", "2001-09-09T02:11:00Z")
    clock.now += 600
    drift.observe(*some(10))
    assert told() == ("drifted", "2001-09-09T02:11:00Z")
    clock.now += HOUR
    assert told() == ("unknown", None)


def test_what_is_older_than_the_window_is_forgotten(drift: Drift, clock: Clock) -> None:
    drift.observe(*some(10))
    drift.tick()
    clock.now += HOUR / SLICES
    drift.observe(*some(20, digit=7))
    drift.tick()
    clock.now += HOUR - 2 * HOUR / SLICES
    assert drift.report()["samples"] == 30
    clock.now += HOUR / SLICES
    assert (drift.report()["samples"], found(drift)) == (20, {"7": 1})


# -- how much is counted ----------------------------------------------------


def test_images_wait_to_be_counted_together(drift: Drift) -> None:
    drift.observe(*some(300))
    drift.observe(*some(1))
    assert (drift._held, drift._slices) == (301, {})
    drift.tick()
    assert (drift._held, drift._waiting, len(drift._slices)) == (0, [], 1)
    assert drift.report()["samples"] == 301


def test_so_many_are_counted_at_once_and_no_more(shipped: Artifact, clock: Clock) -> None:
    drift = Drift(shipped, HOUR, clock, between_ticks=1_500)
    for _ in range(3):
        drift.observe(*some(1000))
    assert drift.report()["samples"] == 1_500
    drift.observe(*some(1000))
    assert drift.report()["samples"] == 2_500


def test_threads_lose_nothing(drift: Drift) -> None:
    def serve() -> None:
        for _ in range(300):
            drift.observe(*some(1))
            drift.tick()

    threads = [Thread(target=serve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drift.report()["samples"] == 1200


# -- several workers --------------------------------------------------------


def test_who_is_asked_tells_of_all_workers(shipped: Artifact, clock: Clock, tmp_path: Path) -> None:
    workers = [worker(shipped, clock, tmp_path, slot) for slot in range(3)]
    for number, each in enumerate(workers, 1):
        each.observe(*some(number, digit=number))
        each.tick()
    for each in workers:
        assert each.report()["samples"] == 6
        assert found(each) == {"1": 0.166667, "2": 0.333333, "3": 0.5}
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        f"drift_{slot}.json" for slot in range(3)
    ]


def test_a_replacement_goes_on_where_a_dead_worker_stopped(
    shipped: Artifact, clock: Clock, tmp_path: Path
) -> None:
    dead = worker(shipped, clock, tmp_path, 0)
    dead.observe(*some(5))
    dead.tick()
    other = worker(shipped, clock, tmp_path, 1)
    assert other.report()["samples"] == 5
    replacement = worker(shipped, clock, tmp_path, 0)
    replacement.observe(*some(2))
    replacement.tick()
    assert (other.report()["samples"], replacement.report()["samples"]) == (7, 7)


def test_what_a_dead_worker_left_ages(shipped: Artifact, clock: Clock, tmp_path: Path) -> None:
    dead = worker(shipped, clock, tmp_path, 0)
    dead.observe(*some(5))
    dead.tick()
    clock.now += HOUR
    assert worker(shipped, clock, tmp_path, 1).report()["samples"] == 0


def test_what_was_served_by_another_model_is_not_added(
    shipped: Artifact, clock: Clock, tmp_path: Path
) -> None:
    old = worker(dataclasses.replace(shipped, version=7), clock, tmp_path, 0)
    old.observe(*some(5))
    old.tick()
    assert worker(shipped, clock, tmp_path, 0).report()["samples"] == 0
    assert worker(shipped, clock, tmp_path, 1).report()["samples"] == 0


def test_only_what_is_new_is_written(shipped: Artifact, clock: Clock, tmp_path: Path) -> None:
    drift = worker(shipped, clock, tmp_path, 0)
    drift.tick()
    assert list(tmp_path.iterdir()) == []
    drift.observe(*some(5))
    drift.tick()
    (tmp_path / "drift_0.json").unlink()
    drift.tick()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_told_once_and_tried_again(
    shipped: Artifact, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drift = worker(shipped, clock, tmp_path / "none", 0)
    with caplog.at_level(logging.ERROR, "digits.drift"):
        for _ in range(3):
            drift.observe(*some(5))
            drift.tick()
    (record,) = caplog.records
    assert "drift_0.json: No such file" in record.getMessage()
    assert drift.report()["samples"] == 15
    (tmp_path / "none").mkdir()
    drift.tick()
    assert worker(shipped, clock, tmp_path / "none", 1).report()["samples"] == 15
