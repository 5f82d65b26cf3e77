"""The request pipeline, free of any web framework: read, classify, write."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TypeAlias

from model import Artifact, Classifier, Explanation, Prediction
from model.frame import Manner
from service.batches import Batch, check_frames, only
from service.errors import RouteError
from service.exchange import Reply
from service.metrics import Metrics


class Question(NamedTuple):
    """What every dialect makes of a request to predict.

    manner: whether images are normalized, as ``model.normalizer`` has it.
    write: makes the reply from what a model says about each image.
    """

    batch: Batch
    manner: Manner
    write: Callable[[Artifact, Sequence[Prediction]], Reply]


# From a Request, and the parameters of its route as text, to a Question.
Reader: TypeAlias = Callable[..., Question]


class Asked(NamedTuple):
    """A question, and the seconds that it took to read it."""

    question: Question
    seconds: float


@dataclass(frozen=True)
class Inference:
    """The one way of every request, in whatever dialect, through one classifier."""

    classifier: Classifier
    metrics: Metrics

    def answer(self, read: Callable[[], Question]) -> Reply:
        """The reply to what ``read`` returns; raises what it raises, and NotAFrame."""
        [reply] = self.answer_together([self.ask(read)])
        if isinstance(reply, Exception):
            raise reply
        return reply

    def ask(self, read: Callable[[], Question]) -> Asked:
        """Read a question; raises what ``read`` raises, and NotAFrame."""
        began = time.perf_counter()
        try:
            question = read()
            if question.manner == "never":
                check_frames(question.batch)
        except RouteError:  # of another model: no failure of this one
            raise
        except Exception:
            self.metrics.count_failure(time.perf_counter() - began)
            raise
        return Asked(question, time.perf_counter() - began)

    def answer_together(self, asked: Sequence[Asked]) -> list[Reply | Exception]:
        """The replies to questions that came at the same time, in their order.

        Their images go through the network together, which takes some of them half the time.
        Where that fails, each goes by itself: what one has broken breaks no other.
        """
        began = time.perf_counter()
        try:
            predictions = self._classify([question for question, _ in asked])
        except Exception as error:  # noqa: BLE001 - it is handed on
            if len(asked) > 1:
                return [reply for one in asked for reply in self.answer_together([one])]
            self.metrics.count_failure(asked[0].seconds + time.perf_counter() - began)
            return [error]
        seconds = time.perf_counter() - began
        return [
            self._write(one, said, seconds) for one, said in zip(asked, predictions, strict=True)
        ]

    def _classify(self, questions: Sequence[Question]) -> list[list[Prediction]]:
        """What is said about the images of each; those that are normalized alike go together."""
        if len(questions) == 1:
            [(batch, manner, _)] = questions
            return [self.classifier.classify(batch.images, manner)]
        said = dict[Manner, Iterator[Prediction]]()
        for manner in {question.manner for question in questions}:
            batches = [question.batch.images for question in questions if question.manner == manner]
            images = [image for batch in batches for image in batch]
            said[manner] = iter(self.classifier.classify(images, manner))
        return [list(islice(said[manner], len(batch.images))) for batch, manner, _ in questions]

    def _write(
        self, asked: Asked, predictions: Sequence[Prediction], seconds: float
    ) -> Reply | Exception:
        began = time.perf_counter()
        try:
            reply = asked.question.write(self.classifier.artifact, predictions)
        except Exception as error:  # noqa: BLE001 - it is handed on
            taken = asked.seconds + seconds + time.perf_counter() - began
            self.metrics.count_failure(taken)
            return error
        encoding = time.perf_counter() - began
        self.metrics.count_answer(predictions, asked.seconds, seconds, encoding)
        return reply

    def explain(self, batch: Batch, manner: Manner = "auto") -> Explanation:
        """Why one image is read as it is; raises NotOneImage or NotAFrame.

        It is not counted among the predictions: it is asked for to look at.
        """
        image = only(batch)
        if manner == "never":
            check_frames(batch)
        return self.classifier.explain(image, manner)
