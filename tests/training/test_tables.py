import json
import math
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from model.architecture import Architecture, mlp
from tests.helpers import table
from training.errors import RecipeError
from training.tables import build, require, to_json, type_name

PLAIN = mlp(784, 10)


@dataclass(frozen=True)
class Tea:
    """A section with all kinds of plain values."""

    leaves: int
    origin: str = "Assam"
    sugar: float = 0.5
    milk: bool = False
    minutes: int | None = None
    degrees: float | None = None


@dataclass(frozen=True)
class Water:
    """A section without fields."""


@dataclass(frozen=True)
class HotMilk:
    """A section that checks a value of its own."""

    fat: float = 3.5

    def __post_init__(self) -> None:
        require(0 <= self.fat <= 10, "drink.fat", "from 0 to 10")


Drink: TypeAlias = Tea | Water | HotMilk


@dataclass(frozen=True)
class Meal:
    """A section of sections."""

    drink: Drink
    second: Tea = Tea(1)
    network: Architecture = PLAIN


MEALS = {
    "defaults": Meal(Water()),
    "one of several": Meal(HotMilk(1.5)),
    "all said": Meal(Tea(3, "Ceylon", 0.0, milk=True, minutes=4, degrees=95.0), Tea(2)),
    "a network": Meal(Water(), network=mlp(784, 5, 10)),
}


@table("meal", MEALS)
def test_a_table_and_back_is_the_same_section(meal: Meal) -> None:
    value = json.loads(json.dumps(to_json(meal), allow_nan=False))
    assert value == to_json(meal)
    assert build(Meal, value) == meal


def test_a_table_says_all_but_what_is_none() -> None:
    assert to_json(MEALS["one of several"]) == {
        "drink": {"type": "hot_milk", "fat": 1.5},
        "second": {"leaves": 1, "origin": "Assam", "sugar": 0.5, "milk": False},
        "network": PLAIN.to_json(),
    }


def test_what_is_left_out_has_its_default() -> None:
    assert build(Meal, {"drink": {"type": "tea", "leaves": 2}}) == Meal(Tea(2))


def test_a_table_is_left_as_it_was() -> None:
    value = {"drink": {"type": "tea", "leaves": 2}}
    build(Meal, value)
    assert value == {"drink": {"type": "tea", "leaves": 2}}


@pytest.mark.parametrize("value", [2, -(2**53) + 1, 2**53 - 1])
@pytest.mark.parametrize("field", ["sugar", "degrees"])
def test_a_whole_number_will_do_for_a_float(field: str, value: int) -> None:
    found = getattr(build(Tea, {"leaves": 1, field: value}), field)
    assert type(found) is float
    assert found == value


def test_an_architecture_may_be_an_outline() -> None:
    outline = [{"type": "dense", "outputs": 10}]
    assert build(Meal, {"drink": {"type": "water"}, "network": outline}) == Meal(Water())


WRONG = "must be of type"
CHOICES = "drink must be a table with a type from: tea, water, hot_milk"


