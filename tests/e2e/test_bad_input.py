"""Bad input to the real server: refused by the table, and the next request is answered."""

import contextlib
import json
import select
import socket
from pathlib import Path

import pytest

from service.pixels import PIXELS
from tests.client import Client
from tests.helpers import table
from tests.server import Server, wait_for
from tests.service.cases import BAD_REQUESTS, JSON, MAX_BODY_BYTES, BadRequest
from tests.service.cases_http import HTTP_CASES, HttpCase
from tests.service.cases_v1 import V1_CASES
from tests.service.cases_v2 import V2_CASES
from tests.wire import post, raw, refusal, rest

ONE = [255 if index % 28 in {13, 14} and 4 <= index // 28 < 24 else 0 for index in range(PIXELS)]


def assert_still_serving(server: Server) -> None:
    with server.client() as client:
        assert client.get("/readyz").status == 200
        (prediction,) = client.predict_json({"pixels": ONE}).json["predictions"]
        assert (prediction["digit"], prediction["accepted"]) == (1, True)


@pytest.mark.parametrize("case", BAD_REQUESTS, ids=lambda case: case.name)
def test_a_bad_request_is_refused_and_the_service_goes_on(server: Server, case: BadRequest) -> None:
    with server.client() as client:
        answer = client.request(case.method, case.path, case.body, case.headers)
    problem = answer.json
    assert (answer.status, problem["code"]) == (case.status, case.code)
    assert problem["errors"][0]["field"] == case.field
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert b"Traceback" not in answer.body
    assert_still_serving(server)


@pytest.mark.parametrize("case", [*V1_CASES, *V2_CASES], ids=lambda case: case.name)
def test_a_bad_request_of_a_protocol_is_refused_in_its_form(
    server: Server, case: BadRequest
) -> None:
    with server.client() as client:
        answer = client.request(case.method, case.path, case.body, case.headers)
    assert (answer.status, answer.headers["Content-Type"]) == (case.status, "application/json")
    assert answer.json.keys() == {"error"}
    assert case.field in answer.json["error"]
    assert b"Traceback" not in answer.body
    assert_still_serving(server)


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 3 * MAX_BODY_BYTES])
def test_a_chunked_body_over_the_limit_is_refused_not_cut(server: Server, size: int) -> None:
    """A body that would be a fine request, were it cut at the limit."""
    body = json.dumps({"pixels": ONE}).encode().ljust(size)
    with server.client() as client:
        answer = client.request("POST", "/predict", body, JSON, chunked=True)
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert_still_serving(server)


def test_a_chunked_body_at_the_limit_is_read_whole(server: Server) -> None:
    body = json.dumps({"pixels": ONE}).encode().ljust(MAX_BODY_BYTES)
    with server.client() as client:
        answer = client.request("POST", "/predict", body, JSON, chunked=True)
    assert (answer.status, answer.json["predictions"][0]["digit"]) == (200, 1)


def test_a_body_that_breaks_off_is_refused(server: Server) -> None:
    assert refusal(raw(server.port, post("Content-Length: 100", body=b'{"pixels"'))) == (
        400,
        "incomplete_body",
    )
    assert_still_serving(server)


def test_a_client_that_falls_silent_in_its_body_is_told_so(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(post("Content-Length: 100", body=b'{"pix'))
        answer = rest(connection)
    assert refusal(answer) == (408, "read_timeout")
    assert_still_serving(server)


def test_clients_that_fall_silent_in_their_header_do_not_stop_the_service(server: Server) -> None:
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
    try:
        for connection in held:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: dig")
        assert_still_serving(server)
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize(
    ("at_once", "slowly"),
    [(b"POST /predict HTTP/1.1\r\n", b"X-Slow: "), (post("Content-Length: 9999"), b"  ")],
    ids=["header", "body"],
)
def test_clients_that_send_byte_by_byte_are_let_go(
    server: Server, at_once: bytes, slowly: bytes
) -> None:
    """Each byte is on its way, yet the request as a whole has a deadline."""
    before = open_descriptors(server)
    with contextlib.ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        slow = [stack.enter_context(socket.create_connection(address)) for _ in range(20)]
        for connection in slow:
            connection.sendall(at_once)
        for byte in slowly.ljust(200):
            assert_still_serving(server)
            answered, _, _ = select.select(slow, [], [], 0.1)
            for connection in answered:
                assert refusal(rest(connection)) == (408, "read_timeout")
                slow.remove(connection)
            if not slow:
                break
            for connection in slow:
                connection.sendall(bytes([byte]))
        assert not slow
    wait_for("their descriptors are free", lambda: open_descriptors(server) <= before)


def open_descriptors(server: Server) -> int:
    """How many files and sockets the workers have open."""
    folders = [Path(f"/proc/{pid}/fd") for pid in server.workers()]
    return sum(1 for folder in folders for _ in folder.iterdir())


def test_a_connection_survives_a_refusal(server: Server) -> None:
    with Client(server.port) as client:
        assert client.predict(b"", "image/png").status == 400
        local = client._connection.sock.getsockname()
        assert client.predict_json({"pixels": ONE}).status == 200
        assert client._connection.sock.getsockname() == local


@table("case", HTTP_CASES)
def test_what_is_hardly_http_is_answered_in_http(server: Server, case: HttpCase) -> None:
    assert refusal(raw(server.port, case.sent)) == case.answer
    assert_still_serving(server)
