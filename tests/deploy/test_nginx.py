"""What nginx does with requests, and what it says itself."""

import http.client
import json
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from service.connection import IDLE_SECONDS, MAX_HEAD_BYTES, MAX_TARGET_BYTES
from service.problems import PROBLEM_TYPE
from service.settings import Settings
from tests.client import Answer
from tests.deploy.nginx import NGINX, Nginx, fronting
from tests.helpers import table
from tests.server import Server, answering, free_port, running, wait_for
from tests.service.cases import GOOD, JSON, pixels_json

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MADE = re.compile("[0-9a-f]{32}")
ENOUGH = 20  # requests, of which one connection may carry all


@dataclass
class Echo:
    """An instance that answers with the headers it got; over which connections is counted."""

    port: int = 0
    connections: int = 0
    requests: list[str] = field(default_factory=list)
    silent: bool = False


@contextmanager
def echoing() -> Iterator[Echo]:
    echo, end = Echo(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            echo.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            echo.requests.append(self.path)
            if echo.silent:
                end.wait()
                return
            said = json.dumps({**dict(self.headers), "body": len(body)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            if self.close_connection:  # as the service says it, where a client has
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    echo.port = server.server_port
    with answering(server):
        try:
            yield echo
        finally:
            end.set()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with echoing() as echo:
        yield echo


@pytest.fixture
def echoed(echo: Echo, tmp_path: Path) -> Iterator[Nginx]:
    with fronting(tmp_path, [echo.port]) as nginx:
        yield nginx


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nginx, Server]]:
    """The real service behind it."""
    folder = tmp_path_factory.mktemp("nginx")
    with (
        running(folder / "service.log", workers=1) as server,
        fronting(folder, [server.port]) as nginx,
    ):
        yield nginx, server


def send(port: int, request: bytes) -> Answer:
    """What is answered to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(request)
        response = http.client.HTTPResponse(client)
        response.begin()
        return Answer(response.status, dict(response.headers), response.read())


def head(line: str, *fields: str) -> bytes:
    return "\r\n".join([line, "Host: digits", *fields, "", ""]).encode()


# Whatever it says itself.

LARGE = "Content-Length: 8388609"

REFUSED = {
    "a large body": (head("POST /predict HTTP/1.1", LARGE), 413, "body_too_large"),
    "a large body of v1": (head("POST /v1/models/digits:predict HTTP/1.1", LARGE), 413, None),
    "a large body of v2": (head("POST /v2/models/digits/infer HTTP/1.1", LARGE), 413, None),
    "a long path": (head(f"GET /{'a' * 8300} HTTP/1.1"), 414, "target_too_long"),
    "large headers": (
        head("GET /livez HTTP/1.1", *[f"X-{number}: {'a' * 4000}" for number in range(20)]),
        431,
        "header_too_large",
    ),
    "no HTTP": (b"nonsense\r\n\r\n", 400, "malformed_request"),
    "a length that is none": (
        head("POST /predict HTTP/1.1", "Content-Length: ten"),
        400,
        "malformed_request",
    ),
    "nowhere": (head("GET /nowhere HTTP/1.1"), 404, "not_found"),
}


def told(answer: Answer) -> tuple[object, ...]:
    """All of it but the request's id."""
    document = answer.json
    return (
        answer.status,
        answer.headers["Content-Type"],
        {**document, "request_id": None} if "request_id" in document else document,
    )


@table("request_, status, code", REFUSED)
def test_an_error_is_the_same_whoever_makes_it(
    served: tuple[Nginx, Server], request_: bytes, status: int, code: str | None
) -> None:
    nginx, server = served
    answer = send(nginx.port, request_)
    assert (answer.status, answer.json.get("code")) == (status, code)
    assert told(answer) == told(send(server.port, request_))
    assert (
        answer.json.get("request_id", answer.headers["X-Request-ID"])
        == (answer.headers["X-Request-ID"])
    )


CLOSED = {
    "the metrics": ("GET /metrics HTTP/1.1", "not_found"),
    "spelt otherwise": ("GET /%6detrics HTTP/1.1", "not_found"),
    "a slash more": ("GET //metrics HTTP/1.1", "not_found"),
    "by a detour": ("GET /docs/../metrics HTTP/1.1", "not_found"),
    "with a query": ("GET /metrics?a=b HTTP/1.1", "not_found"),
    "from elsewhere": ("GET http://127.0.0.1/metrics HTTP/1.1", "not_found"),
    "asked to load": ("POST /v2/repository/models/digits/load HTTP/1.1", None),
    "asked to unload": ("POST /v2/repository/models/digits/unload HTTP/1.1", None),
    "to load by a detour": ("POST /v2//repository/x/../models/digits/load HTTP/1.1", None),
}


@table("line, code", CLOSED)
def test_what_is_for_those_within_is_closed(
    served: tuple[Nginx, Server], line: str, code: str | None
) -> None:
    nginx, _ = served
    answer = send(nginx.port, head(line, "Content-Length: 0"))
    assert answer.status == 404
    assert answer.json.get("code") == code
    assert (code is None) == (
        answer.json == {"error": "there is nothing at this path; see the README"}
    )


def test_a_chunked_body_that_is_too_large_never_reaches_an_instance(
    echo: Echo, echoed: Nginx
) -> None:
    size = Settings().max_body_bytes + 1
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"a" * size)
    answer = send(
        echoed.port, head("POST /predict HTTP/1.1", "Transfer-Encoding: chunked") + chunks
    )
    assert answer.json["code"] == "body_too_large"
    assert echo.connections == 0


