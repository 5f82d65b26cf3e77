"""Room for the files of metrics: taken whole, or not at all."""

from pathlib import Path

import pytest

from service import metric_room
from service.metric_room import BYTES, GENERATIONS
from tests.helpers import run_python, table

FILES = {f"{kind}_{slot}.db": size for kind, size in BYTES.items() for slot in range(GENERATIONS)}


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is taken for the second choice here."""
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(metric_room, "MEMORY", memory)
    return memory


def sizes(directory: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in directory.iterdir()}


def blocks(file: Path) -> int:
    """The bytes that a file really takes."""
    return 512 * file.stat().st_blocks


def nothing(_: str) -> None:
    raise AssertionError("there was nothing to tell")


@pytest.mark.parametrize("there", [False, True])
def test_a_directory_is_emptied_of_what_is_old_and_has_room(tmp_path: Path, *, there: bool) -> None:
    directory = tmp_path / "a" / "b"
    if there:
        directory.mkdir(parents=True)
        for name in ("counter_7.db", "counter_0.db", "drift_0.json", "drift_0.tmp"):
            (directory / name).write_text("old", "ascii")
        (directory / "kept").write_text("", "ascii")
    assert metric_room.find(directory, 1, nothing) == directory
    assert sizes(directory) == FILES | ({"kept": 0} if there else {})
    for name, size in FILES.items():
        assert blocks(directory / name) >= size
        assert not any((directory / name).read_bytes())


def test_by_default_it_is_a_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    directory = metric_room.find(None, 1, nothing)
    assert directory
    assert directory.parent == tmp_path
    assert sizes(directory) == FILES


def test_without_room_it_is_in_memory(tmp_path: Path, memory: Path) -> None:
    wanted = tmp_path / "wanted"
    wanted.write_text("no directory", "ascii")
    told: list[str] = []
    directory = metric_room.find(wanted, 1, told.append)
    assert directory
    assert directory.parent == memory
    assert sizes(directory) == FILES
    (line,) = told
    assert line.startswith(f"{wanted} has no room for the metrics, 1.1 MiB (File exists): they ")
    assert f" in {directory}. " in line


FIND_WHERE_FILES_END_AT_100_000_BYTES = """
import resource, sys
from pathlib import Path
from service import metric_room
metric_room.MEMORY = Path(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
print(metric_room.find(Path(sys.argv[1]), 1, print))
"""


def test_what_has_too_little_room_is_left_empty(tmp_path: Path, memory: Path) -> None:
    """Not here, and not in memory: so there is no directory."""
    wanted = tmp_path / "wanted"
    run = run_python(FIND_WHERE_FILES_END_AT_100_000_BYTES, wanted, memory)
    told, found = run.stdout.splitlines()
    assert told.startswith(f"{wanted} has no room for the metrics, 1.1 MiB (File too large): each")
    assert found == "None"
    assert sizes(wanted) == sizes(memory) == {}


@table(
    "before, size, after",
    {"a new file": (None, 9, 9), "a short one": (4, 9, 9), "a longer one": (12, 9, 12)},
)
def test_a_file_is_never_shortened(
    tmp_path: Path, before: int | None, size: int, after: int
) -> None:
    file = tmp_path / "file"
    if before is not None:
        file.write_bytes(b"x" * before)
    metric_room.hold(file, size)
    assert file.read_bytes() == (b"x" * (before or 0)).ljust(after, b"\0")


def test_only_the_live_gauges_of_a_slot_are_forgotten_and_in_place(tmp_path: Path) -> None:
    names = {f"{kind}_{slot}.db" for kind in (*BYTES, "gauge_liveall") for slot in (1, 11)}
    for name in names:
        (tmp_path / name).write_bytes(b"x" * 100)
    metric_room.forget_gauges(tmp_path, 1)
    changed = {name for name in names if (tmp_path / name).read_bytes() != b"x" * 100}
    live = ("livesum", "livemax", "livemin", "liveall")
    assert changed == {f"gauge_{kind}_1.db" for kind in live}
    for name in changed:
        assert (tmp_path / name).read_bytes() == bytes(8) + b"x" * 92


def test_gauges_that_cannot_be_forgotten_are_no_error(tmp_path: Path) -> None:
    """Raised in a hook of gunicorn's master, it would end the service."""
    (tmp_path / "gauge_livesum_1.db").mkdir()
    metric_room.forget_gauges(tmp_path, 1)
    metric_room.forget_gauges(tmp_path / "none", 1)
