"""Signals to the service while it answers: whoever is let in is answered, but by the killed."""

import os
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.metric_room import FILE
from service.settings import DRIFT_FILE
from tests.e2e.counted import predicted
from tests.faults.golden import assert_unchanged, golden
from tests.faults.load import CONNECTIONS, CUT, REFUSED, Load
from tests.faults.serving import ATTEMPTS, SOON, are_others, counting, serving
from tests.server import Server, clean_environment, launch, ready, wait_for

REPLACED_SECONDS = 2.0
LOST_COUNTS = 5  # of a killed worker: what it had counted and not written

PROBE_SECONDS = 0.1  # who asks as often has heard of it

TIMEOUT = 3  # of a worker that does not move


@dataclass(frozen=True)
class Kill:
    """When a worker was killed, and after how many seconds another answered in its place."""

    at: float
    took: float


def kill_one(server: Server) -> Kill:
    """Where it was the only one, whoever comes waits for the other."""
    before, began = server.workers(), time.monotonic()
    os.kill(before[0], signal.SIGKILL)
    wait_for("another has begun", lambda: are_others(server, before, before[0]))
    with server.client() as client:
        assert client.get("/readyz").status == 200
    return Kill(began, time.monotonic() - began)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_fails_what_it_had_in_hand_and_is_replaced(
    tmp_path: Path, workers: int
) -> None:
    """Of one worker alone also nobody is refused: they wait for the next."""
    with (
        serving(tmp_path, workers=workers) as server,
        counting(server),
    ):
        already = predicted(server)
        with Load(server.port, golden()) as load:
            time.sleep(0.5)
            kills = []
            for _ in range(ATTEMPTS):
                kills.append(kill_one(server))
                time.sleep(0.5)
                if kills[-1].took < REPLACED_SECONDS:
                    break
        assert set(load.fates()) <= {200, CUT}
        for outcome in load.of(CUT):
            assert any(one.at - SOON < outcome.ended < one.at + SOON for one in kills)
        assert len(load.of(CUT)) <= len(kills) * CONNECTIONS
        assert kills[-1].took < REPLACED_SECONDS
        counted, answered = predicted(server) - already, len(load.of(200))
        assert answered - len(kills) * LOST_COUNTS <= counted <= load.sent


def test_a_killed_master_leaves_nothing_in_the_way_of_the_next(tmp_path: Path) -> None:
    """Its workers answer all that they have let in, and end; port and files are taken over."""
    metrics = tmp_path / "metrics"
    with ExitStack() as stack:
        server = stack.enter_context(serving(tmp_path, metrics_dir=metrics))
        orphans = server.workers()
        with Load(server.port, golden()) as load:
            time.sleep(0.5)
            server.process.kill()
            server.process.wait()
            (metrics / FILE.format(kind="counter", slot=9)).write_bytes(b"\xff" * 100)
            (metrics / DRIFT_FILE.format(slot=9)).write_bytes(b"{")
            process = launch(server.log, clean_environment(port=server.port, metrics_dir=metrics))
            again = Server(server.port, process, server.log)
            wait_for("the old workers have ended", lambda: not any(map(is_alive, orphans)))
            stack.enter_context(ready(again))
            time.sleep(0.5)
        assert set(load.fates()) <= {200, REFUSED}
        assert load.outcomes[-1].fate == 200
        assert 0 < predicted(again) <= load.sent
        assert_unchanged(again)
    assert "Traceback" not in server.log.read_text("utf-8")


def is_alive(process: int) -> bool:
    return Path(f"/proc/{process}/fd").is_dir()


def test_a_worker_that_does_not_move_is_replaced_and_the_others_answer(tmp_path: Path) -> None:
    with (
        serving(tmp_path, variables={"GUNICORN_CMD_ARGS": f"--timeout {TIMEOUT}"}) as server,
        counting(server),
        Load(server.port, golden()) as load,
    ):
        time.sleep(0.5)
        before = server.workers()
        stopped = time.monotonic()
        os.kill(before[0], signal.SIGSTOP)
        wait_for("another runs", lambda: are_others(server, before, before[0]))
        replaced = time.monotonic()
        time.sleep(0.5)
    assert replaced - stopped >= TIMEOUT - 1.5  # it was not for anything else
    assert set(load.fates()) <= {200, CUT}
    assert len(load.of(CUT)) <= CONNECTIONS  # those that were its own
    assert all(stopped - SOON < one.due and one.ended < replaced + SOON for one in load.of(CUT))


def test_told_to_stop_it_says_so_before_it_refuses_anybody(tmp_path: Path) -> None:
    with serving(tmp_path) as server, server.client() as client:
        assert client.get("/readyz").status == 200
        with Load(server.port, golden()) as load:
            time.sleep(0.5)
            server.process.terminate()
            wait_for("it is not ready", lambda: client.get("/readyz").status == 503)
            said = time.monotonic()
            assert server.process.wait(30) == 0
            time.sleep(0.3)
    assert set(load.fates()) == {200, REFUSED}
    assert said + PROBE_SECONDS < min(one.ended for one in load.of(REFUSED))


def test_new_workers_by_hangup_fail_nobody(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as server,
        counting(server),
        Load(server.port, golden()) as load,
    ):
        time.sleep(0.5)
        before = server.workers()
        server.process.send_signal(signal.SIGHUP)
        wait_for("all are others", lambda: are_others(server, before, *before))
    assert set(load.fates()) == {200}
