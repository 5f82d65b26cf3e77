"""The real service as a test sees it: a process, a port, its log and its signals."""

import errno
import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from socketserver import BaseServer
from typing import TypeVar

from tests.client import Client
from tests.helpers import ROOT, environment

START_SECONDS = 30  # far beyond any start; a bench says how long one takes
STOP_SECONDS = 60

LOOK_SECONDS = 0.02

CLIENTS = 4
WORKERS = 2  # where a test does not say how many: on any machine the same

Item = TypeVar("Item")
Answered = TypeVar("Answered")


@dataclass(frozen=True)
class Server:
    """A running service."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def client(self) -> Client:
        return Client(self.port)

    def workers(self) -> list[int]:
        """The processes of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text("ascii").split()]

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def answering(server: BaseServer) -> Iterator[None]:
    """A server of the standard library in a thread, ended when this is left, however that is."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(LOOK_SECONDS,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_refused(port: int) -> bool:
    """Whether nobody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def clean_environment(**settings: object) -> dict[str, str]:
    """This environment with no setting of the service but these, and the number of workers."""
    settings = {"workers": WORKERS, **settings}
    return environment({f"DIGITS_{name.upper()}": str(value) for name, value in settings.items()})


SERVICE = ("service",)


def of_gunicorn(application: str) -> tuple[str, ...]:
    """The module and its arguments that serve another application as the service is served."""
    return ("gunicorn", "-c", "python:service.gunicorn_conf", application)


def launch(
    log: Path,
    variables: Mapping[str, str],
    within: Sequence[str] = (),
    module: Sequence[str] = SERVICE,
) -> subprocess.Popen[bytes]:
    """Start the service, ``within`` a command that becomes it, and do not wait for it."""
    with log.open("ab") as file:
        command = [*within, sys.executable, "-m", *module]
        return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=file, stderr=file)


@contextmanager
def running(log: Path, **settings: object) -> Iterator[Server]:
    """A service on a free port, ready when this returns, ended when it is left."""
    port = free_port()
    with ready(Server(port, launch(log, clean_environment(port=port, **settings)), log)) as server:
        yield server


@contextmanager
def ready(server: Server) -> Iterator[Server]:
    """A service that was launched, ready when this returns, ended when it is left."""
    try:
        wait_until_ready(server)
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def ask_all(
    server: Server, ask: Callable[[Client, Item], Answered], items: Sequence[Item]
) -> list[Answered]:
    """What is answered to each item, in order, by several clients at once."""

    def ask_some(some: Sequence[Item]) -> list[Answered]:
        with server.client() as client:
            return [ask(client, item) for item in some]

    bounds = [len(items) * index // CLIENTS for index in range(CLIENTS + 1)]
    parts = [items[low:high] for low, high in pairwise(bounds)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        return [answer for part in pool.map(ask_some, parts) for answer in part]


def wait_until_ready(server: Server, seconds: float = START_SECONDS) -> None:
    """Poll ``/readyz``; raises with the log when the service does not come up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with server.client() as client:
                if client.get("/readyz").status == http.client.OK:
                    return
        except OSError:
            time.sleep(0.005)
    raise AssertionError(f"the service did not start:\n{server.log.read_text('utf-8')}")


def wait_for(condition: str, holds: Callable[[], bool], seconds: float = 20) -> None:
    """Poll until ``holds()``; raises naming the condition when it never does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"never happened: {condition}"
        time.sleep(0.02)
