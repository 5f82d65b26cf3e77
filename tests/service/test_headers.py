"""What every answer tells a browser, whatever was asked."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from model import Artifact, Classifier
from service.app import create_app
from service.settings import Settings
from tests.helpers import table
from tests.service.cases_access import BODY, KEY, sent

SAMPLE = {"name": "digits", "version": "2", "filename": "page.js"}

NOTHING = "default-src 'none'; frame-ancestors 'none'"
OWN = ("/", "/static/", "/docs", "/openapi.json")  # with a policy of their own


@pytest.fixture(scope="module")
def guarded(shipped: Artifact) -> Flask:
    settings = Settings(api_keys=(KEY,), cors_origins=("https://a.example",), rate_burst=1)
    return create_app(settings, Classifier(shipped))


def assert_safe(answer: TestResponse) -> None:
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert not {"Server", "X-Powered-By"} & {*answer.headers.keys()}
    for name, count in {
        name: len(answer.headers.getlist(name)) for name, _ in answer.headers
    }.items():
        assert count == 1, name


def test_every_route_tells_browsers_what_they_may_not(app: Flask, guarded: Flask) -> None:
    for one in (app, guarded):
        for rule in one.url_map.iter_rules():
            path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: SAMPLE[match[1]], rule.rule)
            for method in sorted(rule.methods or set()):
                answer = one.test_client().open(path, method=method, data=BODY, headers=sent())
                assert_safe(answer)
                if not path.startswith(OWN[1:]) and path != "/":
                    assert answer.headers["Content-Security-Policy"] == NOTHING


@table(
    "method, path, status",
    {
        "nothing there": ("GET", "/no/such/path", 404),
        "another method": ("DELETE", "/predict", 405),
        "no file": ("GET", "/static/none.js", 404),
        "no body": ("POST", "/predict", 400),
        "a file that the browser has": ("GET", "/static/page.js", 304),
    },
)
def test_errors_do_as_well(client: FlaskClient, method: str, path: str, status: int) -> None:
    headers = {}
    if status == 304:
        headers["If-None-Match"] = client.get(path).headers["ETag"]
    answer = client.open(path, method=method, headers=headers)
    assert answer.status_code == status
    assert_safe(answer)


def test_a_failure_does_as_well(app: Flask) -> None:
    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError

    answer = app.test_client().get("/broken")
    assert answer.status_code == 500
    assert_safe(answer)
