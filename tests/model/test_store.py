import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from model import artifact as artifacts
from model import errors, normalizer
from model.artifact import Artifact, encode
from model.store import RELEASES, Step, Store, locate
from tests.helpers import run_python, table
from tests.model.forge import with_fields
from tests.model.shelf import contents, point, spoil, told

Move: TypeAlias = Callable[..., Step]


def version(artifact: Artifact, number: int) -> Artifact:
    return dataclasses.replace(artifact, version=number)


def promote(number: int) -> Move:
    return lambda store, **options: store.promote(number, **options)


def challenge(number: int | None) -> Move:
    return lambda store, **options: store.challenge(number, **options)


def rollback(store: Store, **options: bool) -> Step:
    return store.rollback(dry_run=options.get("dry_run", False))


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
    after = contents(store)
    assert after.pop("history.jsonl")
    assert after == {**before, "champion": b"2\n", "previous": b"1\n"}


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
    for move in (store.promote, store.challenge):
        with pytest.raises(error, match="store"):
            move(number)
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
    with pytest.raises(errors.VersionNotFound, match=r"champion: (holds no|is longer).*;"):
        store.resolve("champion")


@table("content", GARBAGE)
def test_an_alias_that_points_nowhere_hides_no_other(content: bytes, store: Store) -> None:
    store.promote(1)
    (store.root / "previous").write_bytes(content)
    assert store.aliases() == {"champion": 1}


def test_an_alias_that_is_a_directory_points_nowhere(store: Store) -> None:
    (store.root / "champion").mkdir()
    with pytest.raises(errors.VersionNotFound, match="champion: is not a regular file"):
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


@table(
    "before, move, after",
    {
        "promote: the first": ({}, promote(2), {"champion": 2}),
        "promote: another": ({"champion": 1}, promote(2), {"champion": 2, "previous": 1}),
        "promote: the challenger, who is none then": (
            {"champion": 1, "challenger": 2, "previous": 10},
            promote(2),
            {"champion": 2, "previous": 1},
        ),
        "promote: past the challenger": (
            {"champion": 1, "challenger": 2},
            promote(10),
            {"champion": 10, "challenger": 2, "previous": 1},
        ),
        "promote: the champion is gone, and the last before it stays": (
            {"champion": 7, "previous": 1},
            promote(2),
            {"champion": 2, "previous": 1},
        ),
        "promote: the champion is gone, and the last before it comes back": (
            {"champion": 7, "previous": 1},
            promote(1),
            {"champion": 1},
        ),
        "roll back": ({"champion": 2, "previous": 1}, rollback, {"champion": 1, "previous": 2}),
        "roll back, from a champion that is gone": (
            {"champion": 7, "previous": 1},
            rollback,
            {"champion": 1},
        ),
        "roll back, without a champion": ({"previous": 1}, rollback, {"champion": 1}),
        "roll back to the challenger, who is none then": (
            {"champion": 2, "challenger": 1, "previous": 1},
            rollback,
            {"champion": 1, "previous": 2},
        ),
        "challenge": (
            {"champion": 1, "previous": 10},
            challenge(2),
            {"champion": 1, "challenger": 2, "previous": 10},
        ),
        "challenge with the last champion": (
            {"champion": 1, "previous": 10},
            challenge(10),
            {"champion": 1, "challenger": 10, "previous": 10},
        ),
        "challenge with another": (
            {"champion": 1, "challenger": 2},
            challenge(10),
            {"champion": 1, "challenger": 10},
        ),
        "challenge, without a champion": ({}, challenge(2), {"challenger": 2}),
        "challenge no more": ({"champion": 1, "challenger": 2}, challenge(None), {"champion": 1}),
    },
)
def test_a_move_is_whole_told_and_tried_first(
    before: dict[str, int], move: Move, after: dict[str, int], store: Store
) -> None:
    point(store, before)
    untouched = contents(store)
    tried = move(store, dry_run=True)
    assert contents(store) == untouched
    done = move(store)
    assert tried == done
    assert (done.before, done.after) == (before, after)
    assert store.aliases() == after
    ((_, alias, old, new),) = told(store)
    assert (old, new) == (before.get(alias), after.get(alias))
    assert {*contents(store)} == {*untouched} - {*before} | {*after} | {"history.jsonl"}


@table(
    "before, move",
    {
        "promote the champion": ({"champion": 1, "previous": 2}, promote(1)),
        "challenge with the challenger": ({"champion": 1, "challenger": 2}, challenge(2)),
        "challenge no more, without challenger": ({"champion": 1}, challenge(None)),
        "prune where few are left": ({"champion": 1}, lambda store: store.prune(2)),
    },
)
def test_what_changes_nothing_is_not_told(before: dict[str, int], move: Move, store: Store) -> None:
    point(store, before)
    untouched = contents(store)
    assert not move(store).is_needed
    assert contents(store) == untouched


