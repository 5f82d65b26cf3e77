"""All that is measured, by its name in Prometheus; README.md lists names and labels."""

import sys
from collections.abc import Sequence
from functools import partial

import numpy as np
import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge

import service
from model.architecture import CLASSES

DURATION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
CONFIDENCE_BUCKETS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999, 1)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


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


class Instruments:
    """The metrics of one application, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._measure_requests()
        self._measure_answers()
        self._measure_models()
        self._measure_feedback()

    def _measure_requests(self) -> None:
        counter = partial(Counter, registry=self.registry)
        seconds = partial(Histogram, registry=self.registry, buckets=DURATION_BUCKETS)
        self.requests = counter("digits_requests", "Requests answered", ["route", "status"])
        self.duration = seconds(
            "digits_request_duration_seconds", "Time from routing to the finished answer", ["route"]
        )
        self.in_flight = Gauge(
            "digits_requests_in_flight",
            "Requests being answered now",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.stages = seconds(
            "digits_stage_duration_seconds",
            "Time of a request in each stage of the pipeline",
            ["stage"],
        )
        self.failures = seconds(
            "digits_failure_duration_seconds",
            "Time of a request to predict that was not answered with a prediction",
        )
        self.refused = counter(
            "digits_refused", "Requests refused, by the code of the error", ["code"]
        )

    def _measure_answers(self) -> None:
        counter = partial(Counter, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.predictions = counter("digits_predictions", "Predictions by digit", ["digit"])
        self.rejected = counter("digits_rejected", "Predictions that were not accepted", ["reason"])
        self.images = counter(
            "digits_images",
            "Images predicted, by the version that did and whether it stands by its answer",
            ["version", "accepted"],
        )
        self.confidence = histogram(
            "digits_confidence", "Confidence of predictions", buckets=CONFIDENCE_BUCKETS
        )
        self.batch_size = histogram(
            "digits_batch_size", "Images in a request", buckets=BATCH_BUCKETS
        )
        self.last_inference = Gauge(
            "digits_last_inference_timestamp_seconds",
            "When a request was last predicted, in Unix time",
            multiprocess_mode="max",
            registry=self.registry,
        )
        for digit in range(CLASSES):  # one that was never seen is a 0, not a gap
            self.predictions.labels(str(digit))

    def _measure_models(self) -> None:
        counter = partial(Counter, registry=self.registry)
        latest = partial(Gauge, registry=self.registry, multiprocess_mode="livemax")
        self.model_info = latest(
            "digits_model_info",
            "1 for the model that is served, 0 for one that was",
            ["name", "version", "digest"],
        )
        self.model_load = latest(
            "digits_model_load_seconds", "Time to read, verify and warm up the model"
        )
        self.model_created = latest(
            "digits_model_created_timestamp_seconds",
            "When the file of the served model was written, in Unix time",
        )
        self.current = Gauge(
            "digits_model_current",
            "1 while the champion of the store is what is served, 0 while it is not",
            multiprocess_mode="livemin",
            registry=self.registry,
        )
        self.reloads = counter(
            "digits_reloads", "Models that were to be served instead of another", ["result"]
        )
        self.shadow_images = counter(
            "digits_shadow_images",
            "Images that were shown to a challenger after the champion had answered",
            ["version"],
        )
        self.shadow_disagreements = counter(
            "digits_shadow_disagreements",
            "Those that it read as another digit, by the champion's digit",
            ["version", "digit"],
        )
        build = latest(
            "digits_build_info",
            "1 for the version of the service and of what it runs on",
            ["version", "python", "numpy"],
        )
        python = ".".join(map(str, sys.version_info[:3]))
        build.labels(service.__version__, python, np.__version__).set(1)
        for result in ("succeeded", "failed"):  # or nobody would see the first one come
            self.reloads.labels(result)

    def _measure_feedback(self) -> None:
        counter = partial(Counter, registry=self.registry)
        self.captures = counter(
            "digits_captures", "Images that were stored for feedback, or dropped", ["result"]
        )
        self.feedback = counter(
            "digits_feedback", "Labels that were sent, by what became of them", ["result"]
        )
        self.feedback_failures = counter(
            "digits_feedback_database_failures",
            "Times that the database for feedback could not be used",
        )
