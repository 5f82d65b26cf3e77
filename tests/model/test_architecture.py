import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.architecture import (
    LAYER_TYPES,
    MAX_ACTIVATIONS,
    MAX_COPIED,
    MAX_LAYERS,
    Architecture,
    mlp,
)
from model.specifications import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool2D,
    ReLU,
)
from tests.helpers import PROPERTY, table

# Every layer type, with all that follows from what stands before left out.
OUTLINE: list[dict[str, Any]] = [
    {"type": "conv2d", "outputs": 4, "kernel": 5, "stride": 2, "padding": 2, "biased": False},
    {"type": "batch_norm"},
    {"type": "relu"},
    {"type": "depthwise_conv2d", "kernel": 3},
    {"type": "leaky_relu"},
    {"type": "conv2d", "outputs": 6, "kernel": 1},
    {"type": "gelu"},
    {"type": "max_pool2d", "size": 2, "stride": 2},
    {"type": "average_pool2d", "size": 2, "stride": 1},
    {"type": "flatten"},
    {"type": "dense", "outputs": 12},
    {"type": "batch_norm"},
    {"type": "tanh"},
    {"type": "dropout", "rate": 0.5},
    {"type": "dense", "outputs": 10},
    {"type": "sigmoid"},
]
POOLED = [
    {"type": "conv2d", "outputs": 10, "kernel": 3},
    {"type": "global_average_pool"},
]
ARCHITECTURES = {
    "one layer": mlp(784, 10),
    "narrow": mlp(784, 1, 10),
    "the small model": mlp(784, 128, 64, 10),
    "all but one": Architecture.from_outline(OUTLINE),
    "that one": Architecture.from_outline(POOLED),
}


def assert_refused(value: object, words: str) -> None:
    """Whether all is said or part is left out, it is refused in these words."""
    for read in (Architecture.from_json, Architecture.from_outline):
        with pytest.raises(ValueError, match=words):
            read(value)


# -- what follows from the layers -------------------------------------------


def test_an_mlp_has_relu_between_its_dense_layers() -> None:
    assert mlp(784, 128, 64, 10).layers == (
        Dense("dense1", 784, 128),
        ReLU(),
        Dense("dense2", 128, 64),
        ReLU(),
        Dense("dense3", 64, 10),
    )


def test_names_and_shapes_of_parameters_follow_in_layer_order() -> None:
    architecture = Architecture.from_outline(OUTLINE)
    assert list(architecture.parameter_shapes().items()) == [
        ("conv2d1.weight", (4, 1, 5, 5)),
        ("batch_norm1.scale", (4,)),
        ("batch_norm1.shift", (4,)),
        ("batch_norm1.mean", (4,)),
        ("batch_norm1.variance", (4,)),
        ("depthwise_conv2d1.weight", (4, 3, 3)),
        ("depthwise_conv2d1.bias", (4,)),
        ("conv2d2.weight", (6, 4, 1, 1)),
        ("conv2d2.bias", (6,)),
        ("dense1.weight", (150, 12)),
        ("dense1.bias", (12,)),
        ("batch_norm2.scale", (12,)),
        ("batch_norm2.shift", (12,)),
        ("batch_norm2.mean", (12,)),
        ("batch_norm2.variance", (12,)),
        ("dense2.weight", (12, 10)),
        ("dense2.bias", (10,)),
    ]


def test_what_batch_norm_gathers_is_told_from_what_is_learned() -> None:
    assert Architecture.from_outline(OUTLINE).statistic_names() == {
        "batch_norm1.mean",
        "batch_norm1.variance",
        "batch_norm2.mean",
        "batch_norm2.variance",
    }
    assert mlp(784, 10).statistic_names() == frozenset()


@table(
    "architecture, count",
    {
        "one layer": (mlp(784, 10), 7850),
        "the small model": (mlp(784, 128, 64, 10), 109386),
        "convolutions": (ARCHITECTURES["that one"], 100),
        "statistics too": (ARCHITECTURES["all but one"], 100 + 16 + 40 + 30 + 1812 + 48 + 130),
    },
)
def test_parameters_are_counted(architecture: Architecture, count: int) -> None:
    assert architecture.parameter_count() == count


