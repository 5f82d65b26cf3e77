"""The page and its files, as a browser is given them; tests/browser has the page in a browser."""

import re
import tomllib
from html.parser import HTMLParser

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.description import SOURCE
from service.images import FORMATS
from tests.helpers import ROOT, table
from tests.service.cases import MAX_BODY_BYTES, MAX_IMAGE_PIXELS

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"

TYPES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml; charset=utf-8",
}

SVG_NAMESPACE = "http://www.w3.org/2000/svg"


class Document(HTMLParser):
    """What a document loads, and the attributes and the text of its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.inline: list[str] = []
        self.body: dict[str, str | None] = {}
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self.attributes += [(tag, name) for name, _ in attrs]
        self.loads += [value for name, value in attrs if name in ("src", "href") and value]
        if tag == "body":
            self.body = dict(attrs)

    def handle_data(self, data: str) -> None:
        if self._tag in ("script", "style") and data.strip():
            self.inline.append(data)


def get(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    """What a browser is answered; files are closed again."""
    sent = {"Accept": BROWSER} | {name.replace("_", "-"): value for name, value in headers.items()}
    response = client.get(path, headers=sent)
    response.get_data()
    response.close()
    return response


@pytest.fixture
def document(client: FlaskClient) -> Document:
    return Document(get(client, "/").get_data(as_text=True))


@table(
    "accept, kind",
    {
        "a browser": (BROWSER, "text/html; charset=utf-8"),
        "text/html alone": ("text/html", "text/html; charset=utf-8"),
        "any text": ("text/*", "text/html; charset=utf-8"),
        "nothing said": (None, "application/json"),
        "anything, as curl": ("*/*", "application/json"),
        "JSON": ("application/json", "application/json"),
        "both the same": ("text/html, application/json", "application/json"),
        "JSON rather": ("text/html;q=0.5, application/json", "application/json"),
        "neither": ("image/png", "application/json"),
    },
)
def test_the_root_is_a_page_for_who_prefers_one(
    client: FlaskClient, accept: str | None, kind: str
) -> None:
    response = client.get("/", headers={"Accept": accept} if accept else {})
    assert (response.status_code, response.content_type) == (200, kind)
    assert response.headers["Vary"] == "Accept"
    if kind == "application/json":
        assert response.get_json() == {"status": "alive"}


@pytest.mark.parametrize("path", ["/", *(f"/static/{name}" for name in TYPES)])
def test_a_browser_is_told_what_the_page_may_do(client: FlaskClient, path: str) -> None:
    headers = get(client, path).headers
    policy = dict(
        directive.split(" ", 1) for directive in headers["Content-Security-Policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"


def assert_kept_until_it_changes(client: FlaskClient, path: str) -> None:
    """A browser asks whether what it has is still what there is, and only else gets it again."""
    first = get(client, path)
    assert first.headers["Cache-Control"] == "no-cache"
    again = get(client, path, If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    stale = get(client, path, If_None_Match='"of another version"')
    assert (stale.status_code, stale.data) == (200, first.data)


@pytest.mark.parametrize("path", ["/", *(f"/static/{name}" for name in TYPES)])
def test_what_a_browser_has_it_asks_for_again_only_when_it_changed(
    client: FlaskClient, path: str
) -> None:
    assert_kept_until_it_changes(client, path)


def test_all_the_page_loads_is_there_and_of_its_type(
    client: FlaskClient, document: Document
) -> None:
    assert {address.removeprefix("static/") for address in document.loads} == TYPES.keys()
    for name, kind in TYPES.items():
        response = get(client, f"/static/{name}")
        assert (response.status_code, response.content_type) == (200, kind)


def test_every_file_of_the_page_is_installed_with_the_service() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["service"]
    installed = {path for pattern in patterns for path in (ROOT / "service").glob(pattern)}
    for folder in ("static", "templates"):
        assert installed >= set((ROOT / "service" / folder).rglob("*"))
    assert SOURCE in installed
    static = {path.name for path in (ROOT / "service/static").iterdir()}
    assert static == {*TYPES, "docs.js"}  # of which one is for /docs


@pytest.mark.parametrize("path", ["/", *(f"/static/{name}" for name in TYPES)])
def test_no_address_outside_this_server_is_named(client: FlaskClient, path: str) -> None:
    text = get(client, path).get_data(as_text=True)
    assert not re.search(r"(https?:)?//\w", text.replace(SVG_NAMESPACE, ""))


def test_no_script_or_style_is_within_the_document(document: Document) -> None:
    assert document.inline == []
    assert [tag for tag, name in document.attributes if name == "style" or name[:2] == "on"] == []


def test_the_page_knows_what_the_server_takes(document: Document) -> None:
    assert document.body == {
        "data-types": " ".join(FORMATS),
        "data-max-bytes": str(MAX_BODY_BYTES),
        "data-max-pixels": str(MAX_IMAGE_PIXELS),
    }


def test_corrections_are_offered_where_there_is_a_route_for_them(app: Flask) -> None:
    routes = Blueprint("feedback", __name__)
    routes.add_url_rule("/feedback", view_func=lambda: "", methods=["POST"])
    app.register_blueprint(routes)
    text = get(app.test_client(), "/").get_data(as_text=True)
    assert "data-feedback" in Document(text).body


@pytest.mark.parametrize("path", ["/static/", "/static/no.js", "/static/../page.py"])
def test_nothing_else_is_served_from_the_folder(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.content_type) == (404, "application/problem+json")
