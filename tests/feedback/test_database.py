"""Captures and labels in real databases: written, labelled, removed, by many at once."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from model import Prediction
from service.captures import Capture, DatabaseDown, Found, Label
from service.database import Limits, Tables
from service.feedback import FILE, check
from service.settings import Settings, SettingsError
from tests.feedback.places import File, Place, Served, count, read, run, tables
from tests.helpers import ROOT, table
from training.errors import DataError

DAY = 24 * 3600.0

PIXELS = np.arange(5 * 784).reshape(5, 28, 28).astype(np.uint8)


def prediction(digit: int = 3, reason: str | None = None) -> Prediction:
    return Prediction(digit, 0.75, (0.1,) * 10, reason, ())  # type: ignore[arg-type] # any of them


def capture(name: str, images: int = 1, *, at: float | None = None, client: str = "a") -> Capture:
    predictions = [prediction(digit) for digit in range(images)]
    pixels = PIXELS[:images].tobytes()
    return Capture(name, 7, pixels, predictions, client, time.time() if at is None else at)


def label(name: str, digit: int = 8, index: int | None = None, client: str = "b") -> Label:
    return Label(name, index, digit, client, 5.0)


def test_what_is_written_is_what_the_training_package_reads(place: Place) -> None:
    ours = tables(place)
    ours.write([capture("one", at=1000.5), capture("three", 3, at=2000.25, client="c")])
    ours.label(label("three", 9, 2))
    found = read(place)
    np.testing.assert_array_equal(found.images, PIXELS[[0, 0, 1, 2]])
    assert found.labels.tolist() == [-1, -1, -1, 9]
    assert found.digits.tolist() == [0, 0, 1, 2]
    assert found.confidences.tolist() == [0.75] * 4
    assert found.versions.tolist() == [7] * 4
    assert found.request_ids.tolist() == ["one", "three", "three", "three"]
    assert found.times.tolist() == [1000.5, 2000.25, 2000.25, 2000.25]
    first, second, third, labeller = found.clients.tolist()
    assert second == third
    assert len({first, second, labeller}) == 3
    ours.close()


def test_why_an_answer_was_not_accepted_is_kept(place: Place) -> None:
    ours = tables(place)
    refused = Capture("id", 7, PIXELS[:1].tobytes(), [prediction(1, "blank")], "a", 1.0)
    ours.write([refused, capture("id")])
    assert run(place, "SELECT reason FROM digits_captures ORDER BY id") == [("blank",), (None,)]
    ours.close()


def test_a_client_has_the_same_name_for_ever_and_in_one_database_only(
    place: Place, tmp_path: Path
) -> None:
    for _ in range(2):
        ours = tables(place)
        ours.write([capture("id", client="address 192.0.2.7")])
        ours.close()
    other = File(tmp_path / "other.db")
    theirs = tables(other)
    theirs.write([capture("id", client="address 192.0.2.7")])
    theirs.close()
    first, second = read(place).clients.tolist()
    assert first == second != read(other).clients.tolist()[0]
    assert "192.0.2" not in first


@pytest.fixture
def ours(place: Place) -> Tables:
    """With an image under "one", and three under "three"."""
    ours = tables(place)
    ours.write([capture("one"), capture("three", 3)])
    return ours


@table(
    "sent, found, labelled",
    {
        "the only image": (label("one", 4), Found(1, None), [4, None, None, None]),
        "the only image by its index": (
            label("one", 4, 0),
            Found(1, None),
            [4, None, None, None],
        ),
        "one of several": (label("three", 4, 1), Found(3, None), [None, None, 4, None]),
        "several, and not said which": (label("three"), Found(3, None), [None] * 4),
        "behind the last": (label("three", 4, 3), None, [None] * 4),
        "an unknown request": (label("four"), None, [None] * 4),
    },
)
def test_a_label_goes_to_its_image(
    ours: Tables, place: Place, sent: Label, found: Found | None, labelled: list[int | None]
) -> None:
    assert ours.label(sent) == found
    rows = run(place, "SELECT label FROM digits_captures ORDER BY id")
    assert [digit for (digit,) in rows] == labelled
    ours.close()


def test_the_last_label_counts_and_all_are_counted(ours: Tables, place: Place) -> None:
    befores = [ours.label(label("one", digit)) for digit in (1, 1, 2)]
    assert befores == [Found(1, None), Found(1, 1), Found(1, 1)]
    [(digit, labels)] = run(
        place, "SELECT label, label_count FROM digits_captures WHERE label IS NOT NULL"
    )
    assert (digit, labels) == (2, 3)
    ours.close()


def test_a_label_is_for_the_latest_request_of_that_id(ours: Tables, place: Place) -> None:
    ours.write([capture("one", 2)])
    assert ours.label(label("one", 4, 0)) == Found(2, None)
    assert read(place, labelled_only=True).labels.tolist() == [4]
    assert run(place, "SELECT images FROM digits_captures WHERE label = 4") == [(2,)]
    ours.close()


def test_what_is_too_old_is_removed(place: Place) -> None:
    now = time.time()
    ours = tables(place, Limits(max_rows=10, max_days=2))
    ours.write([capture("old", at=now - 3 * DAY), capture("young", at=now - 1 * DAY)])
    ours.label(label("old"))
    ours.prune()
    assert read(place).request_ids.tolist() == ["young"]
    ours.close()


def test_of_too_many_the_oldest_without_a_label_are_removed(place: Place) -> None:
    ours = tables(place, Limits(max_rows=3, max_days=2))
    ours.write([capture(name) for name in "abcdef"])
    ours.label(label("a"))
    ours.prune()
    assert read(place).request_ids.tolist() == ["a", "e", "f"]
    for name in "ef":
        ours.label(label(name))
    ours.write([capture("g")])
    ours.label(label("g"))
    ours.prune()
    assert read(place).request_ids.tolist() == ["e", "f", "g"]
    ours.close()


WRITER = """
import sys
from tests.feedback.places import *
from tests.feedback.test_database import *
place = {place!r}
ours, name = tables(place), sys.argv[1]
sys.stdin.readline()  # all begin at once
for number in range(40):
    while True:
        try:
            ours.write([capture(f"{{name}}-{{number}}", 5)])
            ours.label(label(f"{{name}}-{{number}}", 5, 4))
            break
        except DatabaseDown as error:
            print(error, flush=True)
            time.sleep(0.01)
    ours.prune()
