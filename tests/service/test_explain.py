"""POST /explain: the grid, the picture, and that both are of what /predict says."""

import dataclasses
import io
import json
from typing import Any, get_args

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image, ImageFont

from model import Artifact, Classifier, Explanation
from model.classifier import Reason
from model.frame import Finding, Frame, Step
from service import answers, pictures
from tests.helpers import ROOT, table
from tests.service.cases import JSON, PNG, pixels_json, png
from tests.service.test_metrics import samples

SEVEN = (ROOT / "tests/examples/seven.png").read_bytes()

FRAME: NDArray[np.uint8] = np.zeros((28, 28), np.uint8)
FRAME[5:23, 12:15] = 255
FRAME[8:11, 9:12] = 180

BODIES = {
    "a picture": (SEVEN, PNG),
    "pixels": (pixels_json(FRAME.tolist()), JSON),
    "one instance": (json.dumps({"instances": [FRAME.tolist()]}).encode(), JSON),
    "a blank": (png(np.full((60, 40), 255)), PNG),
    "noise": (png(np.random.default_rng(5).integers(0, 256, (28, 28))), PNG),
}


def explain(
    client: FlaskClient, body: bytes, headers: dict[str, str], query: str = ""
) -> dict[str, Any]:
    response = client.post(f"/explain{query}", data=body, headers=headers)
    assert response.status_code == 200, response.data
    assert response.content_type == "application/json"
    answer: dict[str, Any] = response.get_json()
    return answer


def picture(client: FlaskClient, body: bytes, headers: dict[str, str]) -> NDArray[np.uint8]:
    response = client.post("/explain?format=png", data=body, headers=headers)
    assert (response.status_code, response.content_type) == (200, "image/png")
    with Image.open(io.BytesIO(response.data), formats=["PNG"]) as image:
        return np.asarray(image)


@table("body, headers", BODIES)
def test_the_answer_is_that_of_predict_and_its_grounds(
    client: FlaskClient, body: bytes, headers: dict[str, str]
) -> None:
    headers = {**headers, "X-Request-ID": "a1"}
    plain = client.post("/predict", data=body, headers=headers).get_json()
    answer = explain(client, body, headers)
    grounds = {name: answer.pop(name) for name in ("frame", "importance", "steps")}
    assert answer == plain
    for name in ("frame", "importance"):
        assert np.shape(grounds[name]) == (28, 28)
    assert {type(pixel) for row in grounds["frame"] for pixel in row} == {int}


def test_the_grounds_are_the_models(client: FlaskClient, shipped: Artifact) -> None:
    why = Classifier(shipped).explain(FRAME)
    answer = explain(client, *BODIES["pixels"])
    assert answer["frame"] == why.frame.pixels.tolist() == FRAME.tolist()
    np.testing.assert_allclose(answer["importance"], why.importance, atol=6e-4)
    assert np.abs(answer["importance"]).max() > 1
    assert all(round(value, 3) == value for row in answer["importance"] for value in row)


def test_the_steps_are_told_by_name(shipped: Artifact) -> None:
    steps = (Step("invert", "took dark for ink"), Step("crop", "left 40 x 60 of 200 x 300 pixels"))
    why = Classifier(shipped).explain(FRAME)
    why = dataclasses.replace(why, frame=Frame(FRAME, steps=steps))
    answer = json.loads(answers.explanation(shipped, why, "a1"))
    assert answer["steps"] == [
        {"name": "invert", "did": "took dark for ink"},
        {"name": "crop", "did": "left 40 x 60 of 200 x 300 pixels"},
    ]


def test_the_query_says_whether_to_normalize(client: FlaskClient) -> None:
    moved = pixels_json(np.roll(FRAME, 5, axis=1).tolist())
    frames = {
        manner: explain(client, moved, JSON, f"?normalize={manner}")["frame"]
        for manner in ("always", "never")
    }
    assert frames["never"] == np.roll(FRAME, 5, axis=1).tolist()
    assert frames["always"] != frames["never"]


@table("body, headers", BODIES)
def test_the_picture_shows_image_frame_and_map(
    client: FlaskClient, body: bytes, headers: dict[str, str]
) -> None:
    answer = explain(client, body, headers)
    drawn = picture(client, body, headers)
    assert drawn.shape == (*pictures.SIZE[::-1], 3)
    panel = drawn[pictures.PANELS_TOP :, pictures.MARGIN + pictures.PANEL + pictures.GAP :]
    panel = panel[: pictures.PANEL, : pictures.PANEL]
    shown = panel.reshape(28, 8, 28, 8, 3)
    assert (shown == shown[:, :1, :, :1, :1]).all()  # enlarged without blurring
    assert shown[:, 0, :, 0, 0].tolist() == answer["frame"]


def overlay(importance: NDArray[np.float32]) -> NDArray[np.int64]:
    """The map over a frame without ink, from blue to red: (224, 224), above 0 where blue."""
    drawn = np.asarray(pictures._overlaid(np.zeros((28, 28), np.uint8), importance), np.int64)
    return drawn[..., 2] - drawn[..., 0]


def test_what_speaks_for_the_digit_is_blue_and_what_speaks_against_it_orange() -> None:
    importance = np.zeros((28, 28), np.float32)
    importance[4:8, 4:8], importance[20:24, 4:8] = 3, -3
    tint = overlay(importance)
    assert (tint[40:56, 40:56] > 150).all()
    assert (tint[168:184, 40:56] < -150).all()
    assert not tint[:, 100:].any()


