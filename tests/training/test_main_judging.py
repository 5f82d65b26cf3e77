"""``python -m training evaluate`` on every kind of set, and ``release``, as a user runs them."""

import csv
from pathlib import Path

import pytest
from PIL import Image

from model import artifact as artifacts
from model.artifact import Artifact
from model.store import Store
from tests.helpers import (
    assert_one_line_error,
    run_module,
    synthetic_mnist,
    table,
    write_idx_folder,
)
from training.corruptions import CORRUPTIONS
from training.drawings import VARIANTS
from training.scene_kinds import KINDS
from training.strangers import SETS

MNIST = synthetic_mnist(train=60, test=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_artifact: Artifact) -> Path:
    """An artifact, a small MNIST and a few drawings."""
    path = tmp_path_factory.mktemp("judging")
    artifacts.write(path / "tiny.npz", tiny_artifact)
    write_idx_folder(path / "mnist", MNIST)
    (path / "drawings" / "img").mkdir(parents=True)
    with (path / "drawings" / "labels.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label"])
        for number in range(4):
            Image.fromarray(255 - MNIST.test.images[number]).save(
                path / "drawings" / "img" / f"{number}.png"
            )
            rows.writerow([f"{number}.png", MNIST.test.labels[number]])
    return path


@table(
    "option, names",
    {
        "robustness": ("--robustness", list(CORRUPTIONS)),
        "refusals": ("--refusals", [name.replace("_", " ") for name in SETS]),
        "drawings": ("--drawings", list(VARIANTS)),
        "scenes": ("--scenes", [*KINDS, "all"]),
    },
)
def test_evaluate_prints_a_table(folder: Path, option: str, names: list[str]) -> None:
    run = run_module(
        *("training", "evaluate", folder / "tiny.npz", option),
        *("--data", folder / "mnist", "--strangers", "2"),
        environ={"DIGITS_DRAWINGS": str(folder / "drawings")},
    )
    assert run.returncode == 0, run.stderr
    first_cells = [line.split("|")[1].strip() for line in run.stdout.splitlines() if "|" in line]
    assert set(names) <= set(first_cells)


def test_release_publishes_the_artifact_with_all_that_was_measured(
    folder: Path, tmp_path: Path, tiny_artifact: Artifact
) -> None:
    run = run_module(
        *("training", "release", folder / "tiny.npz", "--store", tmp_path / "store"),
        *("--data", folder / "mnist", "--strangers", "2"),
        environ={"DIGITS_DRAWINGS": str(folder / "drawings")},
    )
    assert run.returncode == 0, run.stderr
    path = Store(tmp_path / "store").path(1)
    test = tiny_artifact.evaluation["test"]
    assert run.stdout.splitlines()[0] == str(path)
    assert f"{test['correct']} of {test['images']} test images right" in run.stdout
    assert artifacts.read(path).evaluation.keys() == {
        *("validation", "test", "seeds"),
        *("drawings", "robustness", "refusals", "scenes"),
    }


def test_a_release_without_drawings_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    run = run_module(
        *("training", "release", folder / "tiny.npz", "--store", tmp_path / "store"),
        *("--data", folder / "mnist"),
        environ={"DIGITS_DRAWINGS": str(tmp_path / "none")},
    )
    assert_one_line_error(run, "DIGITS_DRAWINGS")
    assert Store(tmp_path / "store").versions() == []


def test_one_table_at_a_time(folder: Path) -> None:
    run = run_module("training", "evaluate", folder / "tiny.npz", "--robustness", "--drawings")
    assert run.returncode == 2
    assert "not allowed with" in run.stderr