ours.close()
"""


def test_several_processes_make_the_tables_and_write_at_once(place: Place) -> None:
    script = WRITER.format(place=place).replace("PosixPath", "Path")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, told
    if isinstance(place, Served):  # SQLite may be busy for longer than one waits
        assert told == [""] * 4
    found = read(place)
    assert len(found.labels) == len(set(zip(found.request_ids, found.digits, strict=True))) == 800
    assert (found.labels == 5).sum() == 160
    assert run(place, "SELECT version FROM digits_feedback") == [(1,)]


def test_tables_of_another_version_are_left_alone(ours: Tables, place: Place) -> None:
    run(place, "UPDATE digits_feedback SET version = 2")
    newcomer = tables(place)
    with pytest.raises(DatabaseDown, match="of version 2, and 1 is known"):
        newcomer.write([capture("two")])
    with pytest.raises(DataError, match="of version 2, and 1 is read"):
        read(place)
    assert count(place) == 4
    newcomer.close()
    ours.close()


def test_tables_that_were_dropped_are_made_again(ours: Tables, place: Place) -> None:
    run(place, "DROP TABLE digits_captures")
    with pytest.raises(DatabaseDown):
        ours.write([capture("two")])
    ours.write([capture("two")])
    assert count(place) == 1
    ours.close()


def test_an_outage_is_told_soon_and_survived(ours: Tables, place: Place) -> None:
    began = time.monotonic()
    with place.outage():
        with pytest.raises(DatabaseDown):
            ours.write([capture("two")])
        with pytest.raises(DatabaseDown) as told:
            ours.label(label("one"))
    assert time.monotonic() - began < 20
    assert "INSERT" not in str(told.value)
    ours.write([capture("two")])
    assert count(place) == 5
    ours.close()


@pytest.mark.postgresql
def test_a_server_that_was_restarted_is_not_missed(served: Served) -> None:
    ours = tables(served)
    ours.write([capture("one")])
    with served.outage():
        pass
    ours.write([capture("two")])
    assert count(served) == 2
    ours.close()


def test_a_file_is_for_its_owner_only(tmp_path: Path) -> None:
    place = File(tmp_path / "kept.db")
    with place.outage():
        assert len(list(tmp_path.iterdir())) > 1  # it has others beside it while it is used
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    place = File(tmp_path / "kept.db")
    ours = tables(place)
    ours.write([capture("one")])
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(DatabaseDown):
        ours.write([capture("two")])
    ours.write([capture("two")])
    assert read(place).request_ids.tolist() == ["two"]
    ours.close()


@table(
    "settings, words",
    {
        "no folder": (Settings(feedback="/nowhere/kept.db"), "/nowhere/kept.db cannot be written"),
        "no address": (Settings(feedback_url="postgresql://a:b:c"), "DIGITS_FEEDBACK_URL is no"),
    },
)
def test_what_can_never_be_used_stops_the_start(settings: Settings, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        check(settings)


def test_without_a_name_the_file_is_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check(Settings(feedback="on"))
    assert not FILE.is_absolute()
