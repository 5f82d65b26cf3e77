"""``python -m training feedback``, as a person types it, on what the service has written."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from model.store import RELEASES, Store
from tests.feedback.places import File, Place, Served, count, run, tables
from tests.feedback.test_database import PIXELS, capture, label
from tests.helpers import assert_one_line_error, run_module, table
from tests.server import running
from tests.training import fleet
from training.dataset import find_folder

ARRAYS = {
    "images": (np.uint8, (4, 28, 28)),
    "labels": (np.int64, (4,)),
    "digits": (np.int64, (4,)),
    "confidences": (np.float64, (4,)),
    "versions": (np.int64, (4,)),
    "clients": (np.str_, (4,)),
    "request_ids": (np.str_, (4,)),
    "times": (np.float64, (4,)),
}

EARLY = 1_767_225_600.0  # 2026-01-01T00:00Z
HOUR = 3600.0

KEY = "the-key-of-one-who-lies"


@pytest.fixture
def filled(place: Place) -> Place:
    """With "one" at midnight, and an hour later three images, of which one is labelled."""
    ours = tables(place)
    ours.write([capture("one", at=EARLY), capture("three", 3, at=EARLY + HOUR, client="c")])
    ours.label(label("three", 9, 2))
    ours.close()
    return place


def where(place: Place) -> list[str]:
    if isinstance(place, File):
        return ["--file", str(place.path)]
    assert isinstance(place, Served)
    return ["--url", place.url]


def export(place: Place, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run_module("training", "feedback", "export", *where(place), "--out", out, *options)


def test_the_arrays_are_those_that_are_described(filled: Place, tmp_path: Path) -> None:
    out = tmp_path / "a folder" / "kept.npz"
    done = export(filled, out)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{out}\n4 images, 1 of them labelled\n"
    with np.load(out, allow_pickle=False) as arrays:
        assert set(arrays) == set(ARRAYS)
        for name, (dtype, shape) in ARRAYS.items():
            assert np.issubdtype(arrays[name].dtype, dtype)
            assert arrays[name].shape == shape
        np.testing.assert_array_equal(arrays["images"], PIXELS[[0, 0, 1, 2]])
        assert arrays["labels"].tolist() == [-1, -1, -1, 9]
        assert len(set(arrays["clients"].tolist())) == 3  # who sent, and who labelled


@table(
    "options, chosen",
    {
        "since a moment": (["--since", "2026-01-01T01:00"], [0, 1, 2]),
        "since a moment of a zone": (["--since", "2026-01-01T02:00:01+01:00"], None),
        "since a day": (["--since", "2026-01-01"], [0, 0, 1, 2]),
        "with a label only": (["--labelled-only"], [2]),
        "both": (["--labelled-only", "--since", "2026-01-02"], None),
    },
)
def test_what_is_wanted_is_written(
    filled: Place, tmp_path: Path, options: list[str], chosen: list[int] | None
) -> None:
    out = tmp_path / "kept.npz"
    done = export(filled, out, *options)
    if chosen is None:
        assert_one_line_error(done, "no image is like that")
        assert not out.exists()
    else:
        with np.load(out) as arrays:
            assert arrays["digits"].tolist() == chosen


def test_whose_labels_contradict_the_answers_is_told_first(filled: Place) -> None:
    ours = tables(filled)
    ours.label(label("three", 0, 0, client="c"))  # which is what was answered
    ours.label(label("three", 7, 1, client="liar"))
    ours.close()
    names = run(filled, "SELECT label_client, client FROM digits_captures ORDER BY id")
    [(_, sender), (_, other), (liar, _), (labeller, _)] = names
    done = run_module("training", "feedback", "clients", *where(filled))
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]
    assert sorted(rows[:2]) == sorted([[name, "1", "1", "100.0%"] for name in (liar, labeller)])
    assert rows[2:] == [[other, "1", "1", "0.0%"], [sender, "1", "0", "0.0%"]]
    since = run_module(
        "training", "feedback", "clients", *where(filled), "--since", "2026-01-01T01"
    )
    assert sender not in since.stdout


@table(
    "options, left",
    {
        "before a moment": (["--before", "2026-01-01T01:00"], 3),
        "before anything": (["--before", "2025-01-01"], 4),
        "all": (["--all"], 0),
    },
)
def test_what_is_to_go_is_removed(filled: Place, options: list[str], left: int) -> None:
    done = run_module("training", "feedback", "purge", *where(filled), *options)
    assert done.stdout == f"{4 - left} images removed\n"
    assert count(filled) == left


@pytest.mark.parametrize(("column", "gone"), [("client", 3), ("label_client", 1)])
def test_what_a_client_sent_or_labelled_is_removed(filled: Place, column: str, gone: int) -> None:
    [(name,)] = run(filled, f"SELECT {column} FROM digits_captures WHERE label = 9")  # noqa: S608 - ours
    done = run_module("training", "feedback", "purge", *where(filled), "--client", name)
    assert done.stdout == f"{gone} images removed\n"
    assert count(filled) == 4 - gone


def test_images_come_in_the_order_of_their_answers_whichever_worker_was_first(
    filled: Place, tmp_path: Path
) -> None:
    ours = tables(filled)
    ours.write([capture("late", 2, at=EARLY + 1)])
    ours.close()
    assert export(filled, tmp_path / "kept.npz").returncode == 0
    with np.load(tmp_path / "kept.npz") as arrays:
        assert arrays["request_ids"].tolist() == ["one", "late", "late", *["three"] * 3]
        assert arrays["digits"].tolist() == [0, 0, 1, 0, 1, 2]


@pytest.mark.usefixtures("mnist")
def test_one_client_alone_teaches_nothing(place: Place, tmp_path: Path) -> None:
    """Who swaps all labels, as the fleet does in ``tests/recipes/test_the_loop.py``."""
    store = Store(tmp_path / "store")
    shutil.copytree(RELEASES, store.root)
    before = store.aliases()
    with running(tmp_path / "log", store=store.root, api_keys=KEY, **place.settings) as server:
        reads = fleet.shown(server.port, KEY, 0, poisoned=True)
        fleet.label(server.port, KEY, reads)
    assert export(place, tmp_path / "new.npz").stdout.endswith("\n40 images, 40 of them labelled\n")
    done = run_module(
        *("training", "retrain", tmp_path / "new.npz", "--promote", "--without-drawings"),
        *("--store", store.root, "--run", tmp_path / "run"),
        environ={"DIGITS_DATA": str(find_folder().resolve())},
    )
    assert_one_line_error(done, "8 may be used, by 1 client,", "wait until more")
    assert store.aliases() == before
    assert run_module("training", "feedback", "purge", *where(place), "--all").returncode == 0
    assert count(place) == 0


@pytest.mark.postgresql
def test_the_address_may_stand_in_the_environment(served: Served) -> None:
    ours = tables(served)
    ours.prune()
    ours.close()
    done = run_module(
        "training", "feedback", "purge", "--all", environ={"DIGITS_FEEDBACK_URL": served.url}
    )
    assert done.stdout == "0 images removed\n"


@table(
    "arguments, words",
    {
        "no place": ([], "say --file or --url"),
        "no file": (["--file", "nowhere.db"], "nowhere.db: there is no such file"),
        "no database": (["--file", "README.md"], "README.md: cannot be used"),
        "another database": (["--url", "mysql://u:k3y@h/n"], "of no known database"),
        "no address": (["--url", "k3y"], "of no known database"),
        "no server": (["--url", "postgresql://u:k3y@127.0.0.1:1/n"], "cannot be used"),
    },
)
def test_what_cannot_be_read_is_told_in_a_line(arguments: list[str], words: str) -> None:
    done = run_module("training", "feedback", "purge", "--all", *arguments)
    assert_one_line_error(done, words)
    assert "k3y" not in done.stderr


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    place = File(tmp_path / "other.db")
    run(place, "CREATE TABLE other (id INTEGER)")
    done = run_module("training", "feedback", "purge", "--all", "--file", place.path)
    assert_one_line_error(done, "no service has kept anything here")


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01"])
def test_what_is_no_date_is_refused(text: str, tmp_path: Path) -> None:
    done = export(File(tmp_path / "kept.db"), tmp_path / "kept.npz", "--since", text)
    assert done.returncode == 2
    assert "is no date" in done.stderr
