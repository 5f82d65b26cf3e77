"""Requests and replies free of any framework, and what is done with each of them.

An endpoint is a function from a request to a reply. Whoever calls it leaves the rest to
one ``Exchange``: who may ask, what a refusal looks like, what is counted, logged and told
to caches and browsers.
"""

import logging
import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import parse_qsl

from werkzeug.datastructures import MultiDict

from model import Prediction
from service import codings, correlation, errors, problems, protocols
from service.answers import JSON
from service.correlation import Trace
from service.cors import Cors
from service.doors import Doors
from service.headers import vary
from service.keys import Keys
from service.logs import Answered
from service.metrics import Metrics
from service.rates import Rates
from service.wsgi import REFUSAL, Environ

STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}

MODEL_VERSION = "X-Model-Version"  # header of every answer that a model has made

# What a browser is told with every answer: it is what it is said to be, shows nothing that is
# loaded from elsewhere, and stands in nobody's frame or page. Pages that may ask (cors.py) do so
# in a way that is no matter of the last.
POLICY, NOTHING = "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"
SAFE = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}

INCOMPRESSIBLE = frozenset({"image/png"})

# Where Flask's views find the Request in their environment, and leave what it is counted as
# and what was predicted.
REQUEST, ROUTE, PREDICTED = "digits.request", "digits.route", "digits.predicted"

log = logging.getLogger("digits")


@dataclass  # frozen, it would take three times as long to make
class Request:
    """One request that has begun: its WSGI environment, and what it is called."""

    environ: Environ
    id: str
    began: float

    @cached_property
    def trace(self) -> Trace:
        """Where the request stands in its trace; one that is new is made when it is asked for."""
        return correlation.trace(self.environ.get("HTTP_TRACEPARENT"))

    def header(self, name: str) -> str | None:
        """The value of a header field other than Content-Type and Content-Length."""
        return self.environ.get("HTTP_" + name.upper().replace("-", "_"))

    @property
    def content_type(self) -> str | None:
        """What the body is said to be."""
        return self.environ.get("CONTENT_TYPE") or None

    @property
    def method(self) -> str:
        """The method, in capitals."""
        method: str = self.environ["REQUEST_METHOD"]
        return method

    @property
    def path(self) -> str:
        """The path, decoded."""
        path: str = self.environ["PATH_INFO"]
        return path

    @property
    def args(self) -> MultiDict[str, str]:
        """The parameters of the query."""
        query = self.environ.get("QUERY_STRING")
        return MultiDict(parse_qsl(query, keep_blank_values=True) if query else ())


@dataclass
class Reply:
    """What is answered.

    content_type: nothing where there is no content. predicted: by which version what is said
    of each image, where images are predicted; for the log.
    """

    body: bytes
    content_type: str = JSON
    status: int = 200
    headers: MutableMapping[str, str] = field(default_factory=dict)
    predicted: tuple[int, Sequence[Prediction]] | None = None

    @property
    def status_line(self) -> str:
        """The status with its words (RFC 9110, section 15)."""
        return STATUS_LINES[self.status]


# From a Request, and the parameters of its route as text, to a Reply.
Endpoint: TypeAlias = Callable[..., Reply]


@dataclass(frozen=True)
class Exchange:
    """What is done with every request of one application.

    witnesses: are told of each request when it is answered. cors, rates, doors: None where
    not wanted.
    """

    metrics: Metrics
    keys: Keys
    witnesses: Sequence[Callable[[Answered], None]] = ()
    cors: Cors | None = None
    rates: Rates | None = None
    doors: Doors | None = None

    def begin(self, environ: Environ) -> Request:
        """A request has come; ``end`` has to be called for it."""
        self.metrics.begin_request()
        return Request(
            environ,
            correlation.request_id(environ.get("HTTP_X_REQUEST_ID")),
            time.perf_counter(),
        )

    def admit(self, request: Request) -> None:
        """Raise RequestError for a request that could not be read, or may not be made."""
        refusal = request.environ.get(REFUSAL)
        if refusal:
            raise refusal
        if self.doors:
            self.doors.check(request.environ)
        if self.rates:  # before keys: who guesses at them is slowed down
            self.rates.check(request.environ)
        self.keys.check(request.environ)

    def excuse(self, request: Request, error: Exception) -> Reply:
        """The reply to a request that cannot be answered, in the form of its route.

        Where no RequestError says why, the service itself is at fault; the log has the cause.
        """
        if isinstance(error, errors.RequestError):
            reply = self._told(request, error)
            reply.headers.update(error.headers)
            return reply
        trace_id = request.trace.trace_id
        log.error("request %s of trace %s failed", request.id, trace_id, exc_info=error)
        return self._told(request, None)

    def _told(self, request: Request, error: errors.RequestError | None) -> Reply:
        """A refusal or, without an error, a failure: counted, and in the form of its route."""
        self.metrics.count_refusal(problems.of(error).code)
        if protocols.answers(request.path):
            status, body = problems.plain(error)
            return Reply(body, JSON, status)
        status, body = problems.document(error, request.id)
        return Reply(body, problems.PROBLEM_TYPE, status)

    def finish(self, request: Request, route: str, reply: Reply) -> None:
        """Complete a reply, count and log it. ``route`` is a template, never a client's path."""
        headers = reply.headers
        self._compress(request, reply)
        headers["X-Request-ID"] = request.id
        headers.setdefault(POLICY, NOTHING)  # a page has its own
        headers.update(SAFE)
        if self.cors:
            self.cors.tell(request.environ, headers)
        seconds = time.perf_counter() - request.began
        self.metrics.count_request(route, reply.status, seconds)
        if self.witnesses:
            answered = Answered(
                request.id,
                request.trace,
                request.environ["wsgi.url_scheme"],
                request.method,
                route,
                reply.status,
                seconds,
                *(reply.predicted or ()),
            )
            for tell in self.witnesses:
                tell(answered)

    def end(self) -> None:
        """A request is over, whatever became of it."""
        self.metrics.end_request()

    def _compress(self, request: Request, reply: Reply) -> None:
        """Send a large answer in the coding that the client likes best, if it likes any."""
        if len(reply.body) < codings.MIN_COMPRESSED_BYTES:
            return
        if "ETag" in reply.headers or reply.content_type in INCOMPRESSIBLE:
            return  # an ETag is of these very bytes
        vary(reply.headers, "Accept-Encoding")
        coding = codings.preferred(request.environ.get("HTTP_ACCEPT_ENCODING"))
        if coding:
            reply.body = codings.COMPRESS[coding](reply.body)
            reply.headers["Content-Encoding"] = coding
