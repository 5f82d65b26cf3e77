"""Processes that change one store: killed wherever they are, and several at once."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from model import aliases, errors
from model.audit import audit
from model.lock import locked
from model.store import Store
from tests.helpers import ROOT, environment, run_python, table
from tests.model.shelf import contents, point, told

# Forks for every point, so that each process dies at another call to the system.
KILL_EVERYWHERE = """
import json, os, shutil, signal, sys
from pathlib import Path
from model import Store
from model.audit import audit
from model import history

template, folder, move = Path(sys.argv[1]), Path(sys.argv[2]), eval(sys.argv[3])

def dies_at(point, store):
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    left = point
    def counted(call):
        def counting(*arguments, **options):
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)
        return counting
    for name in ("open", "write", "fsync", "replace", "unlink", "close"):
        setattr(os, name, counted(getattr(os, name)))
    try:
        move(store)
    finally:
        os._exit(0)

def seen(store):
    return {
        "aliases": dict(store.aliases()),
        "bad": [str(finding) for finding in audit(store) if finding.is_bad],
        "told": [[entry[name] for name in ("alias", "from", "to")]
                 for entry in history.read(store.root).entries],
        "versions": store.versions(),
        "files": {path.name: path.read_text() for path in store.root.iterdir()
                  if path.name in ("champion", "challenger", "previous", ".change")},
    }

point, killed = 0, True
while killed:
    point += 1
    store = Store(folder / str(point))
    shutil.copytree(template, store.root)
    killed = dies_at(point, store)
    found = seen(store)
    store.publish(store.read(2))  # there already: it only finishes what was cut off
    print(json.dumps([found, seen(store)]))
"""


@dataclass(frozen=True)
class Killed:
    """A change: the aliases before and after it, what history tells, and what it leaves."""

    before: dict[str, int]
    move: str
    after: dict[str, int]
    lines: list[list[Any]]
    versions: list[int] = field(default_factory=lambda: [1, 2, 10])


@table(
    "case",
    {
        "promote": Killed(
            {"champion": 1, "challenger": 2, "previous": 10},
            "lambda store: store.promote(2)",
            {"champion": 2, "previous": 1},
            [["champion", 1, 2]],
        ),
        "promote the first": Killed(
            {}, "lambda store: store.promote(2)", {"champion": 2}, [["champion", None, 2]]
        ),
        "roll back": Killed(
            {"champion": 2, "previous": 1},
            "lambda store: store.rollback()",
            {"champion": 1, "previous": 2},
            [["champion", 2, 1]],
        ),
        "challenge": Killed(
            {"champion": 2, "challenger": 10},
            "lambda store: store.challenge(1)",
            {"champion": 2, "challenger": 1},
            [["challenger", 10, 1]],
        ),
        "prune": Killed(
            {"champion": 2},
            "lambda store: store.prune(0)",
            {"champion": 2},
            [[None, 1, None], [None, 10, None]],
            [2],
        ),
    },
)
def test_a_change_is_whole_wherever_its_process_is_killed(
    case: Killed, store: Store, tmp_path: Path
) -> None:
    point(store, case.before)
    run = run_python(KILL_EVERYWHERE, store.root, tmp_path / "killed", case.move)
    assert not run.stderr
    outcomes = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(outcomes) > 10
    happened = []
    for cut, finished in outcomes:
        assert cut["bad"] == finished["bad"] == []
        assert cut["aliases"] in (case.before, case.after)
        happened.append(bool(finished["told"]))
        assert finished["told"] == (case.lines if happened[-1] else [])
        assert (
            cut["aliases"] == finished["aliases"] == (case.after if happened[-1] else case.before)
        )
        assert finished["versions"] == (case.versions if happened[-1] else [1, 2, 10])
        assert finished["files"] == {
            name: f"{number}\n" for name, number in finished["aliases"].items()
        }
    assert happened == sorted(happened)
    assert {*happened} == {False, True}


BACK_AND_FORTH = """
import sys
from pathlib import Path
from model import Store
store = Store(Path(sys.argv[1]))
print("begins", flush=True)
while True:
    store.rollback()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env=environment({}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_process_that_is_killed_at_any_time_leaves_a_sound_store(seed: int, store: Store) -> None:
    point(store, {"champion": 1, "previous": 2})
    with start(BACK_AND_FORTH, store.root) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.01, 0.1))
        process.send_signal(signal.SIGKILL)
    assert sorted(store.aliases().values()) == [1, 2]
    assert not any(finding.is_bad for finding in audit(store))
    store.promote(10)
    assert_chained(store, first=1)


PROMOTE_MANY = """
import sys
from pathlib import Path
from model import Store
store = Store(Path(sys.argv[1]))
sys.stdin.readline()
for number in map(int, sys.argv[2:]):
    store.promote(number)
"""


def test_processes_that_promote_at_once_take_turns(store: Store) -> None:
    point(store, {"champion": 1, "previous": 2})
    seen = set()
    orders = ([1, 2, 10] * 4, [10, 2, 1] * 4, [2, 1] * 6)
    processes = [start(PROMOTE_MANY, store.root, *order) for order in orders]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    while any(process.poll() is None for process in processes):
        found = store.aliases()
        seen.add((found["champion"], found["previous"]))
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    pairs = assert_chained(store, first=1)
    assert seen <= {(1, 2), *pairs}
    assert not any(finding.is_bad for finding in audit(store))