@table(
    "before, move, error, words",
    {
        "nowhere to go back to": (
            {"champion": 1},
            rollback,
            errors.VersionNotFound,
            "has no previous",
        ),
        "what to go back to is gone": (
            {"champion": 1, "previous": 7},
            rollback,
            errors.VersionNotFound,
            "no version 7",
        ),
        "a champion against itself": (
            {"champion": 1},
            challenge(1),
            errors.AliasRefused,
            "version 1 is the champion; challenge it with another",
        ),
    },
)
def test_an_alias_does_not_go_where_it_must_not(
    before: dict[str, int], move: Move, error: type[errors.StoreError], words: str, store: Store
) -> None:
    point(store, before)
    untouched = contents(store)
    for dry_run in (True, False):
        with pytest.raises(error, match=words):
            move(store, dry_run=dry_run)
    assert contents(store) == untouched


@table(
    "before, number, after",
    {
        "no champion": ({}, 3, {"champion": 3}),
        "no champion, and another model has the number": ({}, 2, {"champion": 11}),
        "no champion, but others": (
            {"challenger": 10, "previous": 1},
            3,
            {"champion": 3, "challenger": 10, "previous": 1},
        ),
        "a champion": ({"champion": 1, "previous": 2}, 3, {"champion": 1, "previous": 2}),
        "a champion that is gone": ({"champion": 7}, 3, {"champion": 7}),
    },
)
def test_a_store_is_seeded_where_it_has_no_champion(
    before: dict[str, int], number: int, after: dict[str, int], store: Store
) -> None:
    point(store, before)
    untouched = contents(store)
    seed = dataclasses.replace(store.read(1), version=number, name="seed")
    for is_first in (True, False):
        step = store.seed(seed)
        assert store.aliases() == after
        assert step.is_needed == (is_first and before != after)
    if before == after:
        assert contents(store) == untouched
    else:
        assert [command for command, *_ in told(store)] == ["seed"]
        assert store.read(after["champion"]).name == "seed"


def test_a_store_is_made_by_seeding_it(tmp_path: Path, tiny_artifact: Artifact) -> None:
    store = Store(tmp_path / "new" / "store")
    assert store.seed(tiny_artifact).after == {"champion": 1}


def test_no_champion_that_cannot_be_told_is_seeded_over(
    store: Store, tiny_artifact: Artifact
) -> None:
    (store.root / "champion").write_text("one")
    untouched = contents(store)
    with pytest.raises(errors.StoreUnusable, match="nothing was changed"):
        store.seed(tiny_artifact)
    assert contents(store) == untouched


def test_a_second_rollback_goes_forward_again(store: Store) -> None:
    store.promote(1)
    store.promote(2)
    for champion, previous in ((1, 2), (2, 1)):
        store.rollback()
        assert store.aliases() == {"champion": champion, "previous": previous}


def test_nothing_rolls_back_to_what_is_damaged(store: Store) -> None:
    point(store, {"champion": 2, "previous": 1})
    spoil(store.path(1))
    with pytest.raises(errors.ArtifactError, match=r"digits-1\.npz"):
        store.rollback()
    assert store.aliases() == {"champion": 2, "previous": 1}


def test_a_damaged_champion_is_nowhere_to_roll_back_to(store: Store) -> None:
    point(store, {"champion": 2, "previous": 1})
    spoil(store.path(2))
    store.rollback()
    assert store.aliases() == {"champion": 1}


# -- pruning ----------------------------------------------------------------


@table(
    "keep, aliases, removed",
    {
        "all that no alias names": (0, {"champion": 2}, (1, 10)),
        "the lowest numbers first": (1, {"champion": 2}, (1,)),
        "none, where as many are left": (2, {"champion": 2}, ()),
        "none, where fewer are left": (9, {"champion": 2}, ()),
        "no challenger": (0, {"champion": 2, "challenger": 1}, (10,)),
        "no previous": (0, {"champion": 2, "previous": 10}, (1,)),
        "none that is named": (0, {"champion": 2, "previous": 10, "challenger": 1}, ()),
        "all, where there is no alias": (0, {}, (1, 2, 10)),
    },
)
def test_what_no_alias_names_is_removed(
    keep: int, aliases: dict[str, int], removed: tuple[int, ...], store: Store
) -> None:
    point(store, aliases)
    untouched = contents(store)
    assert store.prune(keep, dry_run=True).removed == removed
    assert contents(store) == untouched
    assert store.prune(keep).removed == removed
    assert store.versions() == sorted({1, 2, 10} - {*removed})
    assert store.aliases() == aliases
    assert told(store) == [("prune", None, number, None) for number in removed]


