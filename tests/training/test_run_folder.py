"""What a run keeps beside its artifact, and what happens where that cannot be kept."""

import dataclasses
import io
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.artifact import encode
from tests.helpers import TINY_RECIPE, run_module, run_python, synthetic_mnist, write_idx_folder
from tests.training.runs import checkpoints_of
from training import checkpoint as checkpoints
from training.checkpoint import Checkpoint
from training.config import DataConfig
from training.dataset import load_mnist, split
from training.errors import CheckpointError, TrainingError
from training.progress import Progress
from training.release import SPLIT_SEED, build
from training.run_folder import RunFolder, Saver
from training.streams import Stream, generator
from training.trainer import train

MNIST = synthetic_mnist(train=200, test=50)
RECIPE = dataclasses.replace(TINY_RECIPE, epochs=4)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "deep" / "run")
    folder.create(keep=False)
    return folder


def names(folder: RunFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


# -- the folder ---------------------------------------------------------------


@pytest.mark.parametrize("keep", [True, False])
def test_what_a_killed_run_was_writing_is_cleared_away(keep: bool, folder: RunFolder) -> None:  # noqa: FBT001 - a case
    ours = [".checkpoint.npz.1f.tmp", ".report.html.2e.tmp"]
    others = [".checkpoint.npz.tmp.orig", ".notes.tmp", "journal.jsonl", "thesis.tex"]
    kept = ["checkpoint.npz", "report.html"]
    for name in [*ours, *others, *kept]:
        (folder.path / name).touch()
    folder.create(keep=keep)
    assert names(folder) == sorted([*others, *(kept if keep else [])])


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(TrainingError, match=r"file.*cannot hold a run \(.*\); name another"):
            build(RECIPE, MNIST, folder=RunFolder(path), show_progress=False)


def test_a_run_leaves_a_checkpoint_a_journal_and_a_report(folder: RunFolder) -> None:
    artifact = build(RECIPE, MNIST, folder=folder)
    assert names(folder) == ["checkpoint.npz", "journal.jsonl", "report.html"]
    assert artifact.digest() in folder.report.read_text("utf-8")
    assert "the validation set" in folder.report.read_text("utf-8")
    entries = [json.loads(line) for line in folder.journal.read_text("utf-8").splitlines()]
    for entry, epoch in zip(entries, artifact.training["epochs"], strict=True):
        assert entry | epoch == entry
    last = checkpoints.load(folder.checkpoint, RECIPE, MNIST.digests)
    assert last is not None
    assert [dataclasses.asdict(epoch) for epoch in last.history] == artifact.training["epochs"]


def test_what_is_kept_changes_nothing(folder: RunFolder) -> None:
    kept = build(RECIPE, MNIST, folder=folder)
    assert encode(kept) == encode(build(RECIPE, MNIST, show_progress=False))


def test_where_nothing_is_held_out_the_report_is_on_the_test_set(folder: RunFolder) -> None:
    data = DataConfig(validation_fraction=0)
    build(dataclasses.replace(RECIPE, data=data), MNIST, folder=folder)
    assert "the test set" in folder.report.read_text("utf-8")


def test_resume_goes_on_from_the_checkpoint_and_no_resume_does_not(folder: RunFolder) -> None:
    build(RECIPE, MNIST, folder=folder)
    other = dataclasses.replace(RECIPE, seed=8)
    with pytest.raises(CheckpointError, match=r"another recipe \(seed\)"):
        build(other, MNIST, folder=folder, resume=True)
    build(other, MNIST, folder=folder)
    assert checkpoints.load(folder.checkpoint, other, MNIST.digests)


# -- when checkpoints are kept ------------------------------------------------


class Clock:
    """Time as it passes while checkpoints are written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.takes = 100.0, 2.0
        self.kept: list[int] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(checkpoints, "save", self._save)

    def _save(self, _: Path, checkpoint: Checkpoint, *__: object) -> None:
        self.now += self.takes
        self.kept.append(len(checkpoint.history))


def test_checkpoints_take_a_twentieth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=30)
    all_of_them = checkpoints_of(recipe)[1:]
    clock = Clock(monkeypatch)
    save = Saver(Path("checkpoint.npz"), recipe, {}, None)
    for checkpoint in all_of_them:
        clock.now += 8  # seconds an epoch: 40 seconds of work pay for 2 of writing
        save(checkpoint)
    # The first, each fifth after it, and the last.
    assert clock.kept == [1, 6, 11, 16, 21, 26, 30]


# -- without room -------------------------------------------------------------

FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.training.test_run_folder import MNIST, RECIPE
from training.release import build
from training.run_folder import RunFolder
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
folder = RunFolder(Path(sys.argv[1]))
print(build(RECIPE, MNIST, folder=folder, resume=True).digest())
"""


def second_checkpoint(folder: RunFolder) -> bytes:
    """Leave a folder as a run that was killed after its second epoch does; its checkpoint."""
    digits, validation, _ = split(MNIST, 0.1, generator(SPLIT_SEED, Stream.SPLIT))

    def save(checkpoint: Checkpoint) -> None:
        if len(checkpoint.history) == 2:
            checkpoints.save(folder.checkpoint, checkpoint, RECIPE, MNIST.digests)
            raise InterruptedError

    watched = Progress(4, len(digits), journal=folder.journal, stream=io.StringIO())
    with watched as progress, pytest.raises(InterruptedError):
        train(RECIPE, digits, validation, progress=progress, save=save)
    return folder.checkpoint.read_bytes()


@pytest.mark.usefixtures("one_blas_thread")
def test_without_room_the_last_checkpoint_stands_and_the_run_goes_on(folder: RunFolder) -> None:
    before = second_checkpoint(folder)
    run = run_python(FULL_DISK, folder.path)
    assert run.stdout.strip() == build(RECIPE, MNIST, show_progress=False).digest()
    said = run.stderr.splitlines()
    lines = [line for line in said if not line.startswith("epoch ")]
    assert [line[:9] for line in said if line not in lines] == ["epoch 3/4", "epoch 4/4"]
    checkpoint, report = lines
    assert checkpoint == (
        f"{folder.checkpoint}: cannot be written (File too large); training goes on, and the "
        "last checkpoint stands; mend that and the next epochs are kept"
    )
    assert report.startswith(f"{folder.report}: the report cannot be written (File too large); ")
    assert folder.checkpoint.read_bytes() == before
    assert names(folder) == ["checkpoint.npz", "journal.jsonl"]
    numbers = [json.loads(line)["number"] for line in folder.journal.read_text().splitlines()]
    assert numbers == [1, 2, 3, 4]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 KB, which takes half of what a run leaves."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


TOML = """
name = "tiny"
version = 1
seed = 7
epochs = 4
batch_size = 32
architecture = [
    { type = "dense", outputs = 16 },
    { type = "relu" },
    { type = "dense", outputs = 10 },
]
optimizer = { type = "adamw", learning_rate = 0.01 }
"""


def test_a_full_disk_costs_what_was_to_be_on_it_and_nothing_else(
    small_disk: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text(TOML)
    data = write_idx_folder(tmp_path / "mnist", MNIST)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(196_608))  # all but a page
    places = ["--data", data, "--run", small_disk / "run", "--store", tmp_path / "store"]
    run = run_module("training", "train", *map(str, [tmp_path / "tiny.toml", *places]))
    assert run.returncode == 0, run.stderr
    *_, summary = run.stdout.splitlines()
    assert "no report" in run.stdout
    assert "test images right" in summary
    assert "No space left on device" in run.stderr
    assert "Traceback" not in run.stderr
    expected = build(RECIPE, load_mnist(data), show_progress=False)
    assert (tmp_path / "store" / "digits-1.npz").read_bytes() == encode(expected)


def test_a_disk_that_has_room_again_gets_the_next_checkpoint(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    [_, first, second, third, _] = checkpoints_of(RECIPE)
    with Progress(4, 100) as progress:
        save = Saver(folder.checkpoint, RECIPE, {}, progress)
        for checkpoint, full in ((first, True), (second, True), (third, False)):
            if full:
                folder.checkpoint.mkdir(exist_ok=True)  # what no file can take the place of
            else:
                folder.checkpoint.rmdir()
            save._not_before = 0
            save(checkpoint)
    assert capsys.readouterr().err.count("cannot be written") == 1
    kept = checkpoints.load(folder.checkpoint, RECIPE, {})
    assert kept is not None
    assert kept.history == third.history
