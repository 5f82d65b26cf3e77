import typing
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from model.layers import sigmoid, softmax
from tests.helpers import table
from tests.training.differences import check_gradient
from training.config import (
    BinaryCrossEntropy,
    Distillation,
    LossConfig,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)
from training.gradients import softmax_backward
from training.losses import (
    Loss,
    binary_cross_entropy,
    distillation,
    mean_squared_error,
    objective,
    one_hot,
    softmax_cross_entropy,
    softmax_cross_entropy_targets,
)
from training.rows import NO_DIGIT

Array: TypeAlias = NDArray[np.floating[Any]]

LN2, LN3, LN4 = (float(np.log(number)) for number in (2, 3, 4))


def batch(seed: int) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, (6, 10)), rng.integers(0, 10, 6).astype(np.uint8)


def drawn_targets(seed: int = 9) -> Array:
    """Distributions over the classes for the six images of a batch."""
    return softmax(np.random.default_rng(seed).normal(size=(6, 10)))


# -- worked by hand ---------------------------------------------------------


@table(
    "logits, labels, loss, dlogits",
    {
        "a coin": ([[0.0, 0.0]], [0], LN2, [[-0.5, 0.5]]),
        "three to one, right": ([[LN3, 0.0]], [0], LN4 - LN3, [[-0.25, 0.25]]),
        "three to one, wrong": ([[LN3, 0.0]], [1], LN4, [[0.75, -0.75]]),
        "the mean of two rows": (
            [[0.0, 0.0], [LN3, 0.0]],
            [0, 1],
            (LN2 + LN4) / 2,
            [[-0.25, 0.25], [0.375, -0.375]],
        ),
        "certain and right": ([[100.0, 0.0]], [0], 0.0, [[0.0, 0.0]]),
    },
)
def test_softmax_cross_entropy_worked_by_hand(
    logits: list[list[float]], labels: list[int], loss: float, dlogits: list[list[float]]
) -> None:
    found, gradient = softmax_cross_entropy(np.array(logits), np.array(labels))
    assert found == pytest.approx(loss, abs=1e-12)
    np.testing.assert_allclose(gradient, dlogits, atol=1e-12)


@table(
    "function, logits, targets, loss, dlogits",
    {
        "soft targets, a coin": (
            softmax_cross_entropy_targets,
            [[0.0, 0.0]],
            [[0.25, 0.75]],
            LN2,
            [[0.25, -0.25]],
        ),
        "soft targets, met": (
            softmax_cross_entropy_targets,
            [[LN3, 0.0]],
            [[0.75, 0.25]],
            LN4 - 0.75 * LN3,
            [[0.0, 0.0]],
        ),
        "soft targets, the mean of two rows": (
            softmax_cross_entropy_targets,
            [[0.0, 0.0], [LN3, 0.0]],
            [[1.0, 0.0], [0.0, 1.0]],
            (LN2 + LN4) / 2,
            [[-0.25, 0.25], [0.375, -0.375]],
        ),
        "binary, two coins": (
            binary_cross_entropy,
            [[0.0, 0.0]],
            [[1.0, 0.0]],
            2 * LN2,
            [[-0.5, 0.5]],
        ),
        "binary, each for itself": (
            binary_cross_entropy,
            [[LN3, -LN3, LN3]],
            [[1.0, 0.0, 0.0]],
            2 * (LN4 - LN3) + LN4,
            [[-0.25, 0.25, 0.75]],
        ),
        "binary, the mean of two rows": (
            binary_cross_entropy,
            [[0.0], [LN3]],
            [[1.0], [0.0]],
            (LN2 + LN4) / 2,
            [[-0.25], [0.375]],
        ),
        "squared, a coin": (
            mean_squared_error,
            [[0.0, 0.0]],
            [[1.0, 0.0]],
            0.5,
            [[-0.5, 0.5]],
        ),
        "squared, three to one and wrong": (
            mean_squared_error,
            [[LN3, 0.0]],
            [[0.0, 1.0]],
            2 * 0.75**2,
            [[4 * 0.75 * 0.75 * 0.25, -4 * 0.75 * 0.75 * 0.25]],
        ),
        "squared, the mean of two rows": (
            mean_squared_error,
            [[0.0, 0.0], [100.0, 0.0]],
            [[1.0, 0.0], [1.0, 0.0]],
            0.25,
            [[-0.25, 0.25], [0.0, 0.0]],
        ),
    },
)
def test_a_loss_of_targets_worked_by_hand(
    function: Callable[[Array, Array], tuple[float, Array]],
    logits: list[list[float]],
    targets: list[list[float]],
    loss: float,
    dlogits: list[list[float]],
) -> None:
    found, gradient = function(np.array(logits), np.array(targets))
    assert found == pytest.approx(loss, abs=1e-12)
    np.testing.assert_allclose(gradient, dlogits, atol=1e-12)


