import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from model import layers
from tests.helpers import table
from tests.training.differences import check_gradient
from training import gradients

Array: TypeAlias = NDArray[np.floating[Any]]
Arrays: TypeAlias = Sequence[Array]

EPSILON = 1e-5


@dataclass(frozen=True)
class Case:
    """A layer as check_gradient takes it: shapes of its inputs, and both passes in full."""

    shapes: tuple[tuple[int, ...], ...]
    forward: Callable[..., Array]
    backward: Callable[..., Arrays]


def elementwise(
    forward: Callable[[Array], Array], backward: Callable[[Array, Array], Array]
) -> Case:
    return Case(((3, 2, 4, 5),), forward, lambda dout, x: [backward(dout, x)])


def convolution(  # noqa: PLR0913 - the sizes of one convolution
    widths: tuple[int, int],
    kernel: int,
    stride: int,
    padding: int,
    *,
    side: tuple[int, int] = (6, 5),
    batch: int = 2,
) -> Case:
    channels, outputs = widths
    return Case(
        ((channels, batch, *side), (outputs, channels, kernel, kernel), (outputs,)),
        lambda x, weight, bias: layers.conv2d(x, weight, bias, stride, padding),
        lambda dout, x, weight, _: gradients.conv2d_backward(dout, x, weight, stride, padding),
    )


def depthwise(kernel: int, stride: int, padding: int) -> Case:
    return Case(
        ((3, 2, 6, 5), (3, kernel, kernel), (3,)),
        lambda x, weight, bias: layers.depthwise_conv2d(x, weight, bias, stride, padding),
        lambda dout, x, weight, _: gradients.depthwise_conv2d_backward(
            dout, x, weight, stride, padding
        ),
    )


def max_pool(size: int, stride: int) -> Case:
    return Case(
        ((2, 3, 7, 6),),
        lambda x: layers.max_pool2d(x, size, stride),
        lambda dout, x: [gradients.max_pool2d_backward(dout, x, size, stride)],
    )


def average_pool(size: int, stride: int) -> Case:
    return Case(
        ((2, 3, 7, 6),),
        lambda x: layers.average_pool2d(x, size, stride),
        lambda dout, x: [gradients.average_pool2d_backward(dout, x.shape, size, stride)],
    )


def batch_norm(*x_shape: int) -> Case:
    channels = x_shape[0] if len(x_shape) == 4 else x_shape[1]
    return Case(
        (x_shape, (channels,), (channels,)),
        lambda x, scale, shift: layers.batch_norm(
            x, scale, shift, *layers.batch_statistics(x), EPSILON
        ),
        lambda dout, x, scale, _: gradients.batch_norm_backward(
            dout, x, scale, *layers.batch_statistics(x), EPSILON
        ),
    )


MASK = np.array([[0.0, 2.0, 2.0], [2.0, 0.0, 0.0]])

# The key starts with the layer's name.
CASES = {
    "dense": Case(
        ((4, 3), (3, 5), (5,)),
        layers.dense,
        lambda dout, x, weight, _: gradients.dense_backward(dout, x, weight),
    ),
    "conv2d: plain": convolution((2, 3), 3, 1, 0),
    "conv2d: padded to the same size": convolution((2, 3), 3, 1, 1),
    "conv2d: 5x5, stride 2, as on pixels": convolution((1, 2), 5, 2, 2, side=(7, 8)),
    "conv2d: stride 2 that leaves a row over": convolution((3, 1), 3, 2, 0),
    "conv2d: stride beyond the kernel": convolution((2, 2), 1, 2, 0),
    "conv2d: windows half outside a single pixel": convolution((2, 2), 5, 1, 2, side=(1, 2)),
    "conv2d: a batch of one": convolution((2, 3), 3, 1, 1, batch=1),
    "depthwise_conv2d: plain": depthwise(3, 1, 0),
    "depthwise_conv2d: padded": depthwise(3, 1, 1),
    "depthwise_conv2d: stride 2": depthwise(5, 2, 2),
    "max_pool2d: side by side, a row dropped": max_pool(2, 2),
    "max_pool2d: overlapping": max_pool(3, 2),
    "max_pool2d: with gaps": max_pool(2, 3),
    "average_pool2d: side by side, a row dropped": average_pool(2, 2),
    "average_pool2d: overlapping": average_pool(3, 1),
    "average_pool2d: with gaps": average_pool(2, 3),
    "global_average_pool": Case(
        ((3, 2, 4, 5),),
        layers.global_average_pool,
        lambda dout, x: [gradients.global_average_pool_backward(dout, x.shape)],
    ),
    "flatten": Case(
        ((3, 2, 4, 5),),
        layers.flatten,
        lambda dout, x: [gradients.flatten_backward(dout, x.shape)],
    ),
    "batch_norm: images": batch_norm(3, 2, 4, 3),
    "batch_norm: rows": batch_norm(6, 4),
    "dropout": Case(
        ((2, 3),),
        lambda x: layers.dropout(x, MASK.astype(x.dtype)),
        lambda dout, _: [gradients.dropout_backward(dout, MASK.astype(dout.dtype))],
    ),
    "relu": elementwise(layers.relu, gradients.relu_backward),
    "leaky_relu": elementwise(
        lambda x: layers.leaky_relu(x, 0.1),
        lambda dout, x: gradients.leaky_relu_backward(dout, x, 0.1),
    ),
    "sigmoid": elementwise(
        layers.sigmoid, lambda dout, x: gradients.sigmoid_backward(dout, layers.sigmoid(x))
    ),
    "tanh": elementwise(layers.tanh, lambda dout, x: gradients.tanh_backward(dout, layers.tanh(x))),
    "gelu": elementwise(layers.gelu, gradients.gelu_backward),
    "softmax": elementwise(
        layers.softmax, lambda dout, x: gradients.softmax_backward(dout, layers.softmax(x))
    ),
}

