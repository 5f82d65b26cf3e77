"""The service as these tests start it, and what is looked at while it is under load."""

import contextlib
import http.client
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from tests.e2e.counted import counters
from tests.faults.golden import assert_unchanged
from tests.server import Server, clean_environment, free_port, launch, ready

ATTEMPTS = 6  # where a time is promised: other programs may have the cores for once
SOON = 0.3  # for what has happened to be heard of, where the machine is busy
LOOK_SECONDS = 0.2


@contextmanager
def serving(
    folder: Path,
    *,
    within: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    **settings: object,
) -> Iterator[Server]:
    """A service, started ``within`` a command and with more variables, that answers well at last.

    Its log is ``folder/log``.
    """
    port, log = free_port(), folder / "log"
    environ = clean_environment(port=port, **settings) | dict(variables or {})
    with ready(Server(port, launch(log, environ, within), log)) as server:
        assert_unchanged(server)
        yield server
        if server.process.poll() is None:
            assert_unchanged(server)


@contextmanager
def counting(server: Server) -> Iterator[None]:
    """What is counted is looked at again and again, and never goes backwards."""
    told, enough = [counters(server)], threading.Event()

    def look() -> None:
        while not enough.wait(LOOK_SECONDS):
            with contextlib.suppress(OSError, http.client.HTTPException):  # of a killed worker
                told.append(counters(server))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
    told.append(counters(server))
    for before, after in pairwise(told):
        assert {key for key in before if after.get(key, 0) < before[key]} == set()


def are_others(server: Server, before: list[int], *gone: int) -> bool:
    """Whether as many workers run as before, without some of these."""
    living = server.workers()
    return len(living) == len(before) and not set(gone) & set(living)
