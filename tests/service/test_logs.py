"""What the log says of a request, to a machine and to a person."""

import json
import os
import pty
import sys
from collections.abc import Mapping

import pytest

from model import Artifact, Classifier
from model.classifier import Prediction
from service.app import create_app
from service.settings import Settings
from tests.helpers import table
from tests.service.cases import GOOD, JSON, RAW, pixels_json

V1 = json.dumps({"instances": [GOOD]}).encode()


@table(
    "request_, told",
    {
        "one image": (
            ("/predict", pixels_json(GOOD), JSON),
            {"version", "digit", "confidence", "accepted"},
        ),
        "one of a version that is named": (
            ("/v1/models/digits/versions/2:predict", V1, {}),
            {"version", "digit", "confidence", "accepted"},
        ),
        "several": (("/predict", bytes(784 * 3), RAW), {"version", "images"}),
        "none that could be read": (("/predict", b"{}", JSON), set()),
        "an explanation": (("/explain", pixels_json(GOOD), JSON), set()),
    },
)
def test_what_was_predicted_is_told_and_no_pixel(
    shipped: Artifact,
    capfd: pytest.CaptureFixture[str],
    request_: tuple[str, bytes, Mapping[str, str]],
    told: set[str],
) -> None:
    path, body, headers = request_
    client = create_app(Settings(access_log=1), Classifier(shipped)).test_client()
    answer = client.post(path, data=body, headers=headers)
    [line] = capfd.readouterr().err.splitlines()
    said = json.loads(line)
    found = {
        name: said[name]
        for name in (*Prediction._fields, "version", "accepted", "images")
        if name in said
    }
    assert found.keys() == told
    if "digit" in told:
        [predicted] = answer.get_json()["predictions"]
        assert found == {name: predicted[name] for name in told - {"version"}} | {
            "version": shipped.version
        }
    if "images" in told:
        assert found["images"] == 3
    assert len(line) < 500


def test_a_person_at_a_terminal_is_told_in_words(
    shipped: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, inner = pty.openpty()
    with os.fdopen(outer, "rb", buffering=0) as screen, os.fdopen(inner, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        client = create_app(Settings(access_log=1), Classifier(shipped)).test_client()
        client.post("/predict", data=pixels_json(GOOD), headers=JSON)
        client.get("/livez")
        said = screen.read(4_096).decode().splitlines()
    assert len(said) == 2
    assert "POST /predict 200" in said[0]
    assert f"version={shipped.version} digit=" in said[0]
    assert said[1].split()[1:4] == ["GET", "/livez", "200"]
    assert not any("{" in line for line in said)
