"""Same digit, same answer: one drawing gives one answer, however it is saved."""

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray

from model import Artifact, Classifier
from service.app import create_app
from tests.service.conftest import SETTINGS
from tests.service.encodings import DIGITS, ENCODINGS, File, draw

TOLERANCE = 0.02  # of the confidence

DRAWINGS: dict[int, NDArray[np.uint8]] = {digit: draw(strokes) for digit, strokes in DIGITS.items()}


def confidence(client: FlaskClient, sent: File, digit: int) -> float:
    """How sure the service is of an answer that is right and accepted."""
    response = client.post("/predict", data=sent.body, content_type=sent.content_type)
    assert response.status_code == 200, response.data
    (prediction,) = response.get_json()["predictions"]
    assert (prediction["digit"], prediction["accepted"]) == (digit, True)
    return float(prediction["confidence"])


@pytest.fixture(scope="module")
def plain(shipped: Artifact) -> dict[int, float]:
    """How sure the service is of each drawing as black ink on white."""
    client = create_app(SETTINGS, Classifier(shipped)).test_client()
    encoder = ENCODINGS["rgb png"]
    return {digit: confidence(client, encoder(ink), digit) for digit, ink in DRAWINGS.items()}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_drawing_is_answered_alike_however_it_is_saved(
    client: FlaskClient, plain: dict[int, float], encoding: str
) -> None:
    for digit, drawing in DRAWINGS.items():
        saved = confidence(client, ENCODINGS[encoding](drawing), digit)
        assert saved == pytest.approx(plain[digit], abs=TOLERANCE), digit


def test_no_two_encodings_are_the_same_file() -> None:
    files = [encoder(DRAWINGS[2]) for encoder in ENCODINGS.values()]
    assert len(set(files)) == len(files)
