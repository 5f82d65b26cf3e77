"""The request pipeline, free of any web framework: read, classify, write."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from model import Classifier, Explanation, Prediction
from model.frame import Manner
from service.batches import Batch, check_frames, only
from service.metrics import Metrics


class Asked(Protocol):
    """What every dialect reads from a request, beside what only it knows of.

    manner: whether images are normalized, as ``model.normalizer`` has it.
    """

    @property
    def batch(self) -> Batch:
        """The images."""

    @property
    def manner(self) -> Manner:
        """As the client wishes."""


Question = TypeVar("Question", bound=Asked)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Inference:
    """The one way of every request, in whatever dialect, through one classifier."""

    classifier: Classifier
    metrics: Metrics

    def answer(
        self,
        read: Callable[[], Question],
        write: Callable[[Question, Sequence[Prediction]], Answer],
    ) -> Answer:
        """What ``write`` makes of the predictions for what ``read`` returns.

        Raises what ``read`` raises, and NotAFrame.
        """
        began = time.perf_counter()
        try:
            asked = read()
            if asked.manner == "never":
                check_frames(asked.batch)
            decoded = time.perf_counter()
            predictions = self.classifier.classify(asked.batch.images, asked.manner)
            classified = time.perf_counter()
            answer = write(asked, predictions)
        except Exception:
            self.metrics.count_failure(time.perf_counter() - began)
            raise
        encoded = time.perf_counter()
        self.metrics.count_predictions(predictions)
        self.metrics.count_stages(decoded - began, classified - decoded, encoded - classified)
        return answer

    def explain(self, asked: Asked) -> Explanation:
        """Why one image is read as it is; raises NotOneImage or NotAFrame.

        It is not counted among the predictions: it is asked for to look at.
        """
        image = only(asked.batch)
        if asked.manner == "never":
            check_frames(asked.batch)
        return self.classifier.explain(image, asked.manner)
