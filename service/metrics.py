"""How what is measured gets into the metrics (``instruments.py`` has them all).

A request is counted in a dozen places. Each is noted in memory, in less than a
microsecond, and ``write`` brings what was noted to the files of the worker (see
``metric_files.py``), many requests at a time.
"""

import contextlib
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from prometheus_client.registry import Collector

from model import Artifact, Prediction
from service import metric_files
from service.instruments import Instruments

CONTENT_TYPE = CONTENT_TYPE_LATEST

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


class Metrics(Instruments):
    """All metrics of one application, and what is to be written to them.

    gathers: whether somebody calls ``write`` now and then, so that requests need not.
    """

    def __init__(self) -> None:
        super().__init__()
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
        by_version = defaultdict[int, list[Prediction]](list)
        for version, predictions, _ in answers:
            by_version[version] += predictions
        for version, said in by_version.items():
            self._write_predictions(str(version), said)

    def _write_predictions(self, version: str, said: Sequence[Prediction]) -> None:
        self.confidence.observe_all([prediction.confidence for prediction in said])
        for digit, count in Counter(prediction.digit for prediction in said).items():
            self.predictions.labels(str(digit)).inc(count)
        for reason, count in Counter(prediction.reason for prediction in said).items():
            self.images.labels(version, "true" if reason is None else "false").inc(count)
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


def _taken(notes: list[Note]) -> list[Note]:
    """The notes, which are not there any more; those made meanwhile are."""
    taken = notes[:]
    del notes[: len(taken)]
    return taken
