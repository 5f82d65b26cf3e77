"""Learning rates: how large a step is, as a function of how many were made.

Each takes ``progress``, the share of all steps already made, from 0 to 1, and
returns a factor of the optimizer's learning rate.
"""

import math

from training.config import Constant, Cosine, OneCycle, Recipe, Step

LAST = 1e-4  # one-cycle ends at this share of its start


def step_decay(epoch: int, every: int, factor: float) -> float:
    """``factor`` once for each ``every`` epochs that lie behind; ``epoch`` counts from 0."""
    return factor ** (epoch // every)


def cosine(progress: float, first: float = 1.0, last: float = 0.0) -> float:
    """Half a cosine from ``first`` to ``last`` (Loshchilov and Hutter 2017, without restarts)."""
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * progress))


def one_cycle(progress: float, rise: float, start: float) -> float:
    """From ``start`` up to 1 in the share ``rise``, then down to next to nothing, both as half
    cosines (Smith and Topin 2018).
    """
    if progress < rise:
        return cosine(progress / rise, start, 1.0)
    return cosine((progress - rise) / (1 - rise), 1.0, start * LAST)


def warm_up(progress: float) -> float:
    """Straight up from 0 to 1 (Goyal et al. 2017, section 2.2)."""
    return min(1.0, progress)


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The learning rate of ``step``, counted from 0 through the whole run."""
    progress = step / (recipe.epochs * steps_per_epoch)
    match recipe.schedule:
        case Constant():
            factor = 1.0
        case Step() as schedule:
            factor = step_decay(step // steps_per_epoch, schedule.epochs, schedule.factor)
        case Cosine():
            factor = cosine(progress)
        case OneCycle() as schedule:
            factor = one_cycle(progress, schedule.rise, schedule.start)
    if recipe.warm_up:
        factor *= warm_up((step + 1) / (recipe.warm_up * steps_per_epoch))
    return recipe.optimizer.learning_rate * factor
