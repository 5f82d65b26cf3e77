from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from model import layers
from training import gradients, halves
from training.helper import Helper

SHAPES = [(5, 6, 4), (1, 2, 1), (4, 7, 3)]  # images, inputs (also an odd number), outputs


@pytest.fixture
def helper() -> Iterator[Helper]:
    with Helper() as helper:
        yield helper


def drawn(*shapes: tuple[int, ...]) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(1)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize(("images", "inputs", "outputs"), SHAPES)
def test_dense_in_halves_is_dense(images: int, inputs: int, outputs: int, helper: Helper) -> None:
    x, weight, bias = drawn((images, inputs), (inputs, outputs), (outputs,))
    np.testing.assert_allclose(
        halves.dense(helper, x, weight, bias), layers.dense(x, weight, bias), rtol=1e-12
    )


@pytest.mark.parametrize(("images", "inputs", "outputs"), SHAPES)
def test_its_backward_in_halves_is_its_backward(
    images: int, inputs: int, outputs: int, helper: Helper
) -> None:
    dout, x = drawn((images, outputs), (images, inputs))
    whole, divided = ([np.full((inputs, outputs), np.nan), np.full(outputs, np.nan)] for _ in "ab")
    gradients.dense_backward_parameters(dout, x, *whole)
    halves.dense_backward_parameters(helper, dout, x, *divided)
    for one, other in zip(whole, divided, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12)
