"""All of a store looked at: what is bad is named, and hides nothing else."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from model import aliases, errors
from model.artifact import Artifact
from model.audit import audit, check
from model.store import RELEASES, Store
from tests.helpers import table
from tests.model.forge import with_fields
from tests.model.shelf import contents, spoil


@pytest.fixture
def kept(store: Store) -> Store:
    """A store with all aliases, and with a history."""
    for number in (1, 2):
        store.promote(number)
    store.challenge(10)
    return store


def write(name: str, data: bytes) -> Callable[[Store], object]:
    return lambda store: (store.root / name).write_bytes(data)


def open_to_all(name: str) -> Callable[[Store], object]:
    return lambda store: (store.root / name).chmod(0o777)


def another_number(store: Store) -> None:
    store.path(10).write_bytes(store.path(1).read_bytes())


def link_out(name: str) -> Callable[[Store], object]:
    def link(store: Store) -> None:
        target = shutil.move(store.root / name, store.root.with_name("out"))
        (store.root / name).symlink_to(target)

    return link


def test_a_sound_store_is_told_in_full(kept: Store) -> None:
    before = contents(kept)
    findings = audit(kept)
    found = {finding.path.name: finding.found for finding in findings}
    for number in (1, 2, 10):
        artifact = found.pop(f"digits-{number}.npz")
        assert isinstance(artifact, Artifact)
        assert artifact.version == number
    assert found == {
        "champion": "version 2",
        "challenger": "version 10",
        "previous": "version 1",
        "store": "a directory that only its owner and group may write to",
        "history.jsonl": "3 changes",
    }
    check(kept.root, findings)
    assert contents(kept) == before


@table(
    "act, bad",
    {
        "a version is damaged": (
            lambda store: spoil(store.path(10)),
            {"digits-10.npz": "not an artifact", "challenger": "names version 10"},
        ),
        "a version has another number": (
            another_number,
            {"digits-10.npz": "holds version 1", "challenger": "names version 10"},
        ),
        "a version is of other eyes": (
            lambda store: store.path(10).write_bytes(
                with_fields(store.path(10).read_bytes(), normalizer_version=99)
            ),
            {"digits-10.npz": "normalizer version 99", "challenger": "names version 10"},
        ),
        "a version is gone": (
            lambda store: store.path(1).unlink(),
            {"previous": "names version 1, which is not there"},
        ),
        "a version is a directory": (
            lambda store: store.file(7).mkdir(),
            {"digits-7.npz": "no version 7"},
        ),
        "a version is a link out": (
            link_out("digits-10.npz"),
            {"digits-10.npz": "leaves the store", "challenger": "names version 10"},
        ),
        "an alias is a link out": (link_out("champion"), {"champion": "leaves the store"}),
        "an alias holds no number": (
            write("champion", b"latest"),
            {"champion": "holds no version number"},
        ),
        "a change that is none": (write(aliases.CHANGE, b"{"), {".change": "remove it"}),
        "the history is a link": (link_out("history.jsonl"), {"history.jsonl": "cannot be read"}),
        "anybody may write to a version": (
            open_to_all("digits-10.npz"),
            {"digits-10.npz": "chmod o-w", "challenger": "names version 10"},
        ),
        "anybody may write to an alias": (open_to_all("champion"), {"champion": "chmod o-w"}),
        "anybody may write to the history": (
            open_to_all("history.jsonl"),
            {"history.jsonl": "chmod o-w"},
        ),
        "anybody may write to the directory": (open_to_all("."), {"store": "chmod o-w"}),
    },
)
def test_what_is_bad_is_named_with_all_else_that_is_there(
    act: Callable[[Store], object], bad: dict[str, str], kept: Store
) -> None:
    act(kept)
    findings = audit(kept)
    found = {finding.path.name: finding.found for finding in findings if finding.is_bad}
    assert found.keys() == bad.keys()
    for name, words in bad.items():
        assert words in str(found[name])
    with pytest.raises(errors.StoreUnsound, match=f"{len(bad)} of {len(findings)} bad: ") as caught:
        check(kept.root, findings)
    for name in bad:
        assert name in str(caught.value)


def test_a_change_that_was_cut_off_is_told_and_not_bad(kept: Store) -> None:
    change = aliases.Change({"champion": 10, "previous": 2})
    (kept.root / aliases.CHANGE).write_bytes(change.encode())
    findings = audit(kept)
    check(kept.root, findings)
    assert [finding.found for finding in findings if finding.path.name == "champion"] == [
        "version 10"
    ]
    assert ".change" in {finding.path.name for finding in findings}


def test_a_history_that_a_crash_cut_off_is_told_and_not_bad(kept: Store) -> None:
    with (kept.root / "history.jsonl").open("a") as file:
        file.write('{"time": ')
    findings = audit(kept)
    check(kept.root, findings)
    assert findings[-1].found == "3 changes, and 1 that cannot be read"


def test_the_shipped_store_is_sound(tmp_path: Path) -> None:
    shutil.copytree(RELEASES, tmp_path / "releases")  # as it is installed, whatever the umask was
    for path in (tmp_path / "releases", *(tmp_path / "releases").iterdir()):
        path.chmod(0o755)
    check(tmp_path, audit(Store(tmp_path / "releases")))


@table(
    "name, error",
    {"nowhere": ("none", errors.StoreUnusable), "empty": (".", errors.VersionNotFound)},
)
def test_where_there_is_nothing_nothing_is_sound(
    name: str, error: type[errors.StoreError], tmp_path: Path
) -> None:
    with pytest.raises(error, match=str(tmp_path)):
        audit(Store(tmp_path / name))
