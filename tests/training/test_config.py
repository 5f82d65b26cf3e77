import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from model.architecture import MAX_WIDTH, mlp
from tests.helpers import TINY_RECIPE, table
from training.config import RECIPES, AugmentationConfig, OptimizerConfig, Recipe, load_recipe
from training.errors import RecipeError

SOUND = """
name = "sound"
version = 3
seed = 5
hidden = [32, 16]
epochs = 2
batch_size = 64
validation_fraction = 0.2

[optimizer]
learning_rate = 0.002
weight_decay = 1

[augmentation]
rotation = 10
shift = 1.5
"""


def recipe_file(folder: Path, text: str) -> str:
    path = folder / "a.toml"
    path.write_text(text)
    return str(path)


def assert_bad_recipe(name: str, *words: str) -> None:
    """The recipe is refused in one line that names its file and has the words."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(name)
    message = str(caught.value)
    assert name in message
    assert message.isprintable()
    for word in words:
        assert word in message


# -- sound recipes ----------------------------------------------------------


def test_a_recipe_is_what_its_file_says(tmp_path: Path) -> None:
    assert load_recipe(recipe_file(tmp_path, SOUND)) == Recipe(
        name="sound",
        version=3,
        seed=5,
        hidden=(32, 16),
        epochs=2,
        batch_size=64,
        validation_fraction=0.2,
        optimizer=OptimizerConfig(learning_rate=0.002, weight_decay=1.0),
        augmentation=AugmentationConfig(rotation=10.0, shift=1.5),
    )


def test_a_whole_number_will_do_for_a_float(tmp_path: Path) -> None:
    assert type(load_recipe(recipe_file(tmp_path, SOUND)).augmentation.rotation) is float


def test_what_has_a_default_may_be_left_out(tmp_path: Path) -> None:
    text = SOUND.replace("validation_fraction = 0.2", "").partition("[augmentation]")[0]
    recipe = load_recipe(recipe_file(tmp_path, text))
    assert recipe.validation_fraction == 0.1
    assert recipe.augmentation == AugmentationConfig()
    assert not recipe.augmentation.enabled


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_every_shipped_recipe_loads_by_its_name(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe == load_recipe(str(RECIPES / f"{name}.toml"))
    assert recipe.architecture.parameter_count() > 0


def test_the_small_model_is_the_one_of_every_speed_comparison() -> None:
    assert load_recipe("mlp").architecture == mlp(784, 128, 64, 10)


@pytest.mark.parametrize("hidden", [(), (16,), (32, 16, 8)])
def test_hidden_widths_make_the_network(hidden: tuple[int, ...]) -> None:
    recipe = dataclasses.replace(TINY_RECIPE, hidden=hidden)
    assert recipe.architecture == mlp(784, *hidden, 10)


def test_a_recipe_is_json_that_says_all_of_it(tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file(tmp_path, SOUND))
    value = json.loads(json.dumps(recipe.to_json(), allow_nan=False))
    assert value == recipe.to_json()
    rebuilt = {
        **value,
        "hidden": tuple(value["hidden"]),
        "optimizer": OptimizerConfig(**value["optimizer"]),
        "augmentation": AugmentationConfig(**value["augmentation"]),
    }
    assert Recipe(**rebuilt) == recipe


@pytest.mark.parametrize("bound", ["rotation", "scale", "shear", "shift"])
def test_any_bound_enables_augmentation(bound: str) -> None:
    assert AugmentationConfig(**{bound: 0.5}).enabled


# -- ranges -----------------------------------------------------------------

NAN, INF = math.nan, math.inf
OPTIMIZER, AUGMENTATION = OptimizerConfig(0.01), AugmentationConfig()

RANGES: dict[str, tuple[Any, list[object], list[object]]] = {
    # field: what it is a field of, values within, values outside
    "name": (TINY_RECIPE, ["a", "mlp_2"], ["", "a b", "../a", "a.b", "1"]),
    "version": (TINY_RECIPE, [1, 999_999_999], [0, -1]),
    "seed": (TINY_RECIPE, [0, 10**20], [-1]),
    "hidden": (TINY_RECIPE, [(), (1,), (MAX_WIDTH,)], [(0,), (16, -1), (MAX_WIDTH + 1,)]),
    "epochs": (TINY_RECIPE, [1, 1000], [0, -1]),
    "batch_size": (TINY_RECIPE, [1, 100_000], [0, -1]),
    "validation_fraction": (TINY_RECIPE, [0.01, 0.99], [0.0, 1.0, -0.1, NAN]),
    "blas_threads": (TINY_RECIPE, [1, 64], [0, -1]),
    "optimizer.learning_rate": (OPTIMIZER, [1e-9, 1.0], [0.0, -1.0, NAN, INF]),
    "optimizer.beta1": (OPTIMIZER, [0.0, 0.999], [1.0, -0.1, NAN]),
    "optimizer.beta2": (OPTIMIZER, [0.0, 0.999], [1.0, -0.1, NAN]),
    "optimizer.epsilon": (OPTIMIZER, [1e-12, 1.0], [0.0, -1e-8, NAN, INF]),
    "optimizer.weight_decay": (OPTIMIZER, [0.0, 1.0], [-0.1, NAN, INF]),
    "augmentation.rotation": (AUGMENTATION, [0.0, 45.0], [-1.0, 45.1, NAN]),
    "augmentation.scale": (AUGMENTATION, [0.0, 0.99], [-0.1, 1.0, NAN]),
    "augmentation.shear": (AUGMENTATION, [0.0, 0.99], [-0.1, 1.0, NAN]),
    "augmentation.shift": (AUGMENTATION, [0.0, 27.9], [-0.1, 28.0, NAN]),
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in RANGES for value in RANGES[field][1]]
)
def test_a_value_within_its_range_is_taken(field: str, value: object) -> None:
    name = field.rpartition(".")[2]
    changed = dataclasses.replace(RANGES[field][0], **{name: value})
    assert getattr(changed, name) == value


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in RANGES for value in RANGES[field][2]]
)
def test_a_value_outside_its_range_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(RecipeError, match=f"^{field} must be .*; correct it in the recipe"):
        dataclasses.replace(RANGES[field][0], **{field.rpartition(".")[2]: value})


def test_every_field_has_its_range_checked() -> None:
    sections = {"": Recipe, "optimizer.": OptimizerConfig, "augmentation.": AugmentationConfig}
    fields = {
        prefix + field.name for prefix, cls in sections.items() for field in dataclasses.fields(cls)
    }
    assert fields - {"optimizer", "augmentation"} == RANGES.keys()


# -- files ------------------------------------------------------------------


@table(
    "old, new, words",
    {
        "unknown": ("seed = 5", "seed = 5\ncolour = 1", ["colour", "is not a field", "batch_size"]),
        "unknown in a section": ("shift = 1.5", "noise = 1.5", ["augmentation.noise", "shift"]),
        "unknown section": ("[augmentation]", "[schedule]", ["schedule", "is not a field"]),
        "missing": ("epochs = 2", "", ["epochs is missing"]),
        "missing in a section": ("learning_rate = 0.002", "", ["optimizer.learning_rate"]),
        "missing section": ("[optimizer]", "[augmentation.extra]", ["augmentation.extra"]),
        "text for a number": ("epochs = 2", 'epochs = "2"', ["epochs must be of type int"]),
        "fraction for a count": ("epochs = 2", "epochs = 2.0", ["epochs must be of type int"]),
        "true for a count": ("epochs = 2", "epochs = true", ["epochs must be of type int"]),
        "true for a float": ("shift = 1.5", "shift = true", ["augmentation.shift must be"]),
        "text for a float": ("shift = 1.5", 'shift = "1"', ["augmentation.shift must be"]),
        "number for text": ('name = "sound"', "name = 1", ["name must be of type str"]),
        "number for a list": ("[32, 16]", "32", ["hidden must be a list of integers"]),
        "fractions in a list": ("[32, 16]", "[32.0]", ["hidden must be a list of integers"]),
        "text in a list": ("[32, 16]", '["32"]', ["hidden must be a list of integers"]),
        "true in a list": ("[32, 16]", "[true]", ["hidden must be a list of integers"]),
        "number for a section": ("[optimizer]", "optimizer = 1\n[other]", ["optimizer must be"]),
        "list for a section": ("[optimizer]", "[[optimizer]]", ["optimizer must be a table"]),
        "out of range": ("epochs = 2", "epochs = 0", ["epochs must be 1 or more"]),
        "out of range in a section": ("0.002", "-1.0", ["optimizer.learning_rate must be above"]),
        "nan": ("0.002", "nan", ["optimizer.learning_rate"]),
        "inf": ("0.002", "inf", ["optimizer.learning_rate"]),
        "a width no layer can have": ("[32, 16]", "[100000000]", ["hidden"]),
        "a number too large for a float": ("0.002", "1" + "0" * 400, ["optimizer.learning_rate"]),
        "not TOML": ("epochs = 2", "epochs: 2", ["not TOML", "line"]),
        "a key twice": ("epochs = 2", "epochs = 2\nepochs = 3", ["not TOML"]),
        "a line break in a name": ('name = "sound"', '"a\\nb" = 1', ["is not a field"]),
        "a number of 5000 digits": ("epochs = 2", "epochs = " + "9" * 5000, [""]),
    },
)
def test_a_wrong_field_is_named(old: str, new: str, words: list[str], tmp_path: Path) -> None:
    assert SOUND.count(old) == 1
    assert_bad_recipe(recipe_file(tmp_path, SOUND.replace(old, new)), *words)


def test_bytes_that_are_no_text_are_no_recipe(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"name = '\xff'")
    assert_bad_recipe(str(path), "not TOML")


@pytest.mark.parametrize("name", ["unheard_of", "", "mlp.yaml", "none.toml"])
def test_a_recipe_that_is_not_there_is_answered_with_those_that_are(name: str) -> None:
    assert_bad_recipe(name, "there is no recipe", "mlp")


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.toml").mkdir()
    assert_bad_recipe(str(tmp_path / "a.toml"), "there is no recipe")
