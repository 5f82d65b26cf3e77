"""Optimizers: small functions from a gradient to what is taken from the parameters.

Each takes its configuration, the gradient (P,), its moments (M, P), which are 0 at
the start and which it moves on in place, the learning rate and the number of the
step from 1, and returns the change (P,). ``Optimizer`` keeps the moments.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.config import (
    Adam,
    AdamW,
    GradientDescent,
    Momentum,
    Nesterov,
    OptimizerConfig,
    RMSprop,
)
from training.helper import Helper

Vector: TypeAlias = NDArray[np.floating]

# Numbers to a block: the passes that make a change stay in a core's cache.
BLOCK = 65_536


def gradient_descent(
    _: GradientDescent, gradient: Vector, moments: Vector, rate: float, step: int
) -> Vector:
    """Along the gradient (Cauchy 1847). Remembers nothing."""
    del moments, step
    return gradient * rate


def momentum(config: Momentum, gradient: Vector, moments: Vector, rate: float, step: int) -> Vector:
    """Along a decaying sum of gradients (Polyak 1964).

    The rate multiplies the sum, not each gradient that goes into it: the two are the
    same while the rate is, and a rate that falls to 0 brings everything to rest.
    """
    del step
    velocity = moments[0]
    velocity *= config.momentum
    velocity += gradient
    change: Vector = velocity * rate
    return change


def nesterov(config: Nesterov, gradient: Vector, moments: Vector, rate: float, step: int) -> Vector:
    """Momentum that looks a step ahead (Nesterov 1983; Sutskever et al. 2013, section 3)."""
    change = momentum(config, gradient, moments, rate * config.momentum, step)
    change += gradient * rate
    return change


def rmsprop(config: RMSprop, gradient: Vector, moments: Vector, rate: float, step: int) -> Vector:
    """The gradient over its running root mean square (Tieleman and Hinton 2012, lecture 6.5)."""
    del step
    square = moments[0]
    change = gradient * gradient
    change *= 1 - config.decay
    square *= config.decay
    square += change
    np.sqrt(square, out=change)
    change += config.epsilon
    np.divide(gradient, change, out=change)
    change *= rate
    return change


def adam(config: Adam, gradient: Vector, moments: Vector, rate: float, step: int) -> Vector:
    """Adam (Kingma and Ba 2015, algorithm 1).

    The moments are kept without their factors 1 - beta, which together with both
    bias corrections fold into two numbers: two passes less over the vector.
    """
    first, second = moments
    first *= config.beta1
    first += gradient
    change = gradient * gradient
    second *= config.beta2
    second += change
    scale = math.sqrt((1 - config.beta2**step) / (1 - config.beta2))
    np.sqrt(second, out=change)
    change += config.epsilon * scale
    np.divide(first, change, out=change)
    change *= rate * scale * (1 - config.beta1) / (1 - config.beta1**step)
    return change


# Each optimizer's function, and how many moments it remembers.
OPTIMIZERS: Mapping[type, tuple[Callable[..., Vector], int]] = {
    GradientDescent: (gradient_descent, 0),
    Momentum: (momentum, 1),
    Nesterov: (nesterov, 1),
    RMSprop: (rmsprop, 1),
    Adam: (adam, 2),
    AdamW: (adam, 2),
}


class Optimizer:
    """One of the functions above with its moments.

    moments (M, P) float32, and step, how many updates were made, are together all
    that a later run needs to go on.
    """

    def __init__(self, config: OptimizerConfig, size: int) -> None:
        self.config = config
        self.step = 0
        self._function, count = OPTIMIZERS[type(config)]
        self.moments: NDArray[np.float32] = np.zeros((count, size), np.float32)

    def update(
        self, parameters: Vector, gradient: Vector, rate: float, helper: Helper | None = None
    ) -> None:
        """One step on the flat vector ``parameters`` (P,), in place, each half by one thread."""
        self.step += 1
        middle = len(parameters) // 2

        def half(start: int, stop: int) -> None:
            for first in range(start, stop, BLOCK):
                block = slice(first, min(first + BLOCK, stop))
                self._update(parameters[block], gradient[block], self.moments[:, block], rate)

        if helper:
            helper.both(lambda: half(0, middle), lambda: half(middle, len(parameters)))
        else:
            half(0, len(parameters))

    def _update(self, parameters: Vector, gradient: Vector, moments: Vector, rate: float) -> None:
        """AdamW first shrinks the parameters by 1 - rate * weight_decay, apart from the
        gradient (Loshchilov and Hutter 2019, algorithm 2).
        """
        if isinstance(self.config, AdamW):
            parameters *= 1 - rate * self.config.weight_decay
        parameters -= self._function(self.config, gradient, moments, rate, self.step)


def clip(gradient: NDArray[Any], norm: float) -> None:
    """Shorten the gradient (P,) to length ``norm`` where it is longer (Pascanu et al. 2013)."""
    length = float(np.linalg.norm(gradient.astype(np.float64)))  # squares of float32 overflow
    if length > norm:
        gradient *= norm / length


def average(running: NDArray[Any], parameters: Vector, decay: float, step: int) -> None:
    """Move a running average (P,) towards the parameters, in place, ``step`` from 1.

    At the start, when there is little to average, the decay is (1 + step) / (10 +
    step), as in TensorFlow's ExponentialMovingAverage (why to average at all:
    Polyak and Juditsky 1992).
    """
    decay = min(decay, (1 + step) / (10 + step))
    running *= decay
    running += (1 - decay) * parameters
