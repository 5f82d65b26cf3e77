"""The routes beside /predict."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from model import Artifact

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
