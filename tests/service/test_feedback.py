"""``POST /feedback``: what it takes, what it answers, and whom it believes."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray

from model import Artifact, Classifier, Prediction
from model.classifier import Seen
from service.app import create_app
from service.batches import Batch
from service.captures import Captures, DatabaseDown
from service.exchange import Reply, Request
from service.inference import Inference, Question
from service.keys import Keys
from service.metrics import Metrics
from service.models import Models
from service.settings import Settings
from tests.helpers import ROOT, environment, table
from tests.service.cases_access import ADMIN_KEY, KEY, OTHER_KEY
from tests.service.test_metrics import samples

if TYPE_CHECKING:
    from model.frame import Manner

PREDICTION = Prediction(3, 0.75, (0.1,) * 10, None, ())


@pytest.fixture(scope="module")
def taking(shipped: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """An application that takes feedback, with an image under "one" and three under "three"."""
    file = tmp_path_factory.mktemp("feedback") / "kept.db"
    app = create_app(Settings(feedback=str(file)), Classifier(shipped))
    captures: Captures = app.extensions["captures"]
    for name, images in {"one": 1, "three": 3}.items():
        frames = np.zeros((images, 28, 28), np.uint8)
        captures.keep(name, 2, frames, [PREDICTION] * images, "address 192.0.2.1")
    yield app
    captures.close()


@pytest.fixture
def client(taking: Flask) -> FlaskClient:
    return taking.test_client()


def test_a_label_is_noted_and_what_it_replaces_is_told(client: FlaskClient) -> None:
    for label, replaced in [(4, None), (4, 4), (5, 4)]:
        answer = client.post("/feedback", json={"request_id": "one", "label": label})
        assert answer.status_code == 200
        assert answer.get_json() == {
            "noted": {"request_id": "one", "index": 0, "label": label},
            "replaced": replaced,
            "request_id": answer.headers["X-Request-ID"],
        }
    counted = samples(client)
    results = {"noted": 1, "repeated": 1, "changed": 1}
    assert {name: counted["digits_feedback_total", name] for name in results} == results


def test_of_several_images_the_index_is_said(client: FlaskClient) -> None:
    said = {"request_id": "three", "label": 1, "index": 2}
    assert client.post("/feedback", json=said).get_json()["noted"] == said


@table(
    "said, status, code, field",
    {
        "no label": ({"request_id": "one"}, 400, "invalid_feedback", "label"),
        "a label of null": ({"request_id": "one", "label": None}, 400, "invalid_feedback", "label"),
        "too high": ({"request_id": "one", "label": 10}, 400, "invalid_feedback", "label"),
        "below 0": ({"request_id": "one", "label": -1}, 400, "invalid_feedback", "label"),
        "a text": ({"request_id": "one", "label": "7"}, 400, "invalid_feedback", "label"),
        "a fraction": ({"request_id": "one", "label": 7.0}, 400, "invalid_feedback", "label"),
        "true": ({"request_id": "one", "label": True}, 400, "invalid_feedback", "label"),
        "a list": ({"request_id": "one", "label": [7]}, 400, "invalid_feedback", "label"),
        "no request_id": ({"label": 7}, 400, "invalid_feedback", "request_id"),
        "a number for one": ({"request_id": 1, "label": 7}, 400, "invalid_feedback", "request_id"),
        "none of ours": ({"request_id": "'", "label": 7}, 400, "invalid_feedback", "request_id"),
        "an index below 0": (
            {"request_id": "three", "label": 7, "index": -1},
            400,
            "invalid_feedback",
            "index",
        ),
        "an index beyond any": (
            {"request_id": "three", "label": 7, "index": 2**40},
            400,
            "invalid_feedback",
            "index",
        ),
        "no index of several": (
            {"request_id": "three", "label": 7},
            400,
            "invalid_feedback",
            "index",
        ),
        "another field": (
            {"request_id": "one", "label": 7, "lable": 7},
            400,
            "invalid_feedback",
            "lable",
        ),
        "a list of it": ([{"request_id": "one", "label": 7}], 422, "wrong_type", "body"),
        "an unknown id": (
            {"request_id": "two", "label": 7},
            404,
            "unknown_prediction",
            "request_id",
        ),
        "an index behind the last": (
            {"request_id": "three", "label": 7, "index": 3},
            404,
            "unknown_prediction",
            "index",
        ),
    },
)
def test_what_is_no_feedback_is_told_so(
    client: FlaskClient, said: object, status: int, code: str, field: str
) -> None:
    answer = client.post("/feedback", json=said)
    problem = answer.get_json(force=True)
    assert (answer.status_code, problem["code"]) == (status, code)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert answer.content_type == "application/problem+json"


def test_an_unknown_image_is_counted(client: FlaskClient) -> None:
    before = samples(client).get(("digits_feedback_total", "unknown"), 0)
    client.post("/feedback", json={"request_id": "nobody", "label": 7})
    assert samples(client)["digits_feedback_total", "unknown"] == before + 1


@table(
    "body, headers, status",
    {
        "no JSON": (b"{", {"Content-Type": "application/json"}, 400),
        "nothing": (b"", {"Content-Type": "application/json"}, 400),
        "another type": (b"{}", {"Content-Type": "text/plain"}, 415),
    },
)
def test_a_body_is_read_as_elsewhere(
    client: FlaskClient, body: bytes, headers: Mapping[str, str], status: int
) -> None:
    assert client.post("/feedback", data=body, headers=headers).status_code == status


def test_a_database_that_is_gone_is_told_and_counted(
    taking: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_label: object) -> None:
        raise DatabaseDown("/var/lib/kept.db: no space left")

    monkeypatch.setattr(taking.extensions["captures"], "label", fail)
    answer = client.post("/feedback", json={"request_id": "one", "label": 7})
    assert answer.status_code == 503
    assert answer.get_json(force=True)["code"] == "feedback_unavailable"
    assert answer.headers["Retry-After"] == "1"
    assert "kept.db" not in answer.text
    assert samples(client)["digits_feedback_total", "unavailable"] == 1


def test_without_the_setting_there_is_no_such_route(shared: Flask) -> None:
    answer = shared.test_client().post("/feedback", json={"request_id": "one", "label": 7})
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (404, "not_found")
    assert "/feedback" not in shared.test_client().get("/openapi.json").get_json()["paths"]
    assert b"data-feedback" not in page(shared)


def test_with_it_the_page_and_the_description_have_it(taking: Flask) -> None:
    assert "/feedback" in taking.test_client().get("/openapi.json").get_json()["paths"]
    assert b"data-feedback" in page(taking)


def page(app: Flask) -> bytes:
    return app.test_client().get("/", headers={"Accept": "text/html"}).get_data()


def test_a_key_is_needed_where_one_is(shipped: Artifact, tmp_path: Path) -> None:
    settings = Settings(feedback=str(tmp_path / "kept.db"), api_keys=(KEY,))
    app = create_app(settings, Classifier(shipped))
    app.extensions["captures"].close()
    answer = app.test_client().post("/feedback", json={"request_id": "one", "label": 7})
    assert answer.status_code == 401


OFF = "import sys, service.app; service.app.create_app(); print(sorted(sys.modules))"


def test_without_the_settings_nothing_of_a_database_or_of_traces_is_imported() -> None:
    run = subprocess.run(
        [sys.executable, "-c", OFF],
        cwd=ROOT,
        env=environment({}),
        check=True,
        capture_output=True,
        text=True,
    )
    imported = set(json.loads(run.stdout.replace("'", '"')))
    assert "service.captures" in imported
    assert not imported & {"sqlalchemy", "sqlite3", "psycopg", "service.database"}
    assert not imported & {"opentelemetry", "google.protobuf", "requests", "service.spans"}


def test_what_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from service.__main__ import main  # noqa: PLC0415 - it would be the tests' own otherwise

    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    monkeypatch.delitem(sys.modules, "service.database", raising=False)
    monkeypatch.delattr("service.database", raising=False)
    monkeypatch.setenv("DIGITS_FEEDBACK", str(tmp_path / "kept.db"))
    assert main(["--check"]) == 1
    assert "install digits[feedback]" in capfd.readouterr().err


KEYS = Keys.of(Settings(api_keys=(KEY, OTHER_KEY), admin_token=ADMIN_KEY))
NO_KEYS = Keys.of(Settings())


def client_of(keys: Keys, address: str = "192.0.2.7", **headers: str) -> str:
    environ: dict[str, Any] = {"REMOTE_ADDR": address}
    return keys.client(environ | {f"HTTP_{name}": value for name, value in headers.items()})


SAME = {
    "a key from anywhere": (
        client_of(KEYS, AUTHORIZATION=f"Bearer {KEY}"),
        client_of(KEYS, "192.0.2.8", X_API_KEY=KEY),
    ),
    "a key beside what is none": (
        client_of(KEYS, X_API_KEY=KEY),
        client_of(KEYS, AUTHORIZATION="Bearer one-of-a-thousand", X_API_KEY=KEY),
    ),
    "an address, whatever key it makes up": (
        client_of(NO_KEYS),
        client_of(NO_KEYS, X_API_KEY="one-of-a-thousand"),
    ),
    "a network of IPv6": (
        client_of(NO_KEYS, "2001:db8:0:1::1"),
        client_of(NO_KEYS, "2001:db8:0:1:ffff::"),
    ),
    "a network with a zone": (client_of(NO_KEYS, "fe80::1%eth0"), client_of(NO_KEYS, "fe80::2")),
}

DIFFERENT = {
    "keys": (client_of(KEYS, X_API_KEY=KEY), client_of(KEYS, X_API_KEY=OTHER_KEY)),
    "administrators": (client_of(KEYS, X_API_KEY=KEY), client_of(KEYS, X_API_KEY=ADMIN_KEY)),
    "addresses": (client_of(NO_KEYS, "192.0.2.7"), client_of(NO_KEYS, "192.0.2.8")),
    "mapped addresses": (
        client_of(NO_KEYS, "::ffff:192.0.2.7"),
        client_of(NO_KEYS, "::ffff:192.0.2.8"),
    ),
    "networks": (client_of(NO_KEYS, "2001:db8:0:1::1"), client_of(NO_KEYS, "2001:db8:0:2::1")),
}


@table("first, second", SAME)
def test_this_is_one_client(first: str, second: str) -> None:
    assert first == second


@table("first, second", DIFFERENT)
def test_these_are_two_clients(first: str, second: str) -> None:
    assert first != second


def test_a_client_is_not_called_by_its_key() -> None:
    assert KEY not in client_of(KEYS, X_API_KEY=KEY)


FRAME = np.eye(28, dtype=np.uint8) * 255

DIALECTS = {
    "native": ("/predict", {"pixels": FRAME.tolist()}),
    "KServe v1": ("/v1/models/digits:predict", {"instances": [FRAME.tolist()]}),
    "the Open Inference Protocol": (
        "/v2/models/digits/infer",
        {
            "inputs": [
                {
                    "name": "image",
                    "datatype": "UINT8",
                    "shape": [1, 28, 28],
                    "data": FRAME.ravel().tolist(),
                }
            ]
        },
    ),
}


@table("path, body", DIALECTS)
def test_an_image_is_kept_in_whatever_dialect_it_came(
    taking: Flask, client: FlaskClient, path: str, body: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    captures = taking.extensions["captures"]
    monkeypatch.setattr(captures, "keep", lambda *capture: kept.append(capture))
    answer = client.post(path, json=body, headers={"X-Request-ID": "of-the-client"})
    assert answer.status_code == 200
    [(request_id, version, frames, predictions, sender)] = kept
    artifact = taking.extensions["models"].classifier.artifact
    assert (request_id, version, sender) == ("of-the-client", artifact.version, "address 127.0.0.1")
    np.testing.assert_array_equal(np.asarray(frames), [FRAME])
    [prediction] = predictions
    assert 0 <= prediction.digit <= 9


def test_each_image_of_a_batch_is_kept(client: FlaskClient) -> None:
    said = {"instances": [FRAME.tolist(), FRAME[::-1].tolist()]}
    request_id = client.post("/predict", json=said).get_json()["request_id"]
    noted = {"request_id": request_id, "label": 1, "index": 1}
    assert client.post("/feedback", json=noted).get_json()["noted"] == noted


def test_of_requests_that_came_together_each_is_kept_with_its_own_frames(
    shipped: Artifact,
) -> None:
    kept = {}

    def keep(request: Request, _artifact: Artifact, seen: Seen) -> None:
        frames = np.stack([frame.pixels for frame in seen.frames])
        kept[request.id] = (frames, len(seen.predictions), len(seen.energies))

    metrics = Metrics()
    inference = Inference(Models(Settings(), metrics, Classifier(shipped)), metrics, [keep])
    manners: list[Manner] = ["auto", "never", "auto", "never"]
    images = [[FRAME], [FRAME // 2, FRAME // 3], [FRAME[::-1].copy()], [FRAME // 4]]
    asked = [
        inference.ask(Request({}, str(number), 0.0), partial(asked_for, some, manner))
        for number, (some, manner) in enumerate(zip(images, manners, strict=True))
    ]
    inference.answer_together(asked)
    for number, some in enumerate(images):
        frames, *said = kept[str(number)]
        np.testing.assert_array_equal(frames, some)
        assert said == [len(some)] * 2


def asked_for(images: list[NDArray[np.uint8]], manner: "Manner") -> Question:
    return Question(Batch(images, "x"), manner, answer)


def answer(_artifact: Artifact, _predictions: Sequence[Prediction]) -> Reply:
    return Reply(b"")


def test_an_explanation_is_not_kept(client: FlaskClient) -> None:
    said = {"pixels": FRAME.tolist()}
    request_id = client.post("/explain", json=said).get_json()["request_id"]
    noted = {"request_id": request_id, "label": 1}
    assert client.post("/feedback", json=noted).status_code == 404
