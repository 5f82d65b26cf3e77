import json
from pathlib import Path

import pytest

from model.architecture import mlp
from model.specifications import Conv2D
from tests.helpers import table
from training.config import (
    RECIPES,
    AdamW,
    AugmentationConfig,
    Constant,
    DataConfig,
    He,
    Initialization,
    OneCycle,
    Recipe,
    SoftmaxCrossEntropy,
    Uniform,
    Zeros,
    load_recipe,
    recipe_names,
)
from training.errors import RecipeError

SOUND = """
name = "sound"
version = 3
seed = 5
epochs = 2
batch_size = 64
architecture = [
    { type = "conv2d", outputs = 4, kernel = 28 },
    { type = "flatten" },
    { type = "dense", outputs = 10 },
]

[optimizer]
type = "adamw"
learning_rate = 0.002
weight_decay = 1

[schedule]
type = "one_cycle"
rise = 0.25

[initialization]
biases = { type = "uniform", low = -1, high = 1 }

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
    recipe = load_recipe(recipe_file(tmp_path, SOUND))
    assert recipe == Recipe(
        name="sound",
        version=3,
        seed=5,
        epochs=2,
        batch_size=64,
        architecture=recipe.architecture,
        optimizer=AdamW(learning_rate=0.002, weight_decay=1.0),
        schedule=OneCycle(rise=0.25),
        initialization=Initialization(biases=Uniform(-1.0, 1.0)),
        augmentation=AugmentationConfig(rotation=10.0, shift=1.5),
    )
    assert recipe.architecture.layers[0] == Conv2D("conv2d1", 1, 4, kernel=28)


def test_what_has_a_default_may_be_left_out(tmp_path: Path) -> None:
    text = SOUND.replace("batch_size = 64", "").partition("[schedule]")[0]
    recipe = load_recipe(recipe_file(tmp_path, text))
    assert recipe.batch_size is None
    assert recipe.schedule == Constant()
    assert recipe.loss == SoftmaxCrossEntropy(label_smoothing=0.0)
    assert recipe.initialization == Initialization(He(), Zeros())
    assert recipe.data == DataConfig(source="mnist", validation_fraction=0.1)
    assert not recipe.augmentation.enabled


def test_the_architecture_may_be_said_in_full() -> None:
    value = {**load_recipe("mlp").to_json(), "architecture": mlp(784, 128, 64, 10).to_json()}
    assert Recipe.from_json(value) == load_recipe("mlp")


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_loads_by_its_name_and_survives_json(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe == load_recipe(str(RECIPES / f"{name}.toml"))
    value = json.loads(json.dumps(recipe.to_json(), allow_nan=False))
    assert Recipe.from_json(value) == recipe


def test_the_shipped_recipes_are_listed_by_name() -> None:
    assert "mlp" in recipe_names()
    assert recipe_names() == sorted(path.stem for path in RECIPES.glob("*.toml"))


def test_the_small_model_is_the_one_of_every_speed_comparison() -> None:
    assert load_recipe("mlp").architecture == mlp(784, 128, 64, 10)


@pytest.mark.parametrize(
    "bound", sorted(vars(AugmentationConfig()).keys() - {"elastic_smoothness", "spared"})
)
def test_any_bound_enables_augmentation(bound: str) -> None:
    assert AugmentationConfig(**{bound: 0.5}).enabled


def test_neither_smoothness_nor_who_is_spared_changes_an_image() -> None:
    assert not AugmentationConfig(elastic_smoothness=2.0, spared=0.5).enabled


@pytest.mark.parametrize("bound", sorted(vars(AugmentationConfig()).keys()))
def test_some_bounds_spoil_what_the_others_only_move(bound: str) -> None:
    spoils = AugmentationConfig(**{bound: 0.5 if bound != "elastic_smoothness" else 2}).spoils
    assert spoils == (bound in {"hollow", "erase", "blur", "noise"})


# -- files ------------------------------------------------------------------


@table(
    "old, new, words",
    {
        "unknown": ("seed = 5", "seed = 5\ncolour = 1", ["colour is not a field", "batch_size"]),
        "unknown in a section": ("shift = 1.5", "tilt = 1.5", ["augmentation.tilt", "shift"]),
        "unknown section": ("[augmentation]", "[augment]", ["augment is not a field"]),
        "a field of another type": ("rise = 0.25", "factor = 0.5", ["schedule.factor", "rise"]),
        "a field of the older recipes": ("seed = 5", "seed = 5\nhidden = [8]", ["hidden is not"]),
        "missing": ("epochs = 2", "", ["epochs is missing"]),
        "missing in a section": ("learning_rate = 0.002", "", ["optimizer.learning_rate"]),
        "missing in a distribution": ("low = -1, ", "", ["initialization.biases.low is missing"]),
        "no type": ('type = "adamw"', "", ["optimizer must be", "gradient_descent, momentum"]),
        "an unknown optimizer": (
            '"adamw"',
            '"lion"',
            ["optimizer must be", "rmsprop, adam, adamw"],
        ),
        "an unknown schedule": ('"one_cycle"', '"steps"', ["constant, step, cosine, one_cycle"]),
        "an unknown distribution": ('"uniform"', '"he"', ["initialization.biases", "zeros"]),
        "an unknown layer": ('"flatten"', '"flat"', ["architecture: ", "global_average_pool"]),
        "a bad layer": ("kernel = 28", "kernel = 29", ["architecture: conv2d1.kernel"]),
        "a layer that does not fit": (
            '{ type = "flatten" },',
            "",
            ["architecture: dense1 takes rows", "(4, 1, 1)"],
        ),
        "text for a number": ("epochs = 2", 'epochs = "2"', ["epochs must be of type int"]),
        "true for a count": ("epochs = 2", "epochs = true", ["epochs must be of type int"]),
        "a date for a float": ("rise = 0.25", "rise = 2001-01-01", ["schedule.rise must be"]),
        "number for a section": ("[augmentation]", "[x]\naugmentation = 1", ["x is not a field"]),
        "list for a section": ("[augmentation]", "[[augmentation]]", ["augmentation must be a"]),
        "list for a choice": ("[optimizer]", "[[optimizer]]", ["optimizer must be a table with"]),
        "out of range": ("epochs = 2", "epochs = 0", ["epochs must be 1 or more"]),
        "out of range in a section": ("0.002", "-1.0", ["optimizer.learning_rate must be above"]),
        "nan": ("0.002", "nan", ["optimizer.learning_rate"]),
        "inf": ("0.002", "inf", ["optimizer.learning_rate"]),
        "too large for a float": ("0.002", "1" + "0" * 400, ["optimizer.learning_rate"]),
        "not TOML": ("epochs = 2", "epochs: 2", ["not TOML", "line"]),
        "a key twice": ("epochs = 2", "epochs = 2\nepochs = 3", ["not TOML"]),
        "a line break in a name": ('name = "sound"', '"a\\nb" = 1', ["is not a field"]),
        "a line break in a layer": ("kernel = 28", '"a\\nb" = 1', ["architecture: ", "a\\nb"]),
        "a number of 5000 digits": ("epochs = 2", "epochs = " + "9" * 5000, ["not TOML"]),
        "a layer of 5000 digits": ("kernel = 28", "kernel = 0x" + "f" * 5000, ["conv2d1.kernel"]),
        "lists without end": ("epochs = 2", "epochs = " + "[" * 5000, ["not TOML"]),
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
