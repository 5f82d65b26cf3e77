"""Flask's responses, as the service makes them."""

import orjson
from flask import Response

from service.answers import JSON
from service.exchange import Reply


def of(reply: Reply) -> Response:
    """A reply, for Flask to send."""
    return Response(reply.body, reply.status_line, reply.headers, content_type=reply.content_type)


def in_json(value: object, status: int = 200) -> Response:
    """What the service tells about itself or its model."""
    return of(Reply(orjson.dumps(value), JSON, status))
