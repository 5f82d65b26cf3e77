"""Same digit, same answer: one drawing gives one answer, however it is saved."""

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray

from tests.service.encodings import DIGITS, ENCODINGS, File, draw

TOLERANCE = 0.02  # of the confidence

DRAWINGS: dict[int, NDArray[np.uint8]] = {digit: draw(strokes) for digit, strokes in DIGITS.items()}


def answer(client: FlaskClient, sent: File) -> tuple[int, float, bool]:
    """Digit, confidence and whether the answer is accepted."""
    response = client.post("/predict", data=sent.body, content_type=sent.content_type)
    assert response.status_code == 200, response.data
    (prediction,) = response.get_json()["predictions"]
    return prediction["digit"], prediction["confidence"], prediction["accepted"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("digit", DIGITS)
def test_a_drawing_is_answered_alike_however_it_is_saved(
    client: FlaskClient, digit: int, encoding: str
) -> None:
    drawing = DRAWINGS[digit]
    plain = answer(client, ENCODINGS["rgb png"](drawing))
    saved = answer(client, ENCODINGS[encoding](drawing))
    assert plain[0] == saved[0] == digit
    assert plain[2]
    assert saved[2]
    assert saved[1] == pytest.approx(plain[1], abs=TOLERANCE)
