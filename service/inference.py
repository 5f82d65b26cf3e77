"""The request pipeline, free of any web framework: a body in, an answer out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model import Classifier
from model.architecture import FRAME_SIDE
from model.frame import Manner
from service import errors, images, payloads
from service.metrics import Metrics
from service.settings import Settings

MEDIA_TYPES = ("application/json", *images.FORMATS)


@dataclass(frozen=True)
class Inference:
    """Decode, predict, encode: the whole way of one request through one classifier."""

    classifier: Classifier
    settings: Settings
    metrics: Metrics

    def predict(
        self, body: bytes, content_type: str | None, request_id: str, manner: Manner = "auto"
    ) -> bytes:
        """Answer one request body as JSON; raises RequestError.

        manner: whether images are normalized, as ``model.normalizer`` has it.
        """
        pictures = self._decode(body, media_type(content_type))
        if manner == "never":
            check_frames(pictures)
        predictions = self.classifier.classify(pictures, manner)
        self.metrics.count_predictions(predictions)
        artifact = self.classifier.artifact
        return payloads.answer(artifact.name, artifact.version, predictions, request_id)

    def _decode(self, body: bytes, kind: str) -> list[NDArray[np.uint8]]:
        if not body:
            raise errors.EmptyBody("body", f"the body is empty; send {' or '.join(MEDIA_TYPES)}")
        if kind == "application/json":
            return payloads.images_from_json(body, self.settings.max_batch)
        return [images.decode(body, kind, self.settings.max_image_pixels)]


def check_frames(pictures: Sequence[NDArray[np.uint8]]) -> None:
    """Raise NotAFrame for the first picture (H, W) that only the normalizer makes a frame of."""
    for index, picture in enumerate(pictures):
        height, width = picture.shape
        if (height, width) != (FRAME_SIDE, FRAME_SIDE):
            raise errors.NotAFrame(
                "body" if len(pictures) == 1 else f"body[{index}]",
                f"the image has {width} x {height} pixels and may not be normalized; "
                f"send {FRAME_SIDE} x {FRAME_SIDE} pixels, or leave out normalize=never",
            )


def media_type(content_type: str | None) -> str:
    """The media type of a Content-Type header, without parameters; raises MediaTypeError."""
    allowed = f"send one of {', '.join(MEDIA_TYPES)}"
    if not content_type:
        raise errors.MissingContentType("Content-Type", f"there is no Content-Type; {allowed}")
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in MEDIA_TYPES:
        raise errors.UnsupportedMediaType("Content-Type", f"this type is not read here; {allowed}")
    return kind