@table(
    "layers, shape",
    {
        "dense": ((Dense("a", 784, 10),), (784,)),
        "batch norm of rows": ((BatchNorm("n", 784), Dense("a", 784, 10)), (784,)),
        "elementwise, then dense": ((ReLU(), Dropout(0.1), Dense("a", 784, 10)), (784,)),
        "conv2d": ((Conv2D("a", 1, 10, kernel=3), GlobalAveragePool()), (1, 28, 28)),
        "flatten": ((Flatten(), Dense("a", 784, 10)), (1, 28, 28)),
        "elementwise, then a pool": (
            (ReLU(), MaxPool2D(28, 1), Flatten(), Dense("a", 1, 10)),
            (1, 28, 28),
        ),
    },
)
def test_a_frame_comes_as_the_first_layer_takes_it(
    layers: tuple[Layer, ...], shape: tuple[int, ...]
) -> None:
    assert Architecture(layers).input_shape == shape


def test_an_architecture_is_frozen_and_hashable() -> None:
    architecture = mlp(784, 10)
    assert hash(architecture) == hash(mlp(784, 10))
    with pytest.raises(dataclasses.FrozenInstanceError):
        architecture.layers = ()  # type: ignore[misc]


# -- JSON -------------------------------------------------------------------


def test_every_layer_type_is_in_one_of_these_architectures() -> None:
    tables = [item for architecture in ARCHITECTURES.values() for item in architecture.to_json()]
    assert {item["type"] for item in tables} == LAYER_TYPES.keys()


@table("architecture", ARCHITECTURES)
def test_json_and_back_is_the_same_architecture(architecture: Architecture) -> None:
    value = json.loads(json.dumps(architecture.to_json(), allow_nan=False))
    assert Architecture.from_json(value) == architecture
    assert Architecture.from_outline(value) == architecture


def test_json_says_all_of_a_layer() -> None:
    assert ARCHITECTURES["that one"].to_json() == [
        {
            "type": "conv2d",
            "name": "conv2d1",
            "inputs": 1,
            "outputs": 10,
            "kernel": 3,
            "stride": 1,
            "padding": 0,
            "biased": True,
        },
        {"type": "global_average_pool"},
    ]


def test_an_outline_takes_what_is_said_and_fills_in_the_rest() -> None:
    outline = [
        {"type": "conv2d", "outputs": 3, "kernel": 28},
        {"type": "flatten"},
        {"type": "dense", "outputs": 5, "name": "middle"},
        {"type": "dense", "outputs": 10, "inputs": 5},
    ]
    assert Architecture.from_outline(outline).layers == (
        Conv2D("conv2d1", 1, 3, kernel=28),
        Flatten(),
        Dense("middle", 3, 5),
        Dense("dense2", 5, 10),
    )


def test_json_leaves_nothing_out() -> None:
    for outline in (OUTLINE, POOLED):
        with pytest.raises(ValueError, match="missing or an unknown field"):
            Architecture.from_json(outline)


# -- layers that do not fit -------------------------------------------------


