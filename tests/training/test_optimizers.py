import math
import typing
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers import table
from training.config import (
    Adam,
    AdamW,
    GradientDescent,
    Momentum,
    Nesterov,
    OptimizerConfig,
    RMSprop,
)
from training.optimizers import BLOCK, OPTIMIZERS, Optimizer, average, clip
from training.schedules import cosine

Vector: TypeAlias = NDArray[np.float64]
Gradient: TypeAlias = Callable[[Vector, int], Vector]

SIZE, STEPS = 50, 12


def vector(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def uneven(parameters: Vector, step: int) -> Vector:
    """A gradient that depends on where one stands, and on the batch."""
    rng = np.random.default_rng(step)
    steepness, noise = rng.uniform(0, 2, SIZE), rng.normal(size=SIZE)
    gradient: Vector = steepness * parameters + noise
    return gradient


# -- the papers, line by line in float64 and in their own letters -----------


def cauchy(config: GradientDescent, x: Vector, grad: Gradient) -> Vector:
    for t in range(1, STEPS + 1):
        x = x - config.learning_rate * grad(x, t)
    return x


def polyak(config: Momentum, x: Vector, grad: Gradient) -> Vector:
    """Polyak 1964, equation 9: the heavy ball."""
    alpha, beta = config.learning_rate, config.momentum
    before = x
    for n in range(1, STEPS + 1):
        before, x = x, x - alpha * grad(x, n) + beta * (x - before)
    return x


def sutskever(config: Nesterov, theta: Vector, grad: Gradient) -> Vector:
    """Sutskever et al. 2013, equations 3 and 4; returns where the next gradient is taken."""
    epsilon, mu = config.learning_rate, config.momentum
    v = np.zeros_like(theta)
    for t in range(1, STEPS + 1):
        v = mu * v - epsilon * grad(theta + mu * v, t)
        theta = theta + v
    ahead: Vector = theta + mu * v
    return ahead


def hinton(config: RMSprop, w: Vector, grad: Gradient) -> Vector:
    """Tieleman and Hinton 2012, slide 29."""
    mean_square = np.zeros_like(w)
    for t in range(1, STEPS + 1):
        g = grad(w, t)
        mean_square = config.decay * mean_square + (1 - config.decay) * g**2
        w = w - config.learning_rate * g / (np.sqrt(mean_square) + config.epsilon)
    return w


def kingma(config: Adam, theta: Vector, grad: Gradient, lam: float = 0.0) -> Vector:
    """Kingma and Ba 2015, algorithm 1; with ``lam`` Loshchilov and Hutter 2019, algorithm 2."""
    alpha, beta1, beta2 = config.learning_rate, config.beta1, config.beta2
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t in range(1, STEPS + 1):
        g = grad(theta, t)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - alpha * (m_hat / (np.sqrt(v_hat) + config.epsilon) + lam * theta)
    return theta


def loshchilov(config: AdamW, theta: Vector, grad: Gradient) -> Vector:
    return kingma(config, theta, grad, config.weight_decay)


@table(
    "config, textbook",
    {
        "gradient descent": (GradientDescent(0.1), cauchy),
        "momentum": (Momentum(0.02), polyak),
        "momentum 0": (Momentum(0.1, momentum=0.0), polyak),
        "little momentum": (Momentum(0.1, momentum=0.5), polyak),
        "nesterov": (Nesterov(0.02), sutskever),
        "nesterov, little momentum": (Nesterov(0.1, momentum=0.5), sutskever),
        "rmsprop": (RMSprop(0.01), hinton),
        "rmsprop, another decay": (RMSprop(0.01, decay=0.5, epsilon=0.1), hinton),
        "adam": (Adam(0.01), kingma),
        "adam, other betas": (Adam(0.05, beta1=0.5, beta2=0.9), kingma),
        "adam, no memory": (Adam(0.01, beta1=0.0, beta2=0.0), kingma),
        "adam, large epsilon": (Adam(0.1, epsilon=0.5), kingma),
        "adamw": (AdamW(0.01), loshchilov),
        "adamw, much decay": (AdamW(0.05, weight_decay=0.5), loshchilov),
        "adamw, no decay": (AdamW(0.05, weight_decay=0.0), kingma),
    },
)
def test_a_dozen_steps_are_those_of_the_textbook(
    config: OptimizerConfig, textbook: Callable[[OptimizerConfig, Vector, Gradient], Vector]
) -> None:
    start = np.random.default_rng(0).normal(size=SIZE)
    parameters = start.astype(np.float32)
    optimizer = Optimizer(config, SIZE)
    for step in range(1, STEPS + 1):
        gradient = uneven(parameters.astype(np.float64), step).astype(np.float32)
        optimizer.update(parameters, gradient, config.learning_rate)
    assert parameters.dtype == np.float32
    expected = textbook(config, start, uneven)
    np.testing.assert_allclose(parameters, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(expected - start).mean() > 0.01


# -- what holds for every optimizer -----------------------------------------

EVERY = {
    "gradient descent": GradientDescent(0.1),
    "momentum": Momentum(0.02),
    "nesterov": Nesterov(0.02),
    "rmsprop": RMSprop(0.05),
    "adam": Adam(0.1),
    "adamw": AdamW(0.1, weight_decay=1e-4),
}


def test_every_optimizer_of_a_recipe_is_here() -> None:
    configured = set(typing.get_args(OptimizerConfig))
    assert OPTIMIZERS.keys() == configured
    assert {type(config) for config in EVERY.values()} == configured


@table("config", EVERY)
def test_a_bowl_is_descended_to_its_bottom(config: OptimizerConfig) -> None:
    parameters, bottom = vector(5, -3), vector(1, 2)
    optimizer = Optimizer(config, 2)
    for step in range(500):
        gradient = vector(1, 4) * (parameters - bottom)
        optimizer.update(parameters, gradient, config.learning_rate * cosine(step / 500))
    np.testing.assert_allclose(parameters, bottom, atol=1e-2)


@table("config", EVERY)
def test_a_run_goes_on_from_moments_and_step_as_if_it_had_never_stopped(
    config: OptimizerConfig,
) -> None:
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(6, SIZE)).astype(np.float32)
    whole, parted = np.ones(SIZE, np.float32), np.ones(SIZE, np.float32)
    unbroken, before, after = (Optimizer(config, SIZE) for _ in range(3))
    for gradient in gradients:
        unbroken.update(whole, gradient, 0.1)
    for gradient in gradients[:3]:
        before.update(parted, gradient, 0.1)
    after.moments[...] = before.moments
    after.step = before.step
    for gradient in gradients[3:]:
        after.update(parted, gradient, 0.1)
    assert after.step == unbroken.step == 6
    assert parted.tobytes() == whole.tobytes()
    assert after.moments.tobytes() == unbroken.moments.tobytes()


@table("config", EVERY)
@pytest.mark.parametrize("size", [BLOCK, BLOCK + 1, 2 * BLOCK + 5])
def test_every_number_is_moved_for_itself_on_both_sides_of_a_block(
    config: OptimizerConfig, size: int
) -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=size).astype(np.float32)
    gradients = rng.normal(size=(3, size)).astype(np.float32)
    # A slice in the middle of which a block ends, and the last number.
    for part in (slice(BLOCK - 3, BLOCK + 3), slice(size - 1, size)):
        whole, alone = start.copy(), start[part].copy()
        one, other = Optimizer(config, size), Optimizer(config, len(alone))
        for gradient in gradients:
            one.update(whole, gradient, 0.1)
            other.update(alone, gradient[part], 0.1)
        np.testing.assert_allclose(whole[part], alone, rtol=1e-6)
        assert not (whole == start).any()


