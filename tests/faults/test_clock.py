"""The clock is moved by a day, either way, while requests are answered.

libfaketime moves what a process is told of the time of day, as an administrator or a machine
that was asleep would; the time since the start (CLOCK_MONOTONIC) goes on, as it does then.
"""

import time
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

import pytest

from tests.faults.golden import golden
from tests.faults.load import Load
from tests.faults.serving import counting, serving
from tests.helpers import missing
from tests.server import Server, wait_for

DAY = 86_400

# libfaketime 0.9.10 takes the sleep of Python 3.11 to last for ever (clock_nanosleep).
ANOTHER_SLEEP = """
import select, time
time.sleep = lambda seconds: select.select((), (), (), seconds) and None
"""


@pytest.fixture
def library() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else missing("libfaketime is needed: apt-get install faketime")


def is_ahead(server: Server, days: int) -> bool:
    """Whether the date of an answer says so."""
    with server.client() as client:
        date = client.get("/readyz").headers["Date"]
    return round((parsedate_to_datetime(date).timestamp() - time.time()) / DAY) == days


def test_a_clock_that_is_moved_disturbs_nobody(tmp_path: Path, library: Path) -> None:
    moved = tmp_path / "moved"
    moved.write_text("+0d\n")
    (tmp_path / "sitecustomize.py").write_text(ANOTHER_SLEEP)
    variables = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(moved),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "PYTHONPATH": str(tmp_path),
    }
    with serving(tmp_path, variables=variables, feedback=tmp_path / "kept.db") as server:
        before = server.workers()
        with counting(server), Load(server.port, golden()) as load:
            for days in (1, -1, 0):
                moved.write_text(f"{days:+}d\n")
                wait_for(f"it is {days} days later", partial(is_ahead, server, days))
                time.sleep(1)
        assert set(load.fates()) == {200}
        assert server.workers() == before
        with server.client() as client:
            assert client.get("/drift").json["samples"] > 0
    assert "Traceback" not in server.log.read_text("utf-8")
