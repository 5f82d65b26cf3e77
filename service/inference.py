"""The request pipeline, free of any web framework: decode, classify, encode."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from model import Classifier, Explanation, Prediction
from model.frame import Manner
from service.batches import Batch, check_frames, only
from service.metrics import Metrics

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Inference:
    """The one way of every request, in whatever dialect, through one classifier."""

    classifier: Classifier
    metrics: Metrics

    def answer(
        self,
        decode: Callable[[], Batch],
        encode: Callable[[Sequence[Prediction]], Answer],
        manner: Manner = "auto",
    ) -> Answer:
        """What ``encode`` makes of the predictions for what ``decode`` reads.

        manner: whether images are normalized, as ``model.normalizer`` has it.
        Raises what ``decode`` raises, and NotAFrame.
        """
        began = time.perf_counter()
        try:
            batch = decode()
            if manner == "never":
                check_frames(batch)
            decoded = time.perf_counter()
            predictions = self.classifier.classify(batch.images, manner)
            classified = time.perf_counter()
            answer = encode(predictions)
        except Exception:
            self.metrics.count_failure(time.perf_counter() - began)
            raise
        encoded = time.perf_counter()
        self.metrics.count_predictions(predictions)
        self.metrics.count_stages(decoded - began, classified - decoded, encoded - classified)
        return answer

    def explain(self, batch: Batch, manner: Manner = "auto") -> Explanation:
        """Why one image is read as it is; raises NotOneImage or NotAFrame.

        It is not counted among the predictions: it is asked for to look at.
        """
        image = only(batch)
        if manner == "never":
            check_frames(batch)
        return self.classifier.explain(image, manner)
