"""A span for each request, made by OpenTelemetry's SDK when the request is over.

The SDK keeps spans in a bounded queue and sends them from a thread of its own.
"""

import logging
import sys
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from service import __version__
from service.correlation import Trace
from service.front import UNKNOWN
from service.logs import Answered
from service.tracing import CONSOLE

# What is not sent so long after the last request is lost: the end waits for no collector.
FLUSH_SECONDS = 2.0

# A collector that is down is told of so often, not each time that it is tried.
TOLD_SECONDS = 60.0

NAMED = {"service.name": "digits", "service.version": __version__}

# Of RFC 9110 and RFC 5789; any other could be of a client's making.
METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
OTHER_METHOD = "_OTHER"


class Handed(RandomIdGenerator):
    """Span ids at random; a new trace has the id that its request has already."""

    def __init__(self) -> None:
        self._here = threading.local()

    def hand(self, trace_id: int) -> None:
        """Say which trace begins next in this thread."""
        self._here.trace_id = trace_id

    def generate_trace_id(self) -> int:
        """The one that was handed last."""
        trace_id: int = self._here.trace_id
        return trace_id


class Seldom(logging.Filter):
    """Lets one record pass, and the next ``TOLD_SECONDS`` later."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, _record: logging.LogRecord) -> bool:
        """Whether a record passes."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + TOLD_SECONDS
        return True


@dataclass(frozen=True)
class Spans:
    """Makes the spans of one application; the SDK's variables say of which and how sent."""

    provider: TracerProvider
    tracer: Tracer
    ids: Handed

    @classmethod
    def to(cls, exporter: str) -> "Spans":
        """Spans that go to ``otlp`` or ``console``."""
        if exporter == CONSOLE:
            return cls.through(ConsoleSpanExporter(out=sys.stdout, formatter=_line))
        logging.getLogger(OTLPSpanExporter.__module__).addFilter(Seldom())
        return cls.through(OTLPSpanExporter())

    @classmethod
    def through(cls, exporter: SpanExporter) -> "Spans":
        """Spans that go to an exporter of the SDK."""
        ids = Handed()
        named = NAMED | dict(OTELResourceDetector().detect().attributes)
        provider = TracerProvider(resource=Resource.create(named), id_generator=ids)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return cls(provider, provider.get_tracer("digits", __version__), ids)

    def write(self, answered: Answered) -> None:
        """Make the span of one request, which ends now."""
        ended = time.time_ns()
        method = answered.method if answered.method in METHODS else OTHER_METHOD
        span = self.tracer.start_span(
            _name(method, answered.route),
            self._context(answered.trace),
            SpanKind.SERVER,
            _attributes(method, answered),
            start_time=ended - round(answered.seconds * 1e9),
        )
        if answered.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.set_status(StatusCode.ERROR)
        span.end(ended)

    def close(self) -> None:
        """Send what waits, for ``FLUSH_SECONDS`` at most."""
        sending = threading.Thread(target=self.provider.shutdown, daemon=True)
        sending.start()
        sending.join(FLUSH_SECONDS)

    def _context(self, trace: Trace) -> Context:
        """Below the span that the client named, or that of a new trace."""
        trace_id = int(trace.trace_id, 16)
        if trace.parent_id is None:
            self.ids.hand(trace_id)
            return Context()
        parent = SpanContext(
            trace_id, int(trace.parent_id, 16), is_remote=True, trace_flags=TraceFlags(trace.flags)
        )
        return set_span_in_context(NonRecordingSpan(parent), Context())


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(None)}\n"


def _name(method: str, route: str) -> str:
    """What the conventions for HTTP call a span."""
    verb = "HTTP" if method == OTHER_METHOD else method
    return verb if route == UNKNOWN else f"{verb} {route}"


def _attributes(method: str, answered: Answered) -> dict[str, AttributeValue]:
    """What is told of a request: by the conventions for HTTP, and by our own names."""
    found: dict[str, AttributeValue] = {
        "http.request.method": method,
        "http.response.status_code": answered.status,
        "url.scheme": answered.scheme,
        "digits.request_id": answered.request_id,
    }
    if answered.route != UNKNOWN:
        found["http.route"] = answered.route
    if answered.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        found["error.type"] = str(answered.status)
    if answered.version is None:
        return found
    found |= {"digits.model.version": answered.version, "digits.images": len(answered.predictions)}
    if len(answered.predictions) == 1:
        [said] = answered.predictions
        found |= {
            "digits.digit": said.digit,
            "digits.confidence": said.confidence,
            "digits.accepted": said.accepted,
        }
    return found
