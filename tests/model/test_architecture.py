import dataclasses
import json

import pytest

from model.architecture import MAX_LAYERS, MAX_WIDTH, Architecture, Dense, ReLU, mlp
from tests.helpers import table


def test_an_mlp_has_relu_between_its_dense_layers() -> None:
    assert mlp(784, 128, 64, 10).layers == (
        Dense("dense1", 784, 128),
        ReLU(),
        Dense("dense2", 128, 64),
        ReLU(),
        Dense("dense3", 64, 10),
    )


def test_names_and_shapes_of_parameters_follow_in_layer_order() -> None:
    shapes = mlp(784, 16, 10).parameter_shapes()
    assert list(shapes.items()) == [
        ("dense1.weight", (784, 16)),
        ("dense1.bias", (16,)),
        ("dense2.weight", (16, 10)),
        ("dense2.bias", (10,)),
    ]


@pytest.mark.parametrize(("widths", "count"), [((784, 10), 7850), ((784, 128, 64, 10), 109386)])
def test_parameters_are_counted(widths: tuple[int, ...], count: int) -> None:
    assert mlp(*widths).parameter_count() == count


@pytest.mark.parametrize("widths", [(784, 10), (784, 1, 10), (784, 128, 64, 10)])
def test_json_and_back_is_the_same_architecture(widths: tuple[int, ...]) -> None:
    architecture = mlp(*widths)
    assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture


def test_an_architecture_is_frozen_and_hashable() -> None:
    architecture = mlp(784, 10)
    assert hash(architecture) == hash(mlp(784, 10))
    with pytest.raises(dataclasses.FrozenInstanceError):
        architecture.layers = ()  # type: ignore[misc]


@table(
    "layers, words",
    {
        "no layers": ((), "784 logits"),
        "no dense layer": ((ReLU(),), "784 logits"),
        "another frame": ((Dense("a", 100, 10),), "a takes 100 inputs but is given 784"),
        "layers that do not fit": (
            (Dense("a", 784, 16), Dense("b", 32, 10)),
            "b takes 32 inputs but is given 16",
        ),
        "not ten logits": ((Dense("a", 784, 9),), "9 logits"),
        "a name twice": ((Dense("a", 784, 784), Dense("a", 784, 10)), "must differ"),
    },
)
def test_layers_that_do_not_fit_are_refused(layers: tuple[Dense | ReLU, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Architecture(layers)


@pytest.mark.parametrize("width", [0, -1, MAX_WIDTH + 1, 10.0, True, "10", None])
@pytest.mark.parametrize("field", ["inputs", "outputs"])
def test_a_width_is_a_whole_number_within_bounds(field: str, width: object) -> None:
    with pytest.raises(ValueError, match=rf"dense1\.{field} must be an integer"):
        Dense(**{"name": "dense1", "inputs": 784, "outputs": 10, field: width})  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [1, MAX_WIDTH])
def test_the_bounds_of_a_width_are_allowed(width: int) -> None:
    assert Dense("dense1", width, width).inputs == width


@pytest.mark.parametrize("name", ["", "a b", "a.b", "../a", "1a", "a\n", None, 1])
def test_a_layer_name_is_an_identifier(name: object) -> None:
    with pytest.raises(ValueError, match="plain identifier"):
        Dense(name, 784, 10)  # type: ignore[arg-type]


DENSE = {"type": "dense", "name": "a", "inputs": 784, "outputs": 10}


@table(
    "value, words",
    {
        "not a list": ({}, "list of layers"),
        "null": (None, "list of layers"),
        "a layer that is no object": (["dense"], "must be an object"),
        "no type": ([{"name": "a"}], "must be an object with a type"),
        "an unknown type": ([{**DENSE, "type": "lstm"}], "'dense', 'relu'"),
        "a list for a type": ([{**DENSE, "type": []}], "must be an object with a type"),
        "an object for a type": ([{**DENSE, "type": {}}], "must be an object with a type"),
        "a missing field": ([{"type": "dense", "name": "a"}], "missing or an unknown field"),
        "an unknown field": ([{**DENSE, "extra": 1}], "missing or an unknown field"),
        "a value out of range": ([{**DENSE, "inputs": 0}], "a.inputs"),
        "layers that do not fit": ([{**DENSE, "outputs": 3}], "3 logits"),
    },
)
def test_json_that_is_no_architecture_is_refused(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Architecture.from_json(value)


def test_more_layers_than_any_network_has_are_refused() -> None:
    with pytest.raises(ValueError, match="65 layers, over the 64"):
        Architecture((Dense("dense1", 784, 10), *[ReLU()] * MAX_LAYERS))
