"""A verified artifact made ready to answer: images in, predictions out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model import artifact as artifacts
from model import normalizer
from model.artifact import Artifact
from model.confidence import Doubt
from model.engine import Engine
from model.errors import GoldenMismatch, InputError
from model.explanation import occlusion
from model.frame import Frame, Manner, Unreadable

if TYPE_CHECKING:
    from model.signature import Trust

Reason: TypeAlias = Unreadable | Doubt

PROBABILITY_DIGITS = 7  # logits in float32 tell no more apart


class Prediction(NamedTuple):  # made in a third of the time of a frozen dataclass
    """What is said about one image.

    probabilities: one per label, calibrated, rounded to ``PROBABILITY_DIGITS``; their sum
    is 1 but for that. reason: why the prediction is not accepted, None when it is.
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


@dataclass(frozen=True)
class Explanation:
    """What was seen in one image, and what made the answer.

    prediction: as ``classify`` gives it. importance: (28, 28) float32, by how many nats
    the log-odds of the named digit fall, on average, when a patch hides that pixel of
    the frame (``model/explanation.py``). Log-odds and not the probability, since hiding
    one part of a clear digit takes its probability from 0.999999 to 0.9999.
    """

    prediction: Prediction
    frame: Frame
    importance: NDArray[np.float32]


class Seen(NamedTuple):
    """What was seen in some images, and said about them: one of each for an image.

    energies: in nats (``model/confidence.py``).
    """

    predictions: list[Prediction]
    frames: list[Frame]
    energies: list[float]

    def part(self, start: int, end: int) -> "Seen":
        """Some of the images."""
        return Seen(self.predictions[start:end], self.frames[start:end], self.energies[start:end])


class Classifier:
    """One model, ready: ``Classifier.load(path).classify(images)``."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self._engine = Engine(artifact.network)

    @classmethod
    def load(cls, path: Path, trust: "Trust | None" = None) -> "Classifier":
        """Read, verify and warm up the artifact at ``path``; raises ArtifactError.

        trust: who must have signed it, None where nobody has to.

        Reading has replayed the golden set on the network; here the engine replays it, image
        by image: that is how most requests come, and it takes the least memory.
        """
        classifier = cls(artifacts.read(path, trust=trust))
        golden = classifier.artifact.golden_images
        logits = [classifier._engine.logits(image[np.newaxis]) for image in golden]
        try:
            artifacts.check_golden(classifier.artifact, np.concatenate(logits))
        except GoldenMismatch as error:
            raise GoldenMismatch(f"{path}: {error}") from None
        classifier.classify(golden[:1])  # first-call costs are paid here
        return classifier

    @property
    def version(self) -> int:
        """The number of the model."""
        return self.artifact.version

    def classify(
        self,
        images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
        manner: Manner = "auto",
    ) -> list[Prediction]:
        """Predict each greyscale uint8 image (H, W), of any size; raises InputError.

        manner: whether images are normalized, as ``normalizer.normalize`` has it.
        """
        return self.look(images, manner).predictions

    def look(
        self,
        images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
        manner: Manner = "auto",
    ) -> Seen:
        """Predict images as ``classify`` does, and tell what that was told from."""
        if len(images) == 0:
            raise InputError("there is no image to classify")
        return self.judge(normalizer.normalize_all(images, manner))

    def explain(self, image: NDArray[np.uint8], manner: Manner = "auto") -> Explanation:
        """Predict one image as ``classify`` does, and say why; raises InputError.

        It takes as long as classifying a batch of some hundred.
        """
        frame = normalizer.normalize(image, manner)
        [prediction] = self.judge([frame]).predictions
        named = self.artifact.labels.index(prediction.digit)

        def score(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
            return self.artifact.confidence.log_odds(self._engine.logits(frames), named)

        return Explanation(prediction, frame, occlusion(frame.pixels, score))

    def judge(self, frames: list[Frame]) -> Seen:
        """Predict images that have been normalized; there has to be one."""
        logits = self._engine.logits(_stacked([frame.pixels for frame in frames]))
        judge = self.artifact.confidence
        exact, seen = judge.spread(logits)
        likeliest = exact.argmax(axis=1).tolist()
        rows = exact.round(PROBABILITY_DIGITS).tolist()
        confidences = [row[best] for row, best in zip(rows, likeliest, strict=True)]
        energies = seen.tolist()
        doubts = map(judge.doubt, confidences, energies)
        reasons = [frame.reason or doubt for frame, doubt in zip(frames, doubts, strict=True)]
        digits = map(self.artifact.labels.__getitem__, likeliest)
        warnings = [frame.warnings for frame in frames]
        told = map(Prediction, digits, confidences, map(tuple, rows), reasons, warnings)
        return Seen(list(told), frames, energies)


def _stacked(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Frames (28, 28) as one array (N, 28, 28); of a single one nothing is copied."""
    return frames[0][np.newaxis] if len(frames) == 1 else np.array(frames)
