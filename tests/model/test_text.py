"""JSON values as text for a terminal."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from model.text import lines
from tests.helpers import PROPERTY, table

PROPORTION = {"images": 981, "correct": 980, "accuracy": 0.99898, "interval_95": [0.9942, 0.99982]}
PROPORTION_TEXT = "99.90 % (99.42 to 99.98), 980 of 981 images"

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.text("ab", min_size=90),
    lambda children: (
        st.lists(children)
        | st.dictionaries(st.text() | st.sampled_from(["accuracy", "interval_95"]), children)
    ),
    max_leaves=20,
)


def nested(levels: int) -> Any:  # noqa: ANN401 - lists in objects
    value: Any = "innermost"
    for _ in range(levels):
        value = {"next": [value]}
    return value


@table(
    "value, expected",
    {
        "words": ("some words", ["some words"]),
        "nothing": (None, ["none"]),
        "yes": (True, ["yes"]),
        "an integer": (2024001, ["2024001"]),
        "a number": (0.029184271, ["0.02918"]),
        "a whole number": (10.0, ["10"]),
        "a large number": (-1e9, ["-1e+09"]),
        "a list of numbers": ([1, 0.5, 3], ["1, 0.5, 3"]),
        "no items": ([], ["none"]),
        "no fields": ({}, ["none"]),
        "fields": ({"a_b": 1, "c": "two"}, ["a b: 1", "c: two"]),
        "an object that fits beside its name": ({"a": {"b": 1, "c": 2}}, ["a: b = 1, c = 2"]),
        "one that does not": (
            {"a": {"b": "x" * 40, "c": "y" * 40}},
            ["a:", f"  b: {'x' * 40}", f"  c: {'y' * 40}"],
        ),
        "objects in objects": ({"a": {"b": {"c": 1}}}, ["a:", "  b: c = 1"]),
        "an empty object": ({"a": {}}, ["a: none"]),
        "items": (["one", "two"], ["- one", "- two"]),
        "objects as items": ([{"a": 1, "b": 2}, {"c": 3}], ["- a = 1, b = 2", "- c = 3"]),
        "rows": ({"confusion": [[1, 0], [0, 1]]}, ["confusion:", "  - 1, 0", "  - 0, 1"]),
        "a field of items": ({"a": ["one", "two"]}, ["a:", "  - one", "  - two"]),
        "a long text": ({"a": "word " * 20}, ["a:" + " word" * 15, "  word word word word word"]),
        "a name with hyphens is not broken": (
            {"a" * 60: "train-images-idx3-ubyte"},
            ["a" * 60 + ":", "  train-images-idx3-ubyte"],
        ),
        "what would steer a terminal": ({"a\x1b[2J": "b\x07\ud800"}, ["a [2J: b"]),
    },
)
def test_a_value_is_shown_as(value: object, expected: list[str]) -> None:
    assert list(lines(value)) == expected


@table(
    "value, expected",
    {
        "a set that has nothing else": ({"test": PROPORTION}, [f"test: {PROPORTION_TEXT}"]),
        "a set with other figures, which come after": (
            {"test": {"accepted": 9, **PROPORTION, "by_digit": {"0": PROPORTION}}},
            [
                "test:",
                f"  accuracy: {PROPORTION_TEXT}",
                "  accepted: 9",
                f"  by digit:\n    0: {PROPORTION_TEXT}",
            ],
        ),
        "without counts": (
            {"test": {"accuracy": 0.997, "interval_95": [0.99572, 0.99791]}},
            ["test: 99.70 % (99.57 to 99.79)"],
        ),
        "how many, but not how many are right": (
            {"test": {"accuracy": 1.0, "interval_95": [0.5, 1.0], "images": 5}},
            ["test: accuracy = 100.00 % (50.00 to 100.00), images = 5"],
        ),
        "another interval of it": (
            {**PROPORTION, "interval_95_by_writers": [0.98, 0.999]},
            [f"accuracy: {PROPORTION_TEXT}", "95 % interval by writers: 98.00 to 99.90 %"],
        ),
        "without interval": ({"accuracy": 0.5}, ["accuracy: 50.00 %"]),
        "of another set": ({"validation_accuracy": 0.5}, ["validation accuracy: 50.00 %"]),
        "several": ({"accuracy": [0.9965, 0.997]}, ["accuracy: 99.65, 99.70 %"]),
        "an interval of something else": (
            {"mean": 0.25, "interval_95": [0.125, 0.375]},
            ["mean: 0.25", "95 % interval: 0.125, 0.375"],
        ),
        "what is no share": (
            {"accuracy": 9970, "interval_95": [9950, 9980]},
            ["accuracy: 9970", "95 % interval: 9950, 9980"],
        ),
        "what is no number": (
            {"accuracy": None, "interval_95": "wide"},
            ["accuracy: none", "95 % interval: wide"],
        ),
        "an interval with three ends": (
            {"accuracy": 0.5, "interval_95": [0.1, 0.2, 0.3]},
            ["accuracy: 50.00 %", "95 % interval: 0.1, 0.2, 0.3"],
        ),
    },
)
def test_accuracies_are_in_per_cent_with_their_intervals(
    value: object, expected: list[str]
) -> None:
    assert "\n".join(lines(value)) == "\n".join(expected)


@PROPERTY
@given(VALUES)
def test_any_value_fits_a_terminal(value: object) -> None:
    for line in lines(value):
        assert len(line) <= 80
        assert line.isprintable()


def test_what_is_nested_beyond_sense_is_shown_as_json() -> None:
    shown = list(lines(nested(200)))
    assert max(map(len, shown)) <= 80
    assert '"innermost"' in " ".join(shown)
