"""Counts by slices of time, and the file that a worker keeps them in."""

from pathlib import Path

import numpy as np
import orjson
import pytest

from model.reference import BINS, Counts
from service import slices
from tests.helpers import run_python, table

ABOUT = "a model, by 60 seconds"
SOUND = {"about": ABOUT, "slices": {"7": [1] * BINS}}


def counts(number: int) -> Counts:
    return np.full(BINS, number, np.int64)


def numbers(found: slices.Slices) -> dict[int, int]:
    """The count in each slice, the same in all bins."""
    assert all(len(set(each.tolist())) == 1 for each in found.values())
    return {key: int(each[0]) for key, each in found.items()}


@pytest.mark.parametrize(("now", "number"), [(0, 0), (59.9, 0), (60, 1), (1_000_000_007, 16666666)])
def test_time_is_cut_into_slices(now: float, number: int) -> None:
    assert slices.number(now, 60) == number


@table(
    "parts, expected",
    {
        "nothing": ([], {}),
        "one": ([{3: counts(1)}], {3: 1}),
        "different slices": ([{3: counts(1)}, {4: counts(2)}], {3: 1, 4: 2}),
        "the same slice": ([{3: counts(1)}, {3: counts(2)}, {3: counts(4)}], {3: 7}),
    },
)
def test_the_slices_of_all_workers_add_up(
    parts: list[slices.Slices], expected: dict[int, int]
) -> None:
    before = [numbers(part) for part in parts]
    assert numbers(slices.together(parts)) == expected
    assert [numbers(part) for part in parts] == before


@table(
    "key, within",
    {
        "now": (1000, True),
        "the oldest": (1000 - slices.SLICES + 1, True),
        "too old": (1000 - slices.SLICES, False),
        "of a clock that was wrong": (1001, False),
    },
)
def test_a_window_has_so_many_slices(key: int, *, within: bool) -> None:
    assert bool(slices.recent({key: counts(1)}, 1000)) == within


def test_a_window_is_in_order() -> None:
    assert list(slices.recent({9: counts(1), 7: counts(1), 8: counts(1)}, 10)) == [7, 8, 9]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "drift_0.json"
    slices.write(file, ABOUT, {3: counts(1), 4: counts(10**9)})
    slices.write(file, ABOUT, {4: counts(2), 5: counts(3)})
    assert numbers(slices.read(file, ABOUT)) == {4: 2, 5: 3}
    assert list(tmp_path.iterdir()) == [file]


@table(
    "data",
    {
        "empty": b"",
        "no JSON": b"{",
        "a list": b"[]",
        "null": b"null",
        "of another model": orjson.dumps({**SOUND, "about": "another"}),
        "no slices": orjson.dumps({"about": ABOUT}),
        "slices in a list": orjson.dumps({**SOUND, "slices": [[1] * BINS]}),
        "a slice without a number": orjson.dumps({**SOUND, "slices": {"x": [1] * BINS}}),
        "a bin less": orjson.dumps({**SOUND, "slices": {"7": [1] * (BINS - 1)}}),
        "ragged": orjson.dumps({**SOUND, "slices": {"7": [[1], [1, 2]]}}),
        "a count below 0": orjson.dumps({**SOUND, "slices": {"7": [-1] * BINS}}),
        "counts that are not whole": orjson.dumps({**SOUND, "slices": {"7": [1.5] * BINS}}),
        "counts of text": orjson.dumps({**SOUND, "slices": {"7": ["1"] * BINS}}),
        "counts beyond 64 bits": orjson.dumps({**SOUND, "slices": {"7": [2**64 - 1] * BINS}}),
        "too long": orjson.dumps(SOUND).ljust(slices.MAX_BYTES + 1),
    },
)
def test_a_file_that_is_not_sound_counts_as_none(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "drift_0.json"
    file.write_bytes(orjson.dumps(SOUND))
    assert numbers(slices.read(file, ABOUT)) == {7: 1}
    file.write_bytes(data)
    assert slices.read(file, ABOUT) == {}


def test_a_file_that_is_missing_counts_as_none(tmp_path: Path) -> None:
    assert slices.read(tmp_path / "none", ABOUT) == {}
    assert slices.read(tmp_path, ABOUT) == {}


WRITE_WHERE_FILES_END_AT_1000_BYTES = """
import resource, sys
from pathlib import Path
import numpy as np
from model.reference import BINS
from service import slices
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
slices.write(Path(sys.argv[1]), "a", {n: np.full(BINS, 10**6) for n in range(60)})
"""


def test_a_full_disk_leaves_the_file_of_before(tmp_path: Path) -> None:
    file = tmp_path / "drift_0.json"
    file.write_bytes(b"before")
    run = run_python(WRITE_WHERE_FILES_END_AT_1000_BYTES, file)
    assert "File too large" in run.stderr
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == {
        file.name: b"before"
    }


def test_a_file_of_a_busy_hour_is_within_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "drift_0.json"
    slices.write(file, ABOUT, {key: counts(10**6) for key in range(slices.SLICES)})
    assert file.stat().st_size < slices.MAX_BYTES
    assert len(slices.read(file, ABOUT)) == slices.SLICES
