import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray

from model import layers
from tests.helpers import PROPERTY, table

Array: TypeAlias = NDArray[np.floating[Any]]

SQUARE = [[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]  # one image of one channel
DIAGONAL = [[[[1, 0], [0, 10]]]]  # one kernel
TWO_IMAGES = [[[[1, 2]], [[3, 4]]], [[[5, 6]], [[7, 8]]]]  # (C, N, H, W) = (2, 2, 1, 2)


def unit_batch_norm(x: Array, scale: Array, shift: Array, mean: Array, variance: Array) -> Array:
    return layers.batch_norm(x, scale, shift, mean, variance, epsilon=1)


@table(
    "layer, inputs, expected",
    {
        "dense: rows times columns plus bias": (
            layers.dense,
            [[[1.0, 2.0], [0.0, 1.0]], [[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]], [0.5, 0.0, -1.0]],
            [[15.5, 18.0, 20.0], [6.5, 7.0, 7.0]],
        ),
        "dense: no rows": (
            layers.dense,
            [np.empty((0, 2)), [[1.0], [1.0]], [0.0]],
            np.empty((0, 1)),
        ),
        "conv2d: the kernel is not flipped": (
            lambda x, weight, bias: layers.conv2d(x, weight, bias, 1, 0),
            [SQUARE, DIAGONAL, [0.5]],
            [[[[51.5, 62.5], [84.5, 95.5]]]],
        ),
        "conv2d: zeros around the image": (
            lambda x, weight: layers.conv2d(x, weight, None, 2, 1),
            [SQUARE, DIAGONAL],
            [[[[10, 30], [70, 95]]]],
        ),
        "conv2d: sums over the channels, image by image": (
            lambda x, weight: layers.conv2d(x, weight, None, 1, 0),
            [TWO_IMAGES, [[[[1]], [[10]]], [[[0]], [[1]]]]],
            [[[[51, 62]], [[73, 84]]], [[[5, 6]], [[7, 8]]]],
        ),
        "conv2d: no images": (
            lambda x, weight: layers.conv2d(x, weight, None, 1, 0),
            [np.empty((1, 0, 3, 3)), DIAGONAL],
            np.empty((1, 0, 2, 2)),
        ),
        "depthwise_conv2d: a kernel for each channel": (
            lambda x, weight, bias: layers.depthwise_conv2d(x, weight, bias, 1, 0),
            [TWO_IMAGES, [[[1]], [[10]]], [0, 0.5]],
            [[[[1, 2]], [[3, 4]]], [[[50.5, 60.5]], [[70.5, 80.5]]]],
        ),
        "max_pool2d: windows overlap": (
            lambda x: layers.max_pool2d(x, 2, 1),
            [[[[[-1, -2, -3], [-4, -5, 6]]]]],
            [[[[-1, 6]]]],
        ),
        "max_pool2d: what does not fill a window is dropped": (
            lambda x: layers.max_pool2d(x, 2, 2),
            [SQUARE],
            [[[[5]]]],
        ),
        "average_pool2d: what does not fill a window is dropped": (
            lambda x: layers.average_pool2d(x, 2, 2),
            [SQUARE],
            [[[[3]]]],
        ),
        "global_average_pool: rows of channels": (
            layers.global_average_pool,
            [TWO_IMAGES],
            [[1.5, 5.5], [3.5, 7.5]],
        ),
        "flatten: channel by channel": (
            layers.flatten,
            [TWO_IMAGES],
            [[1, 2, 5, 6], [3, 4, 7, 8]],
        ),
        "batch_norm: images": (
            unit_batch_norm,
            [TWO_IMAGES, [4, 2], [10, 0], [1, 7], [3, 0]],
            [[[[10, 12]], [[14, 16]]], [[[-4, -2]], [[0, 2]]]],
        ),
        "batch_norm: rows": (
            unit_batch_norm,
            [[[1, 5], [2, 6], [3, 7]], [4, 2], [10, 0], [1, 7], [3, 0]],
            [[10, -4], [12, -2], [14, 0]],
        ),
        "dropout: times the mask": (layers.dropout, [[[1, 2, 3]], [[0, 2, 2]]], [[0, 4, 6]]),
        "relu: nothing below zero": (layers.relu, [[[-1.5, 0.0, 2.5]]], [[0.0, 0.0, 2.5]]),
        "leaky_relu: a slope below zero": (
            lambda x: layers.leaky_relu(x, 0.1),
            [[[-1.5, 0.0, 2.5]]],
            [[-0.15, 0.0, 2.5]],
        ),
        "sigmoid: ln 3 is 3 to 1": (
            layers.sigmoid,
            [[[-1e30, -math.log(3), 0, math.log(3), 1e30]]],
            [[0, 0.25, 0.5, 0.75, 1]],
        ),
        "tanh: ln 3": (
            layers.tanh,
            [[[-1e30, 0, math.log(3), 1e30]]],
            [[-1, 0, 0.8, 1]],
        ),
        "gelu: in its tanh form": (
            layers.gelu,
            [[[-100, -1, 0, 1, 100]]],
            [[0, -0.158808, 0, 0.841192, 100]],
        ),
        "softmax: equal logits": (layers.softmax, [[[7.0, 7.0, 7.0, 7.0]]], [[0.25] * 4]),
        "softmax: a logit ln 3 higher is 3 times as likely": (
            layers.softmax,
            [[[0.0, math.log(3)], [math.log(3), 0.0]]],
            [[0.25, 0.75], [0.75, 0.25]],
        ),
        "softmax: huge logits do not overflow": (
            layers.softmax,
            [[[1e30, 0.0], [-1e30, 0.0], [1e30, 1e30]]],
            [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]],
        ),
    },
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_layer_computes_its_definition_and_keeps_the_dtype(
    layer: Callable[..., Array],
    inputs: list[object],
    expected: ArrayLike,
    dtype: type[np.floating],
) -> None:
    given_arrays = [np.array(value, dtype) for value in inputs]
    before = [array.copy() for array in given_arrays]
    out = layer(*given_arrays)
    assert out.dtype == dtype
    assert out.shape == np.shape(expected)
    np.testing.assert_allclose(out, np.array(expected, dtype), rtol=2e-6, atol=1e-7)
    for array, copy in zip(given_arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy, "an input was changed")


# -- convolution against its definition -------------------------------------


def naive_conv2d(x: Array, weight: Array, bias: Array, stride: int, padding: int) -> Array:
    outputs, _, kernel, _ = weight.shape
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    rows, columns = ((side - kernel) // stride + 1 for side in x.shape[2:])
    out = np.empty((outputs, x.shape[1], rows, columns))
    for o, n, i, j in np.ndindex(out.shape):
        top, left = i * stride, j * stride
        window = x[:, n, top : top + kernel, left : left + kernel]
        out[o, n, i, j] = np.sum(window * weight[o]) + bias[o]
    return out


SIZES = {
    "same size": (3, 1, 1),
    "no padding": (3, 1, 0),
    "halved": (5, 2, 2),
    "halved, a row left over": (2, 2, 0),
    "one by one": (1, 1, 0),
    "strides over pixels": (1, 3, 0),
    "more padding than the kernel needs": (3, 2, 3),
}


@table("kernel, stride, padding", SIZES)
@pytest.mark.parametrize("batch", [1, 3])
def test_conv2d_agrees_with_a_loop_over_windows(
    kernel: int, stride: int, padding: int, batch: int
) -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(2, batch, 7, 6)), rng.normal(size=(4, 2, kernel, kernel))
    bias = rng.normal(size=4)
    out = layers.conv2d(x, weight, bias, stride, padding)
    expected = naive_conv2d(x, weight, bias, stride, padding)
    assert out.shape == expected.shape
    np.testing.assert_allclose(out, expected, atol=1e-12)


@table("kernel, stride, padding", SIZES)
def test_depthwise_conv2d_is_conv2d_of_every_channel_alone(
    kernel: int, stride: int, padding: int
) -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(3, 2, 7, 6)), rng.normal(size=(3, kernel, kernel))
    bias = rng.normal(size=3)
    out = layers.depthwise_conv2d(x, weight, bias, stride, padding)
    for c in range(3):
        alone = naive_conv2d(x[c : c + 1], weight[c : c + 1, None], bias[c:], stride, padding)
        np.testing.assert_allclose(out[c : c + 1], alone, atol=1e-12)