@table(
    "changes, message",
    {
        "no table": ({"second": 1}, "second must be a table"),
        "a list for a table": ({"second": [{}]}, "second must be a table"),
        "nothing for a table": ({"second": None}, "second must be a table"),
        "unknown": ({"soup": 1}, "soup is not a field; the fields are: drink, second, network"),
        "unknown in a section": (
            {"second": {"leaves": 1, "lemon": 1}},
            "second.lemon is not a field; the fields are: leaves, origin, sugar",
        ),
        "unknown in a chosen section": (
            {"drink": {"type": "water", "lemon": 1}},
            "drink.lemon is not a field",
        ),
        "a type where there is no choice": (
            {"second": {"type": "tea", "leaves": 1}},
            "second.type is not a field",
        ),
        "the first of two": ({"x": 1, "a": 1}, "x is not a field"),
        "a key that is no text": ({1: 1}, "1 is not a field"),
        "a key of odd characters": ({"a\nb\x00é\ud800": 1}, r"a\nb\x00\xe9\ud800 is not a field"),
        "missing in a section": ({"second": {}}, "second.leaves is missing; add it"),
        "missing in a chosen section": ({"drink": {"type": "tea"}}, "drink.leaves is missing"),
        "text for a count": ({"second": {"leaves": "1"}}, f"second.leaves {WRONG} int"),
        "a fraction for a count": ({"second": {"leaves": 1.0}}, f"second.leaves {WRONG} int"),
        "true for a count": ({"second": {"leaves": True}}, f"second.leaves {WRONG} int"),
        "nothing for a count": ({"second": {"leaves": None}}, f"second.leaves {WRONG} int"),
        "nothing for what may be left out": (
            {"second": {"leaves": 1, "minutes": None}},
            f"second.minutes {WRONG} int",
        ),
        "a fraction for what may be left out": (
            {"second": {"leaves": 1, "minutes": 1.5}},
            f"second.minutes {WRONG} int",
        ),
        "a number for text": ({"second": {"leaves": 1, "origin": 1}}, f"second.origin {WRONG} str"),
        "text for a float": ({"second": {"leaves": 1, "sugar": ""}}, f"second.sugar {WRONG} float"),
        "true for a float": (
            {"second": {"leaves": 1, "sugar": True}},
            f"second.sugar {WRONG} float",
        ),
        "a list for a float": (
            {"second": {"leaves": 1, "degrees": [1.0]}},
            f"second.degrees {WRONG} float",
        ),
        "a number for a flag": ({"second": {"leaves": 1, "milk": 1}}, f"second.milk {WRONG} bool"),
        "too large for a float": (
            {"second": {"leaves": 1, "sugar": 2**53}},
            "second.sugar must be below 9007199254740992",
        ),
        "far too large for a float": (
            {"second": {"leaves": 1, "sugar": -(10**5000)}},
            "second.sugar must be below",
        ),
        "no choice": ({"drink": {}}, CHOICES),
        "no table to choose by": ({"drink": "tea"}, CHOICES),
        "an unknown choice": ({"drink": {"type": "coffee"}}, CHOICES),
        "the name of the class": ({"drink": {"type": "Tea"}}, CHOICES),
        "a list for a choice": ({"drink": {"type": ["tea"]}}, CHOICES),
        "a value that the section refuses": (
            {"drink": {"type": "hot_milk", "fat": math.nan}},
            "drink.fat must be from 0 to 10",
        ),
        "a network that is none": ({"network": 1}, "network: must be a list of layers"),
        "a network with a bad field": (
            {"network": [{"type": "dense", "outputs": 0}]},
            "network: dense1.outputs must be an integer from 1",
        ),
    },
)
def test_a_wrong_field_is_named_in_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        build(Meal, {"drink": {"type": "water"}, **changes})
    assert str(caught.value).startswith(message)
    assert str(caught.value).isprintable()


def test_the_missing_section_is_named() -> None:
    with pytest.raises(RecipeError, match=r"^drink is missing; add it to the recipe$"):
        build(Meal, {})


@pytest.mark.parametrize("value", [None, 1, "a", [], [{}]])
def test_what_is_no_table_at_all_is_refused(value: object) -> None:
    with pytest.raises(RecipeError, match=r"^a recipe must be a table; correct it in the recipe$"):
        build(Meal, value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Tea", "tea"),
        ("HotMilk", "hot_milk"),
        ("OneCycle", "one_cycle"),
        ("SoftmaxCrossEntropy", "softmax_cross_entropy"),
        ("AdamW", "adamw"),
        ("RMSprop", "rmsprop"),
        ("GELU", "gelu"),
    ],
)
def test_a_class_is_called_by_its_words(name: str, expected: str) -> None:
    assert type_name(type(name, (), {})) == expected


def test_a_rule_that_is_kept_raises_nothing() -> None:
    require(condition=True, field="a", rule="b")
    with pytest.raises(RecipeError, match=r"^a must be b; correct it in the recipe$"):
        require(condition=False, field="a", rule="b")
