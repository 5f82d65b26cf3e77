"""What a network looks like, without its numbers.

An ``Architecture`` is a frozen list of layer specifications. The names and
shapes of all parameters follow from it, it is saved in the artifact as JSON,
and it is all that is needed to rebuild the network around loaded parameters.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import prod
from typing import Any, TypeAlias

FRAME_SIDE = 28
CLASSES = 10

# Far above any network this project trains; keep a forged specification
# from describing what cannot be computed.
MAX_WIDTH = 65_536
MAX_LAYERS = 64


@dataclass(frozen=True)
class Dense:
    """An affine layer with parameters ``NAME.weight`` (I, O) and ``NAME.bias`` (O,)."""

    name: str
    inputs: int
    outputs: int

    def __post_init__(self) -> None:
        if type(self.name) is not str or not self.name.isidentifier():
            raise ValueError(
                f"layer name {self.name!r} must be a plain identifier such as 'dense1'"
            )
        for field in ("inputs", "outputs"):
            width = getattr(self, field)
            if type(width) is not int or not 1 <= width <= MAX_WIDTH:
                raise ValueError(f"{self.name}.{field} must be an integer from 1 to {MAX_WIDTH}")

    @property
    def weight(self) -> str:
        """Name of the weight parameter."""
        return f"{self.name}.weight"

    @property
    def bias(self) -> str:
        """Name of the bias parameter."""
        return f"{self.name}.bias"


@dataclass(frozen=True)
class ReLU:
    """Elementwise max(x, 0); no parameters."""


Layer: TypeAlias = Dense | ReLU

LAYER_TYPES: Mapping[str, type[Dense] | type[ReLU]] = {"dense": Dense, "relu": ReLU}
TYPE_NAMES = {cls: name for name, cls in LAYER_TYPES.items()}


@dataclass(frozen=True)
class Architecture:
    """Layers from a flattened 28x28 frame to ten logits.

    Raises ValueError when built from layers that do not fit each other.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        dense = [layer for layer in self.layers if isinstance(layer, Dense)]
        if len(self.layers) > MAX_LAYERS:
            raise ValueError(f"there are {len(self.layers)} layers, over the {MAX_LAYERS} allowed")
        names = [layer.name for layer in dense]
        if len(set(names)) != len(names):
            raise ValueError(f"layer names must differ: {names}")
        width = FRAME_SIDE * FRAME_SIDE
        for layer in dense:
            if layer.inputs != width:
                raise ValueError(f"{layer.name} takes {layer.inputs} inputs but is given {width}")
            width = layer.outputs
        if width != CLASSES:
            raise ValueError(f"the last layer gives {width} logits; a digit has {CLASSES}")

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Flat parameter names and their shapes, in layer order."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            if isinstance(layer, Dense):
                shapes[layer.weight] = (layer.inputs, layer.outputs)
                shapes[layer.bias] = (layer.outputs,)
        return shapes

    def parameter_count(self) -> int:
        """How many numbers the network has learned."""
        return sum(prod(shape) for shape in self.parameter_shapes().values())

    def to_json(self) -> list[dict[str, Any]]:
        """The specification as JSON values; ``from_json`` inverts it."""
        return [{"type": TYPE_NAMES[type(layer)], **asdict(layer)} for layer in self.layers]

    @classmethod
    def from_json(cls, value: object) -> "Architecture":
        """Rebuild an architecture; raises ValueError on anything ``to_json`` does not write."""
        if not isinstance(value, list):
            raise ValueError("must be a list of layers")  # noqa: TRY004 - a value from a file
        return cls(tuple(_layer(item) for item in value))


def mlp(*widths: int) -> Architecture:
    """A multilayer perceptron, e.g. ``mlp(784, 128, 64, 10)``: dense layers with ReLU between."""
    layers: list[Layer] = []
    for number, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        layers += [Dense(f"dense{number}", inputs, outputs), ReLU()]
    return Architecture(tuple(layers[:-1]))


def _layer(item: object) -> Layer:
    kind = item.get("type") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(kind, str) or kind not in LAYER_TYPES:
        raise ValueError(f"layer {item!r} must be an object with a type from {sorted(LAYER_TYPES)}")
    fields = {key: value for key, value in item.items() if key != "type"}
    try:
        return LAYER_TYPES[kind](**fields)
    except TypeError:
        raise ValueError(f"layer {item!r} has a missing or an unknown field") from None
