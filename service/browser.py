"""What a browser is given: files that it keeps, and what their page may do."""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from flask import Response, request, send_from_directory


def kept(response: Response) -> Response:
    """An answer that is asked for again at every visit, and is a 304 when it is the same.

    What was installed with this server is what its pages run (RFC 9110, section 13).
    """
    response.cache_control.no_cache = True
    response.add_etag()
    # Nothing is changed here, so there is nothing that If-Match could guard.
    conditions = {key: request.environ[key] for key in request.environ if key != "HTTP_IF_MATCH"}
    response.make_conditional(conditions)
    del response.headers["Date"]  # the server dates every answer
    return response


def file(folder: Path, name: str) -> Response:
    """A file, whole: what a page loads is too small for parts of it to be asked for."""
    return kept(send_from_directory(folder, name, conditional=False))


def under(policy: str) -> Callable[[Response], Response]:
    """What tells a browser the policy of a page (Content Security Policy Level 3)."""

    def tell(response: Response) -> Response:
        if response.status_code < HTTPStatus.BAD_REQUEST:
            response.headers["Content-Security-Policy"] = policy
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return tell