@table(
    "smoothing, expected",
    {
        "none": (0.0, [[0, 0, 1, 0], [1, 0, 0, 0]]),
        "some": (0.2, [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]]),
    },
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_are_spread_evenly_over_all_classes(
    smoothing: float, expected: list[list[float]], dtype: type[np.floating]
) -> None:
    targets = one_hot(np.array([2, 0], np.uint8), 4, np.dtype(dtype), smoothing)
    assert targets.dtype == dtype
    np.testing.assert_allclose(targets, expected, rtol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_of_an_image_without_a_digit_every_class_is_as_likely(smoothing: float) -> None:
    labels = np.array([NO_DIGIT, 0, NO_DIGIT, 9], np.uint8)
    targets = one_hot(labels, 10, np.dtype(np.float64), smoothing)
    np.testing.assert_allclose(targets[[0, 2]], 0.1, rtol=1e-15)
    known = one_hot(labels[[1, 3]], 10, np.dtype(np.float64), smoothing)
    np.testing.assert_array_equal(targets[[1, 3]], known)


# -- every loss -------------------------------------------------------------

TEACHER = np.random.default_rng(3).normal(0, 2, (6, 10))

OBJECTIVES: dict[str, LossConfig] = {
    "softmax cross-entropy": SoftmaxCrossEntropy(),
    "smoothed": SoftmaxCrossEntropy(label_smoothing=0.1),
    "binary": BinaryCrossEntropy(),
    "squared": MeanSquaredError(),
    "distillation": Distillation("a.npz", temperature=3.0, weight=0.7),
    "distillation, labels alone": Distillation("a.npz", weight=0.0),
    "distillation, teacher alone": Distillation("a.npz", weight=1.0),
}


def of_batch(config: LossConfig, seed: int = 0) -> Loss:
    """The loss with the labels of a batch, and a teacher's logits where it needs them."""
    teacher = TEACHER if isinstance(config, Distillation) else None
    return objective(config, batch(seed)[1], teacher)


def test_every_loss_of_a_recipe_is_here() -> None:
    assert {type(config) for config in OBJECTIVES.values()} == set(typing.get_args(LossConfig))


@pytest.mark.parametrize("seed", range(3))
@table("config", OBJECTIVES)
def test_the_gradient_agrees_with_finite_differences(config: LossConfig, seed: int) -> None:
    loss = of_batch(config, seed)
    check_gradient(
        lambda logits: loss(logits)[0],
        lambda dout, logits: [dout * loss(logits)[1]],
        [batch(seed)[0]],
    )


@table(
    "function",
    {
        "soft targets": softmax_cross_entropy_targets,
        "binary": binary_cross_entropy,
        "squared": mean_squared_error,
    },
)
def test_the_gradient_agrees_for_targets_of_any_distribution(
    function: Callable[[Array, Array], tuple[float, Array]],
) -> None:
    targets = drawn_targets()
    check_gradient(
        lambda logits: function(logits, targets)[0],
        lambda dout, logits: [dout * function(logits, targets)[1]],
        [batch(0)[0]],
    )


@table("config", OBJECTIVES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_has_the_logits_dtype_and_the_loss_is_a_float(
    config: LossConfig, dtype: type[np.floating]
) -> None:
    teacher = TEACHER.astype(dtype) if isinstance(config, Distillation) else None
    loss, dlogits = objective(config, batch(0)[1], teacher)(batch(0)[0].astype(dtype))
    assert type(loss) is float
    assert dlogits.dtype == dtype


@table("config", OBJECTIVES)
def test_a_hopelessly_wrong_answer_costs_much_but_not_infinity(config: LossConfig) -> None:
    labels = np.arange(6, dtype=np.uint8)
    logits = np.full((6, 10), 1e4, np.float32)
    logits[np.arange(6), labels] = -1e4
    teacher = -logits if isinstance(config, Distillation) else None
    loss, dlogits = objective(config, labels, teacher)(logits)
    assert 0.9 < loss < np.inf
    assert np.isfinite(dlogits).all()


@table("config", OBJECTIVES)
def test_a_right_answer_beyond_doubt_costs_no_nan(config: LossConfig) -> None:
    labels = np.arange(6, dtype=np.uint8)
    logits = np.full((6, 10), -1e4, np.float32)
    logits[np.arange(6), labels] = 1e4
    loss, dlogits = objective(config, labels, logits)(logits)
    assert 0 <= loss < np.inf
    assert np.isfinite(dlogits).all()
    if config != OBJECTIVES["smoothed"]:
        assert loss == pytest.approx(0)
        assert not dlogits.any()


@table("config", OBJECTIVES)
def test_logits_labels_and_teacher_are_left_as_they_were(config: LossConfig) -> None:
    logits, labels = batch(0)
    teacher = TEACHER.copy()
    objective(config, labels, teacher)(logits)
    for array, before in ((logits, batch(0)[0]), (labels, batch(0)[1]), (teacher, TEACHER)):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_cross_entropy_stops_where_a_probability_has_no_number(
    dtype: type[np.floating],
) -> None:
    loss, gradient = softmax_cross_entropy(np.array([[0, 2000]], dtype), np.array([0]))
    assert 80 < loss < np.inf
    assert gradient.tolist() == [[-1, 1]]


# -- how they hang together -------------------------------------------------


def test_the_fused_gradient_is_that_of_its_two_parts() -> None:
    logits, labels = batch(0)
    probabilities, rows = softmax(logits), np.arange(6)
    dprobabilities = np.zeros_like(logits)
    dprobabilities[rows, labels] = -1 / (6 * probabilities[rows, labels])
    np.testing.assert_allclose(
        softmax_cross_entropy(logits, labels)[1], softmax_backward(dprobabilities, probabilities)
    )


@table("config", {k: v for k, v in OBJECTIVES.items() if not isinstance(v, BinaryCrossEntropy)})
def test_the_gradient_of_every_row_of_a_softmax_sums_to_0(config: LossConfig) -> None:
    gradient = of_batch(config)(batch(0)[0])[1]
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-15)


def assert_same(one: tuple[float, Array], other: tuple[float, Array]) -> None:
    assert one[0] == pytest.approx(other[0])
    np.testing.assert_allclose(one[1], other[1], atol=1e-12)


def test_labels_are_targets_of_one_class() -> None:
    logits, labels = batch(0)
    targets = one_hot(labels, 10, logits.dtype)
    assert_same(
        softmax_cross_entropy(logits, labels), softmax_cross_entropy_targets(logits, targets)
    )


def test_binary_cross_entropy_is_the_plain_formula_where_that_can_be_computed() -> None:
    logits, targets = batch(0)[0], drawn_targets()
    p = sigmoid(logits)
    plain = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum() / 6
    assert binary_cross_entropy(logits, targets)[0] == pytest.approx(plain)


@table(
    "config, function, smoothing",
    {
        "smoothed": (OBJECTIVES["smoothed"], softmax_cross_entropy_targets, 0.1),
        "binary": (OBJECTIVES["binary"], binary_cross_entropy, 0.0),
        "squared": (OBJECTIVES["squared"], mean_squared_error, 0.0),
    },
)
def test_an_objective_is_its_loss_of_the_labels(
    config: LossConfig,
    function: Callable[[Array, Array], tuple[float, Array]],
    smoothing: float,
) -> None:
    logits, labels = batch(0)
    targets = one_hot(labels, 10, logits.dtype, smoothing)
    assert_same(of_batch(config)(logits), function(logits, targets))


# -- distillation -----------------------------------------------------------


def distilled(
    temperature: float, weight: float, teacher: Array = TEACHER
) -> tuple[float, NDArray[np.floating[Any]]]:
    logits, labels = batch(0)
    targets = one_hot(labels, 10, logits.dtype)
    return distillation(logits, targets, teacher, temperature=temperature, weight=weight)


def test_without_weight_the_teacher_is_not_heard() -> None:
    assert_same(distilled(2.0, 0.0), softmax_cross_entropy(*batch(0)))


def test_with_all_the_weight_and_no_softening_its_answers_are_the_targets() -> None:
    targets = softmax(TEACHER)
    assert_same(distilled(1.0, 1.0), softmax_cross_entropy_targets(batch(0)[0], targets))


def test_the_targets_of_the_hard_part_may_be_of_any_distribution() -> None:
    logits, targets = batch(0)[0], drawn_targets()
    found = distillation(logits, targets, TEACHER, temperature=2.0, weight=0.0)
    assert_same(found, softmax_cross_entropy_targets(logits, targets))


def test_weights_between_mix_the_two() -> None:
    (none, dnone), (some, dsome), (all_, dall) = (distilled(4.0, w) for w in (0.0, 0.25, 1.0))
    assert_same((some, dsome), (0.75 * none + 0.25 * all_, 0.75 * dnone + 0.25 * dall))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 8.0])
def test_who_answers_like_the_teacher_has_nothing_to_learn_from_it(temperature: float) -> None:
    gradient = distilled(temperature, 1.0, batch(0)[0])[1]
    np.testing.assert_allclose(gradient, 0, atol=1e-15)


def test_at_a_high_temperature_the_gradient_is_that_of_centred_logits() -> None:
    # Hinton, Vinyals and Dean 2015, equation 4, times the square of the temperature.
    logits = batch(0)[0]
    z, v = (array - array.mean(axis=1, keepdims=True) for array in (logits, TEACHER))
    np.testing.assert_allclose(distilled(1e4, 1.0)[1], (z - v) / (6 * 10), rtol=0.01, atol=1e-5)


def test_distillation_without_a_teacher_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the logits of the teacher"):
        objective(Distillation("a.npz"), batch(0)[1])(batch(0)[0])
