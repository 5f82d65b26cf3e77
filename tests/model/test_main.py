"""The commands of ``python -m model``, run as a user runs them."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.artifact import Artifact
from model.card import card
from model.classifier import Classifier
from model.store import RELEASES, Store
from tests.helpers import ROOT, assert_one_line_error, run_module, synthetic_mnist, table
from tests.model.forge import npy, npy_text
from tests.model.shelf import contents, point, spoil

IMAGES = synthetic_mnist().test.images


@pytest.fixture(scope="module")
def folder(tiny_artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose champion is version 1, a damaged file, and images good and bad."""
    folder = tmp_path_factory.mktemp("model")
    store = Store(folder / "store")
    store.publish(tiny_artifact)
    store.publish(dataclasses.replace(tiny_artifact, version=2))
    store.promote(1)
    Store(folder / "new").publish(tiny_artifact)
    Store(folder / "blocked").publish(tiny_artifact)
    (folder / "blocked" / "champion").mkdir()
    (folder / "damaged.npz").write_bytes(store.path(1).read_bytes()[:-1])
    np.save(folder / "one.npy", IMAGES[0])
    np.save(folder / "three.npy", IMAGES[:3])
    np.save(folder / "blank.npy", np.zeros((40, 30), np.uint8))
    np.save(folder / "floats.npy", np.zeros((28, 28)))
    np.save(folder / "number.npy", np.array(7, np.uint8))
    np.save(folder / "none.npy", IMAGES[:0])
    np.save(folder / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.savez(folder / "several.npz", a=IMAGES[0])
    (folder / "text.npy").write_bytes(b"not an array")
    (folder / "empty.npy").write_bytes(b"")
    (folder / "half.npz").write_bytes((folder / "several.npz").read_bytes()[:200])
    (folder / "cut.npy").write_bytes((folder / "one.npy").read_bytes()[:-1])
    (folder / "header.npy").write_bytes(npy_text("{"))
    (folder / "claims_2_eb.npy").write_bytes(npy("|u1", (2**61,), b""))
    return folder


def test_list_shows_versions_and_aliases(folder: Path) -> None:
    run = run_module("model", "list", "--store", folder / "store")
    assert run.returncode == 0
    assert run.stdout.splitlines() == [
        f"1\t{folder}/store/digits-1.npz\tchampion",
        f"2\t{folder}/store/digits-2.npz",
    ]


def test_show_prints_the_champions_card(folder: Path, tiny_artifact: Artifact) -> None:
    run = run_module("model", "show", "--store", folder / "store")
    assert run.returncode == 0
    assert run.stdout.startswith("Model card of digits version 1\n")
    assert tiny_artifact.digest() in run.stdout
    images = tiny_artifact.evaluation["test"]["images"]
    assert f" of {images} images\n" in run.stdout


def test_show_takes_a_file_and_prints_json_where_asked(
    folder: Path, tiny_artifact: Artifact
) -> None:
    run = run_module("model", "show", "--json", folder / "store" / "digits-2.npz")
    assert json.loads(run.stdout) == card(dataclasses.replace(tiny_artifact, version=2))


def test_who_has_seen_enough_of_a_card_may_go() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as nobody:
        command = [sys.executable, "-m", "model", "show"]
        run = subprocess.run(command, cwd=ROOT, stdout=nobody, stderr=subprocess.PIPE, check=False)
    assert run.returncode == 0
    assert run.stderr == b""


def test_the_store_may_be_named_in_the_environment(folder: Path) -> None:
    run = run_module("model", "verify", environ={"DIGITS_STORE": f"{folder}/store"})
    assert run.stdout.startswith(f"{folder}/store/digits-1.npz: sound")


def test_verify_says_what_was_checked(folder: Path, tiny_artifact: Artifact) -> None:
    run = run_module("model", "verify", folder / "store" / "digits-1.npz")
    assert run.returncode == 0
    assert run.stdout == (
        f"{folder}/store/digits-1.npz: sound, digits version 1, {tiny_artifact.digest()}, "
        "16 golden images replayed\n"
    )


def test_promote_makes_a_champion_and_a_previous(folder: Path, tiny_artifact: Artifact) -> None:
    store = Store(folder / "promoted")
    store.publish(tiny_artifact)
    store.publish(dataclasses.replace(tiny_artifact, version=2))
    run = run_module("model", "promote", "1", "--store", store.root)
    assert run.stdout == "champion is version 1, was none\n"
    run = run_module("model", "promote", "2", "--store", store.root)
    assert run.stdout.splitlines() == [
        "champion is version 2, was version 1",
        "previous is version 1, was none",
    ]
    assert store.aliases() == {"champion": 2, "previous": 1}


@pytest.fixture
def kept(store: Store) -> Store:
    """Versions 1, 2 and 10: one was champion, two is, and ten challenges it."""
    point(store, {"champion": 2, "challenger": 10, "previous": 1})
    return store


CHANGES = {
    "promote": (
        ["promote", "10"],
        [
            "champion {} version 10, was version 2",
            "challenger {} none, was version 10",
            "previous {} version 2, was version 1",
        ],
        ["promote\tchampion: 2 -> 10"],
    ),
    "rollback": (
        ["rollback"],
        ["champion {} version 1, was version 2", "previous {} version 2, was version 1"],
        ["rollback\tchampion: 2 -> 1"],
    ),
    "challenge": (
        ["challenge", "1"],
        ["challenger {} version 1, was version 10"],
        ["challenge\tchallenger: 10 -> 1"],
    ),
    "challenge --none": (
        ["challenge", "--none"],
        ["challenger {} none, was version 10"],
        ["challenge\tchallenger: 10 -> none"],
    ),
}


@table("arguments, moves, told", CHANGES)
def test_a_change_is_tried_made_and_told(
    arguments: list[str], moves: list[str], told: list[str], kept: Store
) -> None:
    before = contents(kept)
    words = [*arguments, "--why", "it reads better", "--store", str(kept.root)]
    run = run_module("model", *words, "--dry-run")
    assert run.stdout.splitlines() == [move.format("would be") for move in moves]
    assert contents(kept) == before
    run = run_module("model", *words)
    assert run.stdout.splitlines() == [move.format("is") for move in moves]
    run = run_module("model", "history", "--store", kept.root)
    lines = [line.split("\t", 2) for line in run.stdout.splitlines()]
    assert [rest for _, _, rest in lines] == [f"{line}\tit reads better" for line in told]
    assert all("@" in who for _, who, _ in lines)


def test_seed_puts_the_shipped_champion_into_an_empty_store(tmp_path: Path) -> None:
    shipped = Store(RELEASES).resolve("champion")
    for said in (f"champion is version {shipped}, was none", "nothing to change"):
        run = run_module("model", "seed", "--store", tmp_path / "store")
        assert (run.returncode, run.stdout) == (0, f"{said}\n")
    assert (
        Store(tmp_path / "store").read(shipped).digest() == Store(RELEASES).read(shipped).digest()
    )


def test_prune_removes_what_no_alias_names(kept: Store) -> None:
    kept.publish(dataclasses.replace(kept.read(1), version=3))
    words = ["prune", "--keep", "0", "--store", str(kept.root)]
    run = run_module("model", *words, "--dry-run")
    assert run.stdout == f"would remove {kept.file(3)}\n"
    assert kept.versions() == [1, 2, 3, 10]
    run = run_module("model", *words)
    assert run.stdout == f"removed {kept.file(3)}\n"
    assert kept.versions() == [1, 2, 10]
    run = run_module("model", *words)
    assert run.stdout == "nothing to change\n"
    run = run_module("model", "history", "--store", kept.root)
    assert run.stdout.rstrip().endswith("\tprune\tversion: 3 -> none")


def test_history_is_shown_as_json_without_what_a_crash_broke(kept: Store) -> None:
    kept.rollback(why="two\nlines\x1b[31m")
    with (kept.root / "history.jsonl").open("a") as file:
        file.write('{"time": ')
    run = run_module("model", "history", "--json", "--store", kept.root)
    assert run.returncode == 0
    (entry,) = json.loads(run.stdout)
    assert (entry["alias"], entry["from"], entry["to"]) == ("champion", 2, 1)
    assert entry["why"] == "two\nlines\x1b[31m"
    assert run.stderr == "1 line cannot be read and is left out\n"
    run = run_module("model", "history", "--store", kept.root)
    assert run.stdout.endswith("\tchampion: 2 -> 1\ttwo lines [31m\n")


def test_a_store_that_nobody_changed_has_no_history(kept: Store) -> None:
    assert run_module("model", "history", "--store", kept.root).stdout == ""
    run = run_module("model", "history", "--json", "--store", kept.root)
    assert json.loads(run.stdout) == []


def test_verify_all_says_of_each_what_it_is_and_fails_for_one_that_is_bad(kept: Store) -> None:
    words = ["verify", "--all", "--store", str(kept.root)]
    run = run_module("model", *words, environ={"DIGITS_MODEL": "none.npz"})
    assert run.returncode == 0, run.stderr
    names = ["digits-1.npz", "digits-2.npz", "digits-10.npz", "champion", "challenger", "previous"]
    lines = run.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        *(f"{kept.root}/{name}" for name in names),
        str(kept.root),
    ]
    spoil(kept.path(1))
    run = run_module("model", *words)
    bad = [line for line in run.stdout.splitlines() if ": bad: " in line]
    assert [line.partition(": ")[0] for line in bad] == [
        f"{kept.root}/digits-1.npz",
        f"{kept.root}/previous",
    ]
    assert_one_line_error(run, "2 of 7 bad: digits-1.npz, previous")


