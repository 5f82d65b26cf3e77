"""Gradients by central differences, against which every backward is checked."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP = 1e-6
TOLERANCE = 1e-6  # central differences in float64 are good to some 1e-9 of values near 1


def numerical_gradient(
    loss: Callable[[], float], array: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The derivative of ``loss()`` by every number of ``array``, which is moved and put back."""
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + STEP
        above = loss()
        array[index] = value - STEP
        below = loss()
        array[index] = value
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


def check_gradient(
    function: Callable[..., Any],
    backward: Callable[..., Sequence[NDArray[np.floating]]],
    arrays: Sequence[NDArray[np.float64]],
) -> None:
    """``backward(dout, *arrays)`` gives the derivatives of sum(dout * function(*arrays)).

    One gradient for every array, in order; ``dout`` is drawn at random so that
    no error can cancel in a plain sum.
    """
    dout = np.random.default_rng(0).normal(size=np.shape(function(*arrays)))
    gradients = backward(dout, *arrays)
    assert len(gradients) == len(arrays)
    for array, gradient in zip(arrays, gradients, strict=True):
        expected = numerical_gradient(lambda: float(np.sum(dout * function(*arrays))), array)
        np.testing.assert_allclose(gradient, expected, rtol=TOLERANCE, atol=TOLERANCE)
