"""Which runs a sweep is made of: recipes, what is varied in them, seeds."""

import copy
import dataclasses
import hashlib
import itertools
import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from training.config import Recipe, load_recipe
from training.errors import RecipeError

NAME_DIGITS = 8  # of a recipe's digest, in the name of a run's folder


@dataclass(frozen=True)
class Varied:
    """A field of the recipe by its dotted name, and the values it is to take."""

    field: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Candidate:
    """A recipe with one choice of settings; seeds are all that its runs differ by.

    settings: what was set, in words; empty where nothing was.
    """

    recipe: Recipe
    settings: str

    @property
    def label(self) -> str:
        """The recipe's name and what was set."""
        return " ".join(filter(None, (self.recipe.name, self.settings)))

    def run(self, seed: int) -> Recipe:
        """The recipe of one run."""
        return dataclasses.replace(self.recipe, seed=seed)


def candidates(names: Sequence[str], grid: Sequence[Varied]) -> list[Candidate]:
    """Every recipe with every combination of the grid's values; raises RecipeError.

    names: of recipes, or of their TOML files.
    """
    fields = [varied.field for varied in grid]
    for field in fields:
        if fields.count(field) > 1:
            raise RecipeError(f"--set {field}: is given twice; name all its values in one")
        if field in {"seed", "name"}:
            raise RecipeError(f"--set {field}: is not for a grid; use --seeds, and other recipes")
    recipes = [load_recipe(name) for name in dict.fromkeys(names)]
    known = [recipe.name for recipe in recipes]
    for name in known:
        if known.count(name) > 1:
            raise RecipeError(f"name: two recipes are called {name}; give one another name")
    return [
        _candidate(recipe, dict(zip(fields, chosen, strict=True)))
        for recipe in recipes
        for chosen in itertools.product(*(varied.values for varied in grid))
    ]


def varied(text: str) -> Varied:
    """What ``FIELD=VALUE,VALUE`` means, the values written as in a recipe; raises RecipeError.

    A word that is no TOML stands for itself, so that ``optimizer.type=adam,adamw`` needs no quotes.
    """
    field, equals, written = text.partition("=")
    if not (field and equals and written):
        raise RecipeError(f"--set {text}: is not FIELD=VALUE; write optimizer.learning_rate=0.001")
    try:
        values = tomllib.loads(f"values = [{written}]")["values"]
    except (ValueError, RecursionError):
        values = [_value(word.strip()) for word in written.split(",")]
    distinct = [value for at, value in enumerate(values) if value not in values[:at]]
    return Varied(field, tuple(distinct))


def run_name(recipe: Recipe) -> str:
    """A name for the run of this recipe and no other."""
    text = json.dumps(recipe.to_json(), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:NAME_DIGITS]
    return f"{recipe.name}-{recipe.seed}-{digest}"


def _candidate(recipe: Recipe, chosen: dict[str, Any]) -> Candidate:
    settings = " ".join(f"{field}={_shown(value)}" for field, value in chosen.items())
    document = copy.deepcopy(recipe.to_json())
    for field, value in chosen.items():
        *path, last = field.split(".")
        *_, table = _tables(document, field, path)
        table[last] = value
    try:
        return Candidate(Recipe.from_json(document), settings)
    except RecipeError as error:
        raise RecipeError(f"{recipe.name} with {settings}: {error}") from None


def _tables(document: dict[str, Any], field: str, path: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The tables that a dotted name goes through, from the recipe down."""
    table: object = document
    yield document
    for name in path:
        table = table.setdefault(name, {}) if isinstance(table, dict) else None
        if not isinstance(table, dict):
            raise RecipeError(f"--set {field}: {name} is no table of a recipe; name another field")
        yield table


def _value(word: str) -> object:
    try:
        return tomllib.loads(f"value = {word}")["value"]
    except (ValueError, RecursionError):
        return word


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
