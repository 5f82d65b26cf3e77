"""A verified artifact made ready to answer: images in, predictions out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model import artifact as artifacts
from model import normalizer
from model.artifact import Artifact
from model.errors import InputError
from model.network import scale_pixels

Reason: TypeAlias = Literal["low_confidence", "blank"]


@dataclass(frozen=True)
class Prediction:
    """What is said about one image.

    probabilities: one per label, calibrated, summing to 1. reason: why the
    prediction is not accepted, None when it is.
    """

    digit: int
    confidence: float
    probabilities: tuple[float, ...]
    reason: Reason | None
    warnings: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether the model stands by its answer."""
        return self.reason is None


class Classifier:
    """One model, ready: ``Classifier.load(path).classify(images)``."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self._network = artifact.network

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """Read, verify and warm up the artifact at ``path``; raises ArtifactError."""
        classifier = cls(artifacts.read(path))
        classifier.classify(classifier.artifact.golden_images)  # first-call costs are paid here
        return classifier

    def classify(self, images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> list[Prediction]:
        """Predict each greyscale uint8 image (H, W), of any size; raises InputError."""
        if len(images) == 0:
            raise InputError("there is no image to classify")
        frames = [normalizer.normalize(image) for image in images]
        logits = self._network.logits(scale_pixels(np.stack([frame.pixels for frame in frames])))
        probabilities = self.artifact.confidence.probabilities(logits)
        return [self._judge(frame, row) for frame, row in zip(frames, probabilities, strict=True)]

    def _judge(self, frame: normalizer.Frame, probabilities: NDArray[np.float64]) -> Prediction:
        best = int(probabilities.argmax())
        confidence = float(probabilities[best])
        reason: Reason | None = None
        if frame.blank:
            reason = "blank"
        elif not self.artifact.confidence.accepts(confidence):
            reason = "low_confidence"
        return Prediction(
            digit=self.artifact.labels[best],
            confidence=confidence,
            probabilities=tuple(probabilities.tolist()),
            reason=reason,
            warnings=frame.warnings,
        )
