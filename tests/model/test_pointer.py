"""What a server sees that looks at a store again and again."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from model import aliases
from model.pointer import Pointer, State, Target
from model.store import RELEASES, Store
from tests.helpers import run_python, table
from tests.model.shelf import point

Act: TypeAlias = Callable[[Store], object]


@pytest.fixture
def watched(store: Store) -> tuple[Store, Pointer]:
    """A store with champion 1 and challenger 2, looked at once."""
    point(store, {"champion": 1, "challenger": 2})
    pointer = Pointer(store.root)
    pointer.read()
    return store, pointer


def versions(state: State) -> tuple[int | None, int | None]:
    """Of champion and challenger."""
    return (
        state.champion.version if state.champion else None,
        state.challenger.version if state.challenger else None,
    )


def copied(store: Store) -> Path:
    """A store that is the same to look at."""
    folder = store.root.with_name("copy")
    shutil.copytree(store.root, folder)
    return folder


def replaced(store: Store) -> None:
    """Put another directory with other files of the same names in the place of the store."""
    folder = copied(store)
    store.root.rename(store.root.with_name("old"))
    folder.rename(store.root)


def in_two_steps(store: Store) -> None:
    """Point to what arrives only later."""
    store.path(2).rename(store.root / "later")
    point(store, {"champion": 2})


def under_way(store: Store) -> None:
    """A writer was killed when it had noted its change, and had moved one of two aliases."""
    change = aliases.Change({"champion": 2, "previous": 1})
    (store.root / aliases.CHANGE).write_bytes(change.encode())
    point(store, {"previous": 1})


def test_the_first_look_sees_where_the_aliases_point_and_no_move(store: Store) -> None:
    point(store, {"champion": 1})
    state = Pointer(store.root).read()
    path = store.path(1)
    status = path.stat()
    identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    assert state == State(Target(1, path, identity), None, moved=frozenset(), troubles={})


def test_the_shipped_store_has_a_champion_that_stays() -> None:
    pointer = Pointer(RELEASES)
    first = pointer.read()
    assert first.champion is not None
    assert first.champion.path == Store(RELEASES).path(Store(RELEASES).resolve("champion"))
    assert pointer.read() == first


@table(
    "act, seen, moved",
    {
        "nothing": (lambda _: None, (1, 2), set()),
        "promote": (lambda store: store.promote(10), (10, 2), {"champion"}),
        "promote the challenger": (
            lambda store: store.promote(2),
            (2, None),
            {"champion", "challenger"},
        ),
        "challenge": (lambda store: store.challenge(10), (1, 10), {"challenger"}),
        "challenge no more": (lambda store: store.challenge(None), (1, None), {"challenger"}),
        "publish": (lambda store: store.publish(store.read(1)), (1, 2), set()),
        "written by hand": (lambda store: point(store, {"champion": 2}), (2, 2), {"champion"}),
        "an alias vanishes": (
            lambda store: (store.root / "champion").unlink(),
            (None, 2),
            {"champion"},
        ),
        "the same directory under the same name": (replaced, (1, 2), {"champion", "challenger"}),
        "the file of a version is another one": (
            lambda store: shutil.copy(store.path(1), store.root / "new").rename(store.path(1)),
            (1, 2),
            {"champion"},
        ),
        "a change that was cut off": (under_way, (2, None), {"champion", "challenger"}),
    },
)
def test_what_has_moved_is_said_once(
    act: Act,
    seen: tuple[int | None, int | None],
    moved: set[str],
    watched: tuple[Store, Pointer],
) -> None:
    store, pointer = watched
    act(store)
    state = pointer.read()
    assert versions(state) == seen
    assert state.moved == moved
    assert not state.troubles
    again = pointer.read()
    assert versions(again) == seen
    assert not again.moved


def test_an_alias_that_appears_has_moved(store: Store) -> None:
    pointer = Pointer(store.root)
    assert versions(pointer.read()) == (None, None)
    store.promote(1)
    assert pointer.read().moved == {"champion"}
    store.challenge(2)
    assert pointer.read().moved == {"challenger"}


def test_a_link_that_is_turned_to_another_store_has_moved(store: Store, tmp_path: Path) -> None:
    point(store, {"champion": 1})
    other = Store(copied(store))
    point(other, {"champion": 2})
    link = tmp_path / "now"
    link.symlink_to(store.root)
    pointer = Pointer(link)
    assert versions(pointer.read()) == (1, None)
    (tmp_path / "next").symlink_to(other.root)
    (tmp_path / "next").rename(link)
    state = pointer.read()
    assert versions(state) == (2, None)
    assert state.moved == {"champion"}


def instead(make: Callable[[Path], object]) -> Act:
    """Put something else in the place of the champion's file."""

    def act(store: Store) -> None:
        (store.root / "champion").unlink()
        make(store.root / "champion")

    return act


