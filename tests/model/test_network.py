from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model import layers
from model.architecture import Architecture, mlp
from model.network import Network, forward, scale_pixels
from model.specifications import BatchNorm, Dense, Dropout
from tests.helpers import table
from tests.model.specimens import SPECIMENS, Specimen


def small_network(dtype: type[np.floating] = np.float32) -> Network:
    """Hidden units x0 + 2 and 1 - x0; the logits of 0 and 1 are one of them each, plus 5."""
    parameters = {
        name: np.zeros(shape, dtype) for name, shape in mlp(784, 2, 10).parameter_shapes().items()
    }
    parameters["dense1.weight"][0] = [1, -1]
    parameters["dense1.bias"][:] = [2, 1]
    parameters["dense2.weight"][0, 0] = parameters["dense2.weight"][1, 1] = 1
    parameters["dense2.bias"][:2] = 5
    return Network(mlp(784, 2, 10), parameters)


def row(first: float) -> NDArray[np.float32]:
    return np.array([[first, *[0.0] * 783]], np.float32)


@pytest.mark.parametrize(
    ("first", "zero", "one"), [(0.0, 7, 6), (1.0, 8, 5), (3.0, 10, 5), (-4.0, 5, 10)]
)
def test_logits_are_those_worked_by_hand(first: float, zero: float, one: float) -> None:
    assert small_network().logits(row(first)).tolist() == [[zero, one, *[0.0] * 8]]


def test_every_row_is_computed_for_itself() -> None:
    rows = np.concatenate([row(0), row(1), row(3)])
    assert small_network().logits(rows)[:, 0].tolist() == [7, 8, 10]


