"""Intervals for what was counted, and what can be had by answering less often."""

import math

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959964  # standard normal quantile of a two-sided 95 % interval

RESAMPLES = 10_000
BOOTSTRAP_SEED = 1


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson 1927)."""
    share, z2 = successes / trials, Z_95**2
    middle = share + z2 / (2 * trials)
    half = Z_95 * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    scale = 1 + z2 / trials
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def interval_in_words(successes: int, trials: int) -> str:
    """The 95 % score interval of a proportion, in percent."""
    low, high = wilson_interval(successes, trials)
    return f"{low:.2%} to {high:.2%}"


def clustered_interval(
    right: NDArray[np.bool_], clusters: NDArray[np.integer]
) -> tuple[float, float]:
    """95 % interval of the share of ``right`` (N,), by a bootstrap over ``clusters`` (N,).

    Whole clusters are drawn with replacement (Davison and Hinkley 1997, section
    3.8): one writer's digits are alike, so there is less in them than their number says.
    """
    low, high = np.quantile(_resampled_means(right, clusters), [0.025, 0.975])
    return float(low), float(high)


def upper_bound(
    differences: NDArray[np.floating], clusters: NDArray[np.integer] | None = None
) -> float:
    """Upper 95 % bound (one-sided) of the mean of paired differences (N,), by the same bootstrap.

    Without ``clusters``, single pairs are drawn: then it is enough to draw how often each of the
    few values comes up, as a difference of two answers has but three.
    """
    if clusters is not None:
        return float(np.quantile(_resampled_means(differences, clusters), 0.95))
    values, counts = np.unique(differences, return_counts=True)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    draws = rng.multinomial(len(differences), counts / len(differences), RESAMPLES)
    return float(np.quantile(draws @ values / len(differences), 0.95))


def _resampled_means(
    values: NDArray[np.floating] | NDArray[np.bool_], clusters: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Means of values (N,) over clusters drawn anew: (R,)."""
    _, members = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(members)  # (W,)
    sums = np.bincount(members, weights=values)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    # How often each writer is drawn, not who is drawn: (R, W) counts in place of (R, W) names.
    draws = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), RESAMPLES)
    return np.asarray((draws @ sums) / (draws @ sizes))


def risks(right: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share of errors among the k answers of the highest scores, for k from 1 to N: (N,).

    The risk-coverage curve (El-Yaniv and Wiener 2010); its mean is the area under it.
    Of equal scores the errors come first, so that no tie flatters.
    """
    order = np.lexsort((right, -scores))
    errors = np.cumsum(~right[order])
    return np.asarray(errors / np.arange(1, len(right) + 1))
