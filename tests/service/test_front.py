"""What is answered ahead of Flask is what Flask would have answered, to the byte."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from model import Artifact, Classifier
from service.app import create_app
from service.front import Front
from service.protocols.v2_request import HEADER_LENGTH
from service.settings import Settings
from tests.helpers import table
from tests.service.cases import GOOD, JSON, RAW, BadRequest, pixels_json
from tests.service.cases_access import KEY, UNAUTHORIZED, sent
from tests.service.conftest import SETTINGS
from tests.service.test_errors import ALL_CASES

BODY = pixels_json(GOOD)
V2 = json.dumps(
    {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": GOOD}]}
).encode()

ANSWERED: Mapping[str, tuple[str, bytes, Mapping[str, str]]] = {
    "JSON": ("/predict", BODY, JSON),
    "a query": ("/predict?top_k=2&probabilities=0", BODY, JSON),
    "a table": ("/predict", bytes(784 * 2), RAW | {"Accept": "text/csv"}),
    "a body that came compressed": (
        "/predict",
        gzip.compress(BODY),
        JSON | {"Content-Encoding": "gzip"},
    ),
    "an explanation, compressed": ("/explain", BODY, JSON | {"Accept-Encoding": "gzip"}),
    "an explanation as a picture": ("/explain?format=png", BODY, JSON),
    "a trace": ("/predict", BODY, JSON | {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}),
    "version 1": ("/v1/models/digits:predict", json.dumps({"instances": [GOOD]}).encode(), JSON),
    "version 1, explained": (
        "/v1/models/digits:explain",
        json.dumps({"instances": [GOOD]}).encode(),
        {},
    ),
    "version 2": ("/v2/models/digits/infer", V2, {}),
    "version 2 in bytes": ("/v2/models/digits/infer", bytes(784), {HEADER_LENGTH: "0"}),
    "a path in other words": ("/%70redict", BODY, JSON),
}


def both_ways(app: Flask, case: BadRequest) -> list[TestResponse]:
    """The answers of the application as it is, and through Flask's views alone."""
    headers = {**case.headers, "X-Request-ID": "same"}
    return [
        Client(front).open(case.path, method=case.method, data=case.body, headers=headers)
        for front in fronts(app)
    ]


def fronts(app: Flask) -> tuple[Front, Front]:
    """Of the application as it is, and with nothing answered ahead of Flask."""
    front = app.wsgi_app
    assert isinstance(front, Front)
    return front, replace(front, ways={})


def assert_alike(app: Flask, case: BadRequest) -> None:
    answers = both_ways(app, case)
    ahead, behind = [
        (answer.status, sorted(answer.headers), answer.get_data()) for answer in answers
    ]
    assert ahead == behind


@table("path, body, headers", ANSWERED)
def test_an_answer_is_the_same(
    shared: Flask, path: str, body: bytes, headers: Mapping[str, str]
) -> None:
    case = BadRequest("", 200, "", "", body, headers, path=path)
    assert {answer.status_code for answer in both_ways(shared, case)} == {200}
    assert_alike(shared, case)


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_a_refusal_is_the_same(shared: Flask, case: BadRequest) -> None:
    assert_alike(shared, case)


@pytest.fixture(scope="module")
def guarded(shipped: Artifact) -> Flask:
    settings = Settings(api_keys=(KEY,), cors_origins=("https://example.org",))
    return create_app(settings, Classifier(shipped))


@pytest.mark.parametrize("case", UNAUTHORIZED, ids=lambda case: case.name)
def test_who_may_not_ask_is_told_the_same(guarded: Flask, case: BadRequest) -> None:
    assert_alike(guarded, case)


@table(
    "headers",
    {
        "with a key": sent(X_API_Key=KEY),
        "from a page that may": sent(X_API_Key=KEY, Origin="https://example.org"),
        "from a page that may not": sent(X_API_Key=KEY, Origin="https://example.com"),
        "from a page, without a key": sent(Origin="https://example.org"),
    },
)
def test_who_asks_from_where_is_told_the_same(guarded: Flask, headers: Mapping[str, str]) -> None:
    assert_alike(guarded, BadRequest("", 0, "", "", BODY, headers))


def test_a_failure_is_the_same(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Classifier, "look", fail)
    for path, body, headers in ANSWERED.values():
        if "explain" not in path:
            case = BadRequest("", 500, "", "", body, headers, path=path)
            assert {answer.status_code for answer in both_ways(app, case)} == {500}
            assert_alike(app, case)


def test_whatever_predicts_is_ahead_by_its_path(app: Flask) -> None:
    """Where no version is named: there may be another in a second."""
    assert set(fronts(app)[0].ways) == {
        "/predict",
        "/v1/models/digits:predict",
        "/v2/models/digits/infer",
    }


def test_both_ways_are_counted_alike(shipped: Artifact) -> None:
    """By the template of the route, so that nobody sees which way it went."""
    counts = []
    for way in (0, 1):
        app = create_app(SETTINGS, Classifier(shipped))
        client = Client(fronts(app)[way])
        for path, body, headers in ANSWERED.values():
            client.post(path, data=body, headers=headers)
        client.post("/predict", data=b"", headers=JSON)
        text = client.get("/metrics").get_data(as_text=True).splitlines()
        counts.append([line for line in text if "_total{" in line or "in_flight" in line])
    assert counts[0] == counts[1]
    assert 'digits_requests_total{route="/predict",status="200"} 6.0' in counts[0]
