from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from model import layers
from tests.helpers import PROPERTY, table


@table(
    "layer, inputs, expected",
    {
        "dense: rows times columns plus bias": (
            layers.dense,
            [[[1.0, 2.0], [0.0, 1.0]], [[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]], [0.5, 0.0, -1.0]],
            [[15.5, 18.0, 20.0], [6.5, 7.0, 7.0]],
        ),
        "dense: no rows": (layers.dense, [np.empty((0, 2)), [[1.0], [1.0]], [0.0]], []),
        "relu: nothing below zero": (layers.relu, [[[-1.5, 0.0, 2.5]]], [[0.0, 0.0, 2.5]]),
        "softmax: equal logits": (layers.softmax, [[[7.0, 7.0, 7.0, 7.0]]], [[0.25] * 4]),
        "softmax: a logit ln 3 higher is 3 times as likely": (
            layers.softmax,
            [[[0.0, np.log(3)], [np.log(3), 0.0]]],
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
    layer: Callable[..., NDArray[np.floating]],
    inputs: list[object],
    expected: list[object],
    dtype: type[np.floating],
) -> None:
    given_arrays = [np.array(value, dtype) for value in inputs]
    before = [array.copy() for array in given_arrays]
    out = layer(*given_arrays)
    assert out.dtype == dtype
    np.testing.assert_allclose(out, np.array(expected).reshape(out.shape), rtol=1e-6)
    for array, copy in zip(given_arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy, "an input was changed")


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
