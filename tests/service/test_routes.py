"""The routes beside /predict."""

import dataclasses

import pytest
from flask import Flask
from flask.testing import FlaskClient

from model import Artifact, Classifier
from model.card import card
from service.app import create_app
from service.settings import Settings
from tests.helpers import table

READY = ["/readyz", "/healthz", "/health"]


def test_the_root_says_the_service_is_alive(client: FlaskClient) -> None:
    assert client.get("/").get_json() == {"status": "alive"}


def test_livez_answers_as_long_as_the_process_lives(app: Flask) -> None:
    app.extensions["health"].draining = True
    assert app.test_client().get("/livez").status_code == 200


@pytest.mark.parametrize("path", READY)
def test_ready_means_a_verified_model_and_an_open_door(app: Flask, path: str) -> None:
    client = app.test_client()
    assert (client.get(path).status_code, client.get(path).get_json()) == (200, {"status": "ready"})
    app.extensions["health"].draining = True
    assert (client.get(path).status_code, client.get(path).get_json()["status"]) == (
        503,
        "draining",
    )


@pytest.mark.parametrize("path", READY)
def test_verbose_lists_the_checks(client: FlaskClient, shipped: Artifact, path: str) -> None:
    checks = client.get(f"{path}?verbose").get_json()["checks"]
    assert checks == {
        "model": f"digits version {shipped.version} verified",
        "worker": "accepting",
    }


def test_models_tells_what_is_served(client: FlaskClient, shipped: Artifact) -> None:
    (model,) = client.get("/models").get_json()["models"]
    assert model["name"] == "digits"
    assert model["version"] == shipped.version
    assert model["digest"] == shipped.digest()
    assert model["evaluation"] == shipped.evaluation


def test_a_models_card_is_where_the_list_says(client: FlaskClient, shipped: Artifact) -> None:
    (model,) = client.get("/models").get_json()["models"]
    assert model["card"] == f"/models/{shipped.version}"
    response = client.get(model["card"])
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.get_json() == card(shipped)


def test_a_card_may_hold_what_only_python_calls_an_integer(shipped: Artifact) -> None:
    artifact = dataclasses.replace(shipped, training={"recipe": {"seed": 2**64}})
    answer = (
        create_app(Settings(), Classifier(artifact)).test_client().get(f"/models/{shipped.version}")
    )
    assert answer.get_json()["model_details"]["training"] == {"recipe": {"seed": 2**64}}


NO_NUMBER = "a version is a whole number; ask for one of those at /models"


@table(
    "asked, wrong",
    {
        "another version": ("2", "there is no such version; ask for version 17"),
        "an alias": ("champion", NO_NUMBER),
        "a fraction": ("1.0", NO_NUMBER),
        "a leading zero": ("01", NO_NUMBER),
    },
)
def test_who_asks_for_another_version_is_told_which_one_there_is(
    shipped: Artifact, asked: str, wrong: str
) -> None:
    artifact = dataclasses.replace(shipped, version=17)
    answer = create_app(Settings(), Classifier(artifact)).test_client().get(f"/models/{asked}")
    assert answer.status_code == 404
    assert answer.get_json(force=True)["detail"] == wrong
