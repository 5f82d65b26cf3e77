"""The page to draw a digit on: one document, and the files that it is made of."""

from pathlib import Path

from flask import Blueprint, Flask, Response, current_app, render_template, request

from service import browser, feedback
from service.images import FORMATS
from service.settings import Settings

ALIVE = b'{"status":"alive"}'

FILES = Path(__file__).parent / "static"

# Nothing but this server's own files, and pictures that the page made itself; no script or style
# within the document, no frame around it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def blueprint(settings: Settings) -> Blueprint:
    """``GET /``, and below ``/static/`` what the page loads."""
    page = Blueprint("page", __name__, template_folder="templates")
    page.after_request(browser.under(POLICY))

    @page.get("/")
    def index() -> Response:
        if not _prefers_html():
            response = Response(ALIVE, content_type="application/json")
        else:
            document = render_template(
                "index.html",
                types=" ".join(FORMATS),
                max_bytes=settings.max_body_bytes,
                max_pixels=settings.max_image_pixels,
                takes_feedback=_has_route(current_app, feedback.ROUTE),
            )
            response = browser.kept(Response(document, content_type="text/html; charset=utf-8"))
        response.vary.add("Accept")
        return response

    @page.get("/static/<path:filename>")
    def static(filename: str) -> Response:
        return browser.file(FILES, filename)

    return page


def _prefers_html() -> bool:
    """Browsers name text/html; ``curl`` and health checks take anything, and get JSON."""
    accepted = request.accept_mimetypes
    return bool(accepted["text/html"] > accepted["application/json"])


def _has_route(app: Flask, path: str) -> bool:
    return any(rule.rule == path for rule in app.url_map.iter_rules())
