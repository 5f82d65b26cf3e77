"""What is measured, for Prometheus (names and labels are listed in README.md).

A request is counted in a dozen places. Each is noted in memory, in less than a
microsecond, and ``write`` brings what was noted to the files of the worker (see
``metric_files.py``), many requests at a time.
"""

import contextlib
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import numpy as np
import prometheus_client
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.registry import Collector

import service
from model import Artifact, Prediction
from model.architecture import CLASSES
from service import metric_files

CONTENT_TYPE = CONTENT_TYPE_LATEST

DURATION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
CONFIDENCE_BUCKETS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999, 1)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

STAGES = ("decode", "classify", "encode")

Note = TypeVar("Note")

# What was answered to one request: by which version, and the seconds of each stage.
Answer: TypeAlias = tuple[int, Sequence[Prediction], tuple[float, ...]]


@dataclass(frozen=True)
class Totals:
    """What was predicted since the start, by all workers together.

    requests and images that were answered; seconds they took, by each of ``STAGES``;
    requests to predict that failed, and the seconds these took; when the last one was
    answered, in Unix time, 0 before the first.
    """

    requests: int
    images: int
    seconds: Mapping[str, float]
    failures: int
    failure_seconds: float
    last_inference: float


class Metrics:
    """All metrics of one application.

    gathers: whether somebody calls ``write`` now and then, so that requests need not.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = prometheus_client.Counter(
            "digits_requests", "Requests answered", ["route", "status"], registry=registry
        )
        self.duration = Histogram(
            "digits_request_duration_seconds",
            "Time from routing to the finished answer",
            ["route"],
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "digits_requests_in_flight",
            "Requests being answered now",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.predictions = prometheus_client.Counter(
            "digits_predictions", "Predictions by digit", ["digit"], registry=registry
        )
        self.rejected = prometheus_client.Counter(
            "digits_rejected", "Predictions that were not accepted", ["reason"], registry=registry
        )
        self.confidence = Histogram(
            "digits_confidence",
            "Confidence of predictions",
            buckets=CONFIDENCE_BUCKETS,
            registry=registry,
        )
        self.batch_size = Histogram(
            "digits_batch_size", "Images in a request", buckets=BATCH_BUCKETS, registry=registry
        )
        self.stages = Histogram(
            "digits_stage_duration_seconds",
            "Time of a request in each stage of the pipeline",
            ["stage"],
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self.failures = Histogram(
            "digits_failure_duration_seconds",
            "Time of a request to predict that was not answered with a prediction",
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self.refused = prometheus_client.Counter(
            "digits_refused",
            "Requests refused, by the code of the error",
            ["code"],
            registry=registry,
        )
        self.captures = prometheus_client.Counter(
            "digits_captures",
            "Images that were stored for feedback, or dropped",
            ["result"],
            registry=registry,
        )
        self.feedback = prometheus_client.Counter(
            "digits_feedback",
            "Labels that were sent, by what became of them",
            ["result"],
            registry=registry,
        )
        self.feedback_failures = prometheus_client.Counter(
            "digits_feedback_database_failures",
            "Times that the database for feedback could not be used",
            registry=registry,
        )
        self.last_inference = Gauge(
            "digits_last_inference_timestamp_seconds",
            "When a request was last predicted, in Unix time",
            multiprocess_mode="max",
            registry=registry,
        )
        self.model_info = Gauge(
            "digits_model_info",
            "1 for the model that is served, 0 for one that was",
            ["name", "version", "digest"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.model_created = Gauge(
            "digits_model_created_timestamp_seconds",
            "When the file of the served model was written, in Unix time",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.current = Gauge(
            "digits_model_current",
            "1 while the champion of the store is what is served, 0 while it is not",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self.images = prometheus_client.Counter(
            "digits_images",
            "Images predicted, by the version that did and whether it stands by its answer",
            ["version", "accepted"],
            registry=registry,
        )
        self.shadow_images = prometheus_client.Counter(
            "digits_shadow_images",
            "Images that were shown to a challenger after the champion had answered",
            ["version"],
            registry=registry,
        )
        self.shadow_disagreements = prometheus_client.Counter(
            "digits_shadow_disagreements",
            "Those that it read as another digit, by the champion's digit",
            ["version", "digit"],
            registry=registry,
        )
        self.reloads = prometheus_client.Counter(
            "digits_reloads",
            "Models that were to be served instead of another",
            ["result"],
            registry=registry,
        )
        self.model_load = Gauge(
            "digits_model_load_seconds",
            "Time to read, verify and warm up the model",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.build_info = Gauge(
            "digits_build_info",
            "1 for the version of the service and of what it runs on",
            ["version", "python", "numpy"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        python = ".".join(map(str, sys.version_info[:3]))
        self.build_info.labels(service.__version__, python, np.__version__).set(1)
        for digit in range(CLASSES):  # one that was never seen is a 0, not a gap
            self.predictions.labels(str(digit))
        for result in ("succeeded", "failed"):  # and the first that fails is seen to come
            self.reloads.labels(result)
        self._model: Gauge | None = None
        self.gathers = False
        self._beside: list[Collector] = []
        self._writing = threading.Lock()
        # Notes: the methods of lists are atomic, so no thread waits for another.
        self._under_way: list[None] = []
        self._requests: list[tuple[tuple[str, int], float]] = []
        self._answers: list[Answer] = []
        self._failures: list[float] = []
        self._refusals: list[str] = []

    def begin_request(self) -> None:
        """A request has come; ``end_request`` has to be called for it."""
        self._under_way.append(None)

    def end_request(self) -> None:
        """A request is over. It is written at once, unless somebody is said to write."""
        self._under_way.pop()
        if not self.gathers:
            self.write()

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Note one answered request. ``route`` is a template, never a client's path."""
        self._requests.append(((route, status), seconds))

    def count_answer(
        self, version: int, predictions: Sequence[Prediction], *seconds: float
    ) -> None:
        """Note what a version answered to one request, and its seconds in each of ``STAGES``."""
        self._answers.append((version, predictions, seconds))

    def count_failure(self, seconds: float) -> None:
        """Note a request to predict that failed after this time, by whose fault ever."""
        self._failures.append(seconds)

    def count_refusal(self, code: str) -> None:
        """Note a request that was refused; ``code`` is of the error table."""
        self._refusals.append(code)

    def write(self) -> None:
        """Bring what was noted to the files.

        Where ``gathers`` is set, somebody has to call this now and then.
        """
        with self._writing:
            self.in_flight.set(len(self._under_way))
            self._write_requests(_taken(self._requests))
            self._write_answers(_taken(self._answers))
            self.failures.observe_all(_taken(self._failures))
            for code, count in Counter(_taken(self._refusals)).items():
                self.refused.labels(code).inc(count)

    def _write_requests(self, requests: Sequence[tuple[tuple[str, int], float]]) -> None:
        durations = defaultdict[tuple[str, int], list[float]](list)
        for way, seconds in requests:
            durations[way].append(seconds)
        for (route, status), taken in durations.items():
            self.requests.labels(route, str(status)).inc(len(taken))
            self.duration.labels(route).observe_all(taken)

    def _write_answers(self, answers: Sequence[Answer]) -> None:
        if not answers:
            return
        self.last_inference.set_to_current_time()
        self.batch_size.observe_all([len(predictions) for _, predictions, _ in answers])
        for index, stage in enumerate(STAGES):
            self.stages.labels(stage).observe_all([seconds[index] for *_, seconds in answers])
        said = [prediction for _, predictions, _ in answers for prediction in predictions]
        judged = Counter(
            (version, prediction.reason is None)
            for version, predictions, _ in answers
            for prediction in predictions
        )
        for (version, accepted), count in judged.items():
            self.images.labels(str(version), "true" if accepted else "false").inc(count)
        self.confidence.observe_all([prediction.confidence for prediction in said])
        for digit, count in Counter(prediction.digit for prediction in said).items():
            self.predictions.labels(str(digit)).inc(count)
        for reason, count in Counter(prediction.reason for prediction in said).items():
            if reason is not None:
                self.rejected.labels(reason).inc(count)

    def set_model(self, artifact: Artifact, load_seconds: float, path: Path | None = None) -> None:
        """Record the champion that is served, and that no other one is. path: its file, if any."""
        if self._model:
            self._model.set(0)
        self._model = self.model_info.labels(
            artifact.name, str(artifact.version), artifact.digest()
        )
        self._model.set(1)
        self.model_load.set(load_seconds)
        if path is not None:
            with contextlib.suppress(OSError):  # it may be gone again
                self.model_created.set(path.stat().st_mtime)

    def count_reload(self, result: Literal["succeeded", "failed"]) -> None:
        """Record that another model was to be served."""
        self.reloads.labels(result).inc()

    def tell(self, collector: Collector) -> None:
        """Expose what another collects, which is of all workers already."""
        self._beside.append(collector)
        self.registry.register(collector)

    def exposition(self) -> bytes:
        """Everything in the Prometheus text format, of all workers together."""
        self.write()
        return generate_latest(metric_files.together(self.registry, self._beside))

    def totals(self) -> Totals:
        """What was predicted, of all workers together."""
        self.write()
        families = metric_files.together(self.registry).collect()
        values = {
            (sample.name, *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }
        stage = "digits_stage_duration_seconds_sum"
        return Totals(
            requests=int(values["digits_batch_size_count",]),
            images=int(values["digits_batch_size_sum",]),
            seconds={name: values.get((stage, name), 0.0) for name in STAGES},
            failures=int(values["digits_failure_duration_seconds_count",]),
            failure_seconds=values["digits_failure_duration_seconds_sum",],
            last_inference=values["digits_last_inference_timestamp_seconds",],
        )


class Histogram(prometheus_client.Histogram):
    """A histogram that takes many values at a time."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """What ``observe`` does with each of the amounts; the library has no such method."""
        if len(amounts) == 1:
            self.observe(amounts[0])
        elif amounts:
            counts = np.bincount(np.searchsorted(self._upper_bounds, amounts))
            self._sum.inc(sum(amounts))
            for bucket, count in zip(self._buckets, counts.tolist(), strict=False):
                if count:
                    bucket.inc(count)


def _taken(notes: list[Note]) -> list[Note]:
    """The notes, which are not there any more; those made meanwhile are."""
    taken = notes[:]
    del notes[: len(taken)]
    return taken
