"""``make bench-service``: the service beside other servers of models.

Each server has one core and the load (wrk) another. All read the same weights, the others
through ONNX Runtime. With CI=true it fails when a server cannot be measured.
"""

import argparse
import os
import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model import artifact as artifacts
from model import export, locate
from model.store import RELEASES, Store
from tests.bench.report import Figure, figure, publish
from tests.bench.serving import footprint, slow_clients
from tests.bench.serving.environments import LOCKS, CannotMeasure, python_of
from tests.bench.serving.load import require_wrk
from tests.bench.serving.processes import Weights
from tests.bench.serving.programs import FLAGSHIP, MLP
from tests.bench.serving.rounds import Results, Turn, measure
from tests.bench.serving.rows import Row
from tests.bench.serving.starting import Bench
from tests.bench.serving.table import table

CORES = 2


@dataclass(frozen=True)
class Scale:
    """How long it takes: rounds, seconds of a turn, and seconds and deadline of slow clients."""

    rounds: int
    seconds: int
    slow_seconds: int
    read_timeout: int


FULL = Scale(rounds=7, seconds=3, slow_seconds=60, read_timeout=10)
QUICK = Scale(rounds=3, seconds=1, slow_seconds=12, read_timeout=4)
QUICK_PEERS = ("fastapi", "flask")  # the fastest, and the plainest


def main() -> None:
    peers = sorted(path.stem for path in LOCKS.glob("*.txt"))
    parser = argparse.ArgumentParser(prog="python -m tests.bench.service", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short turns: does it all work?")
    parser.add_argument("--rounds", type=int, help=f"turns of each ({FULL.rounds})")
    parser.add_argument("--seconds", type=int, help=f"of a turn ({FULL.seconds})")
    parser.add_argument("--peers", nargs="*", choices=peers, help="which; if quick, two")
    arguments = parser.parse_args()
    asked = arguments.peers or (QUICK_PEERS if arguments.quick else peers)
    scale = QUICK if arguments.quick else FULL
    rounds, seconds = arguments.rounds or scale.rounds, arguments.seconds or scale.seconds
    require_wrk()
    rows = [row for row in table() if is_among(asked, row)]
    install(asked)
    with tempfile.TemporaryDirectory() as folder:
        bench = prepare(Path(folder))
        figures = list(footprint.figures(bench.folder))
        figures += slow_clients.figures(bench, scale.slow_seconds, scale.read_timeout)
        turns = dict.fromkeys(turn for row in rows for turn in row.turns)
        results = measure(turns, bench, rounds=rounds, seconds=seconds)
        figures += [row.figure(results) for row in rows]
        publish("service", [*figures, errors(results)])
    if results.failures and os.environ.get("CI") == "true":
        raise SystemExit("not every server could be measured; the table says why")


def is_among(peers: Collection[str], row: Row) -> bool:
    """Whether a row is about these peers, or about none."""
    programs = [turn.program for turn in row.turns if isinstance(turn, Turn)]
    return all(program.environment in {None, *peers} for program in programs)


def install(peers: Collection[str]) -> None:
    """Make the environments that are not there, as many at once as there are cores."""

    def attempt(peer: str) -> None:
        with suppress(CannotMeasure):  # its rows will say why
            python_of(peer)

    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(attempt, peers))


def prepare(folder: Path) -> Bench:
    """The models for both sides, and the cores."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < CORES:
        raise SystemExit(f"this takes {CORES} cores, one for the server and one for the load")
    weights = {
        MLP: exported(Store(RELEASES).path(1), folder / "mlp.onnx"),
        FLAGSHIP: exported(locate(), folder / "flagship.onnx"),
    }
    return Bench(weights, (cores[0], cores[1]), folder)


def exported(artifact: Path, onnx: Path) -> Weights:
    export.write(onnx, artifacts.read(artifact))
    return Weights(artifact, onnx)


def errors(results: Results) -> Figure:
    """How many answers of all turns were none."""
    found = ", ".join(f"{name}: {count}" for name, count in results.errors.items())
    return figure(
        "answers that were no 200, and broken connections",
        [sum(results.errors.values())],
        "",
        reference=found or "in all turns of all programs",
        must=0,
    )


if __name__ == "__main__":
    main()