def test_the_input_is_left_as_it_was() -> None:
    rows = row(-4)
    small_network().logits(rows)
    np.testing.assert_array_equal(rows, row(-4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_have_the_dtype_of_parameters_and_rows(dtype: type[np.floating]) -> None:
    assert small_network(dtype).logits(row(1).astype(dtype)).dtype == dtype


def test_a_change_of_the_parameters_is_seen() -> None:
    network = small_network()
    network.parameters["dense2.bias"][0] += 1
    assert network.logits(row(0))[0, 0] == 8


@table(
    "changes",
    {
        "missing": {"dense2.bias": None},
        "unknown": {"dense3.bias": np.zeros(10)},
        "transposed": {"dense1.weight": np.zeros((2, 784))},
        "another length": {"dense2.bias": np.zeros(9)},
        "another number of axes": {"dense2.bias": np.zeros((1, 10))},
    },
)
def test_other_parameters_than_the_architectures_are_refused(
    changes: dict[str, NDArray[np.float64] | None],
) -> None:
    parameters = {**small_network().parameters, **changes}
    given = {name: array for name, array in parameters.items() if array is not None}
    with pytest.raises(ValueError, match=r"are not the architecture's"):
        Network(mlp(784, 2, 10), given)


# -- layers -----------------------------------------------------------------


def drawn(
    shapes: dict[str, tuple[int, ...]], dtype: type[np.floating] = np.float64
) -> dict[str, NDArray[Any]]:
    """Random parameters of both signs, but for variances."""
    rng = np.random.default_rng(0)
    return {
        name: rng.uniform(0.1 if name.endswith(".variance") else -1, 1, shape).astype(dtype)
        for name, shape in shapes.items()
    }


def convolutional(dtype: type[np.floating] = np.float64) -> Network:
    """A network of every kind of layer that reads images."""
    architecture = Architecture.from_outline(
        [
            {"type": "conv2d", "outputs": 3, "kernel": 5, "stride": 2, "padding": 2},
            {"type": "batch_norm", "epsilon": 0.01},
            {"type": "leaky_relu", "slope": 0.2},
            {"type": "depthwise_conv2d", "kernel": 3, "biased": False},
            {"type": "gelu"},
            {"type": "max_pool2d", "size": 3, "stride": 2},
            {"type": "conv2d", "outputs": 4, "kernel": 2, "biased": False},
            {"type": "average_pool2d", "size": 2, "stride": 2},
            {"type": "flatten"},
            {"type": "dropout", "rate": 0.5},
            {"type": "dense", "outputs": 10},
        ]
    )
    return Network(architecture, drawn(architecture.parameter_shapes(), dtype))


def pixels(count: int, dtype: type[np.floating] = np.float64) -> NDArray[Any]:
    return np.random.default_rng(1).random((count, 784)).astype(dtype)


def test_a_network_of_images_is_its_layers_one_after_the_other() -> None:
    network, rows = convolutional(), pixels(3)
    p = network.parameters
    statistics = (p["batch_norm1.mean"], p["batch_norm1.variance"])
    x = np.stack([row.reshape(28, 28) for row in rows])[None]  # (C, N, H, W)
    x = layers.conv2d(x, p["conv2d1.weight"], p["conv2d1.bias"], 2, 2)
    x = layers.batch_norm(x, p["batch_norm1.scale"], p["batch_norm1.shift"], *statistics, 0.01)
    x = layers.leaky_relu(x, 0.2)
    x = layers.depthwise_conv2d(x, p["depthwise_conv2d1.weight"], None, 1, 0)
    x = layers.gelu(x)
    x = layers.max_pool2d(x, 3, 2)
    x = layers.conv2d(x, p["conv2d2.weight"], None, 1, 0)
    x = layers.average_pool2d(x, 2, 2)
    x = layers.flatten(x)
    x = layers.dense(x, p["dense1.weight"], p["dense1.bias"])
    np.testing.assert_array_equal(network.logits(rows), x)


@pytest.mark.parametrize("batch", [0, 1, 3])
@table("specimen", SPECIMENS)
def test_a_layer_makes_the_shape_that_its_specification_says(
    specimen: Specimen, batch: int
) -> None:
    def with_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
        return (batch, *shape) if len(shape) == 1 else (shape[0], batch, *shape[1:])

    for dtype in (np.float32, np.float64):
        parameters = drawn(specimen.parameters | specimen.statistics, dtype)
        out = forward(specimen.layer, parameters, np.ones(with_batch(specimen.takes), dtype))
        assert out.shape == with_batch(specimen.makes)
        assert out.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_images_keep_their_dtype_all_the_way(dtype: type[np.floating]) -> None:
    assert convolutional(dtype).logits(pixels(2, dtype)).dtype == dtype


def test_every_image_is_computed_for_itself() -> None:
    network, rows = convolutional(), pixels(3)
    together = network.logits(rows)
    assert together.shape == (3, 10)
    for row, logits in zip(rows, together, strict=True):
        np.testing.assert_allclose(network.logits(row[None])[0], logits)
    assert network.logits(rows[:0]).shape == (0, 10)


def test_images_and_statistics_are_left_as_they_were() -> None:
    network, rows = convolutional(), pixels(3)
    before = {name: array.copy() for name, array in network.parameters.items()}
    network.logits(rows)
    np.testing.assert_array_equal(rows, pixels(3))
    for name, array in network.parameters.items():
        np.testing.assert_array_equal(array, before[name])


def test_dropout_drops_nothing_when_serving() -> None:
    plain = mlp(784, 2, 10)
    first, relu, last = plain.layers
    dropping = Architecture((Dropout(0.9), first, relu, Dropout(0.5), last))
    parameters = drawn(plain.parameter_shapes())
    np.testing.assert_array_equal(
        Network(dropping, parameters).logits(pixels(4)),
        Network(plain, parameters).logits(pixels(4)),
    )


def test_batch_norm_takes_its_stored_statistics_when_serving() -> None:
    architecture = Architecture((Dense("a", 784, 10), BatchNorm("n", 10, epsilon=1)))
    parameters = {name: np.zeros(shape) for name, shape in architecture.parameter_shapes().items()}
    parameters["a.bias"][:] = 6
    parameters["n.mean"][:] = 2
    parameters["n.variance"][:] = [3, *[0] * 9]
    parameters["n.scale"][:] = 10
    parameters["n.shift"][:] = 5
    # Of 6, less the mean 2, over sqrt(variance + 1), times 10 and plus 5.
    logits = Network(architecture, parameters).logits(np.zeros((1, 784)))
    assert logits.tolist() == [[25, *[45] * 9]]


def test_images_come_as_the_first_layer_takes_them() -> None:
    rows = pixels(2)
    shaped = convolutional().shaped(rows)
    assert shaped.shape == (1, 2, 28, 28)
    assert shaped[0, 1, 3, 5] == rows[1, 3 * 28 + 5]
    assert small_network().shaped(rows) is rows


# -- pixels -----------------------------------------------------------------


def test_pixels_are_scaled_to_0_to_1_in_rows() -> None:
    frames = np.zeros((2, 28, 28), np.uint8)
    frames[0, 0, :3] = [255, 51, 1]
    frames[1, 27, 27] = 255
    rows = scale_pixels(frames)
    assert rows.shape == (2, 784)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[0, :4], [1, 0.2, 1 / 255, 0], rtol=1e-6)
    assert rows[1].nonzero()[0].tolist() == [783]
