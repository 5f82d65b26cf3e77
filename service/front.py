"""What stands before Flask: every request begins and ends here.

The questions that are asked all the time are answered ahead of Flask, whose routing,
contexts and responses take longer than the network; all else is handed on to it. What is
done with a request is the same on both ways (``exchange.py``), and so are the bytes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from service import wsgi
from service.exchange import PREDICTED, REQUEST, ROUTE, Exchange, Reply, Request
from service.inference import Asked, Inference, Reader

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")  # of a route, in Werkzeug's notation

UNKNOWN = "none"  # the route of a request that has none

WITHOUT_CONTENT = frozenset({204, 304})  # RFC 9110, section 8.6


class Opened(NamedTuple):
    """A request that has begun: what it asks, or already the reply to it, or None for Flask.

    route: what it is counted as, if that is known.
    """

    request: Request
    route: str
    asked: Asked | Reply | None


@dataclass(frozen=True)
class Front:
    """A WSGI application before another: answers POST to ``ways``, and completes all answers.

    ways: by their paths, the route that each is counted as, and what reads its questions.
    """

    application: "WSGIApplication"
    exchange: Exchange
    inference: Inference
    ways: Mapping[str, tuple[str, Reader]]

    def __call__(self, environ: wsgi.Environ, start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        response = self.respond(environ)
        start_response(response.status, response.headers)
        return [response.body]

    def respond(self, environ: wsgi.Environ) -> wsgi.Response:
        """The response to one request."""
        [response] = self.answer([self.open(environ)])
        return response

    def open(self, environ: wsgi.Environ) -> Opened:
        """Begin with a request, which ``answer`` has to end."""
        request = self.exchange.begin(environ)
        way = self.ways.get(environ["PATH_INFO"])
        if way is None or environ["REQUEST_METHOD"] != "POST":
            return Opened(request, UNKNOWN, None)
        route, reader = way
        try:
            self.exchange.admit(request)
            return Opened(request, route, self.inference.ask(request, partial(reader, request)))
        except Exception as error:  # noqa: BLE001 - whoever is at fault, there is an answer
            return Opened(request, route, self.exchange.excuse(request, error))

    def answer(self, opened: Sequence[Opened]) -> list[wsgi.Response]:
        """The responses to requests that came at the same time, in their order."""
        asked = [one.asked for one in opened if isinstance(one.asked, Asked)]
        replies = iter(self.inference.answer_together(asked) if asked else ())
        responses = []
        for request, route, question in opened:
            if question is None:
                responses.append(self._hand_on(request))
            else:
                reply = next(replies) if isinstance(question, Asked) else question
                responses.append(self._complete(request, route, reply))
        return responses

    def _hand_on(self, request: Request) -> wsgi.Response:
        """What the application makes of a request."""
        environ = request.environ
        environ[REQUEST] = request
        is_head = request.method == "HEAD"  # whose answer is a GET's without its body
        inner = environ | {"REQUEST_METHOD": "GET"} if is_head else environ
        reply: Reply | Exception
        try:
            reply = _reply(wsgi.call(self.application, inner))
            reply.predicted = inner.get(PREDICTED)
        except Exception as error:  # noqa: BLE001 - Flask itself has failed
            reply = error
        response = self._complete(request, inner.get(ROUTE, UNKNOWN), reply)
        return response._replace(body=b"") if is_head else response

    def _complete(self, request: Request, route: str, reply: Reply | Exception) -> wsgi.Response:
        if isinstance(reply, Exception):
            reply = self.exchange.excuse(request, reply)
        try:
            self.exchange.finish(request, route, reply)
        finally:
            self.exchange.end()
        fields = list(reply.headers.items())
        if reply.status not in WITHOUT_CONTENT:
            fields.append(("Content-Length", str(len(reply.body))))
        if reply.content_type:
            fields.append(("Content-Type", reply.content_type))
        return wsgi.Response(reply.status_line, fields, reply.body)


def _reply(response: wsgi.Response) -> Reply:
    """What the application answered, to be completed."""
    headers = dict(response.headers)
    headers.pop("Content-Length", None)  # it may be compressed
    content_type = headers.pop("Content-Type", "")
    return Reply(response.body, content_type, int(response.status[:3]), headers)


def ways(
    readers: Mapping[str, Reader], parameters: Mapping[str, str]
) -> dict[str, tuple[str, Reader]]:
    """The paths of ``readers`` with their routes, of those that have no other ``parameters``."""
    found: dict[str, tuple[str, Reader]] = {}
    for route, reader in readers.items():
        names = PARAMETER.findall(route)
        if not parameters.keys() >= {*names}:
            continue
        path = PARAMETER.sub(lambda match: parameters[match[1]], route)
        found[path] = route, partial(reader, **{name: parameters[name] for name in names})
    return found
