"""Parameters of a query: one of a few words, the first where nothing is said."""

import pytest

from service.errors import UnknownChoice
from service.queries import choice
from tests.helpers import table

CHOICES = ("auto", "always", "never")


@table(
    "args, expected",
    {
        "nothing said": ({}, "auto"),
        "another parameter": ({"top_k": "3"}, "auto"),
        "the default": ({"normalize": "auto"}, "auto"),
        "the last": ({"normalize": "never", "top_k": "3"}, "never"),
    },
)
def test_a_parameter_is_what_is_said_or_the_first_choice(
    args: dict[str, str], expected: str
) -> None:
    assert choice(args, "normalize", CHOICES) == expected


@pytest.mark.parametrize("value", ["", "Always", " always", "always,never", "1", "\0"])
def test_any_other_value_is_refused_with_the_choices(value: str) -> None:
    with pytest.raises(UnknownChoice, match="auto, always, never") as refusal:
        choice({"normalize": value}, "normalize", CHOICES)
    assert refusal.value.field == "normalize"
