import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pytest

from model.artifact import Artifact
from tests.helpers import TINY_RECIPE, table
from tests.training.runs import MNIST, changed
from training.config import DataConfig
from training.release import build
from training.sweep_report import (
    Entry,
    Run,
    Spread,
    document,
    heads,
    markdown,
    ranked,
    report,
    rows,
)


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    return build(TINY_RECIPE, MNIST, show_progress=False)


def entry(
    artifact: Artifact,
    accuracies: Sequence[float],
    settings: str = "",
    failures: dict[int, str] | None = None,
    test: float | None = None,
) -> Entry:
    """Runs of seeds 0, 1, ... that read such shares of 62 held-out images right."""
    runs = []
    for seed, accuracy in enumerate(accuracies):
        evaluation: dict[str, Any] = {"validation": {"accuracy": accuracy, "images": 62}}
        if test is not None:
            evaluation["test"] = {"accuracy": test, "images": 200}
        made = dataclasses.replace(artifact, evaluation=evaluation)
        runs.append(Run(seed, made, f"runs/tiny-{seed}/artifact.npz", 10.0 + seed))
    return Entry("tiny", settings, runs, failures or {})


# -- the table ----------------------------------------------------------------


def test_a_row_has_mean_deviation_and_extremes_of_what_was_held_out(artifact: Artifact) -> None:
    found = entry(artifact, [0.90, 0.94, 0.95], "epochs=3", {7: "the loss is nan"})
    assert rows([found], open_test=False) == [
        (
            "tiny",
            "epochs=3",
            "3 of 4",
            "93.00%",
            "2.65%",
            "90.00%",
            "95.00%",
            "62 images",
            "11 s",
        )
    ]


@table(
    "accuracies, test, cells",
    {
        "one run has no deviation": ([0.9], None, ["90.00%", "", "90.00%", "90.00%"]),
        "none is done": ([], None, ["", "", "", ""]),
        "the test set is open": ([0.9, 0.9], 0.8, ["90.00%", "0.00%", "90.00%", "90.00%"]),
    },
)
def test_what_is_not_known_is_left_out(
    accuracies: list[float], test: float | None, cells: list[str], artifact: Artifact
) -> None:
    found = entry(artifact, accuracies, failures={7: "no"}, test=test)
    [row] = rows([found], open_test=test is not None)
    assert len(row) == len(heads(open_test=test is not None))
    assert list(row[3:7]) == cells
    assert (row[-1] == "80.00% ± 0.00%") is (test is not None)


def test_the_best_on_what_was_held_out_is_first_whatever_the_test_says(artifact: Artifact) -> None:
    worse = entry(artifact, [0.8, 0.9], "a", test=0.99)
    better = entry(artifact, [0.88, 0.88], "b", test=0.5)
    none = entry(artifact, [], "c", {0: "failed"})
    assert ranked([none, worse, better]) == [better, worse, none]


def test_what_held_nothing_out_is_shown_and_last() -> None:
    recipe = changed(data=DataConfig(validation_fraction=0))
    artifact = build(recipe, MNIST, open_test=False, show_progress=False)
    nothing = Entry("tiny", "", [Run(0, artifact, "a", 1.0)], {})
    [row] = rows([nothing], open_test=False)
    assert row[3:8] == ("", "", "", "", "nothing")
    assert ranked([nothing, entry(artifact, [0.1])])[1] is nothing
    assert "<svg" not in report([nothing], open_test=False)


def test_the_table_is_markdown(artifact: Artifact) -> None:
    lines = markdown([entry(artifact, [0.9])], open_test=True).splitlines()
    assert [line.count("|") for line in lines] == [len(heads(open_test=True)) + 1] * 3
    assert lines[1] == "| " + " | ".join(["---"] * len(heads(open_test=True))) + " |"


# -- the document and the page ------------------------------------------------


def test_the_document_has_every_run(artifact: Artifact) -> None:
    found = entry(artifact, [0.9, 0.8], "epochs=3", {7: "the loss is nan"})
    [one] = json.loads(document([found]))["entries"]
    assert (one["recipe"], one["settings"]) == ("tiny", "epochs=3")
    assert one["validation"] == {
        "mean": pytest.approx(0.85),
        "deviation": pytest.approx(0.0707, abs=1e-4),
        "lowest": 0.8,
        "highest": 0.9,
    }
    assert one["test"] is None
    assert one["failures"] == [{"seed": 7, "reason": "the loss is nan"}]
    assert [run["seed"] for run in one["runs"]] == [0, 1]
    run = one["runs"][0]
    assert run["digest"] == found.runs[0].artifact.digest()
    assert run["recipe"] == TINY_RECIPE.to_json()
    assert run["machine"] == artifact.training["machine"]


def test_the_page_shows_table_curves_failures_and_machine(artifact: Artifact) -> None:
    found = entry(artifact, [0.9, 0.8], "epochs=3", {7: "the loss is <nan>"})
    page = report([found], open_test=False)
    for cell in rows([found], open_test=False)[0]:
        assert cell in page
    machine = artifact.training["machine"]
    for text in (
        "tiny epochs=3: held-out accuracy",
        "runs/tiny-1/artifact.npz",
        "the loss is &lt;nan&gt;",
        machine["numpy"],
        artifact.training["source_revision"],
    ):
        assert text in page
    assert page.count("<svg") == 1


def test_the_spread_of_one_run_is_itself() -> None:
    assert Spread.of([0.5]) == Spread(0.5, None, 0.5, 0.5)
