"""Several workers, killed and replaced: what is counted stays right."""

import contextlib
import http.client
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.metric_room import BYTES, GENERATIONS
from tests.client import Client
from tests.e2e.counted import counters, predicted, samples, wait_for_count
from tests.server import Server, running, wait_for
from tests.service.cases import encode, pixels_json

WORKERS = 3
SLOW_PNG = encode(ImageOps.expand(Image.new("1", (3200, 3200)), 10, fill=1), "PNG")
BLANK = pixels_json(np.zeros(784, int).tolist())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "log", workers=WORKERS, metrics_dir=tmp_path / "metrics") as server:
        wait_for("all workers run", lambda: len(server.workers()) == WORKERS)
        yield server


def in_flight(client: Client) -> float:
    text = client.get("/metrics").body.decode()
    (line,) = re.findall(r"^digits_requests_in_flight (.+)$", text, re.MULTILINE)
    return float(line)


def predict(server: Server, times: int) -> None:
    for _ in range(times):  # a connection each, so that all workers get some
        with server.client() as client:
            assert client.predict(BLANK, "application/json").status == 200


def kill_workers(server: Server, pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_for_others(server, pids)


def wait_for_others(server: Server, pids: list[int]) -> None:
    wait_for(
        "other workers run in the place of these",
        lambda: len(server.workers()) == WORKERS and not set(pids) & set(server.workers()),
    )


def files(folder: Path) -> dict[str, int]:
    """The blocks of all files of metrics, by their names."""
    return {file.name: file.stat().st_blocks for file in (folder / "metrics").glob("*.db")}


def test_every_worker_tells_of_all_requests(server: Server) -> None:
    predict(server, 60)
    wait_for_count(server, 60)
    for _ in range(10):
        assert predicted(server) == 60


def test_counters_never_go_backwards_when_workers_are_killed_and_replaced(
    server: Server, tmp_path: Path
) -> None:
    predict(server, 60)
    wait_for_count(server, 60)
    before, room = counters(server), files(tmp_path)
    kill_workers(server, server.workers()[:1])
    kill_workers(server, server.workers())
    predict(server, 30)
    wait_for_count(server, 90)
    killed, living = counters(server), server.workers()
    server.process.send_signal(signal.SIGHUP)
    wait_for_others(server, living)
    predict(server, 30)
    wait_for_count(server, 120)
    replaced = counters(server)
    assert all(killed[key] >= before[key] for key in before)
    assert all(replaced[key] >= killed[key] for key in killed)
    assert predicted(server) == 120
    assert files(tmp_path) == room
    gauges = {key[0]: value for key, value in samples(server).items()}
    assert (gauges["digits_build_info"], gauges["digits_model_info"]) == (1, 1)
    wait_for("the workers of before are in no gauge", lambda: in_flight_of_all(server) == 1)


def in_flight_of_all(server: Server) -> float:
    return samples(server)["digits_requests_in_flight",]


def keep_busy(server: Server, enough: threading.Event) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException), server.client() as client:
        while not enough.is_set():
            client.predict(SLOW_PNG, "image/png")


def test_the_gauges_of_dead_workers_vanish(server: Server) -> None:
    enough = threading.Event()
    senders = [threading.Thread(target=keep_busy, args=(server, enough)) for _ in range(4)]
    for sender in senders:
        sender.start()
    wait_for(
        "requests are in flight beside the asking one",
        lambda: samples(server)["digits_requests_in_flight",] > 1,
    )
    kill_workers(server, server.workers())
    enough.set()
    for sender in senders:
        sender.join()
    assert samples(server)["digits_requests_in_flight",] == 1


def test_files_neither_pile_up_nor_grow_as_workers_come_and_go(
    server: Server, tmp_path: Path
) -> None:
    room = files(tmp_path)
    for _ in range(3):
        predict(server, 60)
        kill_workers(server, server.workers())
    predict(server, 60)
    assert files(tmp_path) == room
    assert len(room) == len(BYTES) * GENERATIONS * WORKERS


def test_a_killed_worker_fails_nobody_else(server: Server) -> None:
    kill_workers(server, server.workers()[:1])
    predict(server, 30)


def test_pictures_that_take_long_hold_up_nobody(tmp_path: Path) -> None:
    """Few bytes, 16 megapixels: other requests are answered while some are in work."""
    with running(tmp_path / "log", workers=1) as server, server.client() as client:
        enough = threading.Event()
        senders = [threading.Thread(target=keep_busy, args=(server, enough)) for _ in range(3)]
        for sender in senders:
            sender.start()
        wait_for("pictures are in work", lambda: in_flight(client) > 1)
        for _ in range(20):
            assert client.predict(BLANK, "application/json").status == 200
        assert in_flight(client) > 1
        enough.set()
        for sender in senders:
            sender.join()
