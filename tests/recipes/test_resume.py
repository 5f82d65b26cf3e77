"""Runs that are killed and taken up again, as real processes."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import (
    ROOT,
    assert_one_line_error,
    environment,
    synthetic_mnist,
    table,
    write_idx_folder,
)
from training.run_folder import RunFolder

POLL = 0.005  # seconds
PATIENCE = 120  # far beyond what anything here takes
JITTER = 0.2  # seconds: a few epochs

HEAD = """
name = "resumed"
version = 1
seed = 7

[optimizer]
type = "adamw"
learning_rate = 0.003

[augmentation]
rotation = 15
shift = 2
elastic = 2
"""

# Everything that draws random numbers or keeps something from one step to the next.
EVERYTHING = """
epochs = 60
batch_size = 50
average_decay = 0.98
threads = 2
schedule = { type = "one_cycle" }
architecture = [
    { type = "conv2d", outputs = 6, kernel = 5, stride = 3, biased = false },
    { type = "batch_norm" },
    { type = "relu" },
    { type = "dropout", rate = 0.2 },
    { type = "flatten" },
    { type = "dense", outputs = 10 },
]
"""

STOPPING = """
epochs = 500
batch_size = 100
patience = 70
architecture = [
    { type = "dense", outputs = 16 },
    { type = "tanh" },
    { type = "dense", outputs = 10 },
]
"""

ENDLESS = STOPPING.replace("patience = 70", "").replace("epochs = 500", "epochs = 100000")


class Trainer:
    """``python -m training train`` of one recipe in one run's folder, as often as it is started."""

    def __init__(self, folder: Path, recipe: str, data: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.recipe = folder / "resumed.toml"
        self.recipe.write_text(recipe + HEAD)
        self.run = RunFolder(folder / "run")
        self.store = folder / "store"
        self._data, self._log = data, folder / "log"

    @contextlib.contextmanager
    def started(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """The command in a process group of its own, as a shell would start it."""
        names = {"--run": self.run.path, "--store": self.store, "--data": self._data}
        words = [word for pair in names.items() for word in pair]
        command = [sys.executable, "-m", "training", "train", self.recipe, *words, *options]
        with (
            self._log.open("w") as log,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment({}),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):  # as it should be
                    os.killpg(process.pid, signal.SIGKILL)

    def finish(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Let it come to its end."""
        with self.started(*options) as process:
            return self.end(process)

    def end(self, process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        """What came of it. Its output ends when it and its producer have ended: both have it."""
        output, _ = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(
            process.args, process.returncode, output, self._log.read_text()
        )

    def kill(self, epoch: int, delay: float, *options: str) -> str:
        """Kill it some time after that epoch; returns what it had to say."""
        with self.started(*options) as process:
            self.wait_for(process, epoch)
            time.sleep(delay)
            process.kill()
            return self.end(process).stderr

    def wait_for(self, process: subprocess.Popen[str], epoch: int) -> None:
        """Until it has said that it has got to this epoch, or has ended."""
        while process.poll() is None:
            said = re.findall(r"^epoch (\d+)/.*\n", self._log.read_text(), re.MULTILINE)
            if said and int(said[-1]) >= epoch:
                return
            time.sleep(POLL)

    def epochs(self) -> list[int]:
        """The numbers in the journal."""
        return [entry["number"] for entry in self._entries()]

    def losses(self) -> list[float]:
        """The losses in the journal."""
        return [entry["loss"] for entry in self._entries()]

    def _entries(self) -> list[dict[str, Any]]:
        with contextlib.suppress(FileNotFoundError):
            lines = self.run.journal.read_text("utf-8").splitlines(keepends=True)
            return [json.loads(line) for line in lines if line.endswith("\n")]  # or half written
        return []

    def published(self) -> bytes:
        return (self.store / "digits-1.npz").read_bytes()

    def left(self) -> list[str]:
        """What is in the run's folder."""
        return sorted(path.name for path in self.run.path.iterdir())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mnist = synthetic_mnist(train=4000, test=100, writers=40)
    return write_idx_folder(tmp_path_factory.mktemp("data"), mnist)


@pytest.fixture
def endless(tmp_path: Path, data: Path) -> Trainer:
    """One that would go on for ever."""
    return Trainer(tmp_path, ENDLESS, data)


def first_epoch(errors: str) -> int:
    """Where a run began, by the first line that it printed of an epoch."""
    [line, *_] = [line for line in errors.splitlines() if line.startswith("epoch ")]
    return int(line.split()[1].partition("/")[0])


@table("recipe, kills, last", {"everything": (EVERYTHING, 5, 45), "patience": (STOPPING, 3, 60)})
def test_a_run_that_is_killed_again_and_again_gives_the_same_bytes(
    recipe: str, kills: int, last: int, tmp_path: Path, data: Path
) -> None:
    undisturbed = Trainer(tmp_path / "undisturbed", recipe, data)
    assert undisturbed.finish().returncode == 0
    assert last < len(undisturbed.epochs())  # so the kills come in the midst of it

    killed = Trainer(tmp_path / "killed", recipe, data)
    rng = random.Random(1998)
    epochs = [*sorted(rng.sample(range(1, last), kills - 1)), last]
    said = [killed.kill(epoch, rng.uniform(0, JITTER), "--resume") for epoch in epochs]
    assert list(killed.store.iterdir()) == []
    end = killed.finish("--resume")
    assert end.returncode == 0
    assert first_epoch(end.stderr) > 1
    assert "Traceback" not in "".join([*said, end.stderr])

    assert killed.published() == undisturbed.published()
    assert killed.run.report.read_bytes() == undisturbed.run.report.read_bytes()
    # The record is whole, and nothing is left of what it took.
    assert killed.epochs() == list(range(1, len(undisturbed.epochs()) + 1))
    assert killed.left() == ["journal.jsonl", "report.html"]


# -- beginnings ---------------------------------------------------------------


def test_resume_without_a_checkpoint_starts_anew(endless: Trainer) -> None:
    assert first_epoch(endless.kill(2, 0, "--resume")) == 1


def test_without_resume_a_run_starts_over(endless: Trainer) -> None:
    endless.kill(5, 0)
    errors = endless.kill(2, 0)
    assert first_epoch(errors) == 1
    assert endless.epochs() == list(range(1, len(endless.epochs()) + 1))


def test_a_run_that_starts_over_forgets_the_last_one_at_once(endless: Trainer) -> None:
    endless.kill(3, 0)
    endless.run.report.write_text("of a run that is no more")
    (endless.run.path / ".checkpoint.npz.0.tmp").write_text("half")
    (endless.run.path / ".report.html.0.tmp").write_text("half")
    (endless.run.path / "notes.txt").write_text("not ours")
    RunFolder(endless.run.path).create(keep=False)
    assert endless.left() == ["journal.jsonl", "notes.txt"]


def test_a_run_is_not_gone_on_with_by_another_recipe(endless: Trainer) -> None:
    endless.kill(2, 0)
    before = endless.run.checkpoint.read_bytes()
    for words, options in (("recipe (epochs)", []), ("recipe (epochs, seed)", ["--seed", "8"])):
        endless.recipe.write_text(STOPPING.replace("patience = 70", "") + HEAD)
        run = endless.finish("--resume", *options)
        assert_one_line_error(run, f"{endless.run.checkpoint}: is of another {words}", "--resume")
    assert endless.run.checkpoint.read_bytes() == before


def test_a_run_is_not_gone_on_with_on_other_data(endless: Trainer, tmp_path: Path) -> None:
    endless.kill(2, 0)
    other = write_idx_folder(tmp_path / "other", synthetic_mnist(seed=1, train=200, test=50))
    run = endless.finish("--resume", "--data", str(other))
    assert_one_line_error(run, "is of another data (t10k-images-idx3-ubyte, ", "writers.npz")


def test_a_damaged_checkpoint_is_refused(endless: Trainer) -> None:
    endless.kill(2, 0)
    with endless.run.checkpoint.open("r+b") as file:
        file.truncate(1000)
    run = endless.finish("--resume")
    assert_one_line_error(run, f"{endless.run.checkpoint}: is damaged", "--resume")


# -- ends ---------------------------------------------------------------------


def test_ctrl_c_says_how_to_go_on_and_what_goes_on_is_the_same_run(
    endless: Trainer, tmp_path: Path, data: Path
) -> None:
    with endless.started() as process:
        endless.wait_for(process, 3)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        run = endless.end(process)
    assert run.returncode == 130
    assert run.stdout == ""
    assert run.stderr.splitlines()[-1] == (
        f"stopped; nothing was published; --resume goes on from {endless.run.checkpoint}"
    )
    assert "Traceback" not in run.stderr
    done = len(endless.epochs())
    assert 1 < first_epoch(endless.kill(done + 3, 0, "--resume")) <= done + 1
    losses = endless.losses()
    straight = Trainer(tmp_path / "straight", ENDLESS, data)
    straight.kill(done + 3, 0)
    assert straight.losses()[: done + 3] == losses[: done + 3]


def test_ctrl_c_before_the_first_epoch_is_done_has_nothing_to_go_on_from(
    tmp_path: Path, data: Path
) -> None:
    trainer = Trainer(tmp_path, ENDLESS.replace("batch_size = 100", "batch_size = 1"), data)
    with trainer.started() as process:
        while not trainer.run.journal.exists():
            time.sleep(POLL)
        process.send_signal(signal.SIGINT)
        run = trainer.end(process)
    assert run.returncode == 130
    assert run.stderr == "stopped; nothing was published\n"
    assert list(trainer.store.iterdir()) == []


def test_a_store_that_fails_at_the_end_costs_no_training(tmp_path: Path, data: Path) -> None:
    trainer = Trainer(tmp_path, STOPPING.replace("epochs = 500", "epochs = 10"), data)
    with trainer.started() as process:
        trainer.wait_for(process, 1)
        trainer.store.rmdir()
        trainer.store.touch()
        run = trainer.end(process)
    assert_one_line_error(
        run, f"{trainer.store}: ", f"--resume goes on from {trainer.run.checkpoint}"
    )
    trainer.store.unlink()
    again = trainer.finish("--resume")
    assert again.returncode == 0
    assert again.stderr == ""  # there is nothing left to train
    assert trainer.epochs() == list(range(1, 11))
    assert trainer.left() == ["journal.jsonl", "report.html"]
