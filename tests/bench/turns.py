"""Measuring several computations of one thing in turns, so that the machine's other work
meets all of them alike."""

import time
from collections.abc import Callable, Mapping
from math import ceil
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Answer: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # frames to logits
Side: TypeAlias = Callable[[int], float]  # answers so many times; returns the seconds

TURN = 0.01  # seconds of a turn: short beside what a busy machine takes away and gives back
WARM_UP = 5  # calls, twice: first for buffers and plans, then to see how long one takes
TOLERANCE = 1e-4  # of the largest logit: another order of summation, and not another network


def clocked(answer: Answer, frames: NDArray[np.uint8]) -> Side:
    """``answer(frames)`` as a side."""

    def run(calls: int) -> float:
        answer(frames)  # not measured: it finds what another side has left in the caches
        began = time.perf_counter()
        for _ in range(calls):
            answer(frames)
        return time.perf_counter() - began

    return run


def take_turns(sides: Mapping[str, Side], rounds: int) -> dict[str, NDArray[np.float64]]:
    """Seconds of one call in each round, for every side.

    A round is a turn of each, forwards and backwards by turns: none always follows the same.
    """
    for side in sides.values():
        side(WARM_UP)
    calls = {name: max(1, ceil(TURN * WARM_UP / side(WARM_UP))) for name, side in sides.items()}
    order = list(sides)
    seconds: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(rounds):
        for name in order:
            seconds[name].append(sides[name](calls[name]) / calls[name])
        order.reverse()
    return {name: np.array(values) for name, values in seconds.items()}


def middle(values: NDArray[np.float64]) -> list[float]:
    """The values but for the lowest and the highest tenth; their median is that of all."""
    cut = len(values) // 10
    return [float(value) for value in np.sort(values)[cut : len(values) - cut]]


def require_agreement(
    name: str, logits: NDArray[np.float32], expected: NDArray[np.float32]
) -> None:
    """Stop before two different things are compared."""
    distance = np.abs(logits - expected).max() / np.abs(expected).max()
    if not distance <= TOLERANCE:
        raise SystemExit(f"{name} computes other logits: off by {distance:.3g} of the largest")
