"""The request pipeline, free of any web framework: read, classify, write."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from model import Artifact, Classifier, Explanation, Prediction
from model.classifier import Seen
from model.frame import Manner
from service.batches import Batch, check_frames, only
from service.errors import RouteError
from service.exchange import MODEL_VERSION, Reply, Request
from service.metrics import Metrics
from service.models import Models

log = logging.getLogger("digits.inference")


class Question(NamedTuple):
    """What every dialect makes of a request to predict.

    manner: whether images are normalized, as ``model.normalizer`` has it.
    write: makes the reply from what a model says about each image.
    version: of the model that is asked, where one is named.
    """

    batch: Batch
    manner: Manner
    write: Callable[[Artifact, Sequence[Prediction]], Reply]
    version: int | None = None


# From a Request, and the parameters of its route as text, to a Question.
Reader: TypeAlias = Callable[..., Question]


class Asked(NamedTuple):
    """A question, the request that it came with, who is asked, and the seconds to read it."""

    question: Question
    request: Request
    classifier: Classifier
    seconds: float


# Who is shown what was answered to a request, and by which model.
Watch: TypeAlias = Callable[[Request, Artifact, Seen], None]


@dataclass(frozen=True)
class Inference:
    """The one way of every request, in whatever dialect, through the classifier it is for."""

    models: Models
    metrics: Metrics
    watchers: Sequence[Watch] = ()

    def answer(self, request: Request, read: Callable[[], Question]) -> Reply:
        """The reply to what ``read`` returns; raises what it raises, and NotAFrame."""
        [reply] = self.answer_together([self.ask(request, read)])
        if isinstance(reply, Exception):
            raise reply
        return reply

    def ask(self, request: Request, read: Callable[[], Question]) -> Asked:
        """Read a question; raises what ``read`` and ``Models.choose`` raise, and NotAFrame."""
        began = time.perf_counter()
        try:
            question = read()
            classifier = self.models.choose(request, question.version)
            if question.manner == "never":
                check_frames(question.batch)
        except RouteError:  # of another model: no failure of those at hand
            raise
        except Exception:
            self.metrics.count_failure(time.perf_counter() - began)
            raise
        return Asked(question, request, classifier, time.perf_counter() - began)

    def answer_together(self, asked: Sequence[Asked]) -> list[Reply | Exception]:
        """The replies to questions that came at the same time, in their order.

        Their images go through the network together, which takes some of them half the time.
        Where that fails, each goes by itself: what one has broken breaks no other.
        """
        began = time.perf_counter()
        try:
            seen = _look(asked)
        except Exception as error:  # noqa: BLE001 - it is handed on
            failure = error
        else:
            seconds = time.perf_counter() - began
            told = zip(asked, seen, strict=True)
            return [self._write(one, its_own, seconds) for one, its_own in told]
        if len(asked) > 1:
            return [reply for one in asked for reply in self.answer_together([one])]
        self.metrics.count_failure(asked[0].seconds + time.perf_counter() - began)
        return [failure]

    def _write(self, asked: Asked, seen: Seen, seconds: float) -> Reply | Exception:
        began, artifact = time.perf_counter(), asked.classifier.artifact
        try:
            reply = asked.question.write(artifact, seen.predictions)
        except Exception as error:  # noqa: BLE001 - it is handed on
            taken = asked.seconds + seconds + time.perf_counter() - began
            self.metrics.count_failure(taken)
            return error
        reply.predicted = artifact.version, seen.predictions
        reply.headers[MODEL_VERSION] = str(artifact.version)
        encoding = time.perf_counter() - began
        self.metrics.count_answer(
            artifact.version, seen.predictions, asked.seconds, seconds, encoding
        )
        self._show(asked.request, artifact, seen)
        return reply

    def _show(self, request: Request, artifact: Artifact, seen: Seen) -> None:
        """Tell those who watch. Whatever becomes of that, the answer is there to be sent."""
        for watch in self.watchers:
            try:
                watch(request, artifact, seen)
            except Exception:
                log.exception("request %s: what was answered could not be noted", request.id)

    def explain(
        self, request: Request, batch: Batch, manner: Manner = "auto", version: int | None = None
    ) -> tuple[Artifact, Explanation]:
        """Why one image is read as it is, and by which model.

        Raises NotOneImage, NotAFrame, and what ``Models.choose`` raises. It is not counted
        among the predictions: it is asked for to look at.
        """
        image = only(batch)
        if manner == "never":
            check_frames(batch)
        classifier = self.models.choose(request, version)
        return classifier.artifact, classifier.explain(image, manner)


def _look(asked: Sequence[Asked]) -> list[Seen]:
    """What is seen in the images of each; those that are asked alike go together."""
    if len(asked) == 1:
        [(question, _, classifier, _)] = asked
        return [classifier.look(question.batch.images, question.manner)]
    alike = defaultdict[tuple[Classifier, Manner], list[int]](list)
    for index, one in enumerate(asked):
        alike[one.classifier, one.question.manner].append(index)
    parts = dict[int, Seen]()
    for (classifier, manner), indices in alike.items():
        batches = [asked[index].question.batch.images for index in indices]
        seen, end = classifier.look([image for batch in batches for image in batch], manner), 0
        for index, batch in zip(indices, batches, strict=True):
            start, end = end, end + len(batch)
            parts[index] = seen.part(start, end)
    return [parts[index] for index in range(len(asked))]
