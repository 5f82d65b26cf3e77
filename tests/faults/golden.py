"""Digits whose answers are known from the model itself, with no service in between."""

import functools
import json
from collections.abc import Mapping, Sequence

import numpy as np

from model import Classifier, locate
from tests.faults.load import Shot, shot
from tests.model.drawing import DIGITS, shaded, written
from tests.server import Server
from tests.service.cases import JSON, pixels_json

TOLERANCE = 2e-6  # of a probability, with what is computed beside it


def _is_as(expected: Mapping[str, object], body: bytes) -> bool:
    """Whether an answer says what the model says."""
    (said,) = json.loads(body)["predictions"]
    shares, known = said.pop("probabilities"), expected["probabilities"]
    confidence = said.pop("confidence")
    return (
        bool(np.allclose(shares, known, rtol=0, atol=TOLERANCE))
        and abs(confidence - max(shares)) < TOLERANCE
        and all(said[name] == expected[name] for name in ("digit", "accepted", "reason"))
    )


@functools.cache
def golden() -> Sequence[Shot]:
    """Ten drawn digits as predictions in JSON."""
    ink = [written(DIGITS[digit], (28, 28), (4, 9), 20, 2.5) for digit in DIGITS]
    frames = [shaded(sheet, on=0, pen=255) for sheet in ink]
    shots = []
    for frame, said in zip(frames, Classifier.load(locate()).classify(frames), strict=True):
        expected = {
            "digit": said.digit,
            "accepted": said.accepted,
            "reason": said.reason,
            "probabilities": said.probabilities,
        }
        body = pixels_json(frame.ravel().tolist())
        shots.append(
            shot("golden", "/predict", body, JSON, functools.partial(_is_as, expected))
        )
    return shots


def assert_unchanged(server: Server) -> None:
    """The service is ready, and reads the digits as the model does."""
    with server.client() as client:
        assert client.get("/readyz").status == 200
        for one in golden():
            _, _, body = one.request.partition(b"\r\n\r\n")
            answer = client.predict(body, "application/json")
            assert answer.status == 200, answer.body
            assert one.is_right(answer.body), answer.body
