"""What may stand in the repository."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.helpers import ROOT

# What is compared with in a benchmark is of another build on every platform: it has no hashes.
BENCH = ROOT / "requirements" / "bench.txt"
LOCKS = sorted(set((ROOT / "requirements").glob("*.txt")) - {BENCH})
PEERS = sorted((ROOT / "requirements" / "peers").glob("*.txt"))
MEGABYTES = 1_000_000


def tracked() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).exists()]


@pytest.mark.parametrize("lock", [*LOCKS, *PEERS], ids=lambda lock: lock.name)
def test_every_locked_requirement_has_hashes_and_no_host(lock: Path) -> None:
    text = lock.read_text("utf-8")
    requirements = re.split(r"\n(?=\S)", text.strip())
    for requirement in requirements:
        assert re.match(r"[a-z0-9-]+==\S+", requirement)
        assert "--hash=sha256:" in requirement
    assert "://" not in text


def test_what_is_compared_with_is_chosen_and_of_no_host() -> None:
    text = BENCH.read_text("utf-8")
    assert re.search(r"^torch==\S+$", text, re.MULTILINE)
    assert "://" not in text


def test_the_locks_agree_with_each_other() -> None:
    pins = {
        lock.stem: set(re.findall(r"^\S+==\S+", lock.read_text("utf-8"), re.MULTILINE))
        for lock in LOCKS
    }
    assert pins["serve"] <= pins["train"] <= pins["test"] <= pins["browser"]
    assert pins["serve"] <= pins["clients"]  # whose own clients hold other things back


def test_every_group_has_its_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    of_extras = {"serve", *project["project"]["optional-dependencies"]}
    locks = {lock.stem for lock in (*LOCKS, *PEERS)}
    assert set(project["dependency-groups"]) == locks - of_extras


def test_no_data_set_and_nothing_big_is_tracked() -> None:
    for path in tracked():
        assert path.stat().st_size < 2 * MEGABYTES, path
        assert "ubyte" not in path.name, path
