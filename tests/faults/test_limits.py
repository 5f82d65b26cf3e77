"""Few file descriptors, little memory, connections that are reset, too much work."""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.counted import samples
from tests.e2e.test_bad_input import open_descriptors
from tests.e2e.test_workers import SLOW_PNG
from tests.faults.golden import golden
from tests.faults.load import CUT, Load, shot
from tests.faults.serving import ATTEMPTS, SOON, serving
from tests.helpers import missing
from tests.server import Server, wait_for
from tests.service.cases import PNG

DESCRIPTORS, ROOM = 64, 25
MEBIBYTE = 2**20
RESETS = 10_000
MOST_DESCRIPTORS = 60  # of two workers to whom nobody is connected
RESET = struct.pack("ii", 1, 0)  # struct linger: on, for no time

HEALTH_SECONDS = 0.1
PICTURE = shot("picture", "/predict", SLOW_PNG, PNG)

ALL_KINDS = ("/readyz", "/metrics", "/drift", "/models", "/docs", "/openapi.json")


def test_with_64_descriptors_those_let_in_are_answered_and_the_rest_turned_away(
    tmp_path: Path,
) -> None:
    within = ["sh", "-c", f'ulimit -n {DESCRIPTORS} && exec "$@"', "sh"]
    with serving(tmp_path, within=within, workers=1) as server, server.client() as client:
        before = server.workers()
        client.get("/readyz")  # it is let in
        with Load(server.port, golden()) as load:
            time.sleep(0.5)
            with ExitStack() as stack:
                full = time.monotonic()
                for _ in range(2 * DESCRIPTORS):
                    stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                time.sleep(0.5)
                assert {path: client.get(path).status for path in ALL_KINDS} == dict.fromkeys(
                    ALL_KINDS, 200
                )
            wait_for("there is room", lambda: open_descriptors(server) < DESCRIPTORS - ROOM)
            left = time.monotonic()
            time.sleep(0.5)
        assert set(load.fates()) <= {200, CUT}
        assert all(full <= one.ended <= left + SOON for one in load.of(CUT))
        assert len(load.of(200)) > len(load.of(CUT))
        assert server.workers() == before
    assert "were turned away" in server.log.read_text("utf-8")
    assert "Traceback" not in server.log.read_text("utf-8")


@contextmanager
def memory_group(most_bytes: int) -> Iterator[Path]:
    """A control group with a limit of memory, of version 1 or 2."""
    top = Path("/sys/fs/cgroup")
    parent, limit = (
        (top / "memory", "memory.limit_in_bytes")
        if (top / "memory").is_dir()
        else (top, "memory.max")
    )
    group = parent / f"digits-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(most_bytes))
    except OSError:
        if group.is_dir():
            group.rmdir()
        missing("a control group of memory is needed: run as root, where they may be made")
    try:
        yield group
    finally:
        group.rmdir()


def killed_for_memory(group: Path) -> int:
    file = next(
        group / name for name in ("memory.events", "memory.oom_control") if (group / name).exists()
    )
    return int(dict(line.split() for line in file.read_text().splitlines())["oom_kill"])


@pytest.mark.parametrize("threads", [4, 1])
def test_256_megabytes_are_enough(tmp_path: Path, threads: int) -> None:
    """Not for all threads with large pictures: that costs a worker at worst, and is over then."""
    within = ["sh", "-c", 'echo $$ > "$GROUP/cgroup.procs" && exec "$@"', "sh"]
    with memory_group(256 * MEBIBYTE) as group:
        variables = {"GROUP": str(group)}
        with serving(tmp_path, within=within, variables=variables, threads=threads) as server:
            with Load(server.port, [*golden() * 10, PICTURE]) as load:
                time.sleep(1.5)
            assert set(load.fates()) == {200}
            assert killed_for_memory(group) == 0
            with Load(server.port, [PICTURE], 100) as load:
                time.sleep(1.5)
            assert set(load.fates()) <= ({200, 429, CUT} if threads > 1 else {200, 429})


def reset_many(port: int, begun: Sequence[bytes]) -> None:
    """Connect as many times at once, send what has begun, and reset the connections."""
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.socket()) for _ in begun]
        for connection in connections:
            connection.settimeout(0)
            connection.connect_ex(("127.0.0.1", port))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        waiting = dict(zip(connections, begun, strict=True))
        while waiting:
            for connection in select.select([], waiting, [])[1]:
                connection.send(waiting.pop(connection))
                connection.close()


def test_connections_that_are_reset_cost_the_others_nothing(tmp_path: Path) -> None:
    """In the middle of a request, or of its answer."""
    whole = golden()[0].request
    begun = [whole[: len(whole) // 2], whole, whole[:20], b"", whole * 3] * 40
    with serving(tmp_path) as server:
        before = server.workers()
        with Load(server.port, golden()) as load:
            for _ in range(RESETS // len(begun)):
                reset_many(server.port, begun)
        assert set(load.fates()) == {200}
        assert server.workers() == before
        wait_for("all are let go", lambda: open_descriptors(server) < MOST_DESCRIPTORS)
        assert samples(server)["digits_requests_in_flight",] == 1
    assert "Traceback" not in server.log.read_text("utf-8")


@contextmanager
def asking_for_health(server: Server) -> Iterator[list[float]]:
    """Seconds that liveness and readiness took to be told, on a kept connection."""
    took: list[float] = []
    enough = threading.Event()

    def ask() -> None:
        with server.client() as client:
            while not enough.wait(0.02):
                for path in ("/livez", "/readyz"):
                    began = time.monotonic()
                    assert client.get(path).status == 200
                    took.append(time.monotonic() - began)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield took
    finally:
        enough.set()
        thread.join()


def capacity(server: Server) -> float:
    """Pictures a second, where the next is sent when one was answered."""
    with server.client() as client:
        began = time.monotonic()
        for _ in range(8):
            assert client.predict(SLOW_PNG, "image/png").status == 200
        return 8 / (time.monotonic() - began)


def test_ten_times_too_much_is_refused_and_health_answers(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1, threads=2, max_in_flight=4) as server:
        rate = 10 * capacity(server)
        for _ in range(ATTEMPTS):
            with asking_for_health(server) as took, Load(server.port, [PICTURE], rate) as load:
                time.sleep(1.5)
                assert samples(server)["digits_requests_in_flight",] <= 4 + 2
            assert set(load.fates()) == {200, 429}
            with server.client() as client:
                assert client.predict(SLOW_PNG, "image/png").status == 200
            if max(took) < HEALTH_SECONDS:
                break
        assert max(took) < HEALTH_SECONDS
