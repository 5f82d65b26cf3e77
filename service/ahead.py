"""The endpoints that are asked all the time, answered ahead of Flask.

Flask's routing, contexts and responses take longer than the network. Nothing else is
skipped: endpoint and exchange are the same, and so are the bytes of the answer.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from service.errors import RequestError
from service.exchange import Endpoint, Exchange
from service.wsgi import Environ

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")  # of a route, in Werkzeug's notation


@dataclass(frozen=True)
class Ahead:
    """A WSGI application before another: answers POST to ``ways``, and hands on all else.

    ways: by their paths, the route that each is counted as, and its endpoint.
    """

    application: "WSGIApplication"
    exchange: Exchange
    ways: Mapping[str, tuple[str, Endpoint]]

    def __call__(self, environ: Environ, start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        way = self.ways.get(environ["PATH_INFO"])
        if way is None or environ["REQUEST_METHOD"] != "POST":
            return self.application(environ, start_response)
        route, endpoint = way
        request = self.exchange.begin(environ)
        try:
            try:
                self.exchange.admit(request)
                reply = endpoint(request)
            except RequestError as error:
                reply = self.exchange.refuse(request, error)
            except Exception as error:  # noqa: BLE001 - the service is at fault, whatever it is
                reply = self.exchange.fail(request, error)
            self.exchange.finish(request, route, reply)
        finally:
            self.exchange.end()
        body = reply.body or b""
        headers = [("Content-Type", reply.content_type), ("Content-Length", str(len(body)))]
        start_response(reply.status_line, [*headers, *reply.headers.items()])
        return [body]


def ways(
    endpoints: Mapping[str, Endpoint], parameters: Mapping[str, str]
) -> dict[str, tuple[str, Endpoint]]:
    """The paths of ``endpoints`` with their routes, where these have the given ``parameters``."""
    found: dict[str, tuple[str, Endpoint]] = {}
    for route, endpoint in endpoints.items():
        names = PARAMETER.findall(route)
        path = PARAMETER.sub(lambda match: parameters[match[1]], route)
        found[path] = route, partial(endpoint, **{name: parameters[name] for name in names})
    return found
