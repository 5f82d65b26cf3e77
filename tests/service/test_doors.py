"""Which routes there are at which port."""

import re

import pytest
from flask import Flask

from model import Artifact, Classifier
from service.app import create_app
from service.doors import ROUTES
from service.settings import CLOSABLE, Settings, SettingsError
from tests.helpers import table
from tests.service.cases_access import BODY, sent
from tests.service.test_access import SAMPLE

FIRST, SECOND = "8000", "9090"

EVERYWHERE = {
    *("/livez", "/readyz", "/healthz", "/health"),
    *("/v2/health/live", "/v2/health/ready", "/v2/models/<name>/ready"),
    "/v2/models/<name>/versions/<version>/ready",
    *("/v1/models/<segment:name>", "/v1/models/<segment:name>/versions/<segment:version>"),
}
MOVED = {"/metrics", "/drift"}


def app_of(shipped: Artifact, **settings: object) -> Flask:
    return create_app(Settings(**settings), Classifier(shipped))  # type: ignore[arg-type] # any of them


def there(app: Flask, port: str) -> set[str]:
    """The routes that are something other than not there, at a port."""
    found = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(
            r"<(?:\w+:)?(\w+)>",
            lambda match: {**SAMPLE, "version": "2", "filename": "docs.js"}[match[1]],
            rule.rule,
        )
        method = "POST" if "POST" in (rule.methods or set()) else "GET"
        answer = app.test_client().open(
            path, method=method, data=BODY, headers=sent(), environ_overrides={"SERVER_PORT": port}
        )
        if (answer.status_code, b"nothing at this path; see the README" in answer.data) != (
            404,
            True,
        ):
            found.add(rule.rule)
    return found


def test_operations_have_a_port_of_their_own_where_one_is_set(shipped: Artifact) -> None:
    app = app_of(shipped, operations_port=int(SECOND))
    everything = {rule.rule for rule in app.url_map.iter_rules()}
    assert there(app, SECOND) == MOVED | EVERYWHERE
    assert there(app, FIRST) == everything - MOVED


def test_by_default_all_is_at_one_port(shipped: Artifact) -> None:
    app = app_of(shipped)
    assert there(app, FIRST) == {rule.rule for rule in app.url_map.iter_rules()}


@table("name", {name: name for name in CLOSABLE})
def test_what_is_closed_is_nowhere(name: str, shipped: Artifact) -> None:
    app = app_of(shipped, closed=(name,))
    everything = {rule.rule for rule in app.url_map.iter_rules()}
    gone = everything - there(app, FIRST)
    assert gone == {rule for rule in everything if ROUTES[name].fullmatch(rule)} != set()
    if name != "docs":
        described = app.test_client().get("/openapi.json").get_json()["paths"]
        assert f"/{name}" not in described


def test_what_can_be_closed_is_known() -> None:
    assert ROUTES.keys() == set(CLOSABLE)


def test_nobody_opens_a_door_by_naming_another(shipped: Artifact) -> None:
    client = app_of(shipped, operations_port=int(SECOND)).test_client()
    for headers in ({"Host": f"localhost:{SECOND}"}, {"X-Forwarded-Port": SECOND}):
        base = {"SERVER_PORT": FIRST}
        assert client.get("/metrics", headers=headers, environ_overrides=base).status_code == 404


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "DELETE"])
def test_it_is_the_same_in_every_method(method: str, shipped: Artifact) -> None:
    client = app_of(shipped, closed=("metrics",)).test_client()
    assert client.open("/metrics", method=method).status_code == 404


@table(
    "environ, words",
    {
        "no such route": ({"DIGITS_CLOSED": "docs,predict"}, "'predict'; set some of docs, drift"),
        "a path": ({"DIGITS_CLOSED": "/metrics"}, "some of"),
        "the same port": ({"DIGITS_OPERATIONS_PORT": "8000"}, "set another"),
        "no port": ({"DIGITS_OPERATIONS_PORT": "70000"}, "65535"),
    },
)
def test_what_cannot_be_meant_stops_the_start(environ: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Settings.from_env(environ)