# -- batch norm -------------------------------------------------------------


@table("shape, axes", {"images": ((3, 4, 5, 6), (1, 2, 3)), "rows": ((40, 3), 0)})
def test_the_statistics_of_a_batch_are_its_mean_and_biased_variance(
    shape: tuple[int, ...], axes: int | tuple[int, ...]
) -> None:
    x = np.random.default_rng(0).normal(5, 2, shape)
    mean, variance = layers.batch_statistics(x)
    np.testing.assert_allclose(mean, x.mean(axis=axes))
    np.testing.assert_allclose(variance, x.var(axis=axes))


def test_the_variance_of_a_batch_far_from_zero_keeps_its_digits_in_float32() -> None:
    x = np.random.default_rng(0).normal(1000, 1, (2, 8, 14, 14)).astype(np.float32)
    mean, variance = layers.batch_statistics(x)
    assert mean.dtype == variance.dtype == np.float32
    np.testing.assert_allclose(variance, x.astype(np.float64).var(axis=(1, 2, 3)), rtol=1e-4)


@PROPERTY
@given(
    arrays(np.float64, (3, 5), elements=st.floats(-50, 50)),
    st.floats(-50, 50),
)
def test_softmax_gives_probabilities_that_no_common_shift_changes(
    logits: NDArray[np.float64], shift: float
) -> None:
    probabilities = layers.softmax(logits)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(layers.softmax(logits + shift), probabilities, rtol=1e-9)
