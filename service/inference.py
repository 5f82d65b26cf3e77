"""The request pipeline, free of any web framework: a body in, an answer out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model import Classifier
from model.architecture import FRAME_SIDE
from model.frame import Manner
from service import errors, images, payloads
from service.metrics import Metrics
from service.settings import Settings

MEDIA_TYPES = ("application/json", *images.FORMATS)

Form: TypeAlias = Literal["json", "png"]
FORMS: Mapping[Form, str] = {"json": "application/json", "png": "image/png"}  # of an explanation


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
        pictures = self._decode(body, media_type(content_type), manner)
        predictions = self.classifier.classify(pictures, manner)
        self.metrics.count_predictions(predictions)
        artifact = self.classifier.artifact
        return payloads.answer(artifact.name, artifact.version, predictions, request_id)

    def explain(
        self,
        body: bytes,
        content_type: str | None,
        request_id: str,
        form: Form = "json",
        manner: Manner = "auto",
    ) -> bytes:
        """Why one image is read as it is, as JSON or as a PNG picture; raises RequestError.

        It is not counted among the predictions: it is asked for to look at.
        """
        pictures = self._decode(body, media_type(content_type), manner)
        if len(pictures) > 1:
            raise errors.NotOneImage(
                "instances", f"instances has {len(pictures)} images; send one at a time"
            )
        [picture] = pictures
        why = self.classifier.explain(picture, manner)
        if form == "png":
            from service.pictures import draw  # noqa: PLC0415 - 2 MB that few workers ever need

            return draw(picture, why)
        artifact = self.classifier.artifact
        return payloads.explanation_answer(artifact.name, artifact.version, why, request_id)

    def _decode(self, body: bytes, kind: str, manner: Manner) -> list[NDArray[np.uint8]]:
        if not body:
            raise errors.EmptyBody("body", f"the body is empty; send {' or '.join(MEDIA_TYPES)}")
        if kind == "application/json":
            pictures = payloads.images_from_json(body, self.settings.max_batch)
        else:
            pictures = [images.decode(body, kind, self.settings.max_image_pixels)]
        if manner == "never":
            check_frames(pictures)
        return pictures


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