PART_OF = {"batch_statistics": "batch_norm"}  # whose backward holds its own

LAYERS = {
    name
    for name, function in inspect.getmembers(layers, inspect.isfunction)
    if function.__module__ == layers.__name__ and not name.startswith("_")
} - PART_OF.keys()


def drawn(shapes: Sequence[tuple[int, ...]], seed: int = 1) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


# -- the rule ---------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_every_layer_has_a_backward_and_a_gradient_check(name: str) -> None:
    assert callable(getattr(gradients, f"{name}_backward", None)), "add it to training/gradients.py"
    assert name in {case.partition(":")[0] for case in CASES}, "add it to CASES above"


def test_every_backward_is_of_a_layer() -> None:
    names = [
        name
        for name, function in inspect.getmembers(gradients, inspect.isfunction)
        if function.__module__ == gradients.__name__ and not name.startswith("_")
    ]
    assert {name.partition("_backward")[0] for name in names} == LAYERS


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_a_backward_agrees_with_finite_differences(name: str, seed: int) -> None:
    case = CASES[name]
    check_gradient(case.forward, case.backward, drawn(case.shapes, seed))


# -- the checker itself -----------------------------------------------------


def one_of(array: Array) -> Array:
    """Zeros but for one 1, in the shape of ``array``."""
    return np.eye(1, array.size).reshape(array.shape)


WRONG: dict[str, Callable[[Array, Array, Array], Arrays]] = {
    "dx of the other sign": lambda dx, dw, db: [-dx, dw, db],
    "dx of the batch in reverse": lambda dx, dw, db: [dx[:, ::-1], dw, db],
    "dweight one in a thousand too large": lambda dx, dw, db: [dx, dw * 1.001, db],
    "dweight of a flipped kernel": lambda dx, dw, db: [dx, dw[..., ::-1], db],
    "dweight one number off": lambda dx, dw, db: [dx, dw + 1e-4 * one_of(dw), db],
    "dbias zero": lambda dx, dw, db: [dx, dw, db * 0],
    "dbias a mean instead of a sum": lambda dx, dw, db: [dx, dw, db / 2],
    "one missing": lambda dx, dw, _: [dx, dw],
}


@pytest.mark.parametrize("error", WRONG)
@pytest.mark.parametrize("name", ["dense", "conv2d: padded to the same size"])
def test_the_check_fails_on_a_wrong_gradient(name: str, error: str) -> None:
    case = CASES[name]
    arrays = drawn(case.shapes)
    check_gradient(case.forward, case.backward, arrays)

    def wrong(*arguments: Array) -> Arrays:
        return WRONG[error](*case.backward(*arguments))

    with pytest.raises(AssertionError):
        check_gradient(case.forward, wrong, arrays)


def test_the_check_leaves_its_arrays_as_they_were() -> None:
    case = CASES["dense"]
    arrays = drawn(case.shapes)
    check_gradient(case.forward, case.backward, arrays)
    for array, before in zip(arrays, drawn(case.shapes), strict=True):
        np.testing.assert_array_equal(array, before)


