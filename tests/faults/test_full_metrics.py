"""A disk for metrics that fills up under load, or is full from the start.

Then they are kept in memory, or each worker's alone.
"""

import signal
from pathlib import Path

from service.metric_room import MEMORY
from tests.e2e.counted import counters, predicted
from tests.e2e.small_disk import (
    NO_ROOM,
    ask_everything,
    fill,
    read,
    replace_worker,
    running,
    running_where_full,
)
from tests.faults.golden import assert_unchanged, golden
from tests.faults.load import CUT, Load
from tests.faults.serving import counting


def test_a_disk_that_fills_up_costs_nobody_an_answer(tmp_path: Path) -> None:
    with running(tmp_path) as (server, disk):
        with counting(server), Load(server.port, golden()) as load:
            fill(disk)
            replace_worker(server, server.workers()[0], signal.SIGKILL)
            replace_worker(server, server.process.pid, signal.SIGHUP)
        assert set(load.fates()) <= {200, CUT}
        assert_unchanged(server)
    assert NO_ROOM not in read(server.log)


def test_the_metrics_are_kept_in_memory_and_outlive_a_worker(tmp_path: Path) -> None:
    with running_where_full(tmp_path) as server:
        ask_everything(server)
        before = counters(server)
        replace_worker(server, server.workers()[0], signal.SIGKILL)
        after = counters(server)
        assert predicted(server) == 2
    assert all(after[key] >= before[key] for key in before)
    assert f"{tmp_path}/disk {NO_ROOM}: they are kept in memory" in read(server.log)


def test_without_any_room_a_worker_counts_for_itself(tmp_path: Path) -> None:
    with running_where_full(tmp_path, MEMORY) as server:
        ask_everything(server)
        assert predicted(server) == 1
        replace_worker(server, server.workers()[0], signal.SIGKILL)
        assert predicted(server) == 1
    assert f"{tmp_path}/disk {NO_ROOM}: each worker tells of itself" in read(server.log)
