import dataclasses
import json
import math
import typing
from typing import Any, TypeAlias

import pytest

from tests.helpers import TINY_RECIPE, table
from training.config import (
    Adam,
    AdamW,
    AugmentationConfig,
    BinaryCrossEntropy,
    Constant,
    Cosine,
    DataConfig,
    Distillation,
    Glorot,
    GradientDescent,
    He,
    Initialization,
    Lecun,
    MeanSquaredError,
    Momentum,
    Nesterov,
    Normal,
    OneCycle,
    Recipe,
    RMSprop,
    SoftmaxCrossEntropy,
    Step,
    Uniform,
    Zeros,
)
from training.errors import RecipeError
from training.tables import type_name

Section: TypeAlias = Any  # one of the dataclasses of training.config


NAN, INF = math.nan, math.inf
POSITIVE = ([1e-9, 0.5, 100.0], [0.0, -1.0, NAN, INF])
NOT_NEGATIVE = ([0.0, 0.5, 100.0], [-0.1, NAN, INF])
DECAY = ([0.0, 0.999], [1.0, -0.1, NAN])
COUNT = ([1, 10**6], [0, -1])
CSV = DataConfig("a.csv", test_rows=1)
MOMENTUM = {"learning_rate": POSITIVE, "momentum": DECAY}
ADAM = {"learning_rate": POSITIVE, "beta1": DECAY, "beta2": DECAY, "epsilon": POSITIVE}


def up_to(high: float, above: float) -> tuple[list[float], list[float]]:
    return [0.0, high], [-0.1, above, NAN, INF]


RANGES: list[tuple[Section, dict[str, tuple[list[Any], list[Any]]]]] = [
    # a section to change, and of each of its fields the values within and outside
    (
        TINY_RECIPE,
        {
            "name": (["a", "mlp_2", "tiny-nn", "2-3"], ["", "a b", "../a", "a.b", "A", "-a", "a-"]),
            "version": COUNT,
            "seed": ([0, 10**20], [-1]),
            "epochs": COUNT,
            "batch_size": ([None, *COUNT[0]], COUNT[1]),
            "shuffle_every": COUNT,
            "warm_up": NOT_NEGATIVE,
            "average_decay": DECAY,
            "clip_norm": ([None, *POSITIVE[0]], POSITIVE[1]),
            "patience": ([None, *COUNT[0]], COUNT[1]),
            "threads": ([1, 2], [0, 3]),
            "blas_threads": COUNT,
        },
    ),
    (GradientDescent(0.1), {"learning_rate": POSITIVE}),
    (Momentum(0.1), MOMENTUM),
    (Nesterov(0.1), MOMENTUM),
    (RMSprop(0.1), {"learning_rate": POSITIVE, "decay": DECAY, "epsilon": POSITIVE}),
    (Adam(0.1), ADAM),
    (AdamW(0.1), {**ADAM, "weight_decay": NOT_NEGATIVE}),
    (Constant(), {}),
    (Step(1, 0.1), {"epochs": COUNT, "factor": ([0.1, 1.0], [0.0, -0.1, 1.1, NAN])}),
    (Cosine(), {}),
    (
        OneCycle(),
        {
            "rise": ([0.01, 0.99], [0.0, 1.0, NAN]),
            "start": ([0.01, 1.0], [0.0, -0.1, 1.1, NAN]),
        },
    ),
    (SoftmaxCrossEntropy(), {"label_smoothing": DECAY}),
    (BinaryCrossEntropy(), {}),
    (MeanSquaredError(), {}),
    (
        Distillation("a.npz"),
        {
            "teacher": (["b.npz", "a-recipe"], [""]),
            "teachers": ([1], [0, -1]),
            "temperature": POSITIVE,
            "weight": up_to(1.0, 1.1),
        },
    ),
    (He(), {}),
    (Glorot(), {}),
    (Lecun(), {}),
    # Of a range that is none, low is named.
    (Uniform(-1.0, 1.0), {"low": ([-2.0, 1.0], [1.1, NAN, -INF, INF]), "high": ([2.0, -1.0], [])}),
    (Normal(1.0), {"scale": NOT_NEGATIVE}),
    (Zeros(), {}),
    (
        AugmentationConfig(),
        {
            "rotation": up_to(45.0, 45.1),
            "scale": up_to(0.9, 0.91),
            "shear": up_to(0.9, 0.91),
            "shift": up_to(27.0, 27.1),
            "elastic": up_to(10.0, 10.1),
            "elastic_smoothness": ([1.0, 14.0], [0.9, 14.1, NAN]),
            "stroke": up_to(2.0, 2.1),
            "hollow": up_to(1.0, 1.1),
            "erase": up_to(0.5, 0.51),
            "blur": up_to(3.0, 3.1),
            "noise": up_to(1.0, 1.1),
            "spared": up_to(0.99, 1.0),
        },
    ),
    (
        CSV,
        {
            "source": (["a.npz", "folder"], [""]),
            "shuffle": ([True, False], []),
            "test_rows": COUNT,
            "validation_fraction": DECAY,
            "outliers": up_to(1.0, 1.1),
        },
    ),
]


