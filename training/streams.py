"""Random numbers: one seed, and a stream of its own for everything that draws.

A stream is found by its number, and within it by an epoch's, not by what was drawn
before: that is why a run can go on from any epoch as if it had never stopped.
"""

import enum

import numpy as np


class Stream(enum.IntEnum):
    """What draws random numbers; the values are part of what a recipe computes."""

    ROWS = 0  # the order of a data set's rows before they are divided
    SPLIT = 1  # who is held out
    PARAMETERS = 2
    SHUFFLE = 3  # the order of the images in an epoch
    AUGMENTATION = 4
    DROPOUT = 5
    GOLDEN = 6  # the images of the golden set
    OUTLIERS = 7


def generator(seed: int, stream: Stream, number: int = 0) -> np.random.Generator:
    """The generator of a stream, or of one numbered part of it."""
    return np.random.default_rng([seed, stream, number])
