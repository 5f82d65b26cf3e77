"""Parameters before training: one flat vector, and named views into it."""

from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

from model.architecture import Architecture, Dense


def named_views(
    architecture: Architecture, vector: NDArray[np.float32]
) -> Mapping[str, NDArray[np.float32]]:
    """Views of ``vector`` (P,) under the architecture's parameter names and shapes.

    The optimizer updates the vector in a few passes; the network sees names.
    """
    views, start = {}, 0
    for name, shape in architecture.parameter_shapes().items():
        stop = start + prod(shape)
        views[name] = vector[start:stop].reshape(shape)
        start = stop
    return views


def he_normal(architecture: Architecture, rng: np.random.Generator) -> NDArray[np.float32]:
    """A flat vector (P,): weights from N(0, 2 / inputs), biases zero (He et al. 2015)."""
    vector = np.zeros(architecture.parameter_count(), np.float32)
    parameters = named_views(architecture, vector)
    for layer in architecture.layers:
        if isinstance(layer, Dense):
            weight = parameters[layer.weight]
            weight[...] = rng.normal(0, np.sqrt(2 / layer.inputs), weight.shape)
    return vector