def test_predict_prints_a_line_an_image(folder: Path, tiny_artifact: Artifact) -> None:
    run = run_module(
        "model",
        "predict",
        *(folder / name for name in ("one.npy", "three.npy", "blank.npy")),
        "--artifact",
        folder / "store" / "digits-1.npz",
    )
    lines = [line.split("\t") for line in run.stdout.splitlines()]
    names = ["one.npy", "three.npy", "three.npy", "three.npy", "blank.npy"]
    assert [line[0] for line in lines] == [f"{folder}/{name}" for name in names]
    expected = Classifier(tiny_artifact).classify(IMAGES[:3])
    assert [int(line[1]) for line in lines[1:4]] == [one.digit for one in expected]
    assert float(lines[0][2].split()[0]) == pytest.approx(expected[0].confidence, abs=1e-4)
    assert lines[4][2].endswith("refused: blank")


FAILURES = {
    "show a missing file": (["show", "{folder}/none.npz"], ["none.npz", "no such file"]),
    "show a directory": (["show", "{folder}"], ["not a regular file"]),
    "verify a damaged file": (["verify", "{folder}/damaged.npz"], ["damaged.npz", "train it"]),
    "verify a store without champion": (
        ["verify", "--store", "{folder}/new"],
        ["has no champion", "promote"],
    ),
    "promote a version that is not there": (
        ["promote", "9", "--store", "{folder}/store"],
        ["no version 9", "[1, 2]"],
    ),
    "promote in a store that is not there": (
        ["promote", "1", "--store", "{folder}/nowhere"],
        ["nowhere", "name a directory"],
    ),
    "roll back to nothing": (
        ["rollback", "--store", "{folder}/store"],
        ["has no previous", "promote"],
    ),
    "challenge the champion with itself": (
        ["challenge", "1", "--store", "{folder}/store"],
        ["version 1 is the champion", "another"],
    ),
    "challenge with a version that is not there": (
        ["challenge", "9", "--store", "{folder}/store"],
        ["no version 9"],
    ),
    "prune a store that is not there": (
        ["prune", "--keep", "0", "--store", "{folder}/nowhere"],
        ["nowhere", "name a directory"],
    ),
    "verify all of a store that is not there": (
        ["verify", "--all", "--store", "{folder}/nowhere"],
        ["nowhere", "name a directory"],
    ),
    "the history of a store that is not there": (
        ["history", "--store", "{folder}/nowhere"],
        ["nowhere", "name a"],
    ),
    "promote where a directory is in the way": (
        ["promote", "1", "--store", "{folder}/blocked"],
        ["blocked"],
    ),
    "predict with a damaged model": (
        ["predict", "{folder}/one.npy", "--artifact", "{folder}/damaged.npz"],
        ["damaged.npz"],
    ),
    **{
        f"predict {name}": (
            ["predict", f"{{folder}}/{name}", "--store", "{folder}/store"],
            [name],
        )
        for name in (
            "missing.npy",
            "text.npy",
            "empty.npy",
            "cut.npy",
            "half.npz",
            "several.npz",
            "objects.npy",
            "claims_2_eb.npy",
            "header.npy",
            "floats.npy",
            "number.npy",
            "none.npy",
        )
    },
}


@table("arguments, words", FAILURES)
def test_a_failure_is_one_line_that_says_what_is_wrong(
    arguments: list[str], words: list[str], folder: Path
) -> None:
    run = run_module("model", *(argument.format(folder=folder) for argument in arguments))
    assert run.stdout == ""
    assert_one_line_error(run, *words)
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["promote", "one"],
        ["predict"],
        ["challenge"],
        ["challenge", "1", "--none"],
        ["prune"],
        ["prune", "--keep", "-1"],
        ["prune", "--keep", "\u0661"],
        ["prune", "--keep", "9" * 5000],
        ["verify", "--all", "some.npz"],
    ],
)
def test_a_command_that_is_misspelt_is_explained(arguments: list[str]) -> None:
    run = run_module("model", *arguments)
    assert run.returncode == 2
    assert run.stderr.startswith("usage: python -m model")


def test_help_names_every_command() -> None:
    run = run_module("model", "--help")
    assert run.returncode == 0
    for command in (
        *("list", "show", "verify", "promote", "predict"),
        *("rollback", "challenge", "prune", "history", "seed"),
    ):
        assert command in run.stdout
