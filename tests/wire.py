"""Bytes on a socket as they are, for what no HTTP client would send."""

import contextlib
import json
import socket
import threading

from tests.client import Answer

TIMEOUT = 30


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


def raw(port: int, request: bytes) -> bytes:
    """Send bytes as they are and read until the server has said all.

    It may stop to listen before all is sent.
    """

    def send() -> None:
        with contextlib.suppress(OSError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)

    with connect(port) as connection:
        sender = threading.Thread(target=send)
        sender.start()
        said = rest(connection)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)  # what nobody reads need not be sent
        sender.join()
    return said


def rest(connection: socket.socket) -> bytes:
    """All that the server still says on a connection, until it ends or resets it."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65_536):
            said += piece
    return said


def post(
    *headers: str,
    body: bytes = b"",
    content_type: str = "application/json",
    path: str = "/predict",
) -> bytes:
    """A request whose framing is up to the headers and the body."""
    lines = [f"POST {path} HTTP/1.1", "Host: digits", f"Content-Type: {content_type}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def whole(
    body: bytes, *headers: str, content_type: str = "application/json", path: str = "/predict"
) -> bytes:
    """A request with its right length."""
    length = f"Content-Length: {len(body)}"
    return post(length, *headers, body=body, content_type=content_type, path=path)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: digits", *headers, "", ""]).encode()


def answers(said: bytes) -> list[Answer]:
    """What was said, answer by answer; each has a Content-Length."""
    found = []
    while said:
        head, _, said = said.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers.get("Content-Length", 0))
        found.append(Answer(int(first.split()[1]), headers, said[:length]))
        said = said[length:]
    return found


def code_of(answer: Answer) -> str | None:
    """The code of an error, None where it is none."""
    said = answer.body.decode()
    return json.loads(said)["code"] if answer.status >= 400 else None


def refusal(said: bytes) -> tuple[int, str | None]:
    """Status and code of the first answer."""
    first = answers(said)[0]
    return first.status, code_of(first)
