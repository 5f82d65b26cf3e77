"""Workers that send spans to a collector, and what becomes of them where there is none."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.client import Answer
from tests.collector import Collector, collecting
from tests.server import Server, clean_environment, free_port, launch, ready, wait_for
from tests.service.cases import GOOD, pixels_json

BODY = pixels_json(GOOD)

NEVER = str(10**6)  # milliseconds: in a test nothing is sent before it has to be


@contextmanager
def tracing(log: Path, variables: dict[str, str], **settings: object) -> Iterator[Server]:
    """Two workers."""
    port = free_port()
    process = launch(log, clean_environment(port=port, **settings) | variables)
    with ready(Server(port, process, log)) as server:
        yield server


def predict(server: Server, number: int) -> Answer:
    """Asked on a connection of its own, with ids that are made from a number."""
    headers = {
        "Content-Type": "application/json",
        "X-Request-ID": f"request-{number}",
        "traceparent": f"00-{number:032x}-{number:016x}-01",
    }
    with server.client() as client:
        return client.request("POST", "/predict", BODY, headers)


def workers(collector: Collector) -> set[str]:
    return {span.resource["service.instance.id"] for span in collector.spans()}


def test_all_spans_of_all_workers_arrive_by_the_end(tmp_path: Path) -> None:
    """In batches of eight, and what is left over when the service is told to stop."""
    numbers: list[int] = []

    def ask() -> bool:
        numbers.append(len(numbers) + 1)
        assert predict(server, numbers[-1]).status == 200
        return len(workers(collector)) == 2

    with collecting() as collector:
        variables = collector.variables | {
            "OTEL_BSP_SCHEDULE_DELAY": NEVER,
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        }
        with tracing(tmp_path / "log", variables) as server:
            wait_for("both workers have sent", ask)
            assert server.stop() == 0
        found = [span for span in collector.spans() if span.name == "POST /predict"]
        assert len(workers(collector)) == 2
        assert collector.codings == {"gzip"}
    assert sorted(
        (span.trace_id, span.parent_id, span.attributes["digits.request_id"]) for span in found
    ) == sorted((f"{number:032x}", f"{number:016x}", f"request-{number}") for number in numbers)
    assert len({span.span_id for span in found}) == len(numbers)
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8")


def test_a_collector_that_hangs_holds_up_nobody_and_not_the_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{hanging.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
            "OTEL_BSP_MAX_QUEUE_SIZE": "4",
        }
        with tracing(log, variables, workers=1) as server:
            for number in range(1, 21):
                assert predict(server, number).status == 200
            server.process.terminate()
            assert server.process.wait(20) == 0
    told = log.read_text("utf-8")
    assert 1 <= told.count("dropping Span") <= 3
    assert "Traceback" not in told
