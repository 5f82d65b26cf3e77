import dataclasses
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from model import artifact as artifacts
from tests.helpers import (
    ROOT,
    TINY_RECIPE,
    environment,
    run_module,
    synthetic_mnist,
    table,
    write_idx_folder,
)
from tests.training.sweeps import PATIENCE, gone, runs_of, wait_until, write_recipe
from training.config import AdamW, Recipe, load_recipe
from training.dataset import load_mnist
from training.errand import ARTIFACT, KEPT, Errand, carry_out, code

MNIST = synthetic_mnist(train=300, test=100)
FOREVER = dataclasses.replace(TINY_RECIPE, epochs=100_000)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_idx_folder(tmp_path / "mnist", MNIST)
    monkeypatch.setenv("DIGITS_DATA", str(folder))
    return folder


@pytest.fixture
def digests(folder: Path) -> dict[str, str]:
    return load_mnist(folder).digests


# -- a run --------------------------------------------------------------------


@table(
    "more, flags",
    {
        "with the test set shut": ("", ["--without-test"]),
        "and open": ("", []),
        "made by two processes": ("[augmentation]\nshift = 2\n", ["--without-test"]),
    },
)
def test_an_errand_gives_the_bytes_of_a_run_by_hand(
    more: str,
    flags: list[str],
    digests: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_recipe(tmp_path / "tiny.toml", more=more)
    places = ["--store", tmp_path / "store", "--run", tmp_path / "run"]
    data = os.environ["DIGITS_DATA"]
    run = run_module("training", "train", path, *flags, *map(str, places), "--data", data)
    assert run.returncode == 0, run.stderr
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # as a worker of a cluster has it
    errand = Errand(load_recipe(str(path)), digests, code(), open_test=not flags)
    outcome = carry_out(errand, [])
    assert outcome.failure == ""
    assert set(outcome.files) == set(KEPT)
    assert outcome.files[ARTIFACT] == (tmp_path / "store" / "digits-1.npz").read_bytes()
    assert len(outcome.files["journal.jsonl"].splitlines()) == 2


def test_how_many_threads_blas_has_is_the_recipes_to_say(
    digests: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    recipe = dataclasses.replace(TINY_RECIPE, blas_threads=min(2, os.cpu_count() or 1))
    outcome = carry_out(Errand(recipe, digests, code(), open_test=False), [])
    made_on = artifacts.decode(outcome.files[ARTIFACT]).training["machine"]
    assert made_on["blas_threads"] == recipe.blas_threads


# -- what keeps it from being one ---------------------------------------------

OTHER_CODE = {"source_revision": "0" * 40, "source_files": ""}


@table(
    "recipe, data, theirs, words",
    {
        "other data": (TINY_RECIPE, {"train-images-idx3-ubyte": "0"}, {}, ["train-images"]),
        "data that are not there": (TINY_RECIPE, {"writers.csv": "0"}, {}, ["writers.csv"]),
        "other code": (TINY_RECIPE, {}, OTHER_CODE, ["source_revision", "0" * 40, "commit"]),
        "changes in the same commit": (
            TINY_RECIPE,
            {},
            {"source_files": ""},
            ["with other changes"],
        ),
        "a loss that is no number": (
            dataclasses.replace(TINY_RECIPE, optimizer=AdamW(1e30)),
            {},
            {},
            ["lower optimizer.learning_rate"],
        ),
    },
)
def test_what_fails_is_told_in_one_line(
    recipe: Recipe,
    data: dict[str, str],
    theirs: dict[str, str],
    words: list[str],
    digests: dict[str, str],
) -> None:
    outcome = carry_out(Errand(recipe, digests | data, code() | theirs, open_test=False), [])
    assert outcome.files == {}
    assert "\n" not in outcome.failure
    for word in words:
        assert word in outcome.failure


def test_without_data_it_says_where_to_put_them(
    digests: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DIGITS_DATA", str(tmp_path / "nowhere"))
    outcome = carry_out(Errand(TINY_RECIPE, digests, code(), open_test=False), [])
    assert "nowhere" in outcome.failure
    assert "DIGITS_DATA" in outcome.failure


# -- ends ---------------------------------------------------------------------


@LINUX
def test_a_process_that_is_killed_is_told(digests: dict[str, str]) -> None:
    found = []

    def kill_it() -> bool:
        found.extend(runs_of(os.getpid()))
        os.kill(found[0], signal.SIGKILL)
        return True

    outcome = carry_out(Errand(FOREVER, digests, code(), open_test=False), [], kill_it)
    assert "killed by signal 9" in outcome.failure
    assert "--workers" in outcome.failure


@LINUX
def test_a_run_that_nobody_wants_any_more_is_ended(digests: dict[str, str]) -> None:
    stop = threading.Event()
    errand = Errand(FOREVER, digests, code(), open_test=False)
    working = threading.Thread(target=carry_out, args=(errand, [], lambda: not stop.is_set()))
    working.start()
    wait_until(lambda: bool(runs_of(os.getpid())))
    [run] = runs_of(os.getpid())
    stop.set()
    working.join(PATIENCE)
    assert gone(run)


WORKER = """
import sys
from pathlib import Path
from training.config import load_recipe
from training.dataset import find_folder, load_mnist
from training.errand import Errand, carry_out, code
recipe = load_recipe(sys.argv[1])
carry_out(Errand(recipe, load_mnist(find_folder()).digests, code(), open_test=False), [])
"""


@LINUX
@table(
    "more",
    {"one process": "", "and the one of its batches": "[augmentation]\nshift = 2\n"},
)
def test_a_run_ends_with_its_worker(more: str, folder: Path, tmp_path: Path) -> None:
    path = write_recipe(tmp_path / "tiny.toml", epochs=100_000, more=more)
    command = [sys.executable, "-c", WORKER, str(path)]
    environ = environment({"DIGITS_DATA": str(folder)})
    with subprocess.Popen(command, cwd=ROOT, env=environ) as worker:
        wait_until(lambda: bool(runs_of(worker.pid)))
        [run] = runs_of(worker.pid)
        if more:
            wait_until(lambda: bool(children(run)))
        family = [run, *children(run)]
        worker.kill()
    wait_until(lambda: all(map(gone, family)))


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
