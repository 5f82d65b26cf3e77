"""The commands of ``python -m training``, run as a user runs them."""

import dataclasses
import json
import re
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest

from model import artifact as artifacts
from model.artifact import Artifact, encode
from model.store import Store
from tests.helpers import (
    TINY_RECIPE,
    assert_one_line_error,
    run_module,
    synthetic_mnist,
    table,
    write_idx_folder,
)
from training.config import Recipe
from training.dataset import kaggle_rows, load_mnist
from training.evaluation import evaluate_test
from training.examination import examine
from training.release import build
from training.rows import read_csv, write_csv

MNIST = dataclasses.replace(synthetic_mnist(train=200, test=100), test_writers=np.arange(100) // 5)

# TINY_RECIPE as a file.
RECIPE = """
name = "tiny"
version = 1
seed = 7
epochs = 2
batch_size = 32
architecture = [
    { type = "dense", outputs = 16 },
    { type = "relu" },
    { type = "dense", outputs = 10 },
]

[optimizer]
type = "adamw"
learning_rate = 0.01
"""

CSV_RECIPE = (
    RECIPE
    + """
[data]
source = "%s"
test_rows = 50
"""
)

RECIPES = {
    "tiny": RECIPE,
    "wrong": RECIPE.replace("epochs = 2", "epochs = 0"),
    "wide": RECIPE.replace("16", "100000"),
    "wild": RECIPE.replace("0.01", "1e30"),
    "kaggle": CSV_RECIPE % "mnist-42000.csv",
    "csv": CSV_RECIPE % "digits.csv",
    "keeping": RECIPE + "[data]\nvalidation_fraction = 0\n",
    "student": RECIPE + '[loss]\ntype = "distillation"\nteacher = "nobody.npz"',
}


@pytest.fixture(scope="module")
def folder(tiny_artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recipes, a data set, an artifact, and a damaged one of each."""
    folder = tmp_path_factory.mktemp("training")
    for name, text in RECIPES.items():
        (folder / f"{name}.toml").write_text(text)
    (folder / "tiny.npz").write_bytes(encode(tiny_artifact))
    (folder / "damaged.npz").write_bytes(encode(tiny_artifact)[:-1])
    write_idx_folder(folder / "mnist", MNIST)
    damaged = write_idx_folder(folder / "damaged", MNIST) / "t10k-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    Store(folder / "taken").publish(tiny_artifact)
    (folder / "a_file").write_text("not a directory")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def places(folder: Path, tmp_path: Path) -> list[str]:
    """Where a run finds its data and leaves what it makes: ``store`` and ``run``."""
    places = {"--data": folder / "mnist", "--store": tmp_path / "store", "--run": tmp_path / "run"}
    return [str(word) for pair in places.items() for word in pair]


# -- train --------------------------------------------------------------------


def test_the_recipe_of_these_tests_is_the_tiny_one() -> None:
    assert Recipe.from_json(tomllib.loads(RECIPE)) == TINY_RECIPE


def test_train_publishes_the_model_of_the_recipe(
    folder: Path, places: list[str], tmp_path: Path
) -> None:
    run = run_module("training", "train", folder / "tiny.toml", *places)
    assert run.returncode == 0, run.stderr
    path, digest, report, summary = run.stdout.splitlines()
    store = Store(tmp_path / "store")
    assert Path(path) == store.path(1)
    artifact = artifacts.read(store.path(1))
    assert digest == artifact.digest()
    assert Path(report) == tmp_path / "run" / "report.html"
    assert digest in Path(report).read_text("utf-8")
    test = artifact.evaluation["test"]
    low, high = test["interval_95"]
    assert summary.startswith(
        f"{test['correct']} of 100 test images right ({test['accuracy']:.2%}, "
        f"95 % interval {low:.2%} to {high:.2%}), trained in "
    )
    assert [line.split("  ")[0] for line in run.stderr.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    left = sorted(file.name for file in (tmp_path / "run").iterdir())
    assert left == ["journal.jsonl", "report.html"]


@table(
    "recipe, summary",
    {
        "of what is held out": (
            "tiny",
            r"\d+ of \d+ validation images right \(\d+\.\d\d%, 95 % in",
        ),
        "of nothing": ("keeping", "nothing was held out and the test set is shut: not evaluated, "),
    },
)
def test_a_run_from_which_one_is_to_be_chosen_leaves_the_test_set_shut(
    recipe: str, summary: str, folder: Path, places: list[str], tmp_path: Path
) -> None:
    run = run_module("training", "train", folder / f"{recipe}.toml", "--without-test", *places)
    assert run.returncode == 0, run.stderr
    last = run.stdout.splitlines()[-1]
    assert re.match(summary, last)
    figures = artifacts.read(tmp_path / "store" / "digits-1.npz").evaluation
    assert "test" not in figures
    if figures:
        found = figures["validation"]
        assert last.startswith(f"{found['correct']} of {found['images']} validation images right")


def test_a_command_gives_the_same_bytes_as_the_library(
    folder: Path, places: list[str], tmp_path: Path
) -> None:
    run_module("training", "train", folder / "tiny.toml", *places)
    published = (tmp_path / "store" / "digits-1.npz").read_bytes()
    expected = build(TINY_RECIPE, load_mnist(folder / "mnist"), show_progress=False)
    assert published == encode(expected)


def test_a_seed_takes_the_place_of_the_recipes(
    folder: Path, places: list[str], tmp_path: Path
) -> None:
    run = run_module("training", "train", folder / "tiny.toml", "--seed", "8", *places)
    assert run.returncode == 0, run.stderr
    record = artifacts.read(tmp_path / "store" / "digits-1.npz").training
    assert record["recipe"] == TINY_RECIPE.to_json() | {"seed": 8}


def test_training_again_into_the_same_store_changes_nothing(
    folder: Path, places: list[str]
) -> None:
    command = ["training", "train", str(folder / "tiny.toml"), *places]
    first, again = run_module(*command), run_module(*command)
    assert (first.returncode, again.returncode) == (0, 0)
    assert again.stdout.splitlines()[:2] == first.stdout.splitlines()[:2]


def test_what_was_trained_is_kept_beside_a_version_that_is_taken(
    folder: Path, places: list[str]
) -> None:
    taken = folder / "taken"
    before = (taken / "digits-1.npz").read_bytes()
    run = run_module("training", "train", folder / "tiny.toml", *places, "--store", taken)
    assert run.returncode == 0
    path, digest, *_ = run.stdout.splitlines()
    assert Path(path) == taken / "digits-2.npz"
    assert (taken / "digits-1.npz").read_bytes() == before
    assert artifacts.read(taken / "digits-2.npz").version == 2
    assert artifacts.read(taken / "digits-2.npz").digest() == digest


def test_a_run_that_diverges_says_so_in_one_line_and_publishes_nothing(
    folder: Path, places: list[str], tmp_path: Path
) -> None:
    run = run_module("training", "train", folder / "wild.toml", *places)
    assert_one_line_error(run, "learning_rate")
    assert len(run.stderr.splitlines()) == 1  # without numpy's warnings
    assert Store(tmp_path / "store").versions() == []


# -- evaluate, compare, rows --------------------------------------------------


def test_evaluate_prints_the_record_of_the_test_set(folder: Path, tiny_artifact: Artifact) -> None:
    run = run_module("training", "evaluate", folder / "tiny.npz", "--data", folder / "mnist")
    assert run.returncode == 0, run.stderr
    found = examine(tiny_artifact.network, tiny_artifact.confidence, MNIST.test)
    assert json.loads(run.stdout) == evaluate_test(found, MNIST.test_writers)


def test_compare_sets_two_artifacts_side_by_side(
    folder: Path, tiny_artifact: Artifact, tmp_path: Path
) -> None:
    blind = {name: 0 * array for name, array in tiny_artifact.parameters.items()}
    zeros = np.zeros_like(tiny_artifact.golden_logits)
    values = {"version": 2, "parameters": blind, "golden_logits": zeros}
    other = tmp_path / "blind.npz"
    artifacts.write(other, Artifact(**(vars(tiny_artifact) | values)))
    run = run_module("training", "compare", folder / "tiny.npz", other, "--data", folder / "mnist")
    assert run.returncode == 0, run.stderr
    heads, *_, verdict = run.stdout.splitlines()
    assert heads.split() == [str(folder / "tiny.npz"), str(other)]
    assert "10 of 100" in run.stdout  # the blind one says 0
    assert verdict.startswith("McNemar's test: p < ")
    assert verdict.endswith(f"so {folder / 'tiny.npz'} reads better.")


def test_rows_writes_a_csv_like_kaggles(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "digits.csv"
    chosen = ["--rows", "60", "--seed", "3"]
    run = run_module("training", "rows", path, *chosen, "--data", folder / "mnist")
    assert (run.returncode, run.stdout) == (0, f"{path}\n")
    expected, found = kaggle_rows(MNIST, 60, 3), read_csv(path)
    np.testing.assert_array_equal(found.images, expected.images)
    np.testing.assert_array_equal(found.labels, expected.labels)


def test_a_recipe_on_rows_needs_no_mnist(folder: Path, places: list[str], tmp_path: Path) -> None:
    path = tmp_path / "digits.csv"
    write_csv(path, kaggle_rows(MNIST, 250, 1))
    recipe = tmp_path / "csv.toml"
    recipe.write_text(CSV_RECIPE % path)
    elsewhere = {"DIGITS_DATA": str(folder / "none")}
    run = run_module("training", "train", recipe, *places[2:], environ=elsewhere)
    assert run.returncode == 0, run.stderr
    assert "of 50 test images right" in run.stdout


def test_rows_are_found_beside_mnist(places: list[str], tmp_path: Path, folder: Path) -> None:
    write_csv(folder / "mnist" / "digits.csv", kaggle_rows(MNIST, 250, 1))
    run = run_module("training", "train", folder / "csv.toml", *places)
    assert run.returncode == 0, run.stderr
    data = artifacts.read(tmp_path / "store" / "digits-1.npz").training["data"]
    assert list(data) == ["digits.csv"]


# -- what goes wrong ----------------------------------------------------------

TRAIN = ["train", "{folder}/tiny.toml", "--store", "{folder}/new", "--run", "{folder}/run"]
DATA = ["--data", "{folder}/mnist"]


def train(recipe: str) -> list[str]:
    """The arguments that would run that recipe."""
    return ["train", f"{{folder}}/{recipe}.toml", *TRAIN[2:], *DATA]


FAILURES = {
    "a recipe that is not there": (
        ["train", "unheard_of", *TRAIN[2:], *DATA],
        ["no recipe 'unheard_of'", "mlp"],
    ),
    "a recipe out of range": (train("wrong"), ["wrong.toml", "epochs must be 1 or more"]),
    "a width no layer can have": (train("wide"), ["wide.toml", "architecture", "outputs"]),
    "a seed below 0": ([*TRAIN, *DATA, "--seed", "-1"], ["seed must be 0 or more"]),
    "a teacher that is not there": (train("student"), ["nobody.npz", "no such file"]),
    "no data": ([*TRAIN, "--data", "{folder}/none"], ["none", "no such file"]),
    "an empty folder": (
        [*TRAIN, "--data", "{folder}/empty"],
        ["train-images-idx3-ubyte", "no such file"],
    ),
    "damaged data": (
        [*TRAIN, "--data", "{folder}/damaged"],
        ["t10k-images-idx3-ubyte", "is damaged"],
    ),
    "rows that nobody has written": (
        train("kaggle"),
        ["mnist-42000.csv", "`python -m training rows mnist-42000.csv`"],
    ),
    "a CSV that is not there": (
        [*train("csv"), "--data", "{folder}/empty"],
        ["neither digits.csv nor {folder}/empty/digits.csv", "name a CSV file"],
    ),
    "a file for a store": ([*TRAIN, *DATA, "--store", "{folder}/a_file"], ["a_file"]),
    "a file for a run's folder": (
        [*TRAIN, *DATA, "--run", "{folder}/a_file"],
        ["a_file: cannot hold a run", "name another folder"],
    ),
    "evaluate a file that is not there": (
        ["evaluate", "{folder}/none.npz", *DATA],
        ["none.npz", "no such file"],
    ),
    "evaluate a damaged file": (["evaluate", "{folder}/damaged.npz", *DATA], ["damaged.npz"]),
    "evaluate without data": (
        ["evaluate", "{folder}/tiny.npz", "--data", "{folder}/none"],
        ["no such file"],
    ),
    "compare with a damaged file": (
        ["compare", "{folder}/tiny.npz", "{folder}/damaged.npz", *DATA],
        ["damaged.npz"],
    ),
    "more rows than there are": (
        ["rows", "{folder}/rows.csv", *DATA],
        ["42000 of 300", "1 to 300"],
    ),
    "rows below a file": (
        ["rows", "{folder}/a_file/rows.csv", "--rows", "9", *DATA],
        ["a_file/rows.csv: cannot be written"],
    ),
    "reproduce what nobody has published": (
        ["reproduce", "mlp", "--output", "{folder}/new", *DATA],
        ["mlp: nothing is published of it", "tiny-nn"],
    ),
    "reproduce into a file": (
        ["reproduce", "tiny-nn", "--output", "{folder}/a_file", *DATA],
        ["a_file"],
    ),
}


@table("arguments, words", FAILURES)
def test_a_failure_is_found_before_training_and_said_in_one_line(
    arguments: list[str], words: list[str], folder: Path
) -> None:
    run = run_module("training", *(argument.format(folder=folder) for argument in arguments))
    assert run.stdout == ""
    assert_one_line_error(run, *(word.format(folder=folder) for word in words))
    assert len(run.stderr.splitlines()) == 1


def test_a_data_folder_of_the_environment_that_is_not_there_is_named(folder: Path) -> None:
    run = run_module(
        "training", "evaluate", folder / "tiny.npz", environ={"DIGITS_DATA": f"{folder}/none"}
    )
    assert_one_line_error(run, f"{folder}/none", "DIGITS_DATA")


@pytest.mark.parametrize(
    "arguments",
    [[], ["unknown"], ["train"], ["evaluate"], ["compare", "one.npz"], ["rows"]],
    ids=" ".join,
)
def test_a_command_that_is_misspelt_is_explained(arguments: list[str]) -> None:
    assert_usage(run_module("training", *arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        ["rows", "rows.csv", "--rows", "0"],
        ["rows", "rows.csv", "--seed", "-1"],
        ["reproduce", "--seeds", "0"],
        ["reproduce", "--jobs", "0"],
        ["reproduce", "--jobs", "two"],
    ],
    ids=" ".join,
)
def test_a_count_is_a_whole_number_from_1(arguments: list[str]) -> None:
    run = run_module("training", *arguments)
    assert_usage(run)
    *_, option, value = arguments
    assert f"argument {option}: '{value}' is no whole number from 1" in run.stderr


def assert_usage(run: subprocess.CompletedProcess[str]) -> None:
    assert run.returncode == 2
    assert run.stderr.startswith("usage: python -m training")


def test_help_names_commands_and_recipes() -> None:
    commands = run_module("training", "--help").stdout
    for command in ("train", "evaluate", "compare", "reproduce", "rows", "data"):
        assert f"\n    {command}" in commands
    assert "mlp" in run_module("training", "train", "--help").stdout
