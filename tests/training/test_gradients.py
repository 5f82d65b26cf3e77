import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from model import layers
from tests.helpers import table
from tests.training.differences import check_gradient
from training import gradients

Arrays: TypeAlias = Sequence[NDArray[np.floating]]


@dataclass(frozen=True)
class Case:
    """A layer as check_gradient takes it: shapes of its inputs, and its backward in full."""

    shapes: tuple[tuple[int, ...], ...]
    backward: Callable[..., Arrays]


CASES = {
    "dense": Case(
        ((4, 3), (3, 5), (5,)),
        lambda dout, x, weight, _: gradients.dense_backward(dout, x, weight),
    ),
    "relu": Case(((4, 6),), lambda dout, x: [gradients.relu_backward(dout, x)]),
    "softmax": Case(
        ((4, 6),), lambda dout, x: [gradients.softmax_backward(dout, layers.softmax(x))]
    ),
}

LAYERS = {
    name: function
    for name, function in inspect.getmembers(layers, inspect.isfunction)
    if function.__module__ == layers.__name__ and not name.startswith("_")
}


def drawn(shapes: Sequence[tuple[int, ...]], seed: int = 1) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


# -- the rule ---------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_has_a_backward_and_a_gradient_check(name: str) -> None:
    assert callable(getattr(gradients, f"{name}_backward", None)), "add it to training/gradients.py"
    assert name in CASES, "add it to CASES above"


def test_every_backward_is_of_a_layer() -> None:
    functions = inspect.getmembers(gradients, inspect.isfunction)
    assert {name.partition("_backward")[0] for name, _ in functions} == LAYERS.keys()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", CASES)
def test_a_backward_agrees_with_finite_differences(name: str, seed: int) -> None:
    case = CASES[name]
    check_gradient(LAYERS[name], case.backward, drawn(case.shapes, seed))


# -- the checker itself -----------------------------------------------------


def wrong_dense(error: Callable[[list[NDArray[np.float64]]], Arrays]) -> Callable[..., Arrays]:
    def backward(
        dout: NDArray[np.float64], x: NDArray[np.float64], weight: NDArray[np.float64], _: object
    ) -> Arrays:
        return error([dout @ weight.T, x.T @ dout, dout.sum(axis=0)])

    return backward


@table(
    "error",
    {
        "one in a thousand too large": lambda g: [g[0], g[1] * 1.001, g[2]],
        "of the other sign": lambda g: [-g[0], g[1], g[2]],
        "zero": lambda g: [g[0], g[1], g[2] * 0],
        "a mean instead of a sum": lambda g: [g[0], g[1], g[2] / 4],
        "of the wrong rows": lambda g: [g[0][::-1], g[1], g[2]],
        "one missing": lambda g: g[:2],
        "one number off": lambda g: [g[0], g[1] + np.eye(3, 5) * 1e-4, g[2]],
    },
)
def test_the_check_fails_on_a_wrong_gradient(
    error: Callable[[list[NDArray[np.float64]]], Arrays],
) -> None:
    arrays = drawn(CASES["dense"].shapes)
    check_gradient(layers.dense, wrong_dense(lambda g: g), arrays)
    with pytest.raises(AssertionError):
        check_gradient(layers.dense, wrong_dense(error), arrays)


def test_the_check_leaves_its_arrays_as_they_were() -> None:
    arrays = drawn(CASES["dense"].shapes)
    check_gradient(layers.dense, CASES["dense"].backward, arrays)
    for array, before in zip(arrays, drawn(CASES["dense"].shapes), strict=True):
        np.testing.assert_array_equal(array, before)


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


def test_relu_passes_above_zero_only_and_not_at_the_kink() -> None:
    dout, x = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[-1.0, 0.0, 1e-9, 5.0]])
    assert gradients.relu_backward(dout, x).tolist() == [[0, 0, 3, 4]]


def test_softmax_worked_by_hand() -> None:
    dlogits = gradients.softmax_backward(
        np.array([[1.0, 0.0], [1.0, 0.0], [5.0, 5.0]]),
        np.array([[0.5, 0.5], [0.25, 0.75], [0.25, 0.75]]),
    )
    assert dlogits.tolist() == [[0.25, -0.25], [0.1875, -0.1875], [0, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_gradients_keep_dtype_and_shape_and_change_no_input(
    name: str, dtype: type[np.floating]
) -> None:
    case = CASES[name]
    arrays = [array.astype(dtype) for array in drawn(case.shapes)]
    dout = LAYERS[name](*arrays)
    before = [array.copy() for array in (dout, *arrays)]
    for array, gradient in zip(arrays, case.backward(dout, *arrays), strict=True):
        assert gradient.dtype == dtype
        assert gradient.shape == array.shape
    for array, copy in zip((dout, *arrays), before, strict=True):
        np.testing.assert_array_equal(array, copy)
