"""POST /explain over real sockets, answered by a thread of the real server."""

import io

import pytest
from PIL import Image

from tests.helpers import ROOT
from tests.server import Server

SEVEN = (ROOT / "tests/examples/seven.png").read_bytes()
PNG = {"Content-Type": "image/png"}


def test_a_digit_is_explained_as_it_is_predicted(server: Server) -> None:
    with server.client() as client:
        explained = client.request("POST", "/explain", SEVEN, PNG)
        predicted = client.predict(SEVEN, "image/png")
    assert explained.status == 200
    assert explained.headers["Content-Type"] == "application/json"
    assert explained.json["predictions"] == predicted.json["predictions"]
    assert explained.json["importance"] != [[0.0] * 28] * 28


@pytest.mark.parametrize("kind", ["image/png", "application/json"])
def test_a_picture_is_drawn(server: Server, kind: str) -> None:
    body = SEVEN if kind == "image/png" else b'{"pixels": [%s0]}' % (b"0," * 783)
    with server.client() as client:
        answer = client.request("POST", "/explain?format=png", body, {"Content-Type": kind})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    with Image.open(io.BytesIO(answer.body), formats=["PNG"]) as image:
        image.load()
