"""Parameters before training: one flat vector, and named views into it.

What is learned comes first in the vector, what batch norm gathers after it: the
optimizer updates the first part in a few passes, the network sees names.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model.architecture import Architecture
from model.specifications import Shape
from training.config import (
    Distribution,
    Glorot,
    He,
    Initialization,
    Lecun,
    Normal,
    Uniform,
    Zeros,
)


def learned_count(architecture: Architecture) -> int:
    """How many numbers of the vector the optimizer moves."""
    shapes, gathered = architecture.parameter_shapes(), architecture.statistic_names()
    return sum(math.prod(shape) for name, shape in shapes.items() if name not in gathered)


def named_views(
    architecture: Architecture, vector: NDArray[np.float32]
) -> Mapping[str, NDArray[np.float32]]:
    """Views of ``vector`` (P,) under the architecture's parameter names and shapes.

    A vector of only the learned numbers has only their names.
    """
    shapes, gathered = architecture.parameter_shapes(), architecture.statistic_names()
    views, start = {}, 0
    for name in sorted(shapes, key=gathered.__contains__):  # stable: layer order within each part
        stop = start + math.prod(shapes[name])
        if stop > len(vector):
            break
        views[name] = vector[start:stop].reshape(shapes[name])
        start = stop
    return {name: views[name] for name in shapes if name in views}


def initialize(
    architecture: Architecture, initialization: Initialization, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A flat vector (P,): weights and biases drawn as the recipe says, in layer order.

    Batch norm starts as the identity: scale and variance 1, shift and mean 0.
    """
    vector = np.zeros(architecture.parameter_count(), np.float32)
    for name, view in named_views(architecture, vector).items():
        part = name.rpartition(".")[2]
        if part == "weight":
            view[...] = draw(initialization.weights, view.shape, rng)
        elif part == "bias":
            view[...] = draw(initialization.biases, view.shape, rng)
        else:
            view[...] = 1 if part in ("scale", "variance") else 0
    return vector


def draw(distribution: Distribution, shape: Shape, rng: np.random.Generator) -> NDArray[np.float64]:
    """Numbers of ``shape`` from a distribution.

    He: normal, variance 2 / fan-in (He et al. 2015). Glorot: uniform, variance 2 /
    (fan-in + fan-out) (Glorot and Bengio 2010). LeCun: normal, variance 1 / fan-in
    (LeCun et al. 1998).
    """
    match distribution:
        case He():
            return rng.normal(0, math.sqrt(2 / _fans(shape)[0]), shape)
        case Lecun():
            return rng.normal(0, math.sqrt(1 / _fans(shape)[0]), shape)
        case Glorot():
            limit = math.sqrt(6 / sum(_fans(shape)))
            return rng.uniform(-limit, limit, shape)
        case Uniform(low, high):
            return rng.uniform(low, high, shape)
        case Normal(scale):
            return rng.normal(0, scale, shape)
        case Zeros():
            return np.zeros(shape)


def _fans(shape: Shape) -> tuple[int, int]:
    """Inputs of each output and outputs of each input: dense (I, O), convolution (O, I, K, K),
    depthwise (C, K, K).
    """
    match shape:
        case (inputs, outputs):
            return inputs, outputs
        case (_, height, width):
            return height * width, height * width
        case (outputs, inputs, *window):
            return inputs * math.prod(window), outputs * math.prod(window)
    raise AssertionError(shape)
