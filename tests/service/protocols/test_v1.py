"""KServe v1 and TensorFlow Serving: the shapes of both, over the same answers as /predict."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from model import Artifact, Classifier
from service.app import create_app
from service.settings import Settings
from tests.helpers import table
from tests.service.cases import JSON, pixels_json, png
from tests.service.cases_v1 import EXPLAIN, PREDICT, b64
from tests.service.test_metrics import samples
from tests.service.test_predict import FRAME

FLAT = FRAME.ravel().tolist()
ROWS = FRAME.tolist()
CHANNELS_LAST = FRAME[..., np.newaxis].tolist()
FILE = b64(png(FRAME))

ENTRY = {"digit", "confidence", "accepted", "reason", "probabilities", "warnings"}


def ask(client: FlaskClient, document: object, path: str = PREDICT) -> dict[str, Any]:
    """The answer to a document that is sent without a Content-Type."""
    response = client.post(path, data=json.dumps(document))
    assert response.status_code == 200, response.data
    assert response.content_type == "application/json"
    answer: dict[str, Any] = response.get_json()
    return answer


@pytest.fixture
def native(client: FlaskClient) -> dict[str, Any]:
    """What /predict says of the frame."""
    response = client.post("/predict", data=pixels_json(FLAT), headers=JSON)
    (prediction,) = response.get_json()["predictions"]
    assert prediction.keys() == ENTRY
    return dict(prediction)


def test_kserve_lists_the_models(client: FlaskClient) -> None:
    assert client.get("/v1/models").get_json() == {"models": ["digits"]}


@table(
    "draining, status, state",
    {"ready": (False, 200, "AVAILABLE"), "draining": (True, 503, "UNLOADING")},
)
def test_the_models_state_is_told_in_both_dialects(
    app: Flask, shipped: Artifact, *, draining: bool, status: int, state: str
) -> None:
    app.extensions["health"].draining = draining
    for path in ("/v1/models/digits", f"/v1/models/digits/versions/{shipped.version}"):
        response = app.test_client().get(path)
        assert (response.status_code, response.content_type) == (status, "application/json")
        assert response.get_json() == {
            "name": "digits",
            "ready": not draining,
            "model_version_status": [
                {
                    "version": str(shipped.version),
                    "state": state,
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ],
        }


@table(
    "image",
    {
        "784 numbers": FLAT,
        "28 rows": ROWS,
        "28 rows of pixels of one channel": CHANNELS_LAST,
        "shares of full ink": (FRAME / 255).tolist(),
        "a picture": FILE,
    },
)
def test_an_image_in_any_words_is_answered_as_by_predict(
    client: FlaskClient, native: dict[str, Any], image: object
) -> None:
    rows = {"predictions": [native]}
    columns = {"outputs": {name: [value] for name, value in native.items()}}
    assert ask(client, {"instances": [image]}) == rows
    assert ask(client, {"instances": [{"image": image}]}) == rows
    assert ask(client, {"inputs": [image]}) == columns
    assert ask(client, {"inputs": [{"image": image}]}) == columns
    assert ask(client, {"inputs": {"image": [image]}}) == columns


def test_pictures_have_an_input_of_their_own(client: FlaskClient, native: dict[str, Any]) -> None:
    columns = {"outputs": {name: [value] for name, value in native.items()}}
    named = {"image_bytes": FILE}
    assert ask(client, {"instances": [named]}) == {"predictions": [native]}
    assert ask(client, {"inputs": [named]}) == columns
    assert ask(client, {"inputs": {"image_bytes": [FILE]}}) == columns


MIXED = [FLAT, b64(png(FRAME.T)), {"image": np.zeros((28, 28), int).tolist()}]


def test_rows_and_columns_say_the_same_in_order(client: FlaskClient) -> None:
    rows = ask(client, {"instances": MIXED})["predictions"]
    columns = ask(client, {"inputs": MIXED})["outputs"]
    assert columns.keys() == ENTRY
    assert [row["reason"] for row in rows][2] == "blank"
    assert rows == [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


@table(
    "extra",
    {
        "a signature": {"signature_name": "serving_default"},
        "a signature nobody knows": {"signature_name": ""},
        "fields of other servers": {"id": 1, "parameters": {"probabilities": False}},
    },
)
@table("path", {"predict": PREDICT, "explain": EXPLAIN})
def test_what_else_a_client_says_is_passed_over(
    client: FlaskClient, extra: dict[str, object], path: str
) -> None:
    document = {"instances": [FLAT]}
    assert ask(client, extra | document, path) == ask(client, document, path)


def test_a_version_may_be_named(client: FlaskClient, shipped: Artifact) -> None:
    for path in (PREDICT, EXPLAIN):
        named = path.replace("digits", f"digits/versions/{shipped.version}")
        assert ask(client, {"instances": [FLAT]}, named) == ask(client, {"instances": [FLAT]}, path)


def test_who_asks_for_another_version_is_told_the_right_one(shipped: Artifact) -> None:
    artifact = dataclasses.replace(shipped, version=17)
    client = create_app(Settings(), Classifier(artifact)).test_client()
    response = client.post(f"/v1/models/digits/versions/{shipped.version}:predict", data=b"")
    assert response.get_json() == {"error": "there is no such version; ask for version 17"}


@table(
    "document",
    {
        "an instance": {"instances": [FLAT]},
        "a picture": {"instances": [FILE]},
        "a column": {"inputs": {"image": [ROWS]}},
    },
)
def test_an_explanation_is_the_native_one(client: FlaskClient, document: object) -> None:
    native = client.post("/explain", data=pixels_json(FLAT), headers=JSON).get_json()
    (prediction,) = native["predictions"]
    grounds = {name: native[name] for name in ("frame", "importance", "steps")}
    assert ask(client, document, EXPLAIN) == {
        "predictions": [prediction],
        "explanations": [prediction | grounds],
    }


def test_an_explanation_is_neither_kept_nor_counted_as_a_prediction(client: FlaskClient) -> None:
    before = samples(client)
    response = client.post(EXPLAIN, data=json.dumps({"instances": [FLAT]}))
    assert response.headers["Cache-Control"] == "no-store"
    after = samples(client)
    for key in after:
        if key[0] in {"digits_predictions_total", "digits_batch_size_count"}:
            assert after[key] == before[key]


def test_predictions_are_counted_below_one_route(client: FlaskClient) -> None:
    before = samples(client)
    ask(client, {"instances": [FLAT, FLAT]})
    after = samples(client)
    route = "/v1/models/<segment:name>:predict"
    assert after["digits_requests_total", route, "200"] == 1
    size = ("digits_batch_size_sum",)
    assert after[size] == before[size] + 2
