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
        yield figure(
            f"resident, master and workers: {workers}",
            [resident_megabytes(log, workers)],
            "MB",
            reference=f"sum of VmRSS after {WARM_UP_REQUESTS} predictions",
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


def resident_megabytes(log: Path, workers: int) -> float:
    """Resident memory of the master and its workers after some work."""
    with running(log, workers=workers) as server:
        for _ in range(WARM_UP_REQUESTS):
            with server.client() as client:  # each goes to the worker that takes it first
                client.predict_json({"pixels": GOOD})
        return sum(resident(pid) for pid in [server.process.pid, *server.workers()]) / 1000


def resident(pid: int) -> int:
    """Resident kilobytes of one process."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])
