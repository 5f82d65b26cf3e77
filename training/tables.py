"""TOML and JSON tables to frozen dataclasses and back, with errors that name the field.

A field's annotation says what a table may hold for it: a number, a string, a
list of integers, another dataclass, or one of several dataclasses, which the
table's ``type`` then chooses (``{type = "adam", learning_rate = 0.001}``).
"""

import dataclasses
import re
import types
import typing
from typing import TYPE_CHECKING, Any, TypeVar

from model.architecture import Architecture
from training.errors import RecipeError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_WHOLE_FLOAT = 2**53  # beyond it, float64 has no place for every whole number

_Section = TypeVar("_Section", bound="DataclassInstance")


def build(cls: type[_Section], values: object, prefix: str = "") -> _Section:
    """Make a dataclass of a table, naming every unknown, missing or mistyped field."""
    if not isinstance(values, dict):
        owner = prefix.rstrip(".") or "a recipe"
        raise RecipeError(f"{owner} must be a table; correct it in the recipe")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name in values:
        if name not in fields:
            shown = ascii(prefix + str(name))[1:-1]
            raise RecipeError(f"{shown} is not a field; the fields are: {', '.join(fields)}")
    required = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    for name in sorted(required - values.keys()):
        raise RecipeError(f"{prefix}{name} is missing; add it to the recipe")
    hints = typing.get_type_hints(cls)
    return cls(
        **{name: _typed(hints[name], value, prefix + name) for name, value in values.items()}
    )


def to_json(section: "DataclassInstance") -> dict[str, Any]:
    """The table that ``build`` makes this dataclass of; what is None is left out."""
    hints = typing.get_type_hints(type(section))
    table: dict[str, Any] = {}
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if isinstance(value, Architecture):
            value = value.to_json()
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            chosen = len(_dataclasses_of(hints[field.name])) > 1
            value = ({"type": type_name(type(value))} if chosen else {}) | to_json(value)
        if value is not None:
            table[field.name] = list(value) if isinstance(value, tuple) else value
    return table


def type_name(cls: type) -> str:
    """What a table calls a class: ``OneCycle`` is ``one_cycle``, ``AdamW`` ``adamw``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", cls.__name__).lower()


def _typed(hint: Any, value: Any, field: str) -> Any:  # noqa: ANN401 - any TOML value
    """``value`` as the annotated type of its field; a whole number will do for a float."""
    if hint is Architecture:
        try:
            return Architecture.from_outline(value)
        except ValueError as error:
            raise RecipeError(f"{field}: {error}; correct it in the recipe") from None
    sections = _dataclasses_of(hint)
    if len(sections) == 1:
        return build(sections[0], value, f"{field}.")
    if sections:
        return _chosen(sections, value, field)
    options = [option for option in _options(hint) if option is not types.NoneType]
    if float in options and type(value) is int:
        require(abs(value) < MAX_WHOLE_FLOAT, field, f"below {MAX_WHOLE_FLOAT}")
        return float(value)
    require(
        type(value) in options, field, f"of type {' or '.join(kind.__name__ for kind in options)}"
    )
    return value


def _chosen(sections: list[Any], value: object, field: str) -> object:
    """One of several dataclasses, by the table's ``type``."""
    names = {type_name(section): section for section in sections}
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(kind, str) or kind not in names:
        raise RecipeError(f"{field} must be a table with a type from: {', '.join(names)}")
    return build(names[kind], {k: v for k, v in value.items() if k != "type"}, f"{field}.")


def _options(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401 - an annotation
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _dataclasses_of(hint: Any) -> list[Any]:  # noqa: ANN401 - an annotation
    return [option for option in _options(hint) if dataclasses.is_dataclass(option)]


def require(condition: bool, field: str, rule: str) -> None:  # noqa: FBT001 - a predicate
    """Raise the RecipeError of a field that breaks its rule."""
    if not condition:
        raise RecipeError(f"{field} must be {rule}; correct it in the recipe")
