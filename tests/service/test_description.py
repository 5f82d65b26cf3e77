"""/openapi.json and /docs, as they are answered; tests/browser has the page in a browser."""

import json

import pytest
from flask.testing import FlaskClient

from service.description import VIEWER_FILES
from tests.described import Description
from tests.helpers import run_python, table
from tests.service.conftest import SETTINGS
from tests.service.test_page import Document, assert_kept_until_it_changes, get

FILES = [f"/docs/{name}" for name in sorted(VIEWER_FILES)]

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}

ONLY_WHEN_ASKED = """
import sys
from service.app import create_app
client = create_app().test_client()
before = {"yaml", "flask_swagger_ui"} & sys.modules.keys()
client.get("/openapi.json"), client.get("/docs/swagger-ui.css").close()
print(sorted(before), sorted({"yaml", "flask_swagger_ui"} & sys.modules.keys()))
"""


def test_the_description_is_answered_as_json(client: FlaskClient) -> None:
    response = get(client, "/openapi.json")
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert json.loads(response.data) == Description(SETTINGS).document


@table(
    "path, kind",
    {
        "the page": ("/docs", "text/html; charset=utf-8"),
        "its style": ("/docs/swagger-ui.css", "text/css; charset=utf-8"),
        "its script": ("/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    },
)
def test_the_page_and_its_files_are_of_their_types(
    client: FlaskClient, path: str, kind: str
) -> None:
    response = get(client, path)
    assert (response.status_code, response.content_type) == (200, kind)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", *FILES])
def test_who_has_it_asks_for_it_again_only_when_it_changed(client: FlaskClient, path: str) -> None:
    assert_kept_until_it_changes(client, path)


@pytest.mark.parametrize("path", ["/docs", *FILES])
def test_the_page_may_do_what_its_viewer_needs(client: FlaskClient, path: str) -> None:
    headers = get(client, path).headers
    directives = headers["Content-Security-Policy"].split("; ")
    assert dict(directive.split(" ", 1) for directive in directives) == POLICY
    assert headers["Referrer-Policy"] == "no-referrer"


def test_the_page_loads_its_own_files_and_runs_nothing_else(client: FlaskClient) -> None:
    document = Document(get(client, "/docs").get_data(as_text=True))
    assert document.inline == []
    assert set(document.loads) == {
        "static/icon.svg",
        "static/docs.js",
        "openapi.json",
        *(path.removeprefix("/") for path in FILES),
    }
    for path in document.loads:
        assert get(client, f"/{path}").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/docs/", "/docs/index.html", "/docs/swagger-ui.js", "/docs/LICENSE", "/docs/..%2fsetup.py"],
)
def test_nothing_else_of_the_viewer_is_served(client: FlaskClient, path: str) -> None:
    response = get(client, path)
    assert (response.status_code, response.content_type) == (404, "application/problem+json")


def test_nothing_is_imported_for_it_before_it_is_asked_for() -> None:
    run = run_python(ONLY_WHEN_ASKED)
    assert run.stdout == "[] ['yaml']\n", run.stderr
