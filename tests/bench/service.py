"""``make bench``: how fast the service starts and what it weighs."""

import tempfile
import time
from pathlib import Path

from tests.bench.report import figure, publish
from tests.client import Client
from tests.server import Server, clean_environment, free_port, launch, running
from tests.service.cases import GOOD

STARTS = 11
WARM_UP_REQUESTS = 500


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        starts = [start_to_first_answer(Path(folder) / "log") for _ in range(STARTS)]
        weight = resident_megabytes(Path(folder) / "log")
    publish(
        "service",
        [
            figure(
                "start to first answer, two workers",
                starts,
                "s",
                reference="from `python -m service` to 200 of POST /predict",
                must=1.0,
                aim=0.4,
            ),
            figure(
                "master and one worker, resident",
                [weight],
                "MB",
                reference=f"sum of VmRSS after {WARM_UP_REQUESTS} predictions",
                must=90,
                aim=75,
            ),
        ],
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


def resident_megabytes(log: Path) -> float:
    """Resident memory of the master and one worker that has done some work."""
    with running(log, workers=1) as server:
        with server.client() as client:
            for _ in range(WARM_UP_REQUESTS):
                client.predict_json({"pixels": GOOD})
        return sum(resident(pid) for pid in [server.process.pid, *server.workers()]) / 1000


def resident(pid: int) -> int:
    """Resident kilobytes of one process."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])


if __name__ == "__main__":
    main()
