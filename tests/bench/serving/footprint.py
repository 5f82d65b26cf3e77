"""How fast the service starts and what it weighs."""

import time
from collections.abc import Iterable
from pathlib import Path

from tests.bench.report import Figure, figure
from tests.client import Client
from tests.server import Server, clean_environment, free_port, launch, running
from tests.service.cases import GOOD

STARTS = 11
WARM_UP_REQUESTS = 500
WORKERS = (1, 2, 4)
BARS = {1: (90, 75)}


def figures(folder: Path) -> Iterable[Figure]:
    log = folder / "footprint.log"
    yield figure(
        "start to first answer, two workers",
        [start_to_first_answer(log) for _ in range(STARTS)],
        "s",
        reference="from `python -m service` to 200 of POST /predict",
        must=0.8,
        aim=0.4,
    )
    for workers in WORKERS:
        must, aim = BARS.get(workers, (None, None))
        found, once = weighed(log, workers)
        yield figure(
            f"resident, master and workers: {workers}",
            [found],
            "MB",
            reference=f"sum of VmRSS after {WARM_UP_REQUESTS} predictions; "
            f"{once:.0f} MB where what they share counts once",
            must=must,
            aim=aim,
        )


def start_to_first_answer(log: Path) -> float:
    """Seconds from launching the service to the answer of its first prediction."""
    port = free_port()
    began = time.perf_counter()
    process = launch(log, clean_environment(port=port))
    try:
        while not is_answered(port):
            time.sleep(0.002)
        return time.perf_counter() - began
    finally:
        Server(port, process, log).stop()


def is_answered(port: int) -> bool:
    try:
        with Client(port) as client:
            return client.predict_json({"pixels": GOOD}).status == 200
    except OSError:
        return False


def weighed(log: Path, workers: int) -> tuple[float, float]:
    """Megabytes of the master and its workers after some work, resident and proportional."""
    with running(log, workers=workers) as server:
        for _ in range(WARM_UP_REQUESTS):
            with server.client() as client:  # each goes to the worker that takes it first
                client.predict_json({"pixels": GOOD})
        pids = [server.process.pid, *server.workers()]
        resident = sum(kilobytes(pid, "status", "VmRSS:") for pid in pids)
        proportional = sum(kilobytes(pid, "smaps_rollup", "Pss:") for pid in pids)
        return resident / 1000, proportional / 1000


def kilobytes(pid: int, file: str, name: str) -> int:
    """What a file about a process says under a name (proc(5))."""
    text = Path(f"/proc/{pid}/{file}").read_text("ascii")
    line = next(line for line in text.splitlines() if line.startswith(name))
    return int(line.split()[1])