# -- what holds for every backward ------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_gradients_keep_dtype_and_shape_and_change_no_input(
    name: str, dtype: type[np.floating]
) -> None:
    case = CASES[name]
    arrays = [array.astype(dtype) for array in drawn(case.shapes)]
    dout = case.forward(*arrays)
    before = [array.copy() for array in (dout, *arrays)]
    for array, gradient in zip(arrays, case.backward(dout, *arrays), strict=True):
        assert gradient.dtype == dtype
        assert gradient.shape == array.shape
    for array, copy in zip((dout, *arrays), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", CASES)
def test_gradients_do_not_depend_on_how_images_lie_in_memory(name: str) -> None:
    case = CASES[name]
    arrays = drawn(case.shapes)
    dout = np.random.default_rng(2).normal(size=case.forward(*arrays).shape)
    expected = case.backward(dout, *arrays)
    # Every array with its axes the other way round in memory.
    actual = case.backward(np.asfortranarray(dout), *map(np.asfortranarray, arrays))
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("name", ["conv2d", "depthwise_conv2d"])
def test_a_convolution_without_bias_writes_the_same_weight_gradient(name: str) -> None:
    case = CASES[f"{name}: plain"]
    x, weight, bias = drawn(case.shapes)
    dout = case.forward(x, weight, bias)
    dweight = np.full_like(weight, np.nan)
    getattr(gradients, f"{name}_backward_parameters")(dout, x, dweight, None, 1, 0)
    np.testing.assert_array_equal(dweight, case.backward(dout, x, weight, bias)[1])


# -- worked by hand ---------------------------------------------------------


def test_dense_worked_by_hand() -> None:
    dx, dweight, dbias = gradients.dense_backward(
        np.array([[1.0, 10.0], [0.0, 1.0]]),
        np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    )
    assert dx.tolist() == [[21, 43, 65], [2, 4, 6]]
    assert dweight.tolist() == [[1, 14], [2, 25], [3, 36]]
    assert dbias.tolist() == [1, 11]


def image(*rows: Sequence[float]) -> NDArray[np.float64]:
    """One image of one channel, (1, 1, H, W)."""
    return np.array(rows, np.float64)[None, None]


def test_conv2d_worked_by_hand() -> None:
    dx, dweight, dbias = gradients.conv2d_backward(
        image([1, 10]), image([1, 2, 3], [4, 5, 6]), image([1, 2], [3, 4]), stride=1, padding=0
    )
    assert dx.tolist() == image([1, 12, 20], [3, 34, 40]).tolist()
    assert dweight.tolist() == image([21, 32], [54, 65]).tolist()
    assert dbias.tolist() == [11]


def test_max_pool2d_gives_all_to_the_first_of_equals() -> None:
    x = image([1, 7, 7], [0, 7, 7])
    dx = gradients.max_pool2d_backward(image([1, 10]), x, size=2, stride=1)
    assert dx.tolist() == image([0, 11, 0], [0, 0, 0]).tolist()


def test_average_pool2d_gives_equal_shares_and_none_to_what_was_dropped() -> None:
    dx = gradients.average_pool2d_backward(image([4, 8]), (1, 1, 2, 5), size=2, stride=2)
    assert dx.tolist() == image([1, 1, 2, 2, 0], [1, 1, 2, 2, 0]).tolist()


def test_batch_norm_passes_nothing_that_shifts_or_scales_the_whole_batch() -> None:
    x, scale, _ = drawn(CASES["batch_norm: rows"].shapes)
    mean, variance = layers.batch_statistics(x)
    for dout in (np.ones_like(x), x - mean):
        dx, *_ = gradients.batch_norm_backward(dout, x, scale, mean, variance, 0.0)
        np.testing.assert_allclose(dx, 0, atol=1e-12)


@table(
    "backward, expected",
    {
        "relu": (gradients.relu_backward, [0, 0, 3, 4]),
        "leaky_relu": (
            lambda dout, x: gradients.leaky_relu_backward(dout, x, 0.5),
            [0.5, 1, 3, 4],
        ),
    },
)
def test_a_rectifier_passes_above_zero_only_and_not_at_the_kink(
    backward: Callable[[Array, Array], Array], expected: list[float]
) -> None:
    dout, x = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[-1.0, 0.0, 1e-9, 5.0]])
    assert backward(dout, x).tolist() == [expected]


def test_softmax_worked_by_hand() -> None:
    dlogits = gradients.softmax_backward(
        np.array([[1.0, 0.0], [1.0, 0.0], [5.0, 5.0]]),
        np.array([[0.5, 0.5], [0.25, 0.75], [0.25, 0.75]]),
    )
    assert dlogits.tolist() == [[0.25, -0.25], [0.1875, -0.1875], [0, 0]]
