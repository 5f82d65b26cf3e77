import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import (
    ROOT,
    TINY_RECIPE,
    assert_one_line_error,
    environment,
    synthetic_mnist,
    table,
    write_idx_folder,
)
from training import config, dataset, reproduction, rows
from training.config import DataConfig, Recipe, load_recipe
from training.errors import RecipeError
from training.reproduction import (
    HEADS,
    PUBLISHED,
    Outcome,
    Published,
    markdown,
    reached,
    report,
    reproduce,
    run_once,
    table_rows,
)
from training.trainer import train

MNIST = synthetic_mnist(train=300, test=100, writers=None)
PATIENCE = 60  # seconds: far beyond what anything here takes

ON_ROWS = dataclasses.replace(
    TINY_RECIPE, data=DataConfig("rows.csv", shuffle=True, test_rows=60, validation_fraction=0)
)

OUTCOMES = {
    "tiny-nn": [
        Outcome(0.97, 0.95, [2.0, 0.5], [0.3, 0.9], 60_000, 10.0, 470_400_000),
        Outcome(0.99, 0.96, [2.5, 0.4], [0.2, 0.9], 60_000, 12.0, 235_200_000),
        Outcome(0.98, 0.97, [2.2, 0.3], [0.1, 0.9], 60_000, 31.0, 188_160_000),
    ],
    "l-layer-sgd": [Outcome(1.0, 0.98, [1.0], [0.7], 60_000, 3.4, 188_160_000)],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_idx_folder(tmp_path / "mnist", MNIST)


# -- what was published -------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_network_is_a_recipe_that_reproduces_it(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.data.validation_fraction == 0  # all that its author trained on
    assert recipe.data.source in {config.MNIST, dataset.KAGGLE_LIKE}
    published = PUBLISHED[name]
    figures = [published.training, published.test]
    assert any(figure is not None for figure in figures)
    assert all(figure is None or 0.5 < figure < 1 for figure in figures)


# -- one run ------------------------------------------------------------------


@pytest.mark.usefixtures("one_blas_thread")
def test_a_run_is_that_of_the_trainer(folder: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(TINY_RECIPE, data=DataConfig(validation_fraction=0))
    outcome = run_once(recipe, folder, tmp_path)
    _, history = train(recipe, MNIST.train, MNIST.train.part(0, 0))
    assert outcome.losses == [epoch.loss for epoch in history]
    assert outcome.accuracies == [epoch.accuracy for epoch in history]
    assert outcome.images == 300
    assert outcome.training > outcome.accuracies[-1]  # that of the final network
    assert 0.5 < outcome.test <= 1
    assert outcome.seconds > 0
    assert outcome.memory_share == outcome.memory / (300 * 784 * 4)


def test_rows_are_those_in_the_output_not_those_that_lie_about(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, here = tmp_path / "output", tmp_path / "here"
    rows.write_csv(output / "rows.csv", dataset.kaggle_rows(MNIST, 200, 1))
    rows.write_csv(here / "rows.csv", dataset.kaggle_rows(MNIST, 100, 1))
    monkeypatch.chdir(here)
    assert run_once(ON_ROWS, folder, output).images == 200 - 60


# -- all of them --------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small recipes in the place of the published ones, one of them on 200 rows."""
    recipes = {
        "tiny": dataclasses.replace(TINY_RECIPE, data=DataConfig(validation_fraction=0)),
        "rows": dataclasses.replace(ON_ROWS, name="rows"),
    }
    published = {"tiny": Published(test=0.9), "rows": Published(training=0.8, loss=0.5)}
    monkeypatch.setattr(reproduction, "PUBLISHED", published)
    monkeypatch.setattr(reproduction, "load_recipe", lambda name: recipes[name])
    monkeypatch.setattr(reproduction, "ROWS", 200)


def kept(output: Path, name: str) -> dict[str, object]:
    document: dict[str, object] = json.loads((output / f"{name}.json").read_bytes())
    return document


@pytest.mark.usefixtures("small")
def test_all_recipes_are_run_with_all_seeds(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "output"
    found = reproduce([], 2, folder, output, jobs=2)
    assert sorted(path.name for path in output.iterdir()) == [
        "report.html",
        "rows-1.json",
        "rows-2.json",
        "rows.csv",
        "table.md",
        "tiny-1.json",
        "tiny-2.json",
    ]
    assert (output / "table.md").read_text("utf-8") == found
    assert [line.split(" | ")[0] for line in found.splitlines()] == [
        "| recipe",
        "| ---",
        "| tiny",
        "| rows",
    ]
    expected = dataset.kaggle_rows(MNIST, 200, reproduction.ROWS_SEED)
    np.testing.assert_array_equal(rows.read_csv(output / "rows.csv").labels, expected.labels)
    for seed in (1, 2):
        recipe = Recipe.from_json(kept(output, f"tiny-{seed}")["recipe"])
        assert recipe == dataclasses.replace(TINY_RECIPE, seed=seed, data=recipe.data)
    assert kept(output, "tiny-1")["outcome"] != kept(output, "tiny-2")["outcome"]


@pytest.mark.usefixtures("small")
def test_what_is_kept_is_not_run_again_unless_it_is_of_another_recipe(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reproduce(["tiny"], 1, folder, tmp_path / "output")
    path = tmp_path / "output" / "tiny-1.json"
    document = kept(tmp_path / "output", "tiny-1")
    path.write_text(json.dumps(document | {"outcome": vars(OUTCOMES["l-layer-sgd"][0])}))
    assert "| 98.00% |" in reproduce(["tiny"], 1, folder, tmp_path / "output")
    for content in (
        json.dumps(document | {"outcome": {}}),
        json.dumps(document | {"recipe": {}}),
        "[]",
        "damaged",
    ):
        path.write_text(content)
        reproduce(["tiny"], 1, folder, tmp_path / "output")
        assert kept(tmp_path / "output", "tiny-1")["recipe"] == document["recipe"]
    monkeypatch.setattr(
        reproduction, "load_recipe", lambda _: dataclasses.replace(TINY_RECIPE, epochs=3)
    )
    reproduce(["tiny"], 1, folder, tmp_path / "output")
    assert kept(tmp_path / "output", "tiny-1") != document


def test_a_recipe_of_which_nothing_is_published_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"mlp: nothing is published of it; choose from batch-gd"):
        reproduce(["tiny-nn", "mlp"], 1, folder, tmp_path / "output")
    assert not (tmp_path / "output").exists()


# -- ends ---------------------------------------------------------------------


def reproducing(folder: Path, output: Path) -> subprocess.Popen[str]:
    """The command on runs that take minutes, in a process group of its own."""
    large = write_idx_folder(folder / "large", synthetic_mnist(train=20_000, test=10, writers=None))
    arguments = ["l-layer-sgd", "--seeds", "4", "--jobs", "2", "--data", large, "--output", output]
    return subprocess.Popen(
        [sys.executable, "-m", "training", "reproduce", *map(str, arguments)],
        cwd=ROOT,
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def children(process: subprocess.Popen[str]) -> list[int]:
    """The processes of the runs."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    found = [int(child) for task in tasks for child in task.read_text().split()]
    return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def leaves_interrupts_to_others(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    [blocked] = [line.split()[1] for line in status if line.startswith("SigBlk:")]
    return bool(int(blocked, 16) >> (signal.SIGINT - 1) & 1)


def end(
    process: subprocess.Popen[str], delay: float, *, interrupt: bool
) -> subprocess.CompletedProcess[str]:
    """What came of a command after Ctrl-C, or after one of its runs was killed.

    Its output ends when it and all its runs have ended, for all have it open.
    """
    with process:
        try:
            while len(children(process)) < 2:
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(delay)
            if interrupt:
                # Or a run that is just starting may, now and then, print a traceback.
                assert all(map(leaves_interrupts_to_others, children(process)))
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            else:
                os.kill(children(process)[0], signal.SIGKILL)  # as a system without memory does
            output, errors = process.communicate(timeout=PATIENCE)
        finally:
            with contextlib.suppress(ProcessLookupError):  # as it should be
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@LINUX
@pytest.mark.parametrize("delay", [0.1, 0.5], ids=["as they start", "at work"])
def test_ctrl_c_ends_all_runs_at_once(delay: float, tmp_path: Path) -> None:
    run = end(reproducing(tmp_path, tmp_path / "output"), delay, interrupt=True)
    assert run.returncode == 130
    assert run.stdout == ""
    said = f"stopped; runs that are done are kept in {tmp_path / 'output'}"
    assert run.stderr.splitlines()[-1] == said
    assert "Traceback" not in run.stderr


@LINUX
def test_a_run_that_is_killed_ends_the_others_and_is_said_in_one_line(tmp_path: Path) -> None:
    run = end(reproducing(tmp_path, tmp_path / "output"), 0.5, interrupt=False)
    assert_one_line_error(run, "was killed", "--jobs", "are kept")


# -- the table and the report -------------------------------------------------


def test_the_table_has_means_deviations_and_what_was_published() -> None:
    assert table_rows(OUTCOMES) == [
        (
            "tiny-nn",
            "98.00% ± 1.00%",
            "97.78%",
            "96.00% ± 1.00%",
            "96.91%",
            "0.400 ± 0.100",
            "0.079",
            "no",
            "12 s",
            "449 MiB",
            "2.50",
        ),
        (
            "l-layer-sgd",
            "100.00%",
            "",
            "98.00%",
            "92.00%",
            "1.000",
            "",
            "yes",
            "3 s",
            "179 MiB",
            "1.00",
        ),
    ]


@table(
    "published, words",
    {
        "the mean of the test accuracies counts": (Published(training=1, test=0.96), "yes"),
        "also where single runs are better": (Published(test=0.965), "no"),
        "without one, that of training": (Published(training=0.98), "yes"),
        "which may be missed": (Published(training=0.981), "no"),
    },
)
def test_what_counts_as_reached(published: Published, words: str) -> None:
    assert reached(published, OUTCOMES["tiny-nn"]) is (words == "yes")


def test_the_table_is_markdown() -> None:
    lines = markdown(OUTCOMES).splitlines()
    assert len(lines) == 4
    for line in lines:
        assert line.startswith("| ")
        assert line.endswith(" |")
        assert line.count("|") == len(HEADS) + 1
    assert lines[1] == "| " + " | ".join(["---"] * len(HEADS)) + " |"


def test_the_report_shows_the_table_every_run_and_the_machine() -> None:
    page = report(OUTCOMES)
    for row in table_rows(OUTCOMES):
        for cell in row:
            assert cell in page
    for text in ("tiny-nn: loss", "seed 3", "l-layer-sgd: loss", "blas_threads", np.__version__):
        assert text in page
    assert "seed 4" not in page
