import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from model import artifact as artifacts
from model import errors, normalizer
from model.artifact import Artifact, encode
from model.store import RELEASES, Store, locate
from tests.helpers import run_python, table
from tests.model.forge import with_fields


def version(artifact: Artifact, number: int) -> Artifact:
    return dataclasses.replace(artifact, version=number)


@pytest.fixture
def store(tiny_artifact: Artifact, tmp_path: Path) -> Store:
    """A store of versions 1, 2 and 10 of which none is promoted."""
    store = Store(tmp_path / "store")
    for number in (10, 1, 2):
        store.publish(version(tiny_artifact, number))
    return store


def contents(store: Store) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.root.iterdir()}


# -- versions ---------------------------------------------------------------


def test_versions_are_in_the_order_of_their_numbers(store: Store) -> None:
    assert store.versions() == [1, 2, 10]


def test_a_store_that_is_not_there_yet_has_no_versions(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").versions() == []


@pytest.mark.parametrize(
    "name",
    ["digits-0.npz", "digits-01.npz", "digits--1.npz", "digits-1.npz.tmp", ".digits-3.npz.1.tmp"],
)
def test_other_files_are_no_versions(name: str, store: Store) -> None:
    (store.root / name).write_bytes(b"")
    assert store.versions() == [1, 2, 10]


def test_a_published_version_is_the_artifact(store: Store, tiny_artifact: Artifact) -> None:
    path = store.publish(version(tiny_artifact, 3))
    assert path == store.root / "digits-3.npz" == store.path(3)
    assert artifacts.read(path).digest() == version(tiny_artifact, 3).digest()
    assert 3 in store.versions()


@pytest.mark.parametrize("number", [1, 999_999_999, 1_000_000_000])
def test_whatever_was_published_is_listed(
    number: int, tiny_artifact: Artifact, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    store.publish(version(tiny_artifact, number))
    assert store.versions() == [number]


def test_publishing_the_same_again_changes_nothing(store: Store, tiny_artifact: Artifact) -> None:
    before = {path: path.stat() for path in store.root.iterdir()}
    assert store.publish(version(tiny_artifact, 1)) == store.path(1)
    assert {path: path.stat() for path in store.root.iterdir()} == before


def test_a_version_is_never_rewritten(store: Store, tiny_artifact: Artifact) -> None:
    before = contents(store)
    other = dataclasses.replace(version(tiny_artifact, 1), training={"recipe": "another"})
    with pytest.raises(errors.VersionExists, match=r"digits-1\.npz.*new version number"):
        store.publish(other)
    assert contents(store) == before


@table(
    "taken, number, published",
    {
        "an empty store": ([], 1, 1),
        "a free number": ([1], 5, 5),
        "a taken number": ([1, 2, 10], 1, 11),
    },
)
def test_what_is_added_goes_under_its_own_number_or_the_next_free(
    taken: list[int], number: int, published: int, tiny_artifact: Artifact, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    for other in taken:
        store.publish(version(tiny_artifact, other))
    added = dataclasses.replace(version(tiny_artifact, number), training={"recipe": "another"})
    for _ in range(2):  # a second time, it is already there
        assert artifacts.read(store.add(added)).version == published
    assert store.versions() == sorted({*taken, published})


def test_a_version_that_is_not_there_is_said_to_be_missing(store: Store) -> None:
    with pytest.raises(
        errors.VersionNotFound, match=r"no version 3; it has \[1, 2, 10\]"
    ) as caught:
        store.path(3)
    assert str(store.root) in str(caught.value)


def test_a_file_cannot_be_a_store(tiny_artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a directory")
    store = Store(tmp_path / "store")
    with pytest.raises(errors.StoreUnusable, match=r"store: .*; name a directory"):
        store.create()
    with pytest.raises(errors.StoreUnusable, match=r"store: .*; name a directory"):
        store.publish(tiny_artifact)
    assert (tmp_path / "store").read_text() == "not a directory"


PUBLISH_WHERE_FILES_END_AT_1000_BYTES = """
import resource, sys
from pathlib import Path
from model import ModelError, Store, artifact
tiny = artifact.read(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Store(Path(sys.argv[2])).publish(tiny)
except ModelError as error:
    print(type(error).__name__, error)
"""


def test_a_full_disk_publishes_nothing(tiny_artifact_path: Path, tmp_path: Path) -> None:
    run = run_python(PUBLISH_WHERE_FILES_END_AT_1000_BYTES, tiny_artifact_path, tmp_path)
    assert run.stdout.startswith(f"StoreUnusable {tmp_path}/digits-1.npz: cannot be written")
    assert list(tmp_path.iterdir()) == []


# -- aliases ----------------------------------------------------------------


def test_a_new_store_has_no_aliases(store: Store) -> None:
    assert store.aliases() == {}
    with pytest.raises(errors.VersionNotFound, match="has no champion; promote one"):
        store.resolve("champion")


def test_the_first_champion_has_no_previous(store: Store) -> None:
    store.promote(2)
    assert store.aliases() == {"champion": 2}


@table(
    "promoted, aliases",
    {
        "another": ([1, 2], {"champion": 2, "previous": 1}),
        "the same again": ([1, 2, 2], {"champion": 2, "previous": 1}),
        "two others": ([1, 2, 10], {"champion": 10, "previous": 2}),
        "back and forth": ([1, 2, 1], {"champion": 1, "previous": 2}),
        "the only one again": ([1, 1], {"champion": 1}),
    },
)
def test_the_last_champion_becomes_previous(
    promoted: list[int], aliases: dict[str, int], store: Store
) -> None:
    for number in promoted:
        store.promote(number)
    assert store.aliases() == aliases


def test_promoting_leaves_versions_and_no_temporary_files(store: Store) -> None:
    before = contents(store)
    store.promote(1)
    store.promote(2)
    assert contents(store) == {**before, "champion": b"2\n", "previous": b"1\n"}


def spoilt(data: bytes) -> bytes:
    return data[:1000] + b"\0" + data[1001:]


@table(
    "number, data, error",
    {
        "damaged": (1, spoilt, errors.NotCanonical),
        "empty": (1, lambda _: b"", errors.NotCanonical),
        "of a later format": (
            1,
            lambda data: with_fields(data, format_version=4),
            errors.UnsupportedFormat,
        ),
        "made for other eyes": (
            1,
            lambda data: with_fields(data, normalizer_version=normalizer.VERSION + 1),
            errors.UnsupportedFormat,
        ),
        "another version in the file": (
            1,
            lambda data: with_fields(data, version=7),
            errors.ModelError,
        ),
        "missing": (3, None, errors.VersionNotFound),
    },
)
def test_what_cannot_be_served_is_not_promoted(
    number: int,
    data: Callable[[bytes], bytes] | None,
    error: type[errors.ModelError],
    store: Store,
) -> None:
    store.promote(10)
    store.promote(2)
    if data is not None:
        store.path(number).write_bytes(data(store.path(number).read_bytes()))
    before = contents(store)
    with pytest.raises(error, match="store"):
        store.promote(number)
    assert contents(store) == before


GARBAGE = {
    "empty": b"",
    "text": b"latest",
    "negative": b"-1",
    "fraction": b"1.0",
    "two numbers": b"1 2",
    "not ASCII": b"\xff\xfe",
    "digits of another script": "\u0661".encode(),
    "a path": b"../digits-1.npz",
    "5000 digits": b"9" * 5000,
}


@table("content", GARBAGE)
def test_an_alias_that_holds_no_number_points_nowhere(content: bytes, store: Store) -> None:
    (store.root / "champion").write_bytes(content)
    with pytest.raises(errors.VersionNotFound, match="has no champion; promote one"):
        store.resolve("champion")


@table("content", GARBAGE)
def test_an_alias_that_points_nowhere_hides_no_other(content: bytes, store: Store) -> None:
    store.promote(1)
    (store.root / "previous").write_bytes(content)
    assert store.aliases() == {"champion": 1}


def test_an_alias_that_is_a_directory_points_nowhere(store: Store) -> None:
    (store.root / "champion").mkdir()
    with pytest.raises(errors.VersionNotFound, match="has no champion"):
        store.resolve("champion")


def test_an_alias_that_cannot_be_moved_is_named_and_left(store: Store) -> None:
    (store.root / "champion").mkdir()
    before = sorted(store.root.iterdir())
    with pytest.raises(errors.StoreUnusable, match="champion"):
        store.promote(1)
    assert sorted(store.root.iterdir()) == before


@table("content", GARBAGE)
def test_promoting_mends_an_alias_that_points_nowhere(content: bytes, store: Store) -> None:
    (store.root / "champion").write_bytes(content)
    store.promote(1)
    assert store.resolve("champion") == 1


def test_an_alias_may_lack_its_line_end(store: Store) -> None:
    (store.root / "champion").write_bytes(b"2")
    assert store.resolve("champion") == 2


# -- which artifact is served -----------------------------------------------


def test_a_named_model_is_served_before_a_store(store: Store, tmp_path: Path) -> None:
    store.promote(1)
    assert locate(tmp_path / "any.npz", store.root) == tmp_path / "any.npz"


def test_the_champion_of_a_named_store_is_served(store: Store) -> None:
    store.promote(2)
    assert locate(store=store.root) == store.root / "digits-2.npz"


def test_with_neither_the_shipped_champion_is_served() -> None:
    path = locate()
    assert path.parent == RELEASES
    assert artifacts.read(path).name == "digits"


def test_a_store_without_champion_serves_nothing(store: Store) -> None:
    with pytest.raises(errors.VersionNotFound, match="has no champion"):
        locate(store=store.root)


def test_a_champion_whose_file_is_gone_is_not_served(store: Store) -> None:
    store.promote(2)
    store.path(2).unlink()
    with pytest.raises(errors.VersionNotFound, match="has no version 2"):
        locate(store=store.root)


def test_the_bytes_of_a_version_are_the_encoding(store: Store, tiny_artifact: Artifact) -> None:
    assert store.path(2).read_bytes() == encode(version(tiny_artifact, 2))


def test_a_champion_whose_file_is_gone_does_not_become_previous(store: Store) -> None:
    store.promote(1)
    store.path(1).unlink()
    store.promote(2)
    assert store.aliases() == {"champion": 2}
