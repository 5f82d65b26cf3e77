"""Another model while serving: when the champion moves, and what happens when it cannot."""

import dataclasses
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from model import Artifact
from model.store import Store
from service.app import create_app
from service.models import Models
from service.settings import Settings
from tests.helpers import table
from tests.service.cases import GOOD, JSON, pixels_json
from tests.service.test_metrics import samples

V2 = json.dumps(
    {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": GOOD}]}
)


@pytest.fixture
def store(tiny_artifact: Artifact, tmp_path: Path) -> Store:
    """Versions 1 to 3 of a small model, of which the first is served."""
    store = Store(tmp_path / "store")
    for version in (1, 2, 3):
        store.publish(dataclasses.replace(tiny_artifact, version=version))
    store.promote(1)
    return store


@pytest.fixture
def app(store: Store) -> Flask:
    return create_app(Settings(store=store.root))


@pytest.fixture
def models(app: Flask) -> Models:
    found: Models = app.extensions["models"]
    return found


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def versions_told(client: FlaskClient) -> set[str]:
    """By everything that tells which version is served."""
    v2 = client.post("/v2/models/digits/infer", data=V2).get_json()
    predicted = client.post("/predict", data=pixels_json(GOOD), headers=JSON).get_json()
    explained = client.post("/explain", data=pixels_json(GOOD), headers=JSON).get_json()
    status = client.get("/v1/models/digits").get_json()["model_version_status"][0]
    return {
        v2["model_version"],
        str(predicted["model"]["version"]),
        str(explained["model"]["version"]),
        status["version"],
        str(client.get("/models").get_json()["models"][0]["version"]),
        client.get("/v2/models/digits").get_json()["versions"][0],
        client.get("/v2/models/digits/stats").get_json()["model_stats"][0]["version"],
        client.post("/v2/repository/index").get_json()[0]["version"],
        str(client.get("/drift").get_json()["model"]["version"]),
    }


def served(client: FlaskClient) -> dict[str, float]:
    """Of each version that was served, whether it is."""
    return {
        key[3]: value for key, value in samples(client).items() if key[0] == "digits_model_info"
    }


def reloads(client: FlaskClient) -> dict[str, float]:
    found = samples(client)
    return {
        result: found.get(("digits_reloads_total", result), 0) for result in ("succeeded", "failed")
    }


def test_the_champion_is_followed_by_everything(
    store: Store, models: Models, client: FlaskClient
) -> None:
    assert versions_told(client) == {"1"}
    store.promote(2)
    assert versions_told(client) == {"1"}
    models.look()
    assert versions_told(client) == {"2"}
    store.rollback()
    models.look()
    assert versions_told(client) == {"1"}
    assert reloads(client) == {"succeeded": 2, "failed": 0}
    assert served(client) == {"1": 1, "2": 0}


def test_what_has_not_moved_is_not_loaded_again(models: Models, client: FlaskClient) -> None:
    before = models.classifier
    for _ in range(3):
        models.look()
    assert models.classifier is before
    assert reloads(client) == {"succeeded": 0, "failed": 0}


def cut_off(store: Store) -> None:
    path = store.path(2)
    path.write_bytes(path.read_bytes()[:-100])
    (store.root / "champion").write_text("2\n")


def no_number(store: Store) -> None:
    (store.root / "champion").write_text("the best one\n")


def not_there(store: Store) -> None:
    (store.root / "champion").write_text("99\n")


def gone(store: Store) -> None:
    (store.root / "champion").unlink()


@table(
    "spoil, failures",
    {
        "cut off": (cut_off, 1),
        "no number": (no_number, 0),
        "not there": (not_there, 0),
        "gone": (gone, 0),
    },
)
def test_what_cannot_be_served_leaves_the_one_that_is(
    store: Store, models: Models, client: FlaskClient, spoil: Callable[[Store], None], failures: int
) -> None:
    spoil(store)
    for _ in range(3):
        models.look()
    assert versions_told(client) == {"1"}
    assert client.get("/readyz").status_code == 200
    assert reloads(client) == {"succeeded": 0, "failed": failures}
    store.promote(3)
    models.look()
    assert versions_told(client) == {"3"}


def test_whether_the_champion_is_what_is_served_is_told(
    store: Store, models: Models, client: FlaskClient
) -> None:
    def is_current() -> float:
        models.look()
        return samples(client)["digits_model_current",]

    assert is_current() == 1
    cut_off(store)
    assert [is_current() for _ in range(2)] == [0, 0]
    no_number(store)
    assert is_current() == 0
    store.promote(1)  # it was served all the time
    assert is_current() == 1
    assert reloads(client) == {"succeeded": 0, "failed": 1}
    store.promote(3)
    assert is_current() == 1


def test_when_the_model_was_made_is_told(store: Store, models: Models, client: FlaskClient) -> None:
    os.utime(store.path(2), (1_000_000_000, 1_000_000_000))
    store.promote(2)
    models.look()
    assert samples(client)["digits_model_created_timestamp_seconds",] == 1_000_000_000


def test_why_it_was_not_loaded_is_in_the_log(
    store: Store, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    cut_off(store)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            models.look()
    [record] = caplog.records  # and not at every look
    assert "version 2 was not loaded, others stay" in record.getMessage()
    assert "digits-2.npz" in record.getMessage()


def test_an_artifact_that_is_named_by_itself_is_never_left(
    tiny_artifact_path: Path, store: Store
) -> None:
    app = create_app(Settings(model=tiny_artifact_path, store=store.root))
    models: Models = app.extensions["models"]
    before = models.classifier
    store.promote(2)
    models.look()
    assert models.classifier is before


def test_what_began_with_a_model_ends_with_it(store: Store, app: Flask, models: Models) -> None:
    from tests.service.test_together import front_of, post  # noqa: PLC0415 - it imports many cases

    front = front_of(app)
    before = [front.open(post(pixels_json(GOOD), JSON)) for _ in range(2)]
    store.promote(2)
    models.look()
    after = front.open(post(pixels_json(GOOD), JSON))
    said = [response.body for response in front.answer([before[0], after, before[1]])]
    assert [b'"version":1' in body for body in said] == [True, False, True]
    assert [b'"version":2' in body for body in said] == [False, True, False]
