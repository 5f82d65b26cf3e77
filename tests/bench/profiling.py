"""``make profile``: where the time of a request goes, as a flame graph and as a table.

The graph is py-spy's, of a worker under load; the table is of the same request and is
written to ``build/profile`` too. So many connections ask at the same time, and are answered
together.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from service.settings import METRICS_VARIABLE
from tests.bench.service import prepare
from tests.bench.serving.load import ask, pinned, require_wrk
from tests.bench.serving.processes import Server, family
from tests.bench.serving.programs import DIGITS, FLAGSHIP, MLP, Model
from tests.bench.serving.requests import JSON_IMAGE
from tests.bench.serving.starting import Bench, Servers
from tests.helpers import ROOT

OUTPUT = Path("build/profile")
PY_SPY = ROOT / ".venv" / "profile" / "bin" / "py-spy"
RATE = 500  # samples a second
SECONDS = 8
CONNECTIONS = 8
MICRO = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.profiling", description=__doc__)
    parser.add_argument("--model", choices=(MLP, FLAGSHIP), default=MLP, help="the MLP")
    model: Model = parser.parse_args().model
    require_wrk()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = prepare(Path(folder))
        server = Servers(bench, stack).answering(DIGITS.reading(model), JSON_IMAGE)
        with server.awake():
            total = microseconds_a_request(server, bench)
            draw(server, bench, OUTPUT / f"{model}.svg")
        text = table(total, layers(bench, model, Path(folder)))
    (OUTPUT / f"{model}.md").write_text(text, "utf-8")
    print(text, end="")
    print(f"flame graph: {OUTPUT / model}.svg")


def microseconds_a_request(server: Server, bench: Bench) -> float:
    """Of the server's core, which has nothing else to do."""
    found = ask(
        server.port,
        JSON_IMAGE,
        connections=CONNECTIONS,
        seconds=SECONDS,
        cores=bench.load_cores(server.program),
    )
    if found.errors:
        raise SystemExit(f"{found.errors} answers were no 200")
    return MICRO / found.rate


def draw(server: Server, bench: Bench, path: Path) -> None:
    """The flame graph of a worker under load."""
    _, worker = family(server.process.pid)
    command = [
        *(*pinned(bench.cores[1:]), str(PY_SPY), "record", "--pid", str(worker)),
        *("--rate", str(RATE), "--duration", str(SECONDS), "--format", "flamegraph"),
        *("--output", str(path)),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as spy:
        microseconds_a_request(server, bench)
        assert spy.stderr is not None
        said = spy.stderr.read()
    if spy.returncode:
        raise SystemExit(f"py-spy drew nothing: {said.strip()}")


def layers(bench: Bench, model: Model, folder: Path) -> dict[str, float]:
    """Microseconds of each layer by itself, on the server's core."""
    module = (sys.executable, "-m", "tests.bench.serving.layers")
    arguments = (str(bench.weights[model].artifact), str(CONNECTIONS))
    command = [*pinned(bench.cores[:1]), *module, *arguments]
    variables = {**os.environ, METRICS_VARIABLE: str(folder)}
    run = subprocess.run(command, env=variables, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def table(total: float, found: dict[str, float]) -> str:
    """What each stage adds, in Markdown."""
    in_stages = found["decode"] + found["classify"] + found["encode"]
    rows = {
        "connection: sockets, event loop, HTTP": total - found["application"] - found["metrics"],
        "exchange: ids, keys, body, header fields": found["application"] - in_stages,
        "decode": found["decode"],
        "classify: normalize": found["normalize"],
        "classify: network": found["network"],
        "classify: judge": found["classify"] - found["normalize"] - found["network"],
        "encode": found["encode"],
        "metrics": found["metrics"],
        "together": total,
    }
    lines = [f"| {name} | {value:.0f} | {value / total:.0%} |" for name, value in rows.items()]
    return "\n".join(["| one JSON image | us | share |", "|---|---|---|", *lines, ""])


if __name__ == "__main__":
    main()
