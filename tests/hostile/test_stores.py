"""Damage to a store that is served: the old champion goes on answering, and nothing else happens.

What is wrong with a file in small is in ``tests/model/test_artifact.py``.
"""

import itertools
import os
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.store import RELEASES, Store
from tests.e2e.counted import samples
from tests.e2e.versions import all_serve, asked
from tests.helpers import table
from tests.hostile.assault import Hostile, Witness, withstand
from tests.hostile.conftest import WORKERS, warm
from tests.hostile.costs import Cost
from tests.hostile.extent import sampled
from tests.model.forge import forge, members_of, npy, rename, zip_of
from tests.server import Server, running, wait_for
from tests.service.cases import GOOD, pixels_json
from tests.wire import whole

SERVED, OTHER = 1, 2
NUMBERS = itertools.count(10)  # of versions that are damaged, each in its own way

Damage = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("hostile") / "store")
    shutil.copytree(RELEASES, store.root)
    store.promote(SERVED)
    return store


@pytest.fixture(scope="module")
def store_witness(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    log = tmp_path_factory.mktemp("hostile") / "log"
    with running(log, workers=WORKERS, store=store.root) as server:
        wait_for("all workers run", lambda: len(server.workers()) == WORKERS)
        warm(server)
        yield Witness.of(server)


@pytest.fixture
def server(store: Store, store_witness: Witness) -> Iterator[Server]:
    """Both workers follow the champion, and do again when the test ends."""
    server = store_witness.server
    yield server
    set_champion(store, f"{SERVED}\n")
    wait_for("the champion is followed", lambda: follows(server))
    wait_for("by all workers", lambda: all_serve(server, SERVED))
    store_witness.assert_unharmed()


def set_champion(store: Store, content: str) -> None:
    """Write the alias as by hand, whatever is in its place."""
    alias = store.root / "champion"
    if alias.is_dir() and not alias.is_symlink():
        alias.rmdir()
    alias.unlink(missing_ok=True)
    alias.write_text(content)


def follows(server: Server) -> bool:
    """Whether all workers serve what the alias names."""
    return samples(server)["digits_model_current",] == 1


def assert_nobody_notices(server: Server) -> None:
    """Until it is known that the champion cannot be followed, and a while after that."""
    seen = Counter[tuple[int, int]]()
    with asked(server, seen):
        wait_for("it is told of", lambda: not follows(server))
        time.sleep(1.2)  # the other worker looks, too
    assert set(seen) == {(200, SERVED), (200, -1)}


def a_bomb(data: bytes) -> bytes:
    """A member that expands a thousandfold."""
    members = {**members_of(data), "bomb.npy": bytes(50_000_000)}
    return zip_of(members.items(), compression=zipfile.ZIP_DEFLATED)


def first_member(data: bytes) -> str:
    return next(name for name in members_of(data) if name.endswith("bias.npy"))


DAMAGES: dict[str, Damage] = {
    "nothing": lambda _: b"",
    "a text": lambda _: b"digits",
    "cut off": lambda data: data[: len(data) // 2],
    "cut off at its end": lambda data: data[:-1],
    "a flipped bit": lambda data: data[:5_000] + bytes([data[5_000] ^ 1]) + data[5_001:],
    "zeros in the middle": lambda data: data[:5_000] + bytes(100) + data[5_100:],
    "an array of objects": lambda data: forge(data, {first_member(data): npy("|O", (16,), b"")}),
    "a shape of 300 GB": lambda data: forge(data, {first_member(data): npy("<f4", (10**11,), b"")}),
    "a thousandfold member": a_bomb,
    "a member more": lambda data: forge(data, {"extra.npy": b""}),
    "a member less": lambda data: forge(data, {first_member(data): None}),
    "a renamed member": lambda data: rename(data, first_member(data), "other.npy"),
    "a member that leads out": lambda data: forge(data, {"../../../tmp/digits.npy": b""}),
    "another version": lambda data: data,
}


@table("damage", DAMAGES)
def test_a_damaged_version_is_refused_by_name(store: Store, server: Server, damage: Damage) -> None:
    """Reading it takes no more than a file of its size may."""
    number = next(NUMBERS)
    store.file(number).write_bytes(damage(store.file(OTHER).read_bytes()))
    ask = whole(pixels_json(GOOD), path=f"/predict?version={number}")
    case = Hostile(lambda: ask, 404, "unusable_model_version", Cost(1, 30))
    [answer] = withstand(server, case)
    assert str(store.root).encode() not in answer.body
    store.file(number).unlink()


@table("damage", sampled(DAMAGES, 4))
def test_a_damaged_champion_is_not_followed(store: Store, server: Server, damage: Damage) -> None:
    number = next(NUMBERS)
    store.file(number).write_bytes(damage(store.file(OTHER).read_bytes()))
    set_champion(store, f"{number}\n")
    assert_nobody_notices(server)
    store.file(number).unlink()


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_round(path: Path) -> None:
    path.symlink_to(path.name)


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


def a_link_out(path: Path) -> None:
    path.symlink_to(RELEASES / f"digits-{OTHER}.npz")


def a_link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


PLACES = {
    "a directory": a_folder,
    "a pipe": a_pipe,
    "a link to itself": a_link_round,
    "a link to nothing": a_link_to_nothing,
    "a link that leads out": a_link_out,
    "a link to what has no end": a_link_to_zeros,
}


@table(
    "what, make",
    sampled(
        {
            f"{name} for {what}": (what, make)
            for name, make in PLACES.items()
            for what in ("a version", "an alias")
        },
        3,
    ),
)
def test_what_is_no_file_of_the_store_is_not_followed(
    store: Store, server: Server, what: str, make: Callable[[Path], None]
) -> None:
    number = next(NUMBERS)
    if what == "a version":
        make(store.file(number))
        set_champion(store, f"{number}\n")
    else:
        (store.root / "champion").unlink()
        make(store.root / "champion")
    assert_nobody_notices(server)
    if what == "a version":
        store.file(number).rmdir() if make is a_folder else store.file(number).unlink()


CONTENTS = {
    "no version": "99\n",
    "nothing": "",
    "a text": "latest\n",
    "a path": "../digits-2.npz\n",
    "5 000 digits": "9" * 5_000,
    "a megabyte": "2" * 2**20,
}


@table("content", sampled(CONTENTS, 3))
def test_an_alias_to_nothing_is_not_followed(store: Store, server: Server, content: str) -> None:
    set_champion(store, content)
    assert_nobody_notices(server)


def test_a_store_that_is_gone_is_not_missed(store: Store, server: Server) -> None:
    away = store.root.with_name("away")
    store.root.rename(away)
    assert_nobody_notices(server)
    away.rename(store.root)


def test_a_store_that_is_replaced_again_and_again_is_followed_as_a_whole(
    store: Store, server: Server
) -> None:
    """Also while a version is loaded from it: what is answered is of one or of the other."""
    other, away = store.root.with_name("other"), store.root.with_name("away")
    shutil.copytree(RELEASES, other)
    Store(other).promote(OTHER)
    seen = Counter[tuple[int, int]]()
    with asked(server, seen):
        for _ in range(300):
            store.root.rename(away)
            other.rename(store.root)
            away.rename(other)
            time.sleep(0.02)
    assert {status for status, _ in seen} == {200}
    assert {version for _, version in seen} == {SERVED, OTHER, -1}


def test_who_may_write_everything_is_verified_all_the_same(store: Store, server: Server) -> None:
    """A volume is often open to all: a mode is no proof, and what lies there has to be one."""
    number = next(NUMBERS)
    data = store.file(OTHER).read_bytes()
    store.root.chmod(0o777)
    store.file(number).write_bytes(data[:-1])
    store.file(number).chmod(0o666)
    set_champion(store, f"{number}\n")
    (store.root / "champion").chmod(0o666)
    assert_nobody_notices(server)
    store.file(number).unlink()
