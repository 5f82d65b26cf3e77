"""POST /predict: what may be sent, and the one shape of the answer."""

import io
import json

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image

from model import Artifact, Classifier
from model.frame import MANNERS, Manner
from service.batches import Batch, check_frames
from service.errors import NotAFrame
from tests.helpers import table
from tests.service.cases import JPEG, JSON, PNG, encode, pixels_json, png

FRAME: NDArray[np.uint8] = np.zeros((28, 28), np.uint8)
FRAME[5:23, 12:15] = 255
FRAME[8:11, 9:12] = 180

SHARES = (FRAME / 255).tolist()


def predict(client: FlaskClient, body: bytes, headers: dict[str, str]) -> list[dict[str, object]]:
    response = client.post("/predict", data=body, headers=headers)
    assert response.status_code == 200, response.data
    predictions: list[dict[str, object]] = response.get_json()["predictions"]
    return predictions


def test_the_answer_has_one_shape(client: FlaskClient, shipped: Artifact) -> None:
    response = client.post(
        "/predict", data=pixels_json(FRAME.ravel().tolist()), headers={**JSON, "X-Request-ID": "a1"}
    )
    answer = response.get_json()
    expected = Classifier(shipped).classify([FRAME])[0]
    assert response.content_type == "application/json"
    assert answer == {
        "model": {"name": "digits", "version": shipped.version},
        "predictions": [
            {
                "digit": expected.digit,
                "confidence": pytest.approx(expected.confidence, abs=1e-6),
                "accepted": expected.accepted,
                "reason": expected.reason,
                "probabilities": pytest.approx(list(expected.probabilities), abs=1e-6),
                "warnings": [],
            }
        ],
        "request_id": "a1",
    }


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(pixels_json(FRAME.tolist()), JSON, id="28 rows"),
        pytest.param(pixels_json(SHARES), JSON, id="rows of 0-1"),
        pytest.param(pixels_json(np.ravel(SHARES).tolist()), JSON, id="784 of 0-1"),
        pytest.param(pixels_json(FRAME.astype(float).tolist()), JSON, id="floats of 0-255"),
        pytest.param(json.dumps({"instances": [FRAME.tolist()]}).encode(), JSON, id="instances"),
        pytest.param(
            pixels_json(FRAME.tolist()),
            {"Content-Type": "Application/JSON; charset=utf-8"},
            id="content type in other words",
        ),
        pytest.param(png(FRAME), PNG, id="png"),
        pytest.param(encode(Image.fromarray(FRAME).convert("RGB"), "PNG"), PNG, id="rgb png"),
    ],
)
def test_the_same_image_in_other_words_is_answered_alike(
    client: FlaskClient, body: bytes, headers: dict[str, str]
) -> None:
    plain = predict(client, pixels_json(FRAME.ravel().tolist()), JSON)
    assert predict(client, body, headers) == plain


def test_a_binary_image_of_ones_is_full_ink(client: FlaskClient) -> None:
    binary = (FRAME > 0).astype(int)
    shades = predict(client, pixels_json((binary * 255).tolist()), JSON)
    assert predict(client, pixels_json(binary.tolist()), JSON) == shades


def test_a_batch_is_answered_in_its_order(client: FlaskClient) -> None:
    images = [FRAME, FRAME.T.copy(), np.zeros_like(FRAME)]
    body = json.dumps({"instances": [image.tolist() for image in images]}).encode()
    singly = [predict(client, pixels_json(image.tolist()), JSON)[0] for image in images]
    for together, alone in zip(predict(client, body, JSON), singly, strict=True):
        assert together["digit"] == alone["digit"]
        assert together["probabilities"] == pytest.approx(alone["probabilities"], abs=2e-6)


@pytest.mark.parametrize("shade", [0, 100, 255])
def test_a_blank_is_refused_with_a_reason(client: FlaskClient, shade: int) -> None:
    (prediction,) = predict(client, png(np.full((60, 40), shade)), PNG)
    assert (prediction["accepted"], prediction["reason"]) == (False, "blank")


@table(
    "query, manner",
    {
        "nothing said": ("", "auto"),
        "auto": ("?normalize=auto", "auto"),
        "always": ("?normalize=always", "always"),
        "never": ("?normalize=never", "never"),
    },
)
def test_an_image_is_normalized_as_it_is_asked_for(
    client: FlaskClient, shipped: Artifact, query: str, manner: Manner
) -> None:
    light = 255 - FRAME  # of which every manner makes another frame
    expected = {known: Classifier(shipped).classify([light], known)[0] for known in MANNERS}
    assert len({prediction.confidence for prediction in expected.values()}) == len(MANNERS)
    response = client.post(f"/predict{query}", data=png(light), headers=PNG)
    (prediction,) = response.get_json()["predictions"]
    assert prediction["probabilities"] == pytest.approx(expected[manner].probabilities, abs=1e-6)


def test_the_picture_of_a_batch_that_is_no_frame_is_named() -> None:
    with pytest.raises(NotAFrame, match="27 x 28 pixels") as refusal:
        check_frames(Batch([FRAME, FRAME, FRAME[:, 1:]], "image", several=True))
    assert refusal.value.field == "image[2]"


def drawing() -> Image.Image:
    """The frame's stroke in black ink on a large white sheet, off its centre."""
    sheet = np.full((300, 200), 255, np.uint8)
    sheet[40:180, 60:160] = 255 - np.asarray(Image.fromarray(FRAME[4:24, 8:22]).resize((100, 140)))
    return Image.fromarray(sheet)


def transparent(image: Image.Image, ink: int) -> Image.Image:
    """Ink of one shade on nothing."""
    opacity = 255 - np.asarray(image)
    return Image.fromarray(np.stack([np.full_like(opacity, ink), opacity], -1), "LA")


def turned(image: Image.Image) -> bytes:
    """A JPEG lying on its side whose EXIF orientation puts it upright."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.rotate(90, expand=True).save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(encode(transparent(drawing(), 0), "PNG"), PNG, id="black on transparent"),
        pytest.param(encode(transparent(drawing(), 255), "PNG"), PNG, id="white on transparent"),
        pytest.param(encode(drawing().convert("RGB"), "JPEG"), JPEG, id="jpeg"),
        pytest.param(turned(drawing()), JPEG, id="jpeg turned by exif"),
        pytest.param(
            encode(Image.fromarray(np.asarray(drawing()).astype(np.uint16) * 257), "PNG"),
            PNG,
            id="16 bits",
        ),
        pytest.param(encode(drawing().convert("P"), "PNG"), PNG, id="palette"),
    ],
)
def test_a_drawing_is_read_alike_however_it_is_saved(
    client: FlaskClient, body: bytes, headers: dict[str, str]
) -> None:
    (plain,) = predict(client, encode(drawing(), "PNG"), PNG)
    (saved,) = predict(client, body, headers)
    assert saved["digit"] == plain["digit"]
    assert saved["confidence"] == pytest.approx(plain["confidence"], abs=0.05)


def test_black_on_white_is_said_to_be_inverted(client: FlaskClient) -> None:
    (prediction,) = predict(client, encode(drawing(), "PNG"), PNG)
    assert prediction["warnings"] == ["inverted"]


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a\tb", "é"])
def test_an_unusable_request_id_is_replaced(client: FlaskClient, sent: str) -> None:
    response = client.get("/livez", headers={"X-Request-ID": sent})
    assert response.headers["X-Request-ID"] not in {"", sent}