@table("content", GARBAGE)
def test_nothing_is_removed_while_an_alias_may_name_it(content: bytes, store: Store) -> None:
    (store.root / "challenger").write_bytes(content)
    before = contents(store)
    with pytest.raises(errors.StoreUnusable, match=r"challenger: .*; nothing was removed"):
        store.prune(0)
    assert contents(store) == before


LEFTOVERS = [".digits-3.npz.{}.tmp", ".champion.{}.tmp", "..change.{}.tmp"]
NOT_OURS = [".digits-3.npz.tmp", ".notes.{}.tmp", "digits-3.npz.{}.tmp"]


def test_what_killed_writers_left_is_removed_and_nothing_else(store: Store) -> None:
    for name in (*LEFTOVERS, *NOT_OURS):
        (store.root / name.format("0" * 32)).touch()
    store.prune(3, dry_run=True)
    assert (store.root / LEFTOVERS[0].format("0" * 32)).exists()
    store.prune(3)
    names = {path.name for path in store.root.iterdir()}
    assert names - {f"digits-{number}.npz" for number in (1, 2, 10)} == {
        name.format("0" * 32) for name in NOT_OURS
    }


def test_a_link_is_removed_and_not_what_it_leads_to(store: Store, tmp_path: Path) -> None:
    store.path(1).rename(tmp_path / "kept")
    store.file(1).symlink_to(tmp_path / "kept")
    point(store, {"champion": 2})
    assert store.prune(0).removed == (1, 10)
    assert (tmp_path / "kept").exists()


def test_a_directory_in_the_place_of_a_version_is_left(store: Store) -> None:
    store.file(7).mkdir()
    point(store, {"champion": 2})
    before = contents(store)
    with pytest.raises(errors.StoreUnusable, match=r"digits-7\.npz: is a directory; remove it"):
        store.prune(0)
    assert contents(store) == before


# -- links and permissions --------------------------------------------------


def test_a_version_or_alias_may_be_a_link_within_the_store(store: Store) -> None:
    (store.root / "mounted").mkdir()
    for name in ("digits-1.npz", "champion"):
        point(store, {"champion": 1})
        (store.root / name).rename(store.root / "mounted" / name)
        (store.root / name).symlink_to(Path("mounted") / name)
    assert locate(store=store.root) == store.file(1)


def test_the_store_itself_may_be_a_link(store: Store, tmp_path: Path) -> None:
    (tmp_path / "now").symlink_to(store.root)
    Store(tmp_path / "now").promote(2)
    assert store.aliases() == {"champion": 2}


@pytest.mark.parametrize("name", ["digits-1.npz", "champion"])
def test_a_link_out_of_the_store_is_refused(name: str, store: Store, tmp_path: Path) -> None:
    point(store, {"champion": 1})
    (store.root / name).rename(tmp_path / name)
    (store.root / name).symlink_to(tmp_path / name)
    with pytest.raises(errors.StoreError, match=f"{name}: is a link that leaves the store"):
        locate(store=store.root)


def test_a_link_out_of_the_store_is_not_promoted_but_replaced_by_a_promotion(
    store: Store, tmp_path: Path
) -> None:
    store.path(1).rename(tmp_path / "one")
    store.file(1).symlink_to(tmp_path / "one")
    (tmp_path / "alias").write_text("1\n")
    (store.root / "champion").symlink_to(tmp_path / "alias")
    with pytest.raises(errors.StoreUnusable, match="leaves the store"):
        store.promote(1)
    store.promote(2)
    assert store.aliases() == {"champion": 2}
    assert (tmp_path / "alias").read_text() == "1\n"


# As somebody who may only read it; root may always write, so it becomes nobody.
AS_A_READER = """
import os, sys
from pathlib import Path
from model import ModelError, Store
os.chdir(sys.argv[1])
store = Store(Path("."))
store.read(1)  # imports what reading takes: nobody may not see the installation
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print(store.aliases(), store.promote(2, dry_run=True).after)
for change in (lambda: store.promote(2), store.rollback, lambda: store.prune(0)):
    try:
        change()
    except ModelError as error:
        print(type(error).__name__, error)
"""


def test_a_store_that_may_only_be_read_is_read(store: Store) -> None:
    point(store, {"champion": 1, "previous": 2})
    before = contents(store)
    store.root.chmod(0o555)
    run = run_python(AS_A_READER, store.root)
    store.root.chmod(0o755)
    first, *others = run.stdout.splitlines()
    assert first == "{'champion': 1, 'previous': 2} {'champion': 2, 'previous': 1}"
    assert len(others) == 3, run.stderr
    for line in others:
        assert line.startswith("StoreUnusable ")
        assert "cannot be written (Permission denied); mend that, or name a store" in line
    assert contents(store) == before


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