@table("config", EVERY)
def test_the_gradient_is_left_as_it_was(config: OptimizerConfig) -> None:
    gradient = vector(1, 2)
    Optimizer(config, 2).update(vector(0, 0), gradient, 0.5)
    assert gradient.tolist() == [1, 2]


@table("config", EVERY)
def test_at_rate_0_nothing_moves_but_what_is_remembered(config: OptimizerConfig) -> None:
    parameters, optimizer = vector(2, -4), Optimizer(config, 2)
    optimizer.update(parameters, vector(1, 1), 0.5)
    before, moments = parameters.copy(), optimizer.moments.copy()
    optimizer.update(parameters, vector(1, 1), 0.0)
    assert parameters.tolist() == before.tolist()
    assert (optimizer.moments != moments).all()


@table("config", {name: config for name, config in EVERY.items() if name != "adamw"})
def test_without_a_gradient_nothing_moves(config: OptimizerConfig) -> None:
    parameters = vector(2, -4)
    Optimizer(config, 2).update(parameters, vector(0, 0), 0.5)
    assert parameters.tolist() == [2, -4]


# -- of one or two ----------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("config", [Adam(0.5), AdamW(0.5, weight_decay=0.0)])
def test_the_first_step_of_adam_is_the_learning_rate_long_whatever_the_scale(
    config: Adam, scale: float
) -> None:
    parameters = vector(1, 1, 1)
    Optimizer(config, 3).update(parameters, vector(3, -2, 0) * np.float32(scale), 0.25)
    np.testing.assert_allclose(parameters, [0.75, 1.25, 1], rtol=1e-4)


def test_adamw_shrinks_parameters_apart_from_the_gradient() -> None:
    parameters = vector(2, -4)
    Optimizer(AdamW(0.5, weight_decay=0.1), 2).update(parameters, vector(0, 0), 0.5)
    np.testing.assert_allclose(parameters, [1.9, -3.8])


# -- clipping and averaging -------------------------------------------------


@table(
    "gradient, norm, expected",
    {
        "longer": ([3, 4], 1.0, [0.6, 0.8]),
        "longer, the other way": ([-30, 40], 5.0, [-3, 4]),
        "as long": ([3, 4], 5.0, [3, 4]),
        "shorter": ([3, 4], 6.0, [3, 4]),
        "nothing": ([0, 0], 1.0, [0, 0]),
    },
)
def test_a_gradient_is_cut_to_its_length_and_keeps_its_direction(
    gradient: list[float], norm: float, expected: list[float]
) -> None:
    clipped = vector(*gradient)
    clip(clipped, norm)
    np.testing.assert_allclose(clipped, expected, rtol=1e-6)


def test_a_long_vector_is_cut_by_its_whole_length() -> None:
    gradient = np.ones(40_000, np.float32)  # of length 200
    clip(gradient, 1.0)
    np.testing.assert_allclose(gradient, 1 / 200, rtol=1e-5)


def test_the_average_starts_short_and_grows_to_its_decay() -> None:
    running, expected = vector(0), 0.0
    for step in range(1, 201):
        parameters = vector(math.sin(step))
        average(running, parameters, 0.9, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * math.sin(step)
        assert running[0] == pytest.approx(expected, abs=1e-6)
    assert decay == 0.9


@pytest.mark.parametrize(
    ("decay", "step", "share"), [(0.99, 1, 9 / 11), (0.1, 1, 0.9), (0.99, 10**9, 0.01)]
)
def test_a_share_of_the_parameters_goes_into_the_average(
    decay: float, step: int, share: float
) -> None:
    running, parameters = vector(1, -1), vector(2, 5)
    average(running, parameters, decay, step)
    np.testing.assert_allclose(running, [1 + share, -1 + 6 * share], rtol=1e-6)
    assert parameters.tolist() == [2, 5]
