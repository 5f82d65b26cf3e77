"""What a network looks like, without its numbers.

An ``Architecture`` is a frozen list of layer specifications. The names and
shapes of all parameters follow from it, it is saved in the artifact as JSON,
and it is all that is needed to rebuild the network around loaded parameters.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any

from model.specifications import (
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Elementwise,
    Flatten,
    GlobalAveragePool,
    Layer,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Shape,
    Sigmoid,
    Tanh,
)

FRAME_SIDE = 28
CLASSES = 10

# Keep a forged specification from describing what cannot be computed.
MAX_LAYERS = 64
MAX_ACTIVATIONS = 2**20  # numbers that a layer makes of one image
MAX_COPIED = 2**22  # numbers that a convolution copies of one image (16 MB)

LAYER_TYPES: Mapping[str, type[Layer]] = {
    "dense": Dense,
    "conv2d": Conv2D,
    "depthwise_conv2d": DepthwiseConv2D,
    "batch_norm": BatchNorm,
    "max_pool2d": MaxPool2D,
    "average_pool2d": AveragePool2D,
    "global_average_pool": GlobalAveragePool,
    "flatten": Flatten,
    "dropout": Dropout,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "gelu": GELU,
}
TYPE_NAMES = {cls: name for name, cls in LAYER_TYPES.items()}


@dataclass(frozen=True)
class Architecture:
    """Layers from a 28x28 frame to ten logits.

    The frame comes as (1, 28, 28) where the first layer that cares takes
    images, as (784,) where it takes rows. Raises ValueError when built from
    layers that do not fit each other.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if len(self.layers) > MAX_LAYERS:
            raise ValueError(f"there are {len(self.layers)} layers, over the {MAX_LAYERS} allowed")
        names = [layer.name for layer in self.layers if hasattr(layer, "name")]
        if len(set(names)) != len(names):
            raise ValueError(f"layer names must differ: {names}")
        shape = _input_shape(self.layers)
        for layer in self.layers:
            copied, shape = layer.copied(shape), layer.output(shape)
            if copied > MAX_COPIED:
                raise ValueError(f"{layer} copies {copied} numbers, over {MAX_COPIED}")
            if prod(shape) > MAX_ACTIVATIONS:
                raise ValueError(f"{layer} makes {shape}, over {MAX_ACTIVATIONS} numbers")
        if shape != (CLASSES,):
            raise ValueError(f"the last layer gives {shape} logits; a digit has {CLASSES}")

    @cached_property
    def input_shape(self) -> Shape:
        """(1, 28, 28) or (784,): how the network takes a frame."""
        return _input_shape(self.layers)

    def parameter_shapes(self) -> dict[str, Shape]:
        """Flat names and shapes of all the numbers that the network stores, in layer order."""
        shapes: dict[str, Shape] = {}
        for layer in self.layers:
            shapes |= layer.parameters() | layer.statistics()
        return shapes

    def statistic_names(self) -> frozenset[str]:
        """Those of the parameters that are gathered while training, not learned."""
        return frozenset(name for layer in self.layers for name in layer.statistics())

    def parameter_count(self) -> int:
        """How many numbers the network stores."""
        return sum(prod(shape) for shape in self.parameter_shapes().values())

    def to_json(self) -> list[dict[str, Any]]:
        """The specification as JSON values; ``from_json`` inverts it."""
        return [{"type": TYPE_NAMES[type(layer)], **asdict(layer)} for layer in self.layers]

    @classmethod
    def from_json(cls, value: object) -> "Architecture":
        """Rebuild an architecture; raises ValueError on anything ``to_json`` does not write."""
        return cls(tuple(_layer(cls, table) for cls, table in _typed_tables(value)))

    @classmethod
    def from_outline(cls, value: object) -> "Architecture":
        """An architecture from tables as ``to_json`` writes them, in which names and inputs,
        which follow from what stands before, may be left out; raises ValueError.

        Names are the type's and a number: ``conv2d1``, ``conv2d2``, ``dense1``.
        """
        tables = _typed_tables(value)
        shape = _input_shape(tuple(cls for cls, _ in tables))
        counts: Counter[type[Layer]] = Counter()
        layers = []
        for kind, table in tables:
            counts[kind] += 1
            given = {
                "name": f"{TYPE_NAMES[kind]}{counts[kind]}",
                "inputs": shape[0],
                "channels": shape[0],
            }
            known = {field.name for field in fields(kind)}
            layers.append(_layer(kind, {k: v for k, v in given.items() if k in known} | table))
            shape = layers[-1].output(shape)
        return cls(tuple(layers))


def mlp(*widths: int) -> Architecture:
    """A multilayer perceptron, e.g. ``mlp(784, 128, 64, 10)``: dense layers with ReLU between."""
    outline: list[dict[str, Any]] = []
    for inputs, outputs in pairwise(widths):
        outline += [{"type": "dense", "inputs": inputs, "outputs": outputs}, {"type": "relu"}]
    return Architecture.from_outline(outline[:-1])


def _input_shape(layers: tuple[Layer | type[Layer], ...]) -> Shape:
    for layer in layers:
        kind = layer if isinstance(layer, type) else type(layer)
        if not issubclass(kind, Elementwise):
            if issubclass(kind, (Dense, BatchNorm)):
                break
            return (1, FRAME_SIDE, FRAME_SIDE)
    return (FRAME_SIDE * FRAME_SIDE,)


def _typed_tables(value: object) -> list[tuple[type[Layer], dict[str, Any]]]:
    if not isinstance(value, list):
        raise ValueError("must be a list of layers")  # noqa: TRY004 - a value from a file
    tables = []
    for item in value:
        kind = item.get("type") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(kind, str) or kind not in LAYER_TYPES:
            raise ValueError(f"layer {item!r} must have a type from {sorted(LAYER_TYPES)}")
        tables.append((LAYER_TYPES[kind], {k: v for k, v in item.items() if k != "type"}))
    return tables


def _layer(kind: type[Layer], table: dict[str, Any]) -> Layer:
    try:
        return kind(**table)
    except TypeError:
        names = ", ".join(field.name for field in fields(kind))
        raise ValueError(
            f"layer {TYPE_NAMES[kind]} {table} has a missing or an unknown field; it has: {names}"
        ) from None
