"""Prometheus metrics, right with any number of workers.

Under gunicorn every worker writes its values to files of a shared directory,
and whichever worker is asked adds them all up. Files are named after the
worker's *slot*, the lowest number that no living worker has, not after its
process: a replacement goes on counting where the dead one stopped, so
counters never go backwards and the number of files stays bounded.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
    multiprocess,
    values,
)

from model import Artifact, Prediction
from model.architecture import CLASSES
from service.settings import METRICS_VARIABLE

CONTENT_TYPE = CONTENT_TYPE_LATEST

DURATION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
CONFIDENCE_BUCKETS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999, 1)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

STAGES = ("decode", "classify", "encode")


def write_under_slot(slot: int) -> None:
    """Name this worker's files after its slot; called once, before any metric is made."""
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: slot)


def forget_gauges(slot: int, directory: Path) -> None:
    """Drop the live gauges of a worker that has ended; its counters stay."""
    multiprocess.mark_process_dead(slot, str(directory))


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
    """All metrics of one application; names and labels are listed in README.md."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
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
        self.predictions = Counter(
            "digits_predictions", "Predictions by digit", ["digit"], registry=registry
        )
        self.rejected = Counter(
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
        self.refused = Counter(
            "digits_refused",
            "Requests refused, by the code of the error",
            ["code"],
            registry=registry,
        )
        self.captures = Counter(
            "digits_captures",
            "Images that were stored for feedback, or dropped",
            ["result"],
            registry=registry,
        )
        self.feedback = Counter(
            "digits_feedback",
            "Labels that were sent, by what became of them",
            ["result"],
            registry=registry,
        )
        self.feedback_failures = Counter(
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
            "The loaded model, always 1",
            ["name", "version", "digest"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.model_load = Gauge(
            "digits_model_load_seconds",
            "Time to read, verify and warm up the model",
            multiprocess_mode="livemax",
            registry=registry,
        )
        # Looking a child up takes as long as counting in it: these are asked for all the time.
        # A digit that was never seen is a 0, not a gap.
        self._of_digit = [self.predictions.labels(str(digit)) for digit in range(CLASSES)]
        self._of_stage = [self.stages.labels(stage) for stage in STAGES]
        self._of_route: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def count_predictions(self, predictions: Sequence[Prediction]) -> None:
        """Record what was answered to one request."""
        self.batch_size.observe(len(predictions))
        for prediction in predictions:
            self._of_digit[prediction.digit].inc()
            self.confidence.observe(prediction.confidence)
            if prediction.reason is not None:
                self.rejected.labels(prediction.reason).inc()

    def count_stages(self, *seconds: float) -> None:
        """Record how long one request took in each of ``STAGES``."""
        for stage, taken in zip(self._of_stage, seconds, strict=True):
            stage.observe(taken)
        self.last_inference.set_to_current_time()

    def count_failure(self, seconds: float) -> None:
        """Record a request to predict that failed after this time, by whose fault ever."""
        self.failures.observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Record a request that was refused; ``code`` is of the error table."""
        self.refused.labels(code).inc()

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Record one answered request. ``route`` is a template, never a client's path."""
        if (route, status) not in self._of_route:
            counter = self.requests.labels(route, str(status))
            self._of_route[route, status] = counter, self.duration.labels(route)
        counter, histogram = self._of_route[route, status]
        counter.inc()
        histogram.observe(seconds)

    def set_model(self, artifact: Artifact, load_seconds: float) -> None:
        """Record the model that is served."""
        self.model_info.labels(artifact.name, str(artifact.version), artifact.digest()).set(1)
        self.model_load.set(load_seconds)

    def exposition(self) -> bytes:
        """Everything in the Prometheus text format, of all workers together."""
        return generate_latest(self._all_workers())

    def totals(self) -> Totals:
        """What was predicted, of all workers together."""
        families = self._all_workers().collect()
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

    def _all_workers(self) -> CollectorRegistry:
        """A registry with the values of every worker."""
        directory = os.environ.get(METRICS_VARIABLE)
        if directory is None:
            return self.registry
        together = CollectorRegistry()
        AllFiles(together, directory)
        return together


class AllFiles(multiprocess.MultiProcessCollector):
    """The values in all files, but for those that a worker has made and not begun."""

    def collect(self) -> Iterable[Metric]:
        """The values, put together as each metric says."""
        files = [str(file) for file in Path(self._path).glob("*.db") if _is_begun(file)]
        together: Iterable[Metric] = self.merge(files, accumulate=True)
        return together


def _is_begun(file: Path) -> bool:
    """Whether a file has its size, which it is given a moment after it is made."""
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # of a worker that has just ended
        return False
