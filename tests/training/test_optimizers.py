import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.helpers import PROPERTY, table
from training.config import OptimizerConfig
from training.optimizers import AdamW, cosine


def vector(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def textbook_adamw(
    parameters: NDArray[np.float64], gradients: list[NDArray[np.float64]], config: OptimizerConfig
) -> NDArray[np.float64]:
    """Algorithm 2 of Loshchilov and Hutter 2019, line by line in float64."""
    mean, variance = np.zeros_like(parameters), np.zeros_like(parameters)
    for step, gradient in enumerate(gradients, start=1):
        mean = config.beta1 * mean + (1 - config.beta1) * gradient
        variance = config.beta2 * variance + (1 - config.beta2) * gradient**2
        mean_hat = mean / (1 - config.beta1**step)
        variance_hat = variance / (1 - config.beta2**step)
        direction = mean_hat / (np.sqrt(variance_hat) + config.epsilon)
        parameters = parameters - config.learning_rate * (
            direction + config.weight_decay * parameters
        )
    return parameters


@table(
    "config",
    {
        "adam": OptimizerConfig(0.01),
        "with decay": OptimizerConfig(0.01, weight_decay=0.1),
        "other betas": OptimizerConfig(0.05, beta1=0.5, beta2=0.9),
        "no momentum": OptimizerConfig(0.01, beta1=0.0, beta2=0.0),
        "large epsilon": OptimizerConfig(0.1, epsilon=0.5),
    },
)
def test_ten_steps_are_those_of_the_textbook(config: OptimizerConfig) -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=50)
    gradients = [rng.normal(size=50) for _ in range(10)]
    parameters = start.astype(np.float32)
    optimizer = AdamW(50, config)
    for gradient in gradients:
        optimizer.update(parameters, gradient.astype(np.float32), config.learning_rate)
    np.testing.assert_allclose(
        parameters, textbook_adamw(start, gradients, config), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_first_step_is_the_learning_rate_long_whatever_the_scale(scale: float) -> None:
    parameters = vector(1, 1, 1)
    AdamW(3, OptimizerConfig(0.5)).update(parameters, vector(3, -2, 0) * np.float32(scale), 0.25)
    np.testing.assert_allclose(parameters, [0.75, 1.25, 1], rtol=1e-4)


def test_decay_shrinks_parameters_apart_from_the_gradient() -> None:
    parameters = vector(2, -4)
    AdamW(2, OptimizerConfig(0.5, weight_decay=0.1)).update(parameters, vector(0, 0), 0.5)
    np.testing.assert_allclose(parameters, [1.9, -3.8])


def test_without_gradient_and_decay_nothing_moves() -> None:
    parameters = vector(2, -4)
    AdamW(2, OptimizerConfig(0.5)).update(parameters, vector(0, 0), 0.5)
    assert parameters.tolist() == [2, -4]


def test_the_gradient_is_left_as_it_was() -> None:
    gradient = vector(1, 2)
    AdamW(2, OptimizerConfig(0.5)).update(vector(0, 0), gradient, 0.5)
    assert gradient.tolist() == [1, 2]


def test_a_bowl_is_descended_to_its_bottom() -> None:
    parameters, bottom = vector(5, -3), vector(1, 2)
    optimizer = AdamW(2, OptimizerConfig(0.1))
    for step in range(500):
        optimizer.update(parameters, 2 * (parameters - bottom), cosine(step, 500, 0.1))
    np.testing.assert_allclose(parameters, bottom, atol=1e-2)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.2), (25, 0.1 + 0.1 * math.sqrt(0.5)), (50, 0.1), (100, 0.0)],
)
def test_the_rate_follows_half_a_cosine(step: int, expected: float) -> None:
    assert cosine(step, 100, 0.2) == pytest.approx(expected)


@PROPERTY
@given(st.integers(1, 10_000), st.floats(1e-6, 10))
def test_the_rate_only_falls_and_stays_within_its_bounds(steps: int, peak: float) -> None:
    rates = [cosine(step, steps, peak) for step in range(0, steps + 1, max(1, steps // 20))]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == peak
    assert min(rates) >= 0
