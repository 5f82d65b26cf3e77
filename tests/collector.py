"""A collector of traces as the service meets it: OTLP over HTTP, read by OTLP's own messages."""

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.server import answering

TYPE = "application/x-protobuf"

DECODE: Mapping[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


class Span(NamedTuple):
    """What has arrived of one span; ids in hexadecimal digits, times in nanoseconds."""

    resource: Mapping[str, Any]
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str | None
    started: int
    ended: int
    status: int
    attributes: Mapping[str, Any]


@dataclass
class Collector:
    """A server on a port of its own, and what was sent to it."""

    port: int = 0
    codings: set[str] = field(default_factory=set)
    requests: list[Any] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """By which a service finds it."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}"}

    def spans(self) -> list[Span]:
        """All that has arrived, in order."""
        return [
            _read(_attributes(of_one.resource.attributes), span)
            for request in list(self.requests)
            for of_one in request.resource_spans
            for scope in of_one.scope_spans
            for span in scope.spans
        ]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens until it is left."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            coding = self.headers.get("Content-Encoding", "none")
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            good = self.path == "/v1/traces" and self.headers["Content-Type"] == TYPE
            if good:
                request = ExportTraceServiceRequest.FromString(DECODE[coding](sent))
                collector.codings.add(coding)
                collector.requests.append(request)
            body = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if good else 400)
            self.send_header("Content-Type", TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.port = server.server_port
    with answering(server):
        yield collector


def _read(resource: Mapping[str, Any], span: Any) -> Span:  # noqa: ANN401 - a message without types
    return Span(
        resource,
        span.name,
        span.kind,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex() or None,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code,
        _attributes(span.attributes),
    )


def _attributes(pairs: Any) -> dict[str, Any]:  # noqa: ANN401 - the same
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
