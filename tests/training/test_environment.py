import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tests.helpers import run_python
from training import environment
from training.environment import machine, peak_memory, source_revision

MIB = 2**20


# -- the machine --------------------------------------------------------------


def test_the_machine_is_told_by_what_changes_results() -> None:
    found = machine()
    assert found["numpy"] == np.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert all(found[name] for name in ("cpu", "system"))
    assert found["blas"].keys() == {"internal_api", "version", "architecture"}
    assert json.loads(json.dumps(found)) == found


def test_the_threads_are_those_of_the_moment() -> None:
    with threadpool_limits(1, user_api="blas"):
        assert machine()["blas_threads"] == 1


# -- memory -------------------------------------------------------------------

GROWING = """
import numpy as np
from training.environment import peak_memory
before = peak_memory()
array = np.ones(100 * 2**20, np.uint8)
full = peak_memory()
del array
print(before, full, peak_memory())
"""


def test_the_peak_rises_with_what_is_held_and_stays() -> None:
    run = run_python(GROWING)
    before, full, after = map(int, run.stdout.split())
    assert 10 * MIB < before < 1000 * MIB
    assert 95 * MIB < full - before < 110 * MIB
    assert abs(after - full) < MIB  # the kernel keeps count by the page, and not to the last


STARTING = """
import os, sys
import numpy as np
array = np.ones(300 * 2**20, np.uint8)
program = "from training.environment import peak_memory; print(peak_memory())"
os.execv(sys.executable, [sys.executable, "-c", program])  # what follows a fork in subprocess
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere getrusage is all there is")
def test_the_memory_of_the_process_that_started_this_one_is_not_its_own() -> None:
    assert int(run_python(STARTING).stdout) < 250 * MIB


def test_without_proc_the_peak_is_what_getrusage_says(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = {"darwin": 1, "freebsd14": 1024}
    for platform, size in unit.items():
        monkeypatch.setattr(sys, "platform", platform)
        low = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * size
        assert low <= peak_memory() <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * size


# -- the source ---------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a commit, in the place of this one."""
    for name in ("model/layers.py", "training/trainer.py", "service/app.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    git(tmp_path, *identity, "commit", "--quiet", "--message", "one")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_revision_is_that_of_the_commit(repository: Path) -> None:
    assert source_revision() == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["model/layers.py", "training/trainer.py", "training/new.py"])
def test_source_that_was_changed_is_marked(name: str, repository: Path) -> None:
    (repository / name).write_text("2\n")
    assert source_revision() == git(repository, "rev-parse", "HEAD") + "-changed"


def test_what_trains_nothing_may_be_changed(repository: Path) -> None:
    (repository / "service/app.py").write_text("2\n")
    assert not source_revision().endswith("-changed")


def test_without_a_repository_the_revision_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert source_revision() == "unknown"


def test_without_git_the_revision_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert source_revision() == "unknown"