def path_of(section: Section, name: str) -> list[str]:
    """Where the table of a recipe has a field of this section."""
    if isinstance(section, Recipe):
        return [name]
    for owner, prefix in ((Recipe, []), (Initialization, ["initialization"])):
        for field, hint in typing.get_type_hints(owner).items():
            if type(section) in (hint, *typing.get_args(hint)):
                return [*prefix, field, name]
    raise AssertionError(section)


def recipe_with(section: Section) -> Recipe:
    """A recipe that has this section."""
    if isinstance(section, Recipe):
        return section
    top, field, *_ = path_of(section, "")
    if top == "initialization":
        section = Initialization(**{field: section})
    return dataclasses.replace(TINY_RECIPE, **{top: section})


def cases(which: int) -> list[Any]:
    """A section, a field of it and a value; 0 for those within its range, 1 for the others."""
    return [
        pytest.param(section, field, value, id=f"{type_name(type(section))}.{field}-{value}")
        for section, ranges in RANGES
        for field, both in ranges.items()
        for value in both[which]
    ]


@pytest.mark.parametrize(("section", "field", "value"), cases(0))
def test_a_value_within_its_range_is_taken_and_survives_json(
    section: Section, field: str, value: object
) -> None:
    changed = dataclasses.replace(section, **{field: value})
    assert getattr(changed, field) == value
    recipe = recipe_with(changed)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json(), allow_nan=False))) == recipe


@pytest.mark.parametrize(("section", "field", "value"), cases(1))
def test_a_value_outside_its_range_is_refused_by_name(
    section: Section, field: str, value: object
) -> None:
    path = path_of(section, field)
    name = field if len(path) == 1 else f"{path[0]}.{field}"
    with pytest.raises(RecipeError, match=f"^{name} must be .*; correct it in the recipe$"):
        dataclasses.replace(section, **{field: value})


@pytest.mark.parametrize("value", [INF, NAN, 0.5])
def test_a_range_of_numbers_has_two_finite_ends(value: float) -> None:
    with pytest.raises(RecipeError, match=r"initialization\.low must be at most high"):
        Uniform(1.0, value)


@pytest.mark.parametrize(
    ("section", "field"),
    [
        pytest.param(section, field, id=f"{type_name(type(section))}.{field}")
        for section, ranges in RANGES
        for field in ranges
    ],
)
def test_a_value_of_another_type_is_refused_by_the_fields_path(
    section: Section, field: str
) -> None:
    value = recipe_with(section).to_json()
    path = path_of(section, field)
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    inner[field] = []
    with pytest.raises(RecipeError, match=f"^{'.'.join(path)} must be of type [a-z]+;"):
        Recipe.from_json(value)


def sections_of(cls: type) -> set[type]:
    """The dataclass and all that its fields may be, without the architecture."""
    found = {cls}
    for hint in typing.get_type_hints(cls).values():
        for option in typing.get_args(hint) or (hint,):
            if dataclasses.is_dataclass(option) and option.__module__ == cls.__module__:
                found |= sections_of(option)  # type: ignore[arg-type] # a class, not an object
    return found


def test_every_field_of_every_section_has_its_range_checked() -> None:
    def plain(cls: type) -> set[str]:
        hints = typing.get_type_hints(cls)
        kinds = {name: typing.get_args(hint) or (hint,) for name, hint in hints.items()}
        return {name for name, options in kinds.items() if not any(map(is_section, options))}

    def is_section(option: object) -> bool:
        return dataclasses.is_dataclass(option)

    fields = {cls: plain(cls) for cls in sections_of(Recipe) - {Initialization}}
    assert fields == {type(section): set(ranges) for section, ranges in RANGES}
    assert plain(Initialization) == set()


# -- rules between fields ---------------------------------------------------


@table(
    "section, changes, words",
    {
        "mnist has a test set": (DataConfig(), {"test_rows": 1}, r"^data\.test_rows must be 0"),
        "mnist is not shuffled": (DataConfig(), {"shuffle": True}, r"^data\.shuffle must be false"),
        "a csv has none": (DataConfig(), {"source": "a.csv"}, r"^data\.test_rows must be 1"),
        "several of one artifact": (
            Distillation("a.npz"),
            {"teachers": 2},
            r"^loss\.teachers must be left out where loss\.teacher is an artifact",
        ),
        "an artifact for several": (
            Distillation("a-recipe", teachers=2),
            {"teacher": "a.npz"},
            r"^loss\.teachers must be left out",
        ),
        "patience without validation": (
            dataclasses.replace(TINY_RECIPE, data=DataConfig(validation_fraction=0)),
            {"patience": 1},
            r"^patience must be left out where data\.validation_fraction is 0",
        ),
        "validation without patience for it": (
            dataclasses.replace(TINY_RECIPE, patience=1),
            {"data": DataConfig(validation_fraction=0)},
            "^patience must be left out",
        ),
    },
)
def test_fields_that_do_not_go_together_are_refused(
    section: Section, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        dataclasses.replace(section, **changes)