@table(
    "layers, words",
    {
        "no layers": ((), "784,.* logits"),
        "no dense layer": ((ReLU(),), "784,.* logits"),
        "images for logits": ((Conv2D("a", 1, 10, kernel=28),), r"\(10, 1, 1\) logits"),
        "another frame": ((Dense("a", 100, 10),), "a takes rows of 100 inputs .* given .784"),
        "a colour frame": (
            (Conv2D("a", 3, 1, kernel=3),),
            r"a takes images of 3 .* given \(1, 28, 28\)",
        ),
        "layers that do not fit": (
            (Dense("a", 784, 16), Dense("b", 32, 10)),
            "b takes rows of 32 inputs .* given .16",
        ),
        "images into a dense layer": (
            (Conv2D("a", 1, 784, kernel=28), Dense("b", 784, 10)),
            r"b takes rows of 784 inputs .* given \(784, 1, 1\)",
        ),
        "rows into a convolution": (
            (Dense("a", 784, 784), Conv2D("b", 1, 1, kernel=3)),
            "b takes images of 1 inputs .* given .784",
        ),
        "not ten logits": ((Dense("a", 784, 9),), r"\(9,\) logits; a digit has 10"),
        "a name twice": ((Dense("a", 784, 784), Dense("a", 784, 10)), "must differ"),
        "a name in two types": (
            (Dense("a", 784, 10), BatchNorm("a", 10)),
            "must differ",
        ),
    },
)
def test_layers_that_do_not_fit_are_refused(layers: tuple[Layer, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Architecture(layers)


# -- forged values ----------------------------------------------------------

DENSE = {"type": "dense", "name": "a", "inputs": 784, "outputs": 10}


@table(
    "value, words",
    {
        "not a list": ({}, "list of layers"),
        "null": (None, "list of layers"),
        "text": ("dense", "list of layers"),
        "a layer that is no table": (["dense"], "'dense' must have a type"),
        "no type": ([{"name": "a"}], "must have a type"),
        "an unknown type": ([{**DENSE, "type": "lstm"}], "'dense', .*'relu'"),
        "a class for a type": ([{**DENSE, "type": "Dense"}], "must have a type"),
        "a list for a type": ([{**DENSE, "type": []}], "must have a type"),
        "a table for a type": ([{**DENSE, "type": {}}], "must have a type"),
        "a missing field": ([{"type": "dense", "name": "a"}], "dense .* missing or an unknown"),
        "an unknown field": ([{**DENSE, "extra": 1}], "dense .*missing or .*: name, inputs, out"),
        "a name for what has none": ([DENSE, {"type": "relu", "name": "b"}], "relu .*unknown"),
        "a value out of range": ([{**DENSE, "inputs": 0}], r"a\.inputs"),
        "a huge value": ([{**DENSE, "inputs": 10**5000}], r"a\.inputs"),
        "layers that do not fit": ([{**DENSE, "outputs": 3}], r"\(3,\) logits"),
    },
)
def test_json_that_is_no_architecture_is_refused(value: object, words: str) -> None:
    assert_refused(value, words)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**63])
    | st.floats()
    | st.text(max_size=5),
    lambda value: st.lists(value, max_size=3) | st.dictionaries(st.text(max_size=5), value),
    max_leaves=5,
)


@PROPERTY
@given(st.data())
def test_any_json_in_any_place_is_refused_with_a_value_error_or_taken_as_it_is(
    data: st.DataObject,
) -> None:
    whole = ARCHITECTURES["all but one"].to_json()
    layer = data.draw(st.sampled_from(whole))
    field = data.draw(st.sampled_from([*layer, "extra"]))
    layer[field] = data.draw(JSON)
    try:
        architecture = Architecture.from_json(whole)
    except ValueError:
        return
    assert architecture.to_json() == whole


def test_more_layers_than_any_network_has_are_refused() -> None:
    dense, relus = Dense("dense1", 784, 10), [ReLU()] * MAX_LAYERS
    assert len(Architecture((dense, *relus[1:])).layers) == 64
    with pytest.raises(ValueError, match="65 layers, over the 64"):
        Architecture((dense, *relus))


@table(
    "first, words",
    {
        # 784 * 1338 is over 2**20.
        "activations": ({"outputs": 1338, "kernel": 1}, r"conv2d1.*\(1338, 28, 28\), over"),
        "activations that grow": ({"outputs": 1337, "kernel": 2, "padding": 1}, "conv2d1.*over"),
    },
)
def test_what_would_fill_the_memory_is_refused(first: dict[str, object], words: str) -> None:
    assert 1337 * 28**2 <= MAX_ACTIVATIONS < 1338 * 28**2
    last = [{"type": "global_average_pool"}, {"type": "dense", "outputs": 10}]
    Architecture.from_outline([{"type": "conv2d", "outputs": 1337, "kernel": 1}, *last])
    with pytest.raises(ValueError, match=words):
        Architecture.from_outline([{"type": "conv2d", **first}, *last])


@pytest.mark.parametrize("kind", ["conv2d", "depthwise_conv2d"])
def test_windows_that_would_fill_the_memory_are_refused(kind: str) -> None:
    def outline(channels: int) -> list[dict[str, Any]]:
        windows = {"type": kind, "kernel": 28, "padding": 14}  # 28**2 numbers in each of 29**2
        return [
            {"type": "conv2d", "outputs": channels, "kernel": 1},
            windows | ({"outputs": 1} if kind == "conv2d" else {}),
            {"type": "global_average_pool"},
            {"type": "dense", "outputs": 10},
        ]

    assert 6 * 28**2 * 29**2 <= MAX_COPIED < 7 * 28**2 * 29**2
    Architecture.from_outline(outline(6))
    with pytest.raises(ValueError, match=f"{kind}.* copies 4615408 numbers, over 4194304"):
        Architecture.from_outline(outline(7))
