"""Everything that is measured, in rounds: each turn once a round, in an order that is drawn."""

import http.client
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from tqdm import tqdm

from tests.bench.serving.direct import Direct
from tests.bench.serving.environments import CannotStart
from tests.bench.serving.load import Load, load, pinned
from tests.bench.serving.processes import Server, Weights, launched
from tests.bench.serving.programs import MLP, Model, Program
from tests.bench.serving.requests import DIGIT, Request
from tests.bench.training import worker
from tests.client import Client

READY_SECONDS = 90  # Ray takes some twenty on one core
WARM_UP_SECONDS = 1


@dataclass(frozen=True)
class Turn:
    """One program asked one thing over so many connections."""

    program: Program
    request: Request
    connections: int = 8

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def images(self) -> int:
        return self.request.images


Measured: TypeAlias = Turn | Direct
Side: TypeAlias = Callable[[int], Load]


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


@dataclass
class Results:
    """Of each turn its loads, round by round, or why there are none."""

    loads: dict[Measured, list[Load]] = field(default_factory=dict)
    failures: dict[Measured, str] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, int]:
        """Answers that were none, by the program that owed them."""
        counts = {
            turn.name: sum(each.errors for each in loads) for turn, loads in self.loads.items()
        }
        return {name: count for name, count in counts.items() if count}


def measure(
    turns: Iterable[Measured], bench: Bench, *, rounds: int, seconds: int, seed: int = 1
) -> Results:
    """Take turns, every program on the same core; those whose turn it is not stand still."""
    rng, results = np.random.default_rng(seed), Results()
    with ExitStack() as stack:
        sides = _open(turns, bench, stack, results)
        for side in sides.values():
            side(WARM_UP_SECONDS)
        results.loads = {turn: [] for turn in sides}
        order = list(sides)
        for _ in tqdm(range(rounds), desc="rounds", disable=None, leave=False):
            for turn in (order[index] for index in rng.permutation(len(order))):
                results.loads[turn].append(sides[turn](seconds))
    return results


def _open(
    turns: Iterable[Measured], bench: Bench, stack: ExitStack, results: Results
) -> dict[Measured, Side]:
    """Start what is needed, each program once, and put it to sleep."""
    sides: dict[Measured, Side] = {}
    servers: dict[Program, Server | str] = {}
    for turn in turns:
        if isinstance(turn, Direct):
            sides[turn] = _direct_side(turn, bench, stack)
            continue
        server = servers.get(turn.program)
        if server is None:
            server = servers[turn.program] = _start(turn, bench, stack)
        if isinstance(server, str):
            results.failures[turn] = server
        else:
            sides[turn] = partial(_ask, server, turn, bench)
    return sides


def _start(turn: Turn, bench: Bench, stack: ExitStack) -> Server | str:
    """A sleeping server, or why there is none."""
    weights, cores = bench.weights[turn.program.model], bench.server_cores(turn.program)
    try:
        server = stack.enter_context(launched(turn.program, weights, cores, bench.folder))
        wait_until_right(server, turn.request)
    except CannotStart as error:
        return f"could not be started: {error}"
    server.sleep()
    return server


def _ask(server: Server, turn: Turn, bench: Bench, seconds: int) -> Load:
    cores = bench.load_cores(turn.program)
    with server.awake():
        return load(
            server.port, turn.request, connections=turn.connections, seconds=seconds, cores=cores
        )


def _direct_side(turn: Direct, bench: Bench, stack: ExitStack) -> Side:
    """A process that waits for its seconds on its standard input."""
    module = (sys.executable, "-m", "tests.bench.serving.direct")
    arguments = (str(bench.weights[MLP].artifact), turn.part, str(turn.images))
    process = stack.enter_context(worker([*pinned(bench.cores[:1]), *module, *arguments]))
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None

    def side(seconds: int) -> Load:
        stdin.write(f"{seconds}\n")
        stdin.flush()
        return Load(**json.loads(stdout.readline()))

    return side


def wait_until_right(server: Server, request: Request) -> None:
    """Ask until the answer is the right one; raises CannotStart."""
    deadline = time.monotonic() + READY_SECONDS
    found = "no answer"
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with Client(server.port) as client:
                answer = client.request(request.method, request.path, request.body, request.headers)
        except OSError:
            time.sleep(0.1)
            continue
        if answer.status == http.client.OK:
            require_digit(answer.json if request.digit else None, request)
            return
        found = f"status {answer.status}"
        time.sleep(0.1)
    raise CannotStart(f"{found}; {server.last_words()}")


def require_digit(answer: Any, request: Request) -> None:  # noqa: ANN401 - any JSON value
    """Stop before two different things are compared; raises CannotStart."""
    for key in request.digit:
        answer = answer[key]
    if request.digit and answer != DIGIT:
        raise CannotStart(f"it reads a {answer} where there is a {DIGIT}")
