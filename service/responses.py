"""Flask's requests and responses, without what takes time and is not used here."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import orjson
from flask import Flask, Request, Response
from werkzeug.routing import MapAdapter

from service.answers import JSON
from service.exchange import Reply

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class App(Flask):
    """Routes by path and method alone: the Host that a client sends plays no part."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What matches a request's path with a route."""
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        return MapAdapter(
            self.url_map,
            server_name="",
            script_name=environ.get("SCRIPT_NAME") or "/",
            subdomain="",
            url_scheme="http",
            path_info=environ["PATH_INFO"],
            default_method=environ["REQUEST_METHOD"],
        )


class Whole(Response):
    """A response with a body that is there, to which ``front.py`` adds what WSGI asks for."""

    def get_wsgi_response(
        self,
        environ: "WSGIEnvironment",  # noqa: ARG002 - it is the same for everyone
    ) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """The body, the status and the header fields."""
        return [self.get_data()], self.status, self.headers.to_wsgi_list()


def of(reply: Reply) -> Response:
    """A reply, for Flask to send."""
    return Whole([reply.body], reply.status_line, reply.headers, content_type=reply.content_type)


def in_json(value: object, status: int = 200) -> Response:
    """What the service tells about itself or its model."""
    return of(Reply(orjson.dumps(value), JSON, status))
