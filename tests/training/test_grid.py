import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import table
from training.config import load_recipe
from training.errors import RecipeError
from training.grid import Varied, candidates, run_name, varied

MLP = load_recipe("mlp")


# -- what is written ----------------------------------------------------------


@table(
    "text, field, values",
    {
        "numbers": (
            "optimizer.learning_rate=0.001,2e-3",
            "optimizer.learning_rate",
            (0.001, 0.002),
        ),
        "a whole number": ("epochs=3", "epochs", (3,)),
        "spaces": ("epochs=3, 4", "epochs", (3, 4)),
        "the same twice": ("epochs=3,4,3", "epochs", (3, 4)),
        "truth": ("data.shuffle=true,false", "data.shuffle", (True, False)),
        "words": ("optimizer.type=adam,adamw", "optimizer.type", ("adam", "adamw")),
        "words in quotes": ('loss.teacher="a,b.npz"', "loss.teacher", ("a,b.npz",)),
        "a word beside a number": ("data.source=3,mnist", "data.source", (3, "mnist")),
        "a table": (
            'schedule={type="step",epochs=2,factor=0.5},{type="cosine"}',
            "schedule",
            ({"type": "step", "epochs": 2, "factor": 0.5}, {"type": "cosine"}),
        ),
        "an equals sign": ('data.source="a=b.csv"', "data.source", ("a=b.csv",)),
    },
)
def test_values_are_written_as_in_a_recipe(text: str, field: str, values: tuple[Any, ...]) -> None:
    assert varied(text) == Varied(field, values)


@pytest.mark.parametrize("text", ["epochs", "epochs=", "=3", ""])
def test_what_says_no_field_or_no_value_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match=r"--set .*is not FIELD=VALUE"):
        varied(text)


# -- what comes of it ---------------------------------------------------------


def test_every_recipe_meets_every_combination() -> None:
    grid = [Varied("epochs", (3, 4)), Varied("optimizer.learning_rate", (0.1, 0.2))]
    found = candidates(["mlp", "tiny-nn"], grid)
    assert [(one.recipe.epochs, one.recipe.optimizer.learning_rate) for one in found] == [
        (3, 0.1),
        (3, 0.2),
        (4, 0.1),
        (4, 0.2),
    ] * 2
    assert [one.recipe.name for one in found] == ["mlp"] * 4 + ["tiny-nn"] * 4
    assert found[1].label == "mlp epochs=3 optimizer.learning_rate=0.2"


def test_without_settings_a_recipe_is_as_it_stands() -> None:
    [found] = candidates(["mlp"], [])
    assert (found.recipe, found.settings, found.label) == (MLP, "", "mlp")
    assert found.run(5) == dataclasses.replace(MLP, seed=5)


def test_a_recipe_may_be_a_file_and_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = Path("training/recipes/mlp.toml").read_text("utf-8")
    path.write_text(text.replace('name = "mlp"', 'name = "mine"'))
    found = candidates(["mlp", str(path), "mlp"], [])
    assert [one.recipe.name for one in found] == ["mlp", "mine"]
    path.write_text(text)
    with pytest.raises(RecipeError, match="name: two recipes are called mlp"):
        candidates(["mlp", str(path)], [])


@table(
    "field, value, words",
    {
        "out of range": ("optimizer.learning_rate", -1.0, "optimizer.learning_rate must be above"),
        "of another type": ("epochs", 1.5, "epochs must be of type int"),
        "a word for a number": ("epochs", "many", "epochs must be of type int"),
        "unknown": ("optimizer.rate", 1.0, "optimizer.rate is not a field"),
        "unknown table": ("optimiser.learning_rate", 1.0, "optimiser is not a field"),
        "unknown choice": ("optimizer.type", "adagrad", "optimizer must be a table with a type"),
        "below a number": ("epochs.many", 1, "--set epochs.many: epochs is no table"),
        "below a list": ("architecture.0.outputs", 1, "architecture is no table"),
        "the seed": ("seed", 1, "--set seed: .* use --seeds"),
        "the name": ("name", "x", "--set name: "),
    },
)
def test_what_a_recipe_cannot_be_names_the_field(field: str, value: object, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        candidates(["mlp"], [Varied(field, (value,))])


def test_a_field_is_varied_once() -> None:
    with pytest.raises(RecipeError, match="--set epochs: is given twice"):
        candidates(["mlp"], [Varied("epochs", (1,)), Varied("epochs", (2,))])


def test_a_runs_name_is_that_of_its_recipe_alone() -> None:
    names = {
        run_name(dataclasses.replace(MLP, **changes))
        for changes in ({}, {"seed": 9}, {"epochs": 41}, {"warm_up": 0.5})
    }
    assert len(names) == 4
    assert run_name(MLP) == run_name(load_recipe("mlp"))
    assert run_name(MLP).startswith(f"mlp-{MLP.seed}-")
