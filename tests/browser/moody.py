"""The application in this process: refuses for a while, answers what its model would not.

And remembers what was asked, and feedback.
"""

import io
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import OK
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from werkzeug.serving import make_server

from service.app import create_app
from service.settings import Settings
from tests.server import answering, free_port

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


@dataclass(frozen=True)
class Refusal:
    """What is answered to ``POST /predict`` instead of an answer."""

    status: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Moody:
    """A server whose moods a test sets; all else is the real application."""

    application: "WSGIApplication"
    url: str
    refusal: Refusal | None = None
    prediction: dict[str, Any] = field(default_factory=dict)  # put over the one of the answer
    explanation: dict[str, Any] = field(default_factory=dict)  # put over the whole of it
    asked: list[float] = field(default_factory=list)  # when, for each POST /predict
    bodies: list[bytes] = field(default_factory=list)  # what was sent with them
    feedback: list[Any] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/predict":
            self.asked.append(time.monotonic())
            self.bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            environ["wsgi.input"] = io.BytesIO(self.bodies[-1])
            if self.refusal:
                start_response(self.refusal.status, list(self.refusal.headers.items()))
                return [self.refusal.body]
        if not (self.prediction or self.explanation):
            return self.application(environ, start_response)
        environ.pop("HTTP_ACCEPT_ENCODING", None)  # what is compressed cannot be changed
        answer = Response.from_app(self.application, environ)
        if environ["PATH_INFO"] == "/predict" and answer.status_code == OK:
            document = answer.get_json()
            document["predictions"][0] |= self.prediction
            answer.set_data(json.dumps(document))
        elif environ["PATH_INFO"] == "/explain" and answer.status_code == OK:
            answer.set_data(json.dumps(answer.get_json() | self.explanation))
        return answer(environ, start_response)


@contextmanager
def serving(settings: Settings | None = None, *, takes_feedback: bool = False) -> Iterator[Moody]:
    """A moody server in a thread."""
    app = create_app(settings or Settings())
    port = free_port()
    moody = Moody(app, f"http://127.0.0.1:{port}/")
    if takes_feedback:
        app.register_blueprint(_feedback(moody.feedback))
    server = make_server("127.0.0.1", port, moody, threaded=True)
    with answering(server):
        yield moody


def _feedback(received: list[Any]) -> Blueprint:
    routes = Blueprint("feedback", __name__)

    @routes.post("/feedback")
    def feedback() -> Response:
        received.append(request.get_json())
        return Response(b"{}", content_type="application/json")

    return routes
