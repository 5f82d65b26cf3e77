"""Pages of other origins may ask, if it is allowed (Fetch Standard, section 3.3)."""

from collections.abc import Collection, MutableMapping
from dataclasses import dataclass

from service.headers import vary
from service.settings import ANY_ORIGIN
from service.wsgi import Environ

REQUEST_HEADERS = (
    "Accept, Authorization, Content-Type, Inference-Header-Content-Length, "
    "X-API-Key, X-Canary-Key, X-Request-ID, traceparent"
)
RESPONSE_HEADERS = "Inference-Header-Content-Length, Retry-After, X-Model-Version, X-Request-ID"
REMEMBER_SECONDS = "600"  # what was answered to a browser that asked whether it may ask


@dataclass(frozen=True)
class Cors:
    """Lets the pages of ``origins``, or of any with ``*``, send requests and read the answers.

    Cookies are no matter: nothing here reads them.
    """

    origins: Collection[str]

    def tell(self, environ: Environ, headers: MutableMapping[str, str]) -> None:
        """Add to the ``headers`` of an answer what the origin of its request may do.

        Errors carry the fields as well, and without a match ``Vary`` still tells caches
        that another origin would have one.
        """
        origin = environ.get("HTTP_ORIGIN")
        for_all = ANY_ORIGIN in self.origins
        if not for_all:
            vary(headers, "Origin")
        if origin is None or not (for_all or origin in self.origins):
            return
        headers["Access-Control-Allow-Origin"] = ANY_ORIGIN if for_all else origin
        headers["Access-Control-Expose-Headers"] = RESPONSE_HEADERS
        asks_first = "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        if environ["REQUEST_METHOD"] == "OPTIONS" and asks_first:
            headers["Access-Control-Allow-Methods"] = headers.get("Allow", "")
            headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
            headers["Access-Control-Max-Age"] = REMEMBER_SECONDS
