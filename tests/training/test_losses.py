import numpy as np
import pytest
from numpy.typing import NDArray

from model.layers import softmax
from tests.helpers import table
from tests.training.differences import check_gradient
from training.gradients import softmax_backward
from training.losses import softmax_cross_entropy

LN2 = float(np.log(2))


@table(
    "logits, labels, loss, dlogits",
    {
        "a coin": ([[0.0, 0.0]], [0], LN2, [[-0.5, 0.5]]),
        "three to one, right": ([[np.log(3), 0.0]], [0], np.log(4 / 3), [[-0.25, 0.25]]),
        "three to one, wrong": ([[np.log(3), 0.0]], [1], np.log(4), [[0.75, -0.75]]),
        "the mean of two rows": (
            [[0.0, 0.0], [np.log(3), 0.0]],
            [0, 1],
            (LN2 + np.log(4)) / 2,
            [[-0.25, 0.25], [0.375, -0.375]],
        ),
        "certain and right": ([[100.0, 0.0]], [0], 0.0, [[0.0, 0.0]]),
    },
)
def test_the_loss_worked_by_hand(
    logits: list[list[float]], labels: list[int], loss: float, dlogits: list[list[float]]
) -> None:
    found, gradient = softmax_cross_entropy(np.array(logits), np.array(labels))
    assert found == pytest.approx(loss, abs=1e-12)
    np.testing.assert_allclose(gradient, dlogits, atol=1e-12)


def batch(seed: int) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, (6, 10)), rng.integers(0, 10, 6).astype(np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_agrees_with_finite_differences(seed: int) -> None:
    logits, labels = batch(seed)
    check_gradient(
        lambda given: softmax_cross_entropy(given, labels)[0],
        lambda dout, given: [dout * softmax_cross_entropy(given, labels)[1]],
        [logits],
    )


def test_the_fused_gradient_is_that_of_its_two_parts() -> None:
    logits, labels = batch(0)
    probabilities, rows = softmax(logits), np.arange(6)
    dprobabilities = np.zeros_like(logits)
    dprobabilities[rows, labels] = -1 / (6 * probabilities[rows, labels])
    np.testing.assert_allclose(
        softmax_cross_entropy(logits, labels)[1], softmax_backward(dprobabilities, probabilities)
    )


def test_the_gradient_of_every_row_sums_to_0() -> None:
    gradient = softmax_cross_entropy(*batch(0))[1]
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_hopelessly_wrong_answer_costs_much_but_not_infinity(dtype: type[np.floating]) -> None:
    loss, gradient = softmax_cross_entropy(np.array([[0, 2000]], dtype), np.array([0]))
    assert 80 < loss < np.inf
    assert gradient.tolist() == [[-1, 1]]
    assert gradient.dtype == dtype


def test_the_logits_are_left_as_they_were() -> None:
    logits, labels = batch(0)
    softmax_cross_entropy(logits, labels)
    np.testing.assert_array_equal(logits, batch(0)[0])