def test_the_largest_body_passes(echoed: Nginx) -> None:
    size = Settings().max_body_bytes
    with echoed.client() as client:
        assert client.predict(bytes(size), "image/png").json["body"] == size


def test_nobody_there_is_said_so(tmp_path: Path) -> None:
    with fronting(tmp_path, [free_port()]) as nginx, nginx.client() as client:
        answer = client.predict_json({"pixels": GOOD})
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "1"
        assert answer.headers["Content-Type"] == PROBLEM_TYPE
        assert answer.json["code"] == "unavailable"
        assert client.get("/v2/health/ready").json == {
            "error": "no instance answers; try again soon"
        }


def test_an_answer_that_takes_too_long_is_not_asked_for_again(echo: Echo, tmp_path: Path) -> None:
    echo.silent = True
    short = {
        "proxy_read_timeout 30s": "proxy_read_timeout 2s",
        "next_upstream_timeout 5s": "next_upstream_timeout 1s",
    }
    with (
        fronting(tmp_path, [echo.port, echo.port], changes=short) as nginx,
        nginx.client() as client,
    ):
        answer = client.predict_json({"pixels": GOOD})
    assert (answer.status, answer.json["code"]) == (504, "timed_out")
    assert echo.requests == ["/predict"]


def test_who_asks_too_often_is_told_when_to_come_back(echo: Echo, tmp_path: Path) -> None:
    slow = {"rate=200r/s": "rate=1r/m", "burst=400 nodelay": "burst=1 nodelay"}
    with fronting(tmp_path, [echo.port], changes=slow) as nginx, nginx.client() as client:
        answers = [client.predict_json({"pixels": GOOD}) for _ in range(3)]
        healths = [client.get("/readyz") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[-1].json["code"] == "rate_limited"
    assert answers[-1].headers["Retry-After"] == "1"
    assert {answer.status for answer in healths} == {501}  # the echo has no GET, and was asked


# What reaches an instance.

SENT = {
    "an id": ({"X-Request-ID": "known-1"}, {"X-Request-ID": "known-1"}),
    "no id": ({}, {"X-Request-ID": MADE}),
    "an id that is none": ({"X-Request-ID": "a b"}, {"X-Request-ID": MADE}),
    "a trace": ({"traceparent": TRACE}, {"traceparent": TRACE}),
    "whose it is": ({}, {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http"}),
    "whose it is said to be": (
        {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "x"},
        {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http"},
    ),
    "what replaces it": ({"Forwarded": "for=1.2.3.4"}, {"Forwarded": None}),
    "where it was sent": (
        {"Host": "a.example"},
        {"Host": "a.example", "X-Forwarded-Host": "a.example"},
    ),
    "a key": (
        {"Authorization": "Bearer abc", "X-API-Key": "def"},
        {"Authorization": "Bearer abc", "X-API-Key": "def"},
    ),
    "the length of tensors": (
        {"Inference-Header-Content-Length": "2"},
        {"Inference-Header-Content-Length": "2"},
    ),
}


@table("sent, reaches", SENT)
def test_headers_reach_an_instance(
    echoed: Nginx, sent: dict[str, str], reaches: dict[str, Any]
) -> None:
    with echoed.client() as client:
        found = client.request("POST", "/predict", b"", sent).json
    for name, value in reaches.items():
        if isinstance(value, re.Pattern):
            assert value.fullmatch(found[name])
        else:
            assert found.get(name) == value


def test_the_log_and_the_answer_have_the_same_id(served: tuple[Nginx, Server]) -> None:
    nginx, _ = served
    with nginx.client() as client:
        answers = [client.request("POST", "/predict", pixels_json(GOOD), JSON)]
        answers.append(client.get("/metrics"))
    ids = [answer.headers["X-Request-ID"] for answer in answers]
    assert [answer.json["request_id"] for answer in answers] == ids
    wait_for("they are logged", lambda: all(f'"request_id":"{id_}"' in nginx.log for id_ in ids))


def test_connections_to_an_instance_are_kept(echo: Echo, echoed: Nginx) -> None:
    for _ in range(ENOUGH):
        with echoed.client() as client:  # which opens a new one
            client.request("POST", "/predict", b"", JSON)
    assert echo.connections <= 2  # one for each process of nginx


def test_a_label_has_a_connection_of_its_own(echo: Echo, echoed: Nginx) -> None:
    with echoed.client() as client:
        for _ in range(ENOUGH):
            client.request("POST", "/feedback", b"", JSON)
    assert echo.connections == ENOUGH


def test_a_slow_client_holds_no_instance(echo: Echo, echoed: Nginx) -> None:
    body = pixels_json(GOOD)
    request = head("POST /predict HTTP/1.1", f"Content-Length: {len(body)}") + body
    with socket.create_connection(("127.0.0.1", echoed.port)) as slow:
        slow.sendall(request[:-1])
        with echoed.client() as client:
            assert client.request("POST", "/predict", b"", JSON).status == 200
        assert echo.requests == ["/predict"]
        slow.sendall(request[-1:])
        wait_for("it is passed on", lambda: len(echo.requests) == 2)


# What is asked twice.


@contextmanager
def breaking() -> Iterator[Echo]:
    """An instance that reads a request and hangs up."""
    echo = Echo()
    with socket.create_server(("127.0.0.1", 0)) as door:
        echo.port = door.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    client, _ = door.accept()
                except OSError:
                    return
                with client:
                    echo.requests.append(client.recv(65_536).split()[1].decode())

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield echo
        finally:
            door.shutdown(socket.SHUT_RDWR)
            thread.join()


@table(
    "path, again",
    {
        "a prediction": ("/predict", True),
        "an explanation": ("/explain", True),
        "one of v1": ("/v1/models/digits:predict", True),
        "one of v2": ("/v2/models/digits/infer", True),
        "a label": ("/feedback", False),
    },
)
def test_what_changes_nothing_is_asked_again(
    echo: Echo,
    tmp_path: Path,
    path: str,
    again: bool,  # noqa: FBT001 - of a table
) -> None:
    with breaking() as broken, fronting(tmp_path, [broken.port, echo.port]) as nginx:
        with nginx.client() as client:
            statuses = {client.request("POST", path, b"{}", JSON).status for _ in range(4)}
        assert broken.requests
    assert statuses == ({200} if again else {200, 503})


def test_a_label_goes_to_another_instance_where_it_was_not_sent(echo: Echo, tmp_path: Path) -> None:
    with fronting(tmp_path, [free_port(), echo.port]) as nginx, nginx.client() as client:
        statuses = {client.request("POST", "/feedback", b"{}", JSON).status for _ in range(4)}
    assert statuses == {200}


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "tls_key"), "-out", str(folder / "tls_certificate")]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return folder


@pytest.fixture
def secured(echo: Echo, certificate: Path, tmp_path: Path) -> Iterator[Nginx]:
    with fronting(tmp_path, [echo.port], "tls.conf", {"/run/secrets/": f"{certificate}/"}) as nginx:
        yield nginx


def connection(
    nginx: Nginx, certificate: Path, version: ssl.TLSVersion
) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=certificate / "tls_certificate")
    context.set_ciphers("ALL:@SECLEVEL=0")  # so that only nginx refuses
    context.minimum_version = context.maximum_version = version
    return http.client.HTTPSConnection("localhost", nginx.port, context=context)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@table(
    "version, works",
    {
        "1.1": (ssl.TLSVersion.TLSv1_1, False),
        "1.2": (ssl.TLSVersion.TLSv1_2, True),
        "1.3": (ssl.TLSVersion.TLSv1_3, True),
    },
)
def test_tls_is_spoken_from_1_2_on(
    secured: Nginx,
    certificate: Path,
    version: ssl.TLSVersion,
    works: bool,  # noqa: FBT001 - of a table
) -> None:
    client = connection(secured, certificate, version)
    if not works:
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol|alert"):
            client.request("POST", "/predict", b"")
        return
    client.request("POST", "/predict", b"")
    response = client.getresponse()
    assert json.loads(response.read())["X-Forwarded-Proto"] == "https"
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
    client.close()


def test_plain_http_is_refused_where_tls_is_spoken(secured: Nginx) -> None:
    with secured.client() as client:
        answer = client.predict_json({"pixels": GOOD})
    assert (answer.status, answer.json["code"]) == (421, "https_needed")


# That both sides agree.


def said(directive: str) -> list[str]:
    text = (NGINX / "nginx.conf").read_text("utf-8")
    return re.findall(rf"^ +{directive} (.*);", text, re.MULTILINE)


def test_limits_and_times_are_those_of_the_service() -> None:
    settings, text = Settings(), (NGINX / "nginx.conf").read_text("utf-8")
    assert said("client_max_body_size") == [f"{settings.max_body_bytes // 2**20}m"]
    assert f"over {settings.max_body_bytes} bytes" in text
    assert f"at most {MAX_TARGET_BYTES} bytes" in text
    assert f"at most {MAX_HEAD_BYTES} bytes" in text
    assert said("large_client_header_buffers") == [f"4 {MAX_HEAD_BYTES // 4 // 1024}k"]
    assert (
        said("client_body_timeout")
        == said("client_header_timeout")
        == [f"{settings.read_timeout}s"]
    )
    assert said("proxy_read_timeout") == [f"{settings.graceful_timeout}s"]
    _, kept = said("keepalive_timeout")
    assert int(kept.removesuffix("s")) < IDLE_SECONDS
