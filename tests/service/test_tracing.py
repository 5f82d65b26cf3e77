"""What is told of a request to a collector, of which requests, and when nobody is told."""

import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from opentelemetry.sdk.trace import export
from werkzeug.test import TestResponse

import service
from model import Artifact, Classifier
from service import spans, tracing
from service.__main__ import main
from service.app import create_app
from service.correlation import Trace
from service.logs import Answered
from service.settings import Settings, SettingsError
from service.spans import Spans
from tests.collector import DECODE, Collector, Span, collecting
from tests.helpers import environment, table
from tests.server import free_port
from tests.service.cases import GOOD, JSON, RAW, pixels_json
from tests.service.test_correlation import PARENT_ID, SENT, TRACE_ID
from tests.service.test_front import V2
from tests.service.test_logs import V1
from tests.service.test_together import SPOILT, Allergic

BODY = pixels_json(GOOD)
NOT_SAMPLED = SENT[:-1] + "0"

ANSWERED = Answered("one", Trace(TRACE_ID, None), "http", "GET", "/livez", 200, 0.25)

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TO_OTLP = {"OTEL_TRACES_EXPORTER": "otlp"}


@pytest.fixture(autouse=True)
def _no_other_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - environment({}).keys():
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def spans_by(variables: Mapping[str, str], patch: pytest.MonkeyPatch) -> Spans:
    """What makes spans where the environment has these variables."""
    for name, value in variables.items():
        patch.setenv(name, value)
    found = tracing.spans(os.environ)
    assert found
    return found


