"""Recipes: one TOML file an experiment, one frozen dataclass in the code.

A recipe is checked when it is built and saved in the artifact as JSON, so a
trained model always says how to train it again.
"""

import dataclasses
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from model.architecture import CLASSES, FRAME_SIDE, MAX_WIDTH, Architecture, mlp
from training.errors import RecipeError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_WHOLE_FLOAT = 2**53  # beyond it, float64 has no place for every whole number

MAX_ROTATION = 45  # degrees; beyond it a 6 is on its way to a 9

RECIPES = Path(__file__).parent / "recipes"

_Section = TypeVar("_Section", bound="DataclassInstance")


def _require(condition: bool, field: str, rule: str) -> None:  # noqa: FBT001 - a predicate
    if not condition:
        raise RecipeError(f"{field} must be {rule}; correct it in the recipe")


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW: Adam (Kingma and Ba 2015) with decoupled decay (Loshchilov and Hutter 2019)."""

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _require(0 < self.learning_rate < math.inf, "optimizer.learning_rate", "above 0 and finite")
        _require(0 <= self.beta1 < 1, "optimizer.beta1", "from 0 to below 1")
        _require(0 <= self.beta2 < 1, "optimizer.beta2", "from 0 to below 1")
        _require(0 < self.epsilon < math.inf, "optimizer.epsilon", "above 0 and finite")
        _require(
            0 <= self.weight_decay < math.inf, "optimizer.weight_decay", "0 or more and finite"
        )


@dataclass(frozen=True)
class AugmentationConfig:
    """Bounds of the random affine maps; each image draws uniformly from [-bound, bound].

    rotation: degrees. scale, shear: fractions. shift: pixels.
    """

    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        _require(
            0 <= self.rotation <= MAX_ROTATION,
            "augmentation.rotation",
            f"0 to {MAX_ROTATION} degrees",
        )
        _require(0 <= self.scale < 1, "augmentation.scale", "from 0 to below 1")
        _require(0 <= self.shear < 1, "augmentation.shear", "from 0 to below 1")
        _require(0 <= self.shift < FRAME_SIDE, "augmentation.shift", "from 0 to below 28 pixels")

    @property
    def enabled(self) -> bool:
        """Whether any bound lets an image change."""
        return any(dataclasses.astuple(self))


@dataclass(frozen=True)
class Recipe:
    """All that decides what a training run computes, but for the data itself.

    version: the integer version of the model it makes. hidden: widths of the
    hidden layers. validation_fraction: share of the training writers held out.
    blas_threads: part of the recipe because the order in which BLAS sums, so the
    last bit of the result, depends on it; what small products gain by a second
    thread is little, what they lose by it beside another process is much.
    """

    name: str
    version: int
    seed: int
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    optimizer: OptimizerConfig
    augmentation: AugmentationConfig = AugmentationConfig()
    validation_fraction: float = 0.1
    blas_threads: int = 1

    def __post_init__(self) -> None:
        _require(self.name.isidentifier(), "name", "a plain identifier such as 'mlp'")
        _require(self.version >= 1, "version", "1 or more")
        _require(self.seed >= 0, "seed", "0 or more")
        _require(
            all(1 <= width <= MAX_WIDTH for width in self.hidden),
            "hidden",
            f"a list of widths from 1 to {MAX_WIDTH}",
        )
        _require(self.epochs >= 1, "epochs", "1 or more")
        _require(self.batch_size >= 1, "batch_size", "1 or more")
        _require(0 < self.validation_fraction < 1, "validation_fraction", "between 0 and 1")
        _require(self.blas_threads >= 1, "blas_threads", "1 or more")

    @property
    def architecture(self) -> Architecture:
        """The network this recipe trains."""
        return mlp(FRAME_SIDE * FRAME_SIDE, *self.hidden, CLASSES)

    def to_json(self) -> dict[str, Any]:
        """The recipe as JSON values."""
        return dataclasses.asdict(self) | {"hidden": list(self.hidden)}


def load_recipe(name: str) -> Recipe:
    """The recipe of that name, or in the TOML file of that path; raises RecipeError."""
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError:
        known = ", ".join(sorted(found.stem for found in RECIPES.glob("*.toml")))
        raise RecipeError(f"there is no recipe {name!r}; choose one of: {known}") from None
    # Not TOML, not UTF-8, a number of thousands of digits, or tables in tables without end.
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: is not TOML ({error}); correct it") from None
    try:
        sections = {"optimizer": OptimizerConfig, "augmentation": AugmentationConfig}
        for section, cls in sections.items():
            if section in document:
                document[section] = _build(cls, document[section], f"{section}.")
        return _build(Recipe, document, "")
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def _build(cls: type[_Section], values: object, prefix: str) -> _Section:
    """Make a dataclass of a TOML table, naming every unknown, missing or mistyped field."""
    if not isinstance(values, dict):
        raise RecipeError(f"{prefix.rstrip('.')} must be a table; correct it in the recipe")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name in values.keys() - fields.keys():
        raise RecipeError(
            f"{ascii(prefix + name)[1:-1]} is not a field; the fields are: {', '.join(fields)}"
        )
    required = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    for name in sorted(required - values.keys()):
        raise RecipeError(f"{prefix}{name} is missing; add it to the recipe")
    return cls(**{name: _typed(fields[name].type, v, prefix + name) for name, v in values.items()})


def _typed(kind: Any, value: Any, field: str) -> Any:  # noqa: ANN401 - any TOML value
    """``value`` as the annotated type of its field; a whole number will do for a float."""
    if kind is float and type(value) is int:
        _require(abs(value) < MAX_WHOLE_FLOAT, field, f"below {MAX_WHOLE_FLOAT}")
        return float(value)
    if kind == tuple[int, ...]:
        _require(
            isinstance(value, list) and all(type(item) is int for item in value),
            field,
            "a list of integers",
        )
        return tuple(value)
    _require(type(value) is kind, field, f"of type {kind.__name__}")
    return value
