"""Which version a running service answers with, and whether anybody notices that it changes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.server import Server
from tests.service.cases import GOOD

if TYPE_CHECKING:
    from collections import Counter

RATE = 50  # requests a second


def told(server: Server) -> int:
    """The version that one of the workers serves; each connection may go to another."""
    with server.client() as client:
        version: int = client.get("/models").json["models"][0]["version"]
    return version


def all_serve(server: Server, version: int) -> bool:
    return {told(server) for _ in range(8)} == {version}


@contextmanager
def asked(server: Server, seen: "Counter[tuple[int, int]]") -> Iterator[None]:
    """Predictions at a steady pace meanwhile: status and version of each answer are counted."""
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(2 / RATE):  # by two of these
            with server.client() as client:
                answer = client.predict_json({"pixels": GOOD})
                ready = client.get("/readyz").status
            version = answer.json["model"]["version"] if answer.status == 200 else 0
            seen[answer.status, version] += 1
            seen[ready, -1] += 1

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