@contextmanager
def traced(
    classifier: Classifier, settings: Settings, variables: Mapping[str, str]
) -> Iterator[Flask]:
    """An application whose spans have all been sent when this is left."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        app = create_app(settings, classifier)
        yield app
        app.extensions["spans"].close()


@pytest.fixture(scope="module")
def app(shipped: Artifact, collector: Collector) -> Iterator[Flask]:
    """It fails at some images."""
    with traced(Allergic(shipped), Settings(), collector.variables) as app:
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def span_of(answer: TestResponse, app: Flask, collector: Collector) -> Span:
    """The one span of a request."""
    app.extensions["spans"].provider.force_flush()
    name = answer.headers["X-Request-ID"]
    [span] = [one for one in collector.spans() if one.attributes["digits.request_id"] == name]
    return span


PREDICTED = {"digits.model.version", "digits.images"}
OF_ONE = PREDICTED | {"digits.digit", "digits.confidence", "digits.accepted"}


@table(
    "request_, expected",
    {
        "one image": (
            ("POST", "/predict?top_k=2", BODY, JSON),
            ("POST /predict", 200, OF_ONE),
        ),
        "several": (
            ("POST", "/predict", bytes(784 * 3), RAW),
            ("POST /predict", 200, PREDICTED),
        ),
        "in another dialect": (
            ("POST", "/v2/models/digits/infer", V2, {}),
            ("POST /v2/models/<name>/infer", 200, OF_ONE),
        ),
        "through Flask": (
            ("POST", "/v1/models/digits/versions/2:predict", V1, {}),
            ("POST /v1/models/<segment:name>/versions/<segment:version>:predict", 200, OF_ONE),
        ),
        "one that cannot be read": (
            ("POST", "/predict", b"secret", JSON),
            ("POST /predict", 400, set()),
        ),
        "a parameter": (
            ("GET", "/models/secret", b"", {}),
            ("GET /models/<version>", 404, set()),
        ),
        "no route": (("GET", "/secret", b"", {}), ("GET", 404, set())),
        "a method that a client made up": (
            ("SECRET", "/predict", b"", {}),
            ("HTTP", 405, set()),
        ),
        "a fault of the service": (
            ("POST", "/predict", pixels_json(SPOILT), JSON),
            ("POST /predict", 500, set()),
        ),
    },
)
def test_a_span_tells_what_became_of_a_request_and_nothing_of_a_client(
    app: Flask,
    collector: Collector,
    request_: tuple[str, str, bytes, Mapping[str, str]],
    expected: tuple[str, int, set[str]],
) -> None:
    method, path, body, headers = request_
    name, status, more = expected
    began = time.time_ns()
    sent = {**headers, "User-Agent": "secret agent", "Authorization": "Bearer secret"}
    answer = app.test_client().open(path, method=method, data=body, headers=sent)
    ended = time.time_ns()
    span = span_of(answer, app, collector)
    assert (answer.status_code, span.name, span.kind) == (
        status,
        name,
        SpanMessage.SPAN_KIND_SERVER,
    )
    assert began <= span.started < span.ended <= ended
    told = {
        "http.request.method": "_OTHER" if method == "SECRET" else method,
        "http.response.status_code": status,
        "url.scheme": "http",
        "digits.request_id": answer.headers["X-Request-ID"],
    }
    if " " in name:
        told["http.route"] = name.split()[1]
    if status >= 500:
        told["error.type"] = str(status)
    assert span.attributes.items() >= told.items()
    assert span.attributes.keys() == told.keys() | more
    assert span.status == (Status.STATUS_CODE_ERROR if status >= 500 else Status.STATUS_CODE_UNSET)
    assert "secret" not in str(span).lower()


def test_what_was_predicted_is_told(app: Flask, client: FlaskClient, collector: Collector) -> None:
    one, three = (
        client.post("/predict", data=BODY, headers=JSON),
        client.post("/predict", data=bytes(784 * 3), headers=RAW),
    )
    [said] = one.get_json()["predictions"]
    told = span_of(one, app, collector).attributes
    assert told["digits.model.version"] == one.get_json()["model"]["version"]
    assert told["digits.images"] == 1
    assert [told[f"digits.{name}"] for name in ("digit", "confidence", "accepted")] == [
        said[name] for name in ("digit", "confidence", "accepted")
    ]
    assert span_of(three, app, collector).attributes["digits.images"] == 3


def test_a_span_is_of_the_trace_and_below_the_span_that_the_client_names(
    app: Flask, client: FlaskClient, collector: Collector
) -> None:
    answers = [client.get("/livez", headers={"traceparent": SENT}) for _ in range(2)]
    first, second = (span_of(answer, app, collector) for answer in answers)
    for span in (first, second):
        assert (span.trace_id, span.parent_id) == (TRACE_ID, PARENT_ID)
    assert first.span_id != second.span_id
    assert PARENT_ID not in {first.span_id, second.span_id}


def test_a_trace_that_begins_here_is_the_one_of_the_log(
    shipped: Artifact, collector: Collector, capfd: pytest.CaptureFixture[str]
) -> None:
    with traced(Classifier(shipped), Settings(access_log=1), collector.variables) as app:
        answers = [app.test_client().get("/livez") for _ in range(2)]
        found = [span_of(answer, app, collector) for answer in answers]
    logged = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [(line["request_id"], line["trace_id"], None) for line in logged] == [
        (span.attributes["digits.request_id"], span.trace_id, span.parent_id) for span in found
    ]
    assert len({span.trace_id for span in found}) == 2


@table(
    "sent, variables, sampled",
    {
        "a trace that begins here": (None, {}, True),
        "a parent that is sampled": (SENT, {}, True),
        "a parent that is not": (NOT_SAMPLED, {}, False),
        "a parent that is not, with flags to come": (SENT[:-2] + "fe", {}, False),
        "all": (NOT_SAMPLED, {"OTEL_TRACES_SAMPLER": "always_on"}, True),
        "none": (SENT, {"OTEL_TRACES_SAMPLER": "always_off"}, False),
        "a share of nothing": (
            None,
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
            False,
        ),
        "a share of nothing, and a parent that is sampled": (
            SENT,
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
            True,
        ),
    },
)
def test_the_parent_and_the_sampler_say_what_is_sent(
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    sent: str | None,
    variables: Mapping[str, str],
    *,
    sampled: bool,
) -> None:
    collector.requests.clear()
    found = spans_by({**collector.variables, **variables}, monkeypatch)
    trace = service.correlation.trace(sent)
    found.write(Answered("one", trace, "http", "GET", "/livez", 200, 0.25))
    found.close()
    assert [span.trace_id for span in collector.spans()] == [trace.trace_id] * sampled


@table(
    "variables, told",
    {
        "by default": ({}, {"service.name": "digits", "service.version": service.__version__}),
        "another name": ({"OTEL_SERVICE_NAME": "reader"}, {"service.name": "reader"}),
        "more, and a name among it": (
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=reader,deployment.environment.name=test"},
            {"service.name": "reader", "deployment.environment.name": "test"},
        ),
        "gzip": ({"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}, {}),
        "deflate": ({"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "deflate"}, {}),
    },
)
def test_the_variables_say_who_sends_and_how(
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    variables: Mapping[str, str],
    told: Mapping[str, str],
) -> None:
    collector.requests.clear()
    collector.codings.clear()
    found = spans_by({**collector.variables, **variables}, monkeypatch)
    found.write(ANSWERED)
    found.close()
    [span] = collector.spans()
    assert span.resource.items() >= told.items()
    assert span.ended - span.started == 250_000_000
    [coding] = DECODE.keys() & variables.values() or {"none"}
    assert collector.codings == {coding}


def test_a_console_is_told_in_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = spans_by({"OTEL_TRACES_EXPORTER": "console"}, monkeypatch)
    found.write(ANSWERED)
    found.close()
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["context"]["trace_id"] == f"0x{TRACE_ID}"


@table(
    "variables, to",
    {
        "nothing is named": ({}, None),
        "an exporter": ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        "the console": ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        "in capitals": ({"OTEL_TRACES_EXPORTER": "OTLP"}, "otlp"),
        "none": ({"OTEL_TRACES_EXPORTER": "none"}, None),
        "an endpoint": ({ENDPOINT: "http://collector:4318"}, "otlp"),
        "one of traces": ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/v1/traces"}, "otlp"),
        "an empty one": ({ENDPOINT: "", "OTEL_TRACES_EXPORTER": ""}, None),
        "an endpoint and the console": (
            {ENDPOINT: "http://collector:4318", "OTEL_TRACES_EXPORTER": "console"},
            "console",
        ),
        "an endpoint for others": (
            {ENDPOINT: "collector", "OTEL_TRACES_EXPORTER": "none"},
            None,
        ),
        "all is switched off": (
            {ENDPOINT: "collector", "OTEL_TRACES_EXPORTER": "else", "OTEL_SDK_DISABLED": "TRUE"},
            None,
        ),
        "nothing is switched off": (TO_OTLP | {"OTEL_SDK_DISABLED": "false"}, "otlp"),
        "only the sampler": ({"OTEL_TRACES_SAMPLER": "always_on"}, None),
        "others speak otherwise": (
            TO_OTLP
            | {
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            "otlp",
        ),
    },
)
def test_what_is_named_says_where_spans_go(variables: Mapping[str, str], to: str | None) -> None:
    assert tracing.exporter(variables) == to


@table(
    "variables, words",
    {
        "another exporter": ({"OTEL_TRACES_EXPORTER": "zipkin"}, "otlp or console or none"),
        "several": ({"OTEL_TRACES_EXPORTER": "otlp,console"}, "otlp or console or none"),
        "another protocol": (TO_OTLP | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        "another protocol of traces": (
            TO_OTLP | {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            "http/protobuf",
        ),
        "another coding": (TO_OTLP | {"OTEL_EXPORTER_OTLP_COMPRESSION": "br"}, "gzip"),
        "an endpoint without a scheme": ({ENDPOINT: "collector:4318"}, "http://HOST:4318"),
        "another sampler": (TO_OTLP | {"OTEL_TRACES_SAMPLER": "some"}, "parentbased_always_on"),
        "too large a share": (
            TO_OTLP | {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10"},
            "from 0 to 1",
        ),
        "a share in words": (
            TO_OTLP | {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "half"},
            "from 0 to 1",
        ),
        "no delay": (TO_OTLP | {"OTEL_BSP_SCHEDULE_DELAY": "0"}, "above 0"),
        "a queue in words": (TO_OTLP | {"OTEL_BSP_MAX_QUEUE_SIZE": "long"}, "above 0"),
        "more at a time than wait": (
            TO_OTLP | {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4096"},
            "at most OTEL_BSP_MAX_QUEUE_SIZE, 2048",
        ),
    },
)
def test_what_cannot_be_followed_is_named(variables: Mapping[str, str], words: str) -> None:
    *_, name = variables
    with pytest.raises(SettingsError) as refused:
        tracing.check(variables)
    assert str(refused.value).startswith(f"{name} is ")
    assert words in str(refused.value)


def test_the_defaults_are_those_of_the_library() -> None:
    assert tracing.DEFAULTS == {
        tracing.QUEUE: export._DEFAULT_MAX_QUEUE_SIZE,
        tracing.BATCH: export._DEFAULT_MAX_EXPORT_BATCH_SIZE,
        tracing.DELAY: export._DEFAULT_SCHEDULE_DELAY_MILLIS,
    }


def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "service.spans")
    monkeypatch.delattr("service.spans")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    assert main(["--check"]) == 1
    assert "install digits[tracing]" in capfd.readouterr().err


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter's log as it is when a worker begins."""
    logger = logging.getLogger(trace_exporter.__name__)
    monkeypatch.setattr(logger, "filters", [])


@pytest.mark.usefixtures("quiet")
def test_a_collector_that_is_down_is_told_of_once_and_everybody_is_answered(
    shipped: Artifact, caplog: pytest.LogCaptureFixture
) -> None:
    variables = {
        ENDPOINT: f"http://127.0.0.1:{free_port()}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.05",
        "OTEL_BSP_MAX_QUEUE_SIZE": "4",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
    }
    with traced(Classifier(shipped), Settings(), variables) as app:
        for _ in range(20):
            assert app.test_client().get("/livez").status_code == 200
        app.extensions["spans"].provider.force_flush()
        sent = [record for record in caplog.records if "Failed to export" in record.getMessage()]
        assert len(sent) == 1
        assert len(caplog.records) <= 2  # the other: that spans were dropped


@pytest.mark.usefixtures("quiet")
def test_a_collector_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "FLUSH_SECONDS", 0.05)
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        endpoint = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        variables = {ENDPOINT: endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
        found = spans_by(variables, monkeypatch)
        found.write(ANSWERED)
        closing = threading.Thread(target=found.close)
        closing.start()
        closing.join(5)
        assert not closing.is_alive()
