"""Connections on a real loop and real sockets, over an application whose pace a test sets."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvloop

from service import errors
from service.connection import Connection
from service.server import TOGETHER, Server
from service.wsgi import REFUSAL, Response
from tests.client import Answer, Client
from tests.server import wait_for

MAX_IN_FLIGHT = 3
MANY = 500
SMALL = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Slow:
    """An application: what goes to a thread waits there until the gate is opened."""

    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)  # paths, in the order of the answers
    body: bytes = b""

    def respond(self, environ: dict[str, Any]) -> Response:
        path, refusal = environ["PATH_INFO"], environ.get(REFUSAL)
        if path == "/explain" and refusal is None:
            assert self.gate.wait(20)
        self.asked.append(path)
        status = "429 Too Many Requests" if isinstance(refusal, errors.Overloaded) else "200 OK"
        headers = {} if refusal is None else refusal.headers
        fields = [*headers.items(), ("Content-Length", str(len(self.body)))]
        return Response(status, fields, self.body)

    def open(self, environ: dict[str, Any]) -> dict[str, Any]:
        return environ

    def answer(self, opened: Sequence[dict[str, Any]]) -> Sequence[Response]:
        return [self.respond(environ) for environ in opened]


def uncounted() -> None:
    """There are no metrics to write."""


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@contextmanager
def serving(listener: socket.socket, application: Slow) -> Iterator[Server]:
    """The connections of a worker, on a loop in a thread of its own."""
    with (
        ThreadPoolExecutor(2) as pool,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
    ):
        server = Server(
            application,
            uncounted,
            loop.get_loop(),
            pool,
            10_000,
            MAX_IN_FLIGHT,
            read_timeout=20,
            max_connections=100,
        )
        stop = asyncio.Event()
        runs = threading.Thread(target=loop.run, args=(_serve(listener, server, stop),))
        runs.start()
        try:
            yield server
        finally:
            application.gate.set()
            loop.get_loop().call_soon_threadsafe(stop.set)
            runs.join()


async def _serve(listener: socket.socket, server: Server, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    listens = await loop.create_server(partial(Connection, server, loop), sock=listener)
    await stop.wait()
    listens.close()
    for connection in list(server.connections):
        connection._transport.abort()


def explain(client: Client) -> Answer:
    return client.request("POST", "/explain", b"{}")


def test_what_is_too_much_at_once_is_refused_and_nothing_else() -> None:
    application, statuses = Slow(), list[int]()
    with listening() as listener, serving(listener, application) as server, ExitStack() as stack:
        port = listener.getsockname()[1]
        senders = [stack.enter_context(Client(port)) for _ in range(MAX_IN_FLIGHT)]
        threads = [
            threading.Thread(
                target=lambda client: statuses.append(explain(client).status), args=(sender,)
            )
            for sender in senders
        ]
        for thread in threads:
            thread.start()
        wait_for(
            "the threads are taken, and one waits", partial(is_busy_with, server, MAX_IN_FLIGHT)
        )
        late = stack.enter_context(Client(port))
        refused = explain(late)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        assert late.get("/metrics").status == 200
        assert (
            late.request("POST", "/livez", bytes(10_000), {"Content-Type": "image/png"}).status
            == 200
        )
        assert late.get("/anything").status == 200
        application.gate.set()
        for thread in threads:
            thread.join()
        assert statuses == [200] * MAX_IN_FLIGHT
        assert explain(late).status == 200
        assert server.in_flight == 0


def is_busy_with(server: Server, count: int) -> bool:
    return server.in_flight == count


def test_whose_clients_leave_are_no_longer_in_flight_when_they_are_done() -> None:
    application = Slow()
    with listening() as listener, serving(listener, application) as server:
        for number in range(1, MAX_IN_FLIGHT + 1):
            with socket.create_connection(listener.getsockname()) as leaving:
                leaving.sendall(b"POST /explain HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
                wait_for("it is in a thread", partial(is_busy_with, server, number))
        application.gate.set()
        wait_for("all are done", partial(is_busy_with, server, 0))


def test_many_requests_in_one_packet_let_others_have_their_turn() -> None:
    application = Slow()
    with listening() as listener, ExitStack() as stack:
        connect = partial(socket.create_connection, listener.getsockname(), timeout=20)
        greedy, modest = stack.enter_context(connect()), stack.enter_context(connect())
        greedy.sendall(b"".join(SMALL % number for number in range(MANY)))
        modest.sendall(b"GET /modest HTTP/1.1\r\nHost: x\r\n\r\n")
        stack.enter_context(serving(listener, application))
        assert modest.recv(100).startswith(b"HTTP/1.1 200")
        read_answers(greedy, MANY)
        paths = application.asked
    assert paths.index("/modest") <= 3
    assert [path for path in paths if path != "/modest"] == [f"/{number}" for number in range(MANY)]


def test_a_client_that_does_not_read_is_answered_no_further() -> None:
    application = Slow(body=bytes(100_000))
    with listening() as listener, serving(listener, application):
        with (
            socket.create_connection(listener.getsockname(), timeout=20) as lazy,
            lazy.dup() as end,
        ):
            lazy.sendall(b"".join(SMALL % number for number in range(MANY)))
            with Client(listener.getsockname()[1]) as other:
                for _ in range(50):  # as many turns of the loop, at least
                    assert other.get("/other").status == 200
            answered = len(application.asked) - 50
            assert answered < MANY / 2
            read_answers(end, MANY)
        assert len(application.asked) == 50 + MANY


def read_answers(client: socket.socket, count: int) -> list[bytes]:
    """The bodies of so many answers."""
    bodies = []
    with client.makefile("rb") as file:
        for _ in range(count):
            length = 0
            while line := file.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            bodies.append(file.read(length))
    return bodies


def read_answer(client: socket.socket) -> bytes:
    [body] = read_answers(client, 1)
    return body


@dataclass
class Together(Slow):
    """An application that notes what it is asked together, and can hold the whole loop."""

    groups: list[list[str]] = field(default_factory=list)
    is_asked: threading.Event = field(default_factory=threading.Event)

    def answer(self, opened: Sequence[dict[str, Any]]) -> Sequence[Response]:
        self.is_asked.set()
        assert self.gate.wait(20)
        paths = [environ["PATH_INFO"] for environ in opened]
        self.groups.append(paths)
        return [Response("200 OK", [("Content-Length", "3")], path[-3:].encode()) for path in paths]


def test_what_has_come_by_the_time_the_loop_reads_is_answered_together() -> None:
    application, count = Together(), 2 * TOGETHER + 3
    with listening() as listener, serving(listener, application) as server, ExitStack() as stack:
        connect = partial(socket.create_connection, listener.getsockname(), timeout=20)
        clients = [stack.enter_context(connect()) for _ in range(count)]
        wait_for("all are let in", lambda: len(server.connections) == count)
        holder = stack.enter_context(connect())
        holder.sendall(b"GET /holder HTTP/1.1\r\nHost: x\r\n\r\n")
        assert application.is_asked.wait(20)
        for number, client in enumerate(clients):
            client.sendall(b"GET /together/%03d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        application.gate.set()
        bodies = [read_answer(client) for client in clients]
    assert bodies == [b"%03d" % number for number in range(count)]
    assert application.groups[0] == ["/holder"]
    assert list(map(len, application.groups[1:])) == [TOGETHER, TOGETHER, 3]


def test_requests_of_one_client_keep_their_order_whoever_answers_them() -> None:
    application = Together()
    application.gate.set()
    with (
        listening() as listener,
        serving(listener, application),
        socket.create_connection(listener.getsockname(), timeout=20) as client,
    ):
        client.sendall((b"GET /together/%03d HTTP/1.1\r\nHost: x\r\n\r\n" + SMALL) % (1, 2) * 3)
        client.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: client.recv(65_536), b""))
    assert said.count(b"200 OK") == 6
    assert application.groups == [["/together/001"], ["/2"]] * 3


class Broken(Together):
    """An application that fails as no application should."""

    def answer(self, opened: Sequence[dict[str, Any]]) -> Sequence[Response]:
        responses = super().answer(opened)
        if b"bad" in [response.body for response in responses]:
            raise RuntimeError("broken")
        return responses


def test_nobody_is_left_to_wait_for_an_answer_that_will_not_come() -> None:
    application = Broken()
    application.gate.set()
    with listening() as listener, serving(listener, application), ExitStack() as stack:
        connect = partial(socket.create_connection, listener.getsockname(), timeout=20)
        unlucky, other = stack.enter_context(connect()), stack.enter_context(connect())
        unlucky.sendall(b"GET /bad HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionResetError):
            assert unlucky.recv(100) == b""
        other.sendall(b"GET /001 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(other) == b"001"


def test_a_client_that_has_left_is_answered_by_nobody() -> None:
    application = Together()
    with listening() as listener, serving(listener, application) as server:
        with Client(listener.getsockname()[1]) as holder:
            with socket.create_connection(listener.getsockname()) as leaving:
                wait_for("it is let in", lambda: len(server.connections) == 1)
                leaving.sendall(b"GET /together/000 HTTP/1.1\r\nHost: x\r\n\r\n" * 9)
            application.gate.set()
            assert holder.get("/anything").status == 200
            wait_for("it is let go", lambda: len(server.connections) == 1)
        assert server.waiting == []
