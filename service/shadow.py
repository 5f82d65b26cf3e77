"""A challenger in shadow: it sees what the champion has answered, and nobody waits for it."""

import logging
from collections import Counter
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

from model import Artifact, Classifier, Prediction
from model.classifier import Seen
from model.frame import Frame
from service.exchange import Request
from service.metrics import Metrics
from service.models import Models
from service.sampling import is_among

# Images that a worker shows a challenger in one second: at most 70 ms of a thread with the
# largest network (0.5 to 1 ms an image).
BETWEEN_TICKS = 64

log = logging.getLogger("digits.shadow")


class Answered(NamedTuple):
    """What the champion has said about the images of one request."""

    request_id: str
    version: int
    frames: Sequence[Frame]
    predictions: Sequence[Prediction]


class Shadow:
    """Shows a sample of what is answered to the challenger, and counts where it disagrees."""

    def __init__(self, models: Models, metrics: Metrics, percent: int) -> None:
        """percent: of the requests that are shown to the challenger."""
        self._models = models
        self._metrics = metrics
        self._percent = percent
        self._lock = Lock()
        self._waiting: list[Answered] = []
        self._held = 0  # images that wait

    def watch(self, request: Request, artifact: Artifact, seen: Seen) -> None:
        """What was answered to one request; by another model than the champion, it is left out."""
        models = self._models
        if models.challenger is None or artifact is not models.classifier.artifact:
            return
        if not is_among(self._percent, request.id, "shadow"):
            return
        with self._lock:
            room = BETWEEN_TICKS - self._held
            if room > 0:
                part = seen.part(0, room)
                self._waiting.append(
                    Answered(request.id, artifact.version, part.frames, part.predictions)
                )
                self._held += len(part.frames)

    def tick(self) -> None:
        """Show the challenger what waits; to be called once a second, by one thread."""
        with self._lock:
            waiting, self._waiting, self._held = self._waiting, [], 0
        challenger = self._models.challenger
        if waiting and challenger is not None:
            self._compare(challenger, waiting)

    def _compare(self, challenger: Classifier, answered: Sequence[Answered]) -> None:
        frames = [frame for one in answered for frame in one.frames]
        said = [(one, prediction) for one in answered for prediction in one.predictions]
        found = challenger.judge(frames).predictions
        version, differing = str(challenger.version), Counter[tuple[int, int, int]]()
        example: dict[tuple[int, int, int], str] = {}
        for (one, first), second in zip(said, found, strict=True):
            if first.digit != second.digit:
                kind = one.version, first.digit, second.digit
                differing[kind] += 1
                example[kind] = one.request_id
        self._metrics.shadow_images.labels(version).inc(len(frames))
        for (before, digit, other), count in sorted(differing.items()):
            self._metrics.shadow_disagreements.labels(version, str(digit)).inc(count)
            log.info(
                "version %s reads %d where version %d read %d: %d of %d images, as in request %s",
                *(version, other, before, digit, count, len(frames)),
                example[before, digit, other],
            )
