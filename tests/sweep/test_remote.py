"""A sweep on workers that others have started, at a scheduler's address."""

import os
import shutil
import signal
from pathlib import Path

from tests.helpers import ROOT, assert_one_line_error, synthetic_mnist, write_idx_folder
from tests.server import free_port
from tests.sweep.commands import artifacts_in, begun, finished, scheduler, training, worker
from tests.training.sweeps import gone, runs_of, wait_until, write_recipe


def sweep(recipe: Path, address: str, output: Path) -> list[str]:
    places = ["--scheduler", address, "--output", str(output)]
    return ["sweep", str(recipe), "--seeds", "1", *places]


def test_a_workers_data_are_its_own_and_must_be_the_same(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml")
    same = tmp_path / "same"
    shutil.copytree(data, same)
    other = write_idx_folder(tmp_path / "other", synthetic_mnist(1, train=300, test=100))
    with scheduler(data) as (address, _):
        with worker(address, other):
            run = training(*sweep(recipe, address, tmp_path / "output"), data=data)
        assert "has other data than this sweep (t10k-images-idx3-ubyte, " in run.stderr
        assert "DIGITS_DATA" in run.stderr
        assert_one_line_error(run, "1 of 1 runs failed")
        with worker(address, same, cwd=tmp_path):
            run = training(*sweep(recipe, address, tmp_path / "output"), data=data)
    assert run.returncode == 0, run.stderr
    assert len(artifacts_in(tmp_path / "output")) == 1


def test_a_worker_of_other_code_or_of_none_is_named(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml")
    for package in ("model", "training"):
        shutil.copytree(ROOT / package, tmp_path / "code" / package)
    with (tmp_path / "code" / "training" / "trainer.py").open("a") as file:
        file.write("# changed\n")
    with scheduler(data) as (address, _):
        command = sweep(recipe, address, tmp_path / "output")
        for code, words in (
            (tmp_path / "code", ["tcp://", "another version of the code", "commit"]),
            (tmp_path, ["tcp://", "cannot run this sweep", "requirements/sweep.txt"]),
        ):
            with worker(address, data, cwd=code, environ={"PYTHONPATH": str(code)}):
                wait_until_known(address, data)
                assert_one_line_error(training(*command, data=data), *words)


def test_ctrl_c_here_ends_the_runs_there(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml", epochs=100_000)
    with scheduler(data) as (address, _), worker(address, data) as there:
        command = ["-m", "training", *sweep(recipe, address, tmp_path / "output")]
        with begun(*command, data=data) as here:
            wait_until(lambda: bool(runs_of(there.pid)))
            [run] = runs_of(there.pid)
            os.killpg(here.pid, signal.SIGINT)
            assert finished(here).returncode == 130
        wait_until(lambda: gone(run))
        assert there.poll() is None


def test_a_scheduler_that_goes_away_is_told(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml", epochs=100_000)
    with scheduler(data) as (address, process), worker(address, data) as there:
        command = ["-m", "training", *sweep(recipe, address, tmp_path / "output")]
        with begun(*command, data=data) as here:
            wait_until(lambda: bool(runs_of(there.pid)))
            process.kill()
            assert_one_line_error(finished(here), "the scheduler is gone", "are kept")


def test_where_no_scheduler_is_it_says_how_to_start_one(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml")
    address = f"tcp://127.0.0.1:{free_port()}"
    run = training(*sweep(recipe, address, tmp_path / "output"), data=data)
    assert_one_line_error(run, f"--scheduler {address}", "dask scheduler")


COUNT = """
import sys
from distributed import Client
with Client(sys.argv[1]) as client:
    client.wait_for_workers(1, timeout=60)
"""


def wait_until_known(address: str, data: Path) -> None:
    """Until the scheduler knows a worker."""
    with begun("-c", COUNT, address, data=data) as process:
        assert finished(process).returncode == 0
