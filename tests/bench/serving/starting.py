"""Starting servers, each once, and seeing that they answer rightly before they are measured."""

import http.client
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.serving.environments import CannotMeasure
from tests.bench.serving.processes import Server, Weights, launched
from tests.bench.serving.programs import Model, Program
from tests.bench.serving.requests import DIGIT, Request
from tests.client import Client

READY_SECONDS = 90  # Ray takes some twenty on one core


@dataclass(frozen=True)
class Bench:
    """Where it is measured. cores: the server's and the load's; folder: for logs."""

    weights: Mapping[Model, Weights]
    cores: tuple[int, int]
    folder: Path

    def server_cores(self, program: Program) -> Sequence[int]:
        return self.cores[: program.cores]

    def load_cores(self, program: Program) -> Sequence[int]:
        """The other one; where the program has both, the load takes from it what it needs."""
        return self.cores[1:] if program.cores == 1 else self.cores


@dataclass(frozen=True)
class Servers:
    """The servers that run, asleep, and why others do not; they end with ``stack``."""

    bench: Bench
    stack: ExitStack
    _known: dict[Program, Server | CannotMeasure] = field(default_factory=dict)

    def answering(self, program: Program, request: Request) -> Server:
        """The server of ``program``, which answers ``request``; raises CannotMeasure."""
        if program not in self._known:
            try:
                self._known[program] = self._start(program, request)
            except CannotMeasure as error:
                self._known[program] = error
        server = self._known[program]
        if isinstance(server, CannotMeasure):
            raise server
        with server.awake():
            require_right_answer(server, request)
        return server

    def _start(self, program: Program, request: Request) -> Server:
        weights, cores = self.bench.weights[program.model], self.bench.server_cores(program)
        launch = launched(program, weights, cores, self.bench.folder)
        server = self.stack.enter_context(launch)
        try:
            wait_until_right(server, request)
        finally:
            server.sleep()
        return server


def wait_until_right(server: Server, request: Request) -> None:
    """Ask until the answer is the right one; raises CannotMeasure."""
    deadline = time.monotonic() + READY_SECONDS
    found: Exception | None = None
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            require_right_answer(server, request)
        except (OSError, CannotMeasure) as error:
            found = error
            time.sleep(0.1)
        else:
            return
    raise CannotMeasure(f"{found}; {server.last_words()}")


def require_right_answer(server: Server, request: Request) -> None:
    """Ask once; raises OSError or CannotMeasure. Another digit than the right one ends it all."""
    with Client(server.port) as client:
        answer = client.request(request.method, request.path, request.body, request.headers)
    if answer.status != http.client.OK:
        raise CannotMeasure(f"it answers {request.path} with status {answer.status}")
    if request.digit:
        found = answer.json
        for key in request.digit:
            found = found[key]
        if found != DIGIT:
            raise SystemExit(f"{server.program.name} reads a {found} where there is a {DIGIT}")
