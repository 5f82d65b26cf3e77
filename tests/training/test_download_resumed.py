"""Downloads that broke off, files that are there already, and what is seen of it all."""

import gzip
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers import ROOT, seen_on_a_terminal, table
from tests.training.mirrors import (
    BODY,
    HALF,
    NAME,
    OLD,
    ORIGINAL,
    PLAIN,
    POLL,
    Answer,
    Behaviour,
    StartMirror,
    assert_fetched,
    broken_off,
    chunked,
    contents,
    get,
    of_other_bytes,
    redirecting,
    stalled,
    status,
    well,
    whole,
)
from training.download import download
from training.errors import DataError

START_SECONDS = 15  # far beyond what a process takes to get its first bytes

# -- resuming ---------------------------------------------------------------

BREAKS: dict[str, Behaviour] = {
    "broke off": broken_off(HALF),
    "stalled": stalled(HALF),
    "broke off in chunks": chunked(BODY[:HALF]),
}


@table("behaviour", BREAKS)
def test_what_broke_off_is_resumed_by_the_next_run(
    behaviour: Behaviour, mirror: StartMirror, tmp_path: Path
) -> None:
    server = mirror(behaviour, well)
    with pytest.raises(DataError):
        get(tmp_path, server)
    assert contents(tmp_path) == {f"{NAME}.gz.part": BODY[:HALF]}
    server.sent = 0
    get(tmp_path, server)
    assert server.ranges == [None, f"bytes={HALF}-"]
    assert server.sent == len(BODY) - HALF  # no byte twice
    assert_fetched(tmp_path)


def test_what_broke_off_is_resumed_at_the_next_mirror(mirror: StartMirror, tmp_path: Path) -> None:
    first, second = mirror(broken_off(HALF)), mirror(well)
    get(tmp_path, first, second)
    assert second.ranges == [f"bytes={HALF}-"]
    assert first.sent + second.sent == len(BODY)
    assert_fetched(tmp_path)


def test_a_redirect_is_followed_with_the_range(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz.part").write_bytes(BODY[:HALF])
    elsewhere = mirror(well)
    get(tmp_path, mirror(redirecting(elsewhere.url)))
    assert elsewhere.ranges == [f"bytes={HALF}-"]
    assert_fetched(tmp_path)


def test_a_mirror_that_ignores_range_begins_anew(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz.part").write_bytes(BODY[:HALF])
    server = mirror(whole(BODY))
    get(tmp_path, server)
    assert server.ranges == [f"bytes={HALF}-"]
    assert_fetched(tmp_path)


def test_other_bytes_than_asked_for_are_not_added(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz.part").write_bytes(BODY[:HALF])
    with pytest.raises(DataError, match="answered 206"):
        get(tmp_path, mirror(of_other_bytes))
    assert contents(tmp_path) == {f"{NAME}.gz.part": BODY[:HALF]}


def test_a_whole_part_needs_no_mirror(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz.part").write_bytes(BODY)
    server = mirror(well)
    get(tmp_path, server)
    assert server.asked == []
    assert_fetched(tmp_path)


PARTS: dict[str, bytes] = {
    "another file's beginning": b"?" * HALF,
    "another file": b"?" * len(BODY),
    "more than the file": BODY + b"more",
    "more than any such file": bytes(ORIGINAL.most * 2),
}


@table("part", PARTS)
def test_a_part_of_something_else_is_given_up(
    part: bytes, mirror: StartMirror, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.gz.part").write_bytes(part)
    server = mirror(well)
    get(tmp_path, server)
    assert server.ranges == [f"bytes={len(part)}-", None]
    assert_fetched(tmp_path)


def test_an_empty_part_is_no_beginning(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz.part").touch()
    server = mirror(well)
    get(tmp_path, server)
    assert server.ranges == [None]
    assert_fetched(tmp_path)


RUN = """
import sys
from pathlib import Path
from training.download import Limits, Original, download

file, url, digest, size = sys.argv[1:]
download(Path(file), Original(digest, int(size)), [url], limits=Limits(silence=600))
"""


@table("count", {"early": 1, "in the middle": HALF, "before the last byte": len(BODY) - 1})
def test_a_killed_run_is_finished_by_the_next(
    count: int, mirror: StartMirror, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.gz").write_bytes(OLD)
    part = tmp_path / f"{NAME}.gz.part"
    server = mirror(stalled(count), well)
    arguments = [str(tmp_path / NAME), server.url, ORIGINAL.digest, str(ORIGINAL.size)]
    command = [sys.executable, "-c", RUN, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as run:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and not (part.exists() and part.stat().st_size == count):
            time.sleep(POLL)
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert contents(tmp_path) == {f"{NAME}.gz": OLD, f"{NAME}.gz.part": BODY[:count]}
    get(tmp_path, server)
    assert server.ranges == [None, f"bytes={count}-"]
    assert server.sent == len(BODY)
    assert_fetched(tmp_path)


# -- what is there already --------------------------------------------------

STANDING: dict[str, dict[str, bytes]] = {
    "packed": {f"{NAME}.gz": BODY},
    "packed in another way": {f"{NAME}.gz": gzip.compress(PLAIN, 0)},
    "plain": {NAME: PLAIN},
    "plain beside a wrong packed one": {NAME: PLAIN, f"{NAME}.gz": OLD},
}


@table("standing", STANDING)
def test_a_right_file_is_left_alone(
    standing: dict[str, bytes], mirror: StartMirror, tmp_path: Path
) -> None:
    for name, data in standing.items():
        (tmp_path / name).write_bytes(data)
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())]
    server = mirror(well)
    printed = get(tmp_path, server)
    assert server.asked == []
    assert contents(tmp_path) == standing
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.iterdir())] == before
    assert printed == f"{tmp_path / next(iter(standing))}: is there and right\n"


@table("name", {"packed": f"{NAME}.gz", "plain": NAME})
def test_a_wrong_file_stands_until_the_new_one_is_verified(
    name: str, mirror: StartMirror, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(OLD)
    seen = []

    def looking(answer: Answer) -> None:
        seen.append(contents(tmp_path).get(name))
        well(answer)

    get(tmp_path, mirror(whole(b""), looking), mirror(looking))
    assert seen == [OLD]
    assert_fetched(tmp_path)


def test_a_wrong_plain_file_gives_way_to_a_right_packed_one(tmp_path: Path) -> None:
    # load_mnist reads the plain one where both are there.
    (tmp_path / NAME).write_bytes(OLD)
    (tmp_path / f"{NAME}.gz").write_bytes(BODY)
    get(tmp_path)
    assert_fetched(tmp_path)


# -- what is seen -----------------------------------------------------------


def test_a_log_gets_plain_lines(mirror: StartMirror, tmp_path: Path) -> None:
    bad, good = mirror(status(404)), mirror(well)
    file = tmp_path / f"{NAME}.gz"
    assert get(tmp_path, bad, good).splitlines() == [
        f"{bad.url}{NAME}.gz: answered 404",
        f"{file}: from byte 0 of {good.url}{NAME}.gz",
        f"{file}: fetched and verified",
    ]


def test_a_terminal_gets_a_bar_that_is_taken_away(mirror: StartMirror, tmp_path: Path) -> None:
    server = mirror(well)
    seen = seen_on_a_terminal(
        lambda terminal: download(tmp_path / NAME, ORIGINAL, [server.url], stream=terminal)
    )
    assert f"{NAME}.gz:   0%" in seen
    assert "200k" in seen  # of bytes
    assert seen.endswith(f"\r{tmp_path / NAME}.gz: fetched and verified\r\n")
    assert seen.count("\n") == 1
