"""HTTP/1.1 as RFC 9112 has it, over raw sockets."""

import json
import select
import socket
from collections.abc import Iterator

import pytest

from tests.server import Server
from tests.service.cases import GOOD

BODY = json.dumps({"pixels": GOOD}).encode()
LARGE = json.dumps({"instances": [[255] * 784] * 4}).encode()  # decoded in a thread


def predict(body: bytes, *headers: str, version: str = "1.1") -> bytes:
    lines = [
        f"POST /predict HTTP/{version}",
        "Host: digits",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Reader:
    """Answers one after the other off one connection."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self._file = self.socket.makefile("rb")

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return status, headers, self._file.read(int(headers.get("content-length", "0")))

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def ended(self) -> bool:
        return self._file.read(1) == b""


@pytest.fixture
def reader(server: Server) -> Iterator[Reader]:
    reader = Reader(server)
    yield reader
    reader.close()


@pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
def test_pipelined_requests_are_answered_in_their_order(reader: Reader, body: bytes) -> None:
    ids = [f"request-{number}" for number in range(20)]
    reader.socket.sendall(b"".join(predict(body, f"X-Request-ID: {name}") for name in ids))
    answers = [reader.answer() for _ in ids]
    assert {status for status, _, _ in answers} == {200}
    assert [json.loads(content)["request_id"] for _, _, content in answers] == ids


def test_a_request_may_arrive_byte_by_byte(reader: Reader) -> None:
    reader.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in predict(BODY[:30].ljust(200)):
        reader.socket.sendall(bytes([byte]))
    assert reader.answer()[0] == 400  # not JSON, but read to its end
    reader.socket.sendall(predict(BODY))
    assert reader.answer()[0] == 200


@pytest.mark.parametrize(
    ("version", "headers", "kept"),
    [
        ("1.1", [], True),
        ("1.1", ["Connection: close"], False),
        ("1.0", [], False),
        ("1.0", ["Connection: keep-alive"], True),
        ("1.1", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"], True),
    ],
)
def test_a_connection_is_kept_when_the_client_wants_it(
    reader: Reader, version: str, headers: list[str], *, kept: bool
) -> None:
    reader.socket.sendall(predict(BODY, *headers, version=version))
    status, answered, _ = reader.answer()
    assert (status, answered["connection"]) == (200, "keep-alive" if kept else "close")
    if kept:
        reader.socket.sendall(predict(BODY, *headers, version=version))
        assert reader.answer()[0] == 200
    else:
        assert reader.ended()


def test_expect_100_continue_is_answered_before_the_body(reader: Reader) -> None:
    request = predict(BODY, "Expect: 100-continue")
    reader.socket.sendall(request[: -len(BODY)])
    assert reader.answer()[0] == 100
    reader.socket.sendall(BODY)
    assert reader.answer()[0] == 200


def test_a_body_over_the_limit_is_not_asked_for(reader: Reader) -> None:
    head = predict(b"", "Expect: 100-continue").replace(b"Length: 0", b"Length: 999999999")
    reader.socket.sendall(head)
    assert reader.answer()[0] == 413
    assert reader.ended()


def test_head_is_answered_without_a_body(reader: Reader) -> None:
    reader.socket.sendall(
        b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    line = reader._file.readline()
    assert b"200" in line
    while reader._file.readline().strip():
        pass
    assert reader.answer()[2] == b'{"status":"alive"}'


def test_an_absolute_target_is_read(reader: Reader) -> None:
    reader.socket.sendall(b"GET http://digits/livez?x=1 HTTP/1.1\r\nHost: digits\r\n\r\n")
    assert reader.answer()[2] == b'{"status":"alive"}'


def test_a_client_that_half_closes_gets_its_answer(reader: Reader) -> None:
    reader.socket.sendall(predict(LARGE))
    reader.socket.shutdown(socket.SHUT_WR)
    assert reader.answer()[0] == 200
    assert reader.ended()


def test_a_client_that_never_reads_is_let_go(reader: Reader) -> None:
    reader.socket.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 5_000)  # some 50 MB to read
    hung_up = select.poll()
    hung_up.register(reader.socket, 0)  # POLLHUP and POLLERR are always told
    assert hung_up.poll(20_000)
