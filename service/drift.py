"""Whether what is served is still like what the model was made from.

Each worker counts what it serves in the bins of its model's reference (``model/reference.py``)
and keeps the counts of the last while in a file; whoever is asked adds those of all workers up.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from model import Artifact
from model.classifier import Seen
from model.frame import Frame
from model.reference import MINIMUM_SAMPLES, Counts, Served, histograms, samples
from service import drift_report, slices
from service.exchange import Request
from service.settings import DRIFT_FILE

Batch: TypeAlias = tuple[Sequence[Frame], Sequence[int], Sequence[float], Sequence[float]]

BETWEEN_TICKS = 512  # frames that a worker counts at once, in 1.5 ms of a thread; no more

log = logging.getLogger("digits.drift")


class Drift:
    """What one worker has served of late, and what all of them have. Threads may call at once."""

    def __init__(
        self,
        artifact: Artifact,
        seconds: float,
        clock: Callable[[], float] = time.time,
        between_ticks: int = BETWEEN_TICKS,
    ) -> None:
        """seconds: how far back is looked. A model without a reference is not watched."""
        self._room = between_ticks
        self._artifact = artifact
        self._reference = artifact.reference
        self._width = seconds / slices.SLICES
        self._about = f"{artifact.digest()} by {self._width:g} seconds"
        self._clock = clock
        self._lock = Lock()
        self._waiting: list[Batch] = []
        self._held = 0  # frames that wait
        self._slices: slices.Slices = {}  # replaced, never changed: it is read without the lock
        self._written: slices.Slices = self._slices
        self._file: Path | None = None
        self._fault = ""

    def follow(self, artifact: Artifact) -> None:
        """Begin anew with another model, whose reference is another."""
        with self._lock:
            self._artifact, self._reference = artifact, artifact.reference
            self._about = f"{artifact.digest()} by {self._width:g} seconds"
            self._waiting, self._held = [], 0
            self._slices = self._written = {}

    def watch(self, _request: Request, artifact: Artifact, seen: Seen) -> None:
        """What was answered to one request; by another model than is followed, it is left out."""
        if artifact is self._artifact and self._held < self._room:
            digits = [one.digit for one in seen.predictions]
            confidences = [one.confidence for one in seen.predictions]
            self.observe(seen.frames, digits, confidences, seen.energies)

    def observe(
        self,
        frames: Sequence[Frame],
        digits: Sequence[int],
        confidences: Sequence[float],
        energies: Sequence[float],
    ) -> None:
        """What was served to one request: one of each a frame, energies in nats.

        It waits for the next ``tick``; what is more than ``BETWEEN_TICKS`` is left out.
        """
        with self._lock:
            room = self._room - self._held
            if self._reference is None or room <= 0:
                return
            self._held += min(len(frames), room)
            self._waiting.append(
                (frames[:room], digits[:room], confidences[:room], energies[:room])
            )

    def keep(self, directory: Path, slot: int) -> None:
        """From now on keep the counts in the file of this slot, and go on with those in it."""
        self._file = directory / DRIFT_FILE.format(slot=slot)
        with self._lock:
            left = slices.read(self._file, self._about)
            self._slices = self._written = slices.together([self._slices, left])

    def tick(self) -> None:
        """Count what waits and write it down; to be called once a second.

        A file that cannot be written is told in the log, once, and tried again.
        """
        self._count()
        counted = self._slices
        if self._file is None or counted is self._written:
            return
        try:
            slices.write(self._file, self._about, counted)
            self._written, fault = counted, ""
        except OSError as error:
            fault = error.strerror or "cannot be written"
        if fault and fault != self._fault:
            log.error("%s: %s; until it is mended other workers do not know", self._file, fault)
        self._fault = fault

    def report(self) -> dict[str, Any]:
        """What is answered at ``/drift``."""
        return drift_report.document(self._artifact, self._all_workers(), self._width)

    def collect(self) -> Iterator[Metric]:
        """The gauges, of all workers together; an index that says nothing yet is left out."""
        served = drift_report.total(self._all_workers())
        index = GaugeMetricFamily(
            "digits_drift_psi", "Population stability index", labels=["feature"]
        )
        if self._reference and samples(served) >= MINIMUM_SAMPLES:
            for name, value in self._reference.psi(served).items():
                index.add_metric([name], float(value))
        yield index
        yield GaugeMetricFamily(
            "digits_drift_samples", "Images that drift is told from", samples(served)
        )

    def _count(self) -> int:
        """Count what waits; returns the number of the slice that it is now."""
        last = slices.number(self._clock(), self._width)
        with self._lock:
            waiting, self._waiting, self._held = self._waiting, [], 0
        if waiting and self._reference:
            parts = (
                [each for part in parts for each in part] for parts in zip(*waiting, strict=True)
            )
            counts = histograms(Served.of(*parts), self._reference.energy_edges)
            with self._lock:
                both = slices.together([self._slices, {last: counts}])
                self._slices = slices.recent(both, last)
        return last

    def _all_workers(self) -> dict[int, Counts]:
        """The slices of the window that ends now, of every worker, in order."""
        last = self._count()
        file = self._file
        found = file.parent.glob(DRIFT_FILE.format(slot="*")) if file else []
        others = [slices.read(other, self._about) for other in found if other != file]
        return slices.recent(slices.together([self._slices, *others]), last)
