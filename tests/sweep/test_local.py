"""A sweep on two processes of this machine, and what may happen to them."""

import json
import os
import signal
from pathlib import Path

from tests.helpers import assert_one_line_error
from tests.sweep.commands import (
    artifacts_in,
    begun,
    epochs_done,
    finished,
    parent,
    seed_of,
    training,
)
from tests.training.sweeps import gone, runs_of, wait_until, write_recipe

LONG = 200  # epochs: a second or more
HALFWAY = 20


# -- what comes of it ---------------------------------------------------------


def test_every_run_is_as_one_by_hand_and_none_is_made_twice(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml", epochs=1)
    output = tmp_path / "output"
    rates = "optimizer.learning_rate=0.0001,0.01"
    command = ["sweep", recipe, "--set", rates, "--workers", "2", "--output", output]
    run = training(*command, "--seeds", "2", data=data)
    assert run.returncode == 0, run.stderr
    rows = [line.split(" | ") for line in run.stdout.splitlines()]
    assert [row[1] for row in rows[2:]] == [  # the better one first
        "optimizer.learning_rate=0.01",
        "optimizer.learning_rate=0.0001",
    ]
    assert sorted(path.name for path in output.iterdir()) == [
        "report.html",
        "runs",
        "sweep.json",
        "table.md",
    ]
    assert (output / "table.md").read_text("utf-8") == run.stdout
    [best, other] = json.loads((output / "sweep.json").read_text("utf-8"))["entries"]
    assert [one["seed"] for one in best["runs"]] == [0, 1]
    assert best["test"] is None

    by_hand = training(
        *("train", recipe, "--seed", "1", "--without-test"),
        *("--store", tmp_path / "store", "--run", tmp_path / "run"),
        data=data,
    )
    assert by_hand.returncode == 0, by_hand.stderr
    made = tmp_path / "store" / "digits-1.npz"
    assert (output / best["runs"][1]["artifact"]).read_bytes() == made.read_bytes()

    before = {path: path.stat().st_mtime_ns for path in (output / "runs").glob("*/*")}
    assert len(before) == 4 * 3
    again = training(*command, "--seeds", "0,1,5", data=data)
    assert again.returncode == 0, again.stderr
    assert sorted(again.stderr.splitlines()) == [
        f"tiny optimizer.learning_rate={rate}, seed 5: done" for rate in (0.0001, 0.01)
    ]
    assert (
        before.items()
        <= {path: path.stat().st_mtime_ns for path in (output / "runs").glob("*/*")}.items()
    )
    assert other["settings"] == "optimizer.learning_rate=0.0001"


def test_one_that_fails_does_not_end_the_others(data: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml")
    output = tmp_path / "output"
    rates = "optimizer.learning_rate=1e30,0.01"
    run = training(
        *("sweep", recipe, "--set", rates, "--seeds", "3,", "--workers", "2", "--output", output),
        data=data,
    )
    assert_one_line_error(run, "1 of 2 runs failed", str(output / "report.html"))
    assert "seed 3: failed: the loss is nan in epoch 1" in run.stderr
    assert "| 0 of 1 |" in run.stdout
    assert len(artifacts_in(output)) == 1
    assert "the loss is nan in epoch 1" in (output / "report.html").read_text("utf-8")


def test_a_student_has_its_teachers_trained_first(data: Path, tmp_path: Path) -> None:
    write_recipe(tmp_path / "teacher.toml", name="teacher")
    loss = '[loss]\ntype = "distillation"\nteacher = "teacher.toml"\nteachers = 2\n'
    write_recipe(tmp_path / "student.toml", name="student", more=loss)
    command = ["sweep", "student.toml", "--seeds", "2,", "--workers", "2", "--output", "output"]
    run = training(*command, "--open-test", data=data, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    by_hand = training(
        *("train", "student.toml", "--seed", "2", "--store", "store"), data=data, cwd=tmp_path
    )
    assert by_hand.returncode == 0, by_hand.stderr
    assert len(artifacts_in(tmp_path / "output", "teachers")) == 2
    [made] = artifacts_in(tmp_path / "output").values()
    assert made == (tmp_path / "store" / "digits-1.npz").read_bytes()
    again = training(*command, "--open-test", data=data, cwd=tmp_path)
    assert (again.stdout, again.stderr) == (run.stdout, "")


# -- what may happen to it ----------------------------------------------------


def test_the_run_of_a_killed_worker_is_done_again_and_gives_the_same_bytes(
    data: Path, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path / "tiny.toml", epochs=LONG)
    output = tmp_path / "output"
    command = ["sweep", recipe, "--seeds", "2", "--workers", "2", "--output", output]
    with begun("-m", "training", *command, data=data) as process:
        wait_until(lambda: len(runs_of(process.pid)) == 2)
        run, _ = runs_of(process.pid)
        wait_until(lambda: epochs_done(run) > HALFWAY)
        seed, worker = seed_of(run), parent(run)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: gone(run))
        killed = finished(process)
    assert killed.returncode == 0, killed.stderr
    assert f"tiny, seed {seed}: its worker was lost; begun again" in killed.stderr.splitlines()
    assert "Traceback" not in killed.stderr
    made = artifacts_in(output)
    assert len(made) == 2
    by_hand = training(
        *("train", recipe, "--seed", str(seed), "--without-test"),
        *("--store", tmp_path / "store", "--run", tmp_path / "run"),
        data=data,
    )
    assert by_hand.returncode == 0, by_hand.stderr
    assert (tmp_path / "store" / "digits-1.npz").read_bytes() in made.values()


def test_ctrl_c_ends_it_and_the_same_command_goes_on(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    short = write_recipe(tmp_path / "short.toml", name="short")
    long = write_recipe(tmp_path / "long.toml", name="long", epochs=100_000)
    command = ["-m", "training", "sweep", short, long, "--seeds", "1", "--workers", "2"]
    with begun(*command, "--output", output, data=data) as process:
        wait_until(lambda: len(artifacts_in(output)) == 1 and bool(runs_of(process.pid)))
        [run] = runs_of(process.pid)
        workers = {parent(run)}
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        stopped = finished(process)
    assert stopped.returncode == 130
    assert stopped.stdout == ""
    said = f"stopped; runs that are done are kept in {output}, and the same command goes on"
    assert stopped.stderr.splitlines()[-1] == said
    assert "Traceback" not in stopped.stderr
    assert all(map(gone, [run, *workers]))
    on = training("sweep", short, "--seeds", "1", "--output", output, data=data)
    assert (on.returncode, on.stderr) == (0, "")
