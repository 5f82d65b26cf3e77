"""The disk fills up while the service runs: requests are answered, and nothing is miscounted."""

import signal
from itertools import pairwise
from pathlib import Path

from tests.e2e.counted import counters, predicted
from tests.e2e.small_disk import NO_ROOM, ask_everything, fill, read, replace_worker, running


def test_workers_come_and_go_on_a_full_disk(tmp_path: Path) -> None:
    """Requests of kinds that were not there before it was full, and by workers of after."""
    with running(tmp_path) as (server, disk):
        fill(disk)
        ask_everything(server)
        told = [counters(server)]
        replace_worker(server, server.workers()[0], signal.SIGKILL)
        told.append(counters(server))
        replace_worker(server, server.process.pid, signal.SIGHUP)
        told.append(counters(server))
        assert predicted(server) == len(told)
    for before, after in pairwise(told):
        assert all(after[key] >= before[key] for key in before)
    assert NO_ROOM not in read(server.log)
