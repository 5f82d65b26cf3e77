"""The page to draw a digit on: one document, and the files that it is made of."""

from flask import Blueprint, Flask, Response, current_app, render_template, request

from service.images import FORMATS
from service.settings import Settings

ALIVE = b'{"status":"alive"}'

# Nothing but this server's own files, and pictures that the page made itself; no script or style
# within the document, no frame around it (Content Security Policy Level 3).
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

FEEDBACK = "/feedback"


def blueprint(settings: Settings) -> Blueprint:
    """``GET /``, and below ``/static/`` what the page loads.

    Every file is checked for a newer one at each visit, by its ETag: what was
    installed with this server is what its page runs.
    """
    page = Blueprint("page", __name__, static_folder="static", template_folder="templates")

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
                takes_feedback=_has_route(current_app, FEEDBACK),
            )
            response = Response(document, content_type="text/html; charset=utf-8")
            response.cache_control.no_cache = True
            response.add_etag()
        response.vary.add("Accept")
        response.make_conditional(request)
        return response

    @page.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return page


def _prefers_html() -> bool:
    """Browsers name text/html; ``curl`` and health checks take anything, and get JSON."""
    accepted = request.accept_mimetypes
    return bool(accepted["text/html"] > accepted["application/json"])


def _has_route(app: Flask, path: str) -> bool:
    return any(rule.rule == path for rule in app.url_map.iter_rules())