def test_aliases_are_read_as_they_were_at_one_moment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    point(store, {"champion": 1, "previous": 10})
    read_file = aliases.read_file

    def promotes_meanwhile(root: Path, alias: aliases.Alias) -> int | None:
        found = read_file(root, alias)
        monkeypatch.undo()
        store.promote(2)
        return found

    monkeypatch.setattr(aliases, "read_file", promotes_meanwhile)
    assert store.aliases() == {"champion": 2, "previous": 1}


def assert_chained(store: Store, first: int | None) -> list[tuple[int, int | None]]:
    """Every change began where the one before it ended; returns (champion, previous) after each."""
    moves = [(old, new) for _, _, old, new in told(store)]
    assert [old for old, _ in moves] == [first, *(new for _, new in moves)][: len(moves)]
    pairs = [(new, old) for old, new in moves]
    now = store.aliases()
    assert (now["champion"], now["previous"]) == pairs[-1]
    return pairs


PUBLISH_ANOTHER = """
import dataclasses, sys
from pathlib import Path
from model import Store, artifact
tiny = artifact.read(Path(sys.argv[1]))
print(Store(Path(sys.argv[2])).add(dataclasses.replace(tiny, training={"recipe": sys.argv[3]})))
"""


def test_processes_that_publish_at_once_do_not_take_each_others_numbers(
    tiny_artifact_path: Path, tmp_path: Path
) -> None:
    arguments = (tiny_artifact_path, tmp_path / "store")
    processes = [start(PUBLISH_ANOTHER, *arguments, name) for name in "abcd"]
    paths = {process.communicate()[0] for process in processes}
    assert len(paths) == 4
    store = Store(tmp_path / "store")
    assert {store.read(number).training["recipe"] for number in store.versions()} == {*"abcd"}


# -- one at a time ----------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from model.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_waited_for_and_free_when_its_process_is_killed(store: Store) -> None:
    with start(HOLD, store.root) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with (
            pytest.raises(errors.StoreUnusable, match="another command is changing it; try again"),
            locked(store.root, seconds=0.1),
        ):
            pass
        process.kill()
        with locked(store.root, seconds=10):
            pass


def test_a_lock_leaves_no_file(store: Store) -> None:
    before = contents(store)
    with locked(store.root):
        assert contents(store) == before


# -- a change that was cut off ----------------------------------------------


def test_a_change_that_could_not_be_told_is_not_made(store: Store) -> None:
    (store.root / "history.jsonl").mkdir()
    before = contents(store)
    with pytest.raises(errors.StoreUnusable, match=r"history\.jsonl: cannot be written"):
        store.promote(1)
    assert contents(store) == before


def test_a_change_that_no_reader_would_take_is_not_made(store: Store) -> None:
    before = contents(store)
    with pytest.raises(errors.StoreUnusable, match="give a shorter reason, or remove fewer"):
        store.prune(0, why="x" * (aliases.MAX_CHANGE_BYTES // 3))
    assert contents(store) == before


def test_a_change_that_is_cut_off_by_a_full_disk_is_finished_when_there_is_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.promote(1)
    monkeypatch.setattr(os, "write", no_room)
    with pytest.raises(errors.StoreUnusable) as caught:
        store.promote(2)
    monkeypatch.undo()
    assert "No space left on device" in str(caught.value)
    assert "the change itself is kept, and finished by the next command" in str(caught.value)
    assert store.aliases() == {"champion": 2, "previous": 1}
    store.promote(10)
    assert store.aliases() == {"champion": 10, "previous": 2}
    assert_chained(store, first=None)


def no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@table(
    "content",
    {
        "empty": b"",
        "no JSON": b"{",
        "no object": b"[1]",
        "no aliases": b'{"removed": [], "history": ""}',
        "an alias that there is not": b'{"aliases": {"best": 1}, "removed": [], "history": ""}',
        "no number": b'{"aliases": {"champion": "1"}, "removed": [], "history": ""}',
        "a truth": b'{"aliases": {"champion": true}, "removed": [], "history": ""}',
        "version 0": b'{"aliases": {"champion": 0}, "removed": [], "history": ""}',
        "5000 digits": b'{"aliases": {"champion": %s}, "removed": [], "history": ""}'
        % (b"9" * 5000),
        "removes what is no version": b'{"aliases": {}, "removed": ["../x"], "history": ""}',
        "no history": b'{"aliases": {}, "removed": []}',
        "lists without end": b"[" * 100_000,
    },
)
def test_what_is_no_change_is_not_gone_by_and_stops_writers(content: bytes, store: Store) -> None:
    point(store, {"champion": 1})
    (store.root / aliases.CHANGE).write_bytes(content)
    before = contents(store)
    assert store.aliases() == {"champion": 1}
    with pytest.raises(errors.StoreUnusable, match=r"\.change: .*remove it"):
        store.promote(2)
    assert contents(store) == before
    assert [finding.path.name for finding in audit(store) if finding.is_bad] == [".change"]