def leads_out(store: Store) -> None:
    shutil.copy(store.path(2), store.root.with_name("out"))
    store.file(2).unlink()
    store.file(2).symlink_to(store.root.with_name("out"))
    point(store, {"champion": 2})


@table(
    "act, troubled, words",
    {
        "garbage": (
            lambda store: (store.root / "champion").write_bytes(b"latest"),
            {"champion"},
            "champion: holds no version number",
        ),
        "a directory": (instead(Path.mkdir), {"champion"}, "champion: is not a regular file"),
        "a pipe, on which nobody is waited for": (
            instead(os.mkfifo),
            {"champion"},
            "champion: is not a regular file",
        ),
        "a link to itself": (
            instead(lambda path: path.symlink_to("champion")),
            {"champion"},
            "champion: cannot be read",
        ),
        "a link to nothing": (
            instead(lambda path: path.symlink_to("none")),
            {"champion"},
            "champion: is a link to nothing",
        ),
        "a version that has not arrived": (in_two_steps, {"champion"}, "has no version 2"),
        "a version outside": (leads_out, {"champion"}, "is a link that leaves the store"),
        "the directory is gone": (
            lambda store: store.root.rename(store.root.with_name("old")),
            {"champion", "challenger"},
            "there is no such directory",
        ),
        "a file in its place": (
            lambda store: store.root.rename(store.root.with_name("old")) and store.root.touch(),
            {"champion", "challenger"},
            "Not a directory",
        ),
    },
)
def test_an_alias_that_cannot_be_followed_has_not_moved_and_is_told(
    act: Act, troubled: set[str], words: str, watched: tuple[Store, Pointer]
) -> None:
    store, pointer = watched
    act(store)
    for _ in range(2):  # as long as it is so
        state = pointer.read()
        assert state.champion is not None
        assert state.champion.version == 1
        assert not state.moved - {"challenger"}
        assert troubled <= set(state.troubles)
        assert words in state.troubles["champion"]


def test_what_arrives_late_has_moved_then(watched: tuple[Store, Pointer]) -> None:
    store, pointer = watched
    in_two_steps(store)
    assert not pointer.read().moved
    (store.root / "later").rename(store.file(2))
    state = pointer.read()
    assert versions(state) == (2, 2)
    assert "champion" in state.moved
    assert not state.troubles


def test_a_store_that_comes_back_is_not_told_any_more(watched: tuple[Store, Pointer]) -> None:
    store, pointer = watched
    old = store.root.rename(store.root.with_name("old"))
    assert pointer.read().troubles
    old.rename(store.root)
    state = pointer.read()
    assert not state.troubles
    assert not state.moved


@pytest.mark.parametrize("root", ["none", "nu\0l", "a" * 300])
def test_a_store_that_never_was_is_told_of(root: str, tmp_path: Path) -> None:
    pointer = Pointer(tmp_path / root)
    for _ in range(2):
        state = pointer.read()
        assert versions(state) == (None, None)
        assert set(state.troubles) == {"champion", "challenger"}


# As somebody who may not read all of it; root may, so it becomes nobody.
AS_A_STRANGER = """
import os, sys
from pathlib import Path
from model.pointer import Pointer
os.chdir(sys.argv[1])
pointer = Pointer(Path("."))
pointer.read()
Path(sys.argv[2]).chmod(0)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
state = pointer.read()
print(state.champion.version, sorted(state.moved), state.troubles["champion"])
"""


@table(
    "locked, words",
    {
        "the alias": ("champion", "champion: cannot be read (Permission denied); check its"),
        "the directory": (".", "champion: cannot be read (Permission denied); check its"),
    },
)
def test_what_may_not_be_read_is_told(locked: str, words: str, store: Store) -> None:
    point(store, {"champion": 1})
    run = run_python(AS_A_STRANGER, store.root, locked)
    (store.root / locked).chmod(0o755)
    assert run.stdout.startswith(f"1 [] {words}"), run.stderr


@table("seconds_ago, reads", {"long ago": (60, 1), "a moment ago": (0, 3)})
def test_files_are_read_again_only_where_they_may_be_other_ones(
    seconds_ago: int, reads: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    point(store, {"champion": 1})
    written = time.time_ns() - seconds_ago * 10**9
    counted = []
    monkeypatch.setattr(aliases, "fingerprint", lambda _: ((1, 2, 3, written, written),))
    monkeypatch.setattr(aliases, "pending", lambda _: counted.append(1))
    pointer = Pointer(store.root)
    for _ in range(3):
        pointer.read()
    assert len(counted) == reads