def test_a_weak_map_is_pale() -> None:
    importance = np.full((28, 28), 0.01, np.float32)
    assert overlay(importance).max() < 5


def changed(why: Explanation, **changes: object) -> Explanation:
    return dataclasses.replace(why, prediction=why.prediction._replace(**changes))  # type: ignore[arg-type]


def test_every_reason_and_finding_has_words() -> None:
    reasons = {name for literal in get_args(Reason) for name in get_args(literal)}
    assert pictures.REASONS.keys() == reasons
    assert pictures.FINDINGS.keys() == set(get_args(Finding))


def test_the_words_differ_with_the_answer(shipped: Artifact) -> None:
    why = Classifier(shipped).explain(FRAME)
    answers = [why, *(changed(why, reason=reason) for reason in pictures.REASONS)]
    answers += [changed(why, digit=8), changed(why, confidence=0.9)]
    assert len({pictures.draw(FRAME, answer) for answer in answers}) == len(answers)


def test_of_a_blank_there_is_neither_a_guess_nor_a_map(shipped: Artifact) -> None:
    blank = np.full((60, 40), 255, np.uint8)
    why = Classifier(shipped).explain(blank)
    drawn = pictures.draw(blank, why)
    assert drawn == pictures.draw(blank, changed(why, confidence=0.9))
    with Image.open(io.BytesIO(drawn)) as image:
        colours = np.asarray(image).astype(int)
    assert np.ptp(colours, axis=-1).max() < 20  # shades of grey


def test_the_account_says_what_was_found_and_done(shipped: Artifact) -> None:
    why = Classifier(shipped).explain(FRAME)
    steps = (Step("ruled", "removed 3 lines"), Step("crop", "cropped it"))
    changes = dataclasses.replace(why, frame=Frame(FRAME, None, ("inverted", "very_small"), steps))
    assert pictures._account(FRAME, why) == "The model saw the image as it was sent."
    assert pictures._account(FRAME.T, why) == ""
    assert pictures._account(FRAME, changes) == (
        "Noticed: dark ink on light ground, very small. Done: removed 3 lines; cropped it."
    )


@table(
    "confidence, words",
    {
        "certain": (1.0, "over 99.9 %"),
        "nearly": (0.99949, "over 99.9 %"),
        "at the border": (0.999, "99.9 %"),
        "in between": (0.8547, "85.5 %"),
    },
)
def test_nothing_is_said_to_be_certain(confidence: float, words: str) -> None:
    assert pictures._sureness(confidence) == words


@table(
    "text, most",
    {
        "short": ("ink at the edge", 1),
        "two lines": ("removed a line " * 8, 2),
        "too much": ("removed a line " * 50, 2),
        "one long word": ("x" * 500, 1),
    },
)
def test_text_stays_in_its_column(text: str, most: int) -> None:
    font = ImageFont.load_default(pictures.TEXT)
    assert isinstance(font, ImageFont.FreeTypeFont)
    lines = pictures._wrapped(text, font, 500, most)
    assert len(lines) <= most
    assert max(map(font.getlength, lines)) <= 500
    whole = " ".join(lines) == text.strip()
    assert whole or lines[-1].endswith("...")
    assert whole == (font.getlength(text) < 500 * (most - 0.2))


def test_long_accounts_leave_the_margins_free(shipped: Artifact) -> None:
    steps = tuple(Step(str(number), "removed a ruled line of the sheet") for number in range(40))
    warnings: tuple[Finding, ...] = get_args(Finding)
    why = Classifier(shipped).explain(FRAME)
    why = dataclasses.replace(why, frame=Frame(FRAME, None, warnings, steps))
    for answer in (why, *(changed(why, reason=reason) for reason in pictures.REASONS)):
        with Image.open(io.BytesIO(pictures.draw(FRAME, answer))) as image:
            drawn = np.asarray(image)
        inside = np.s_[1 - pictures.MARGIN :], np.s_[:, 1 - pictures.MARGIN :]
        for edge in inside:
            assert (drawn[edge] == pictures.PAPER).all()


@table("shape", {"a row": (1, 3000), "a column": (3000, 1), "a pixel": (1, 1), "large": (999, 900)})
def test_an_image_of_any_shape_fits(client: FlaskClient, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(2).integers(0, 256, shape)
    assert picture(client, png(image), PNG).shape == (*pictures.SIZE[::-1], 3)


@pytest.mark.parametrize("form", ["json", "png"])
def test_an_explanation_is_not_kept_by_caches(client: FlaskClient, form: str) -> None:
    body, headers = BODIES["pixels"]
    response = client.post(f"/explain?format={form}", data=body, headers=headers)
    assert response.headers["Cache-Control"] == "no-store"


def test_an_explanation_is_counted_as_a_request_and_not_as_a_prediction(
    client: FlaskClient,
) -> None:
    before = samples(client)
    explain(client, *BODIES["a blank"])
    after = samples(client)
    assert after["digits_requests_total", "/explain", "200"] == 1
    for name in ("predictions_total", "rejected_total", "confidence_count", "batch_size_count"):
        found = {key: value for key, value in after.items() if key[0] == f"digits_{name}"}
        assert found == {key: before[key] for key in found}
