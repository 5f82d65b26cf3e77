"""Pages of other origins may ask, if it is allowed (Fetch Standard, section 3.3)."""

from collections.abc import Collection

from flask import Flask, Response, request

from service.settings import ANY_ORIGIN

REQUEST_HEADERS = (
    "Accept, Authorization, Content-Type, Inference-Header-Content-Length, "
    "X-API-Key, X-Request-ID, traceparent"
)
RESPONSE_HEADERS = "Inference-Header-Content-Length, Retry-After, X-Request-ID"
REMEMBER_SECONDS = "600"  # what was answered to a browser that asked whether it may ask


def allow(app: Flask, origins: Collection[str]) -> None:
    """Let the pages of ``origins``, or of any with ``*``, send requests and read the answers.

    Cookies are no matter: nothing here reads them. Errors carry the fields as well, and
    without a match ``Vary`` still tells caches that another origin would have one.
    """
    for_all = ANY_ORIGIN in origins

    @app.after_request
    def tell(response: Response) -> Response:
        origin = request.headers.get("Origin")
        headers = response.headers
        if not for_all:
            response.vary.add("Origin")
        if origin is None or not (for_all or origin in origins):
            return response
        headers["Access-Control-Allow-Origin"] = ANY_ORIGIN if for_all else origin
        headers["Access-Control-Expose-Headers"] = RESPONSE_HEADERS
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            headers["Access-Control-Allow-Methods"] = headers.get("Allow", "")
            headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
            headers["Access-Control-Max-Age"] = REMEMBER_SECONDS
        return response
