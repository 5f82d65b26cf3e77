"""Digits whose answers are known from the model itself, with no service in between."""

import json
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np

from model import Classifier
from model.store import RELEASES, Store
from tests.faults.load import Shot, shot
from tests.model.drawing import DIGITS, shaded, written
from tests.server import Server
from tests.service.cases import JSON, pixels_json

COMPARED = ("digit", "accepted", "reason", "probabilities")
TOLERANCE = 2e-6  # of a probability, with what is computed beside it


def _is_as(known: Mapping[int, Mapping[str, Any]], body: bytes) -> bool:
    """Whether an answer says what the model of its version says."""
    document = json.loads(body)
    expected = known[document["model"]["version"]]
    (said,) = document["predictions"]
    shares, confidence = said["probabilities"], said["confidence"]
    return (
        bool(np.allclose(shares, expected["probabilities"], rtol=0, atol=TOLERANCE))
        and abs(confidence - max(shares)) < TOLERANCE
        and all(said[name] == expected[name] for name in ("digit", "accepted", "reason"))
    )


@cache
def golden() -> list[Shot]:
    """Ten drawn digits as predictions in JSON."""
    ink = [written(DIGITS[digit], (28, 28), (4, 9), 20, 2.5) for digit in DIGITS]
    frames = [shaded(sheet, on=0, pen=255) for sheet in ink]
    store = Store(RELEASES)
    said = {
        version: Classifier.load(store.path(version)).classify(frames)
        for version in store.versions()
    }
    shots = []
    for number, frame in enumerate(frames):
        known = {
            version: {name: getattr(predictions[number], name) for name in COMPARED}
            for version, predictions in said.items()
        }
        body = pixels_json(frame.ravel().tolist())
        shots.append(shot("golden", "/predict", body, JSON, partial(_is_as, known)))
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
