"""Where nothing can be written any more: logs, models, any file; answers go on."""

import os
import signal
import time
from pathlib import Path

from model.store import RELEASES, Store
from tests.e2e.small_disk import WANTED, apart, fill, seen, small_disks
from tests.e2e.versions import all_serve
from tests.faults.golden import golden
from tests.faults.load import CUT, Load
from tests.faults.serving import are_others, counting, serving
from tests.helpers import assert_one_line_error, missing, run_module, table
from tests.server import Server, wait_for

LOGGED = ["sh", "-c", 'exec "$@" >> "$LOG" 2>&1', "sh"]
COPIED = ["sh", "-c", 'cp "$RELEASES"/* "$DIGITS_STORE" && exec "$@"', "sh"]

READ_ONLY = """
mount --bind "$FOLDER" "$FOLDER" && mount -o remount,bind,ro "$FOLDER" || exit 1
mount -o remount,bind,ro / || exit 1
touch "$FOLDER/file" /file 2> /dev/null && exit 1
exec "$@"
"""

CLOSED = 'exec "$@" >&-'
ALL_CLOSED = 'exec "$@" <&- >&- 2>&-'
UNREAD = 'mkfifo "$PIPE" && exec 3<> "$PIPE" > "$PIPE" 2>&1 3<&- && exec "$@"'


def replace_worker(server: Server) -> None:
    before = server.workers()
    os.kill(before[0], signal.SIGKILL)
    wait_for("there is another worker", lambda: are_others(server, before, before[0]))


def test_a_full_log_costs_nobody_an_answer(tmp_path: Path) -> None:
    """And is written again when there is room."""
    disk = tmp_path / "disk"
    within, log = [*small_disks(disk), *LOGGED], {"LOG": f"{disk}/log"}
    with serving(tmp_path, within=within, variables=log, access_log=1) as server:
        volume = seen(server, disk)
        with counting(server), Load(server.port, golden()) as load:
            time.sleep(0.5)
            fill(volume)
            size = (volume / "log").stat().st_size
            time.sleep(0.5)
            replace_worker(server)
            time.sleep(0.5)
            assert (volume / "log").stat().st_size <= size + 4096
            (volume / "filler").unlink()
            wait_for("lines are written", lambda: (volume / "log").stat().st_size > size + 8192)
    assert set(load.fates()) <= {200, CUT}


@table("script", {"stdout": CLOSED, "all three": ALL_CLOSED, "a pipe nobody reads": UNREAD})
def test_closed_output_costs_nobody_an_answer(tmp_path: Path, script: str) -> None:
    within, pipe = ["sh", "-c", script, "sh"], {"PIPE": str(tmp_path / "pipe")}
    with (
        serving(tmp_path, within=within, variables=pipe, access_log=1) as server,
        Load(server.port, golden()) as load,
    ):
        time.sleep(0.5)
        replace_worker(server)
        time.sleep(0.5)
    assert set(load.fates()) <= {200, CUT}


def test_a_read_only_file_system_is_served_from(tmp_path: Path) -> None:
    within = [*(apart(tmp_path) or missing(WANTED)), "sh", "-c", READ_ONLY, "sh"]
    with (
        serving(tmp_path, within=within, variables={"FOLDER": str(tmp_path)}) as server,
        counting(server),
        Load(server.port, golden()) as load,
    ):
        time.sleep(0.5)
        replace_worker(server)
        time.sleep(0.5)
    assert set(load.fates()) <= {200, CUT}


def test_a_full_store_keeps_its_champion(tmp_path: Path) -> None:
    """Promotion fails in a line; with room again it is followed."""
    disk = tmp_path / "disk"
    within = [*small_disks(disk), *COPIED]
    source = {"RELEASES": str(RELEASES)}
    with serving(tmp_path, within=within, variables=source, store=disk) as server:
        volume = seen(server, disk)
        with Load(server.port, golden()) as load:
            fill(volume)
            assert_one_line_error(run_module("model", "promote", "1", "--store", volume))
            time.sleep(1.5)
        assert set(load.fates()) == {200}
        (volume / "filler").unlink()
        Store(volume).promote(1)
        wait_for("the other is served", lambda: all_serve(server, 1))
        Store(volume).rollback()
        wait_for("it is served again", lambda: all_serve(server, 2))
