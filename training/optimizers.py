"""Optimizers and learning-rate schedules; the state is explicit, updates are in place."""

import math

import numpy as np
from numpy.typing import NDArray

from training.config import OptimizerConfig


class AdamW:
    """Adam (Kingma and Ba 2015, algorithm 1) with decoupled weight decay.

    The decay multiplies the parameters by 1 - learning_rate * weight_decay
    before the step (Loshchilov and Hutter 2019, algorithm 2).
    """

    def __init__(self, size: int, config: OptimizerConfig) -> None:
        self.config = config
        self.step = 0
        self.mean = np.zeros(size, np.float32)
        self.variance = np.zeros(size, np.float32)
        self._work = np.empty(size, np.float32)

    def update(
        self,
        parameters: NDArray[np.float32],
        gradient: NDArray[np.float32],
        learning_rate: float,
    ) -> None:
        """One step on the flat vector ``parameters`` (P,), in place."""
        config, work = self.config, self._work
        self.step += 1
        self.mean *= config.beta1
        np.multiply(gradient, 1 - config.beta1, out=work)
        self.mean += work
        self.variance *= config.beta2
        np.multiply(gradient, gradient, out=work)
        work *= 1 - config.beta2
        self.variance += work
        # Both bias corrections are folded into two scalars.
        correction = math.sqrt(1 - config.beta2**self.step)
        np.sqrt(self.variance, out=work)
        work += config.epsilon * correction
        np.divide(self.mean, work, out=work)
        work *= learning_rate * correction / (1 - config.beta1**self.step)
        if config.weight_decay:
            parameters *= 1 - learning_rate * config.weight_decay
        parameters -= work


def cosine(step: int, steps: int, peak: float) -> float:
    """Half a cosine from ``peak`` at step 0 to 0 after ``steps`` (Loshchilov and Hutter 2017)."""
    return peak * 0.5 * (1 + math.cos(math.pi * step / steps))
