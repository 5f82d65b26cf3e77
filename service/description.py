"""The description of all that is answered over HTTP, and a page to read it on.

``openapi.yaml`` is the source. Few workers are ever asked for it, so what reads it, and what
shows it, is imported when one is.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Response, render_template

import service
from service import browser
from service.answers import JSON
from service.doors import ROUTES
from service.errors import NotFound
from service.settings import Settings

SOURCE = Path(__file__).with_name("openapi.yaml")

# Swagger UI writes styles into its document, and its icons as data: URLs; a picture that was
# answered is shown as a blob.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

VIEWER = "flask_swagger_ui"  # a package that brings Swagger UI's files; its code is not used
VIEWER_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})


def blueprint(settings: Settings) -> Blueprint:
    """``/openapi.json``, ``/docs``, and below that what the page loads of its viewer."""
    routes = Blueprint("description", __name__, template_folder="templates")
    routes.after_request(browser.under(POLICY))

    @cache
    def described() -> bytes:
        return orjson.dumps(document(settings))

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return browser.kept(Response(described(), content_type=JSON))

    @routes.get("/docs")
    def docs() -> Response:
        page = render_template("docs.html")
        return browser.kept(Response(page, content_type="text/html; charset=utf-8"))

    @routes.get("/docs/<filename>")
    def viewer(filename: str) -> Response:
        if filename not in VIEWER_FILES:
            raise NotFound("path", "there is nothing at this path; see /docs")
        return browser.file(_viewer_folder(), filename)

    return routes


def document(settings: Settings) -> dict[str, Any]:
    """The description as OpenAPI 3.1, with the version, limits and routes of this server."""
    import yaml  # noqa: PLC0415 - 2 MB

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it is built
    described: dict[str, Any] = yaml.load(SOURCE.read_bytes(), loader)  # nosec B506  # noqa: S506 - both are safe
    schemas = described["components"]["schemas"]
    schemas["Batch"]["maxItems"] = schemas["BatchSize"]["maximum"] = settings.max_batch
    described["info"]["version"] = service.__version__
    if not settings.takes_feedback:
        del described["paths"]["/feedback"]
    for name in settings.closed or ():
        described["paths"] = {
            path: item
            for path, item in described["paths"].items()
            if not ROUTES[name].fullmatch(path)
        }
    return described


@cache
def _viewer_folder() -> Path:
    found = importlib.util.find_spec(VIEWER)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(VIEWER)
    return Path(found.submodule_search_locations[0]) / "dist"
