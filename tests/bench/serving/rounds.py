"""Everything that is measured, in rounds: each turn once a round, in an order that is drawn."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import numpy as np
from tqdm import tqdm

from tests.bench.serving.direct import Direct
from tests.bench.serving.environments import CannotMeasure
from tests.bench.serving.load import Load, ask, pinned
from tests.bench.serving.processes import Server
from tests.bench.serving.programs import Program
from tests.bench.serving.requests import Request
from tests.bench.serving.starting import Bench, Servers
from tests.bench.training import worker

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


@dataclass
class Results:
    """Of each turn its loads, round by round, or why there are none."""

    loads: dict[Measured, list[Load]] = field(default_factory=dict)
    failures: dict[Measured, str] = field(default_factory=dict)

    @property
    def errors(self) -> Mapping[str, int]:
        """Answers that were none, by the program that owed them."""
        counts: Counter[str] = Counter()
        for turn, loads in self.loads.items():
            counts[turn.name] += sum(each.errors for each in loads)
        return +counts  # those above 0


def measure(
    turns: Iterable[Measured], bench: Bench, *, rounds: int, seconds: int, seed: int = 1
) -> Results:
    """Take turns, every program on the same core; those whose turn it is not stand still."""
    rng, results = np.random.default_rng(seed), Results()
    with ExitStack() as stack:
        sides = _open(turns, bench, stack, results)
        results.loads = {turn: [] for turn in sides}
        order = list(sides)
        for number in tqdm(range(1 + rounds), desc="rounds", disable=None, leave=False):
            for turn in (order[index] for index in rng.permutation(len(order))):
                if turn in results.failures:
                    continue
                try:
                    load = sides[turn](seconds if number else WARM_UP_SECONDS)
                except CannotMeasure as error:
                    results.failures[turn] = str(error)
                else:
                    results.loads[turn] += [load] if number else []
    return results


def _open(
    turns: Iterable[Measured], bench: Bench, stack: ExitStack, results: Results
) -> dict[Measured, Side]:
    """Everything that can be measured; what cannot is noted in the results."""
    servers, sides = Servers(bench, stack), dict[Measured, Side]()
    for turn in turns:
        try:
            if isinstance(turn, Direct):
                sides[turn] = _direct_side(turn, bench, stack)
            else:
                server = servers.answering(turn.program, turn.request)
                sides[turn] = partial(_ask, server, turn, bench)
        except CannotMeasure as error:
            results.failures[turn] = str(error)
    return sides


def _ask(server: Server, turn: Turn, bench: Bench, seconds: int) -> Load:
    cores = bench.load_cores(turn.program)
    with server.awake():
        found = ask(
            server.port, turn.request, connections=turn.connections, seconds=seconds, cores=cores
        )
        server.wait_until_idle()  # or it would finish this in another turn
    return found


def _direct_side(turn: Direct, bench: Bench, stack: ExitStack) -> Side:
    """A process that waits for its seconds on its standard input."""
    module = (sys.executable, "-m", "tests.bench.serving.direct")
    arguments = (str(bench.weights[turn.model].artifact), turn.part, str(turn.images))
    process = stack.enter_context(worker([*pinned(bench.cores[:1]), *module, *arguments]))
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None

    def side(seconds: int) -> Load:
        stdin.write(f"{seconds}\n")
        stdin.flush()
        return Load(**json.loads(stdout.readline()))

    return side
