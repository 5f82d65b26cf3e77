"""The commands of ``python -m training``, run as a user runs them."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from model import artifact as artifacts
from model.artifact import Artifact, encode
from model.store import Store
from tests.helpers import (
    ROOT,
    TINY_RECIPE,
    assert_one_line_error,
    environment,
    run_module,
    synthetic_mnist,
    table,
    write_idx_folder,
)
from training.dataset import load_mnist
from training.evaluation import evaluate
from training.release import build

MNIST = synthetic_mnist(train=200, test=100)

RECIPE = """
name = "tiny"
version = 1
seed = 7
hidden = [16]
epochs = 2
batch_size = 32

[optimizer]
learning_rate = 0.01
"""


@pytest.fixture(scope="module")
def folder(tiny_artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, a data set, and a damaged one of each."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "tiny.toml").write_text(RECIPE)
    (folder / "wrong.toml").write_text(RECIPE.replace("epochs = 2", "epochs = 0"))
    (folder / "wide.toml").write_text(RECIPE.replace("[16]", "[100000]"))
    (folder / "long.toml").write_text(RECIPE.replace("epochs = 2", "epochs = 100000"))
    (folder / "wild.toml").write_text(RECIPE.replace("0.01", "1e30"))
    (folder / "tiny.npz").write_bytes(encode(tiny_artifact))
    (folder / "damaged.npz").write_bytes(encode(tiny_artifact)[:-1])
    write_idx_folder(folder / "mnist", MNIST)
    damaged = write_idx_folder(folder / "damaged", MNIST) / "t10k-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    Store(folder / "taken").publish(tiny_artifact)
    (folder / "a_file").write_text("not a directory")
    (folder / "empty").mkdir()
    return folder


def test_train_publishes_the_model_of_the_recipe(folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    run = run_module(
        "training", "train", folder / "tiny.toml", "--store", store.root, "--data", folder / "mnist"
    )
    assert run.returncode == 0, run.stderr
    path, digest, summary = run.stdout.splitlines()
    assert Path(path) == store.path(1)
    artifact = artifacts.read(store.path(1))
    assert digest == artifact.digest()
    test = artifact.evaluation["mnist_test"]
    assert summary.startswith(f"{test['correct']} of 100 test images right")
    assert [line.split("  ")[0] for line in run.stderr.splitlines()] == ["epoch 1/2", "epoch 2/2"]


def test_a_command_gives_the_same_bytes_as_the_library(folder: Path, tmp_path: Path) -> None:
    for store in ("first", "second"):
        run_module(
            "training",
            "train",
            folder / "tiny.toml",
            "--store",
            tmp_path / store,
            environ={"DIGITS_DATA": str(folder / "mnist")},
        )
    first = (tmp_path / "first" / "digits-1.npz").read_bytes()
    assert first == (tmp_path / "second" / "digits-1.npz").read_bytes()
    mnist = load_mnist(folder / "mnist")
    assert first == encode(build(TINY_RECIPE, mnist, show_progress=False))


def test_training_again_into_the_same_store_changes_nothing(folder: Path, tmp_path: Path) -> None:
    first, again = (
        run_module(
            "training",
            "train",
            folder / "tiny.toml",
            "--store",
            tmp_path,
            "--data",
            folder / "mnist",
        )
        for _ in range(2)
    )
    assert (first.returncode, again.returncode) == (0, 0)
    assert again.stdout.splitlines()[:2] == first.stdout.splitlines()[:2]


def test_evaluate_prints_the_record_of_the_test_set(folder: Path, tiny_artifact: Artifact) -> None:
    run = run_module("training", "evaluate", folder / "tiny.npz", "--data", folder / "mnist")
    assert run.returncode == 0, run.stderr
    expected = evaluate(tiny_artifact.network, MNIST.test, tiny_artifact.confidence)
    assert json.loads(run.stdout) == expected


TRAIN = ["train", "{folder}/tiny.toml", "--store", "{folder}/new", "--data"]

FAILURES = {
    "a recipe that is not there": (
        ["train", "unheard_of", "--data", "{folder}/mnist"],
        ["no recipe 'unheard_of'", "mlp"],
    ),
    "a recipe out of range": (
        ["train", "{folder}/wrong.toml", "--data", "{folder}/mnist"],
        ["wrong.toml", "epochs must be 1 or more"],
    ),
    "a width no layer can have": (
        ["train", "{folder}/wide.toml", "--store", "{folder}/new", "--data", "{folder}/mnist"],
        ["hidden"],
    ),
    "no data": ([*TRAIN, "{folder}/none"], ["none", "no such file"]),
    "an empty folder": ([*TRAIN, "{folder}/empty"], ["train-images-idx3-ubyte", "no such file"]),
    "damaged data": ([*TRAIN, "{folder}/damaged"], ["t10k-images-idx3-ubyte", "is damaged"]),
    "a file for a store": (
        ["train", "{folder}/tiny.toml", "--store", "{folder}/a_file", "--data", "{folder}/mnist"],
        ["a_file"],
    ),
    "evaluate a file that is not there": (
        ["evaluate", "{folder}/none.npz", "--data", "{folder}/mnist"],
        ["none.npz", "no such file"],
    ),
    "evaluate a damaged file": (
        ["evaluate", "{folder}/damaged.npz", "--data", "{folder}/mnist"],
        ["damaged.npz"],
    ),
    "evaluate without data": (
        ["evaluate", "{folder}/tiny.npz", "--data", "{folder}/none"],
        ["no such file"],
    ),
}


@table("arguments, words", FAILURES)
def test_a_failure_is_found_before_training_and_said_in_one_line(
    arguments: list[str], words: list[str], folder: Path
) -> None:
    run = run_module("training", *(argument.format(folder=folder) for argument in arguments))
    assert run.stdout == ""
    assert_one_line_error(run, *words)
    assert len(run.stderr.splitlines()) == 1


def test_what_was_trained_is_kept_beside_a_version_that_is_taken(folder: Path) -> None:
    before = (folder / "taken" / "digits-1.npz").read_bytes()
    run = run_module(
        "training",
        "train",
        folder / "tiny.toml",
        "--store",
        folder / "taken",
        "--data",
        folder / "mnist",
    )
    assert run.returncode == 0
    assert str(folder / "taken" / "digits-2.npz") in run.stdout
    assert (folder / "taken" / "digits-1.npz").read_bytes() == before
    assert artifacts.read(folder / "taken" / "digits-2.npz").version == 2


def test_a_run_that_diverges_says_so_and_publishes_nothing(folder: Path, tmp_path: Path) -> None:
    run = run_module(
        "training",
        "train",
        folder / "wild.toml",
        "--store",
        tmp_path / "store",
        "--data",
        folder / "mnist",
    )
    assert_one_line_error(run, "learning_rate")
    assert Store(tmp_path / "store").versions() == []


def test_a_run_that_is_stopped_publishes_nothing(folder: Path, tmp_path: Path) -> None:
    arguments = ["train", folder / "long.toml", "--store", tmp_path, "--data", folder / "mnist"]
    with subprocess.Popen(
        [sys.executable, "-m", "training", *map(str, arguments)],
        cwd=ROOT,
        env=environment({}),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("epoch 1/")
        process.send_signal(signal.SIGINT)
        last = process.stderr.read().splitlines()[-1]
    assert last == "stopped; nothing was published"
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_of_the_environment_that_is_not_there_is_named(folder: Path) -> None:
    run = run_module(
        "training", "evaluate", folder / "tiny.npz", environ={"DIGITS_DATA": f"{folder}/none"}
    )
    assert_one_line_error(run, f"{folder}/none", "DIGITS_DATA")


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["train"], ["evaluate"]])
def test_a_command_that_is_misspelt_is_explained(arguments: list[str]) -> None:
    run = run_module("training", *arguments)
    assert run.returncode == 2
    assert run.stderr.startswith("usage: python -m training")


def test_help_names_commands_and_recipes() -> None:
    assert "evaluate" in run_module("training", "--help").stdout
    assert "mlp" in run_module("training", "train", "--help").stdout
