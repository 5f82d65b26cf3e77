"""The only forward pass in the project: frames in, logits out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model import layers
from model.architecture import FRAME_SIDE, Architecture, Dense, ReLU
from model.layers import FloatArray

PIXEL_MAX = 255


def scale_pixels(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a network takes in: frames (N, 28, 28) of 0-255 to rows (N, 784) of 0-1."""
    rows = frames.reshape(len(frames), FRAME_SIDE * FRAME_SIDE)
    return np.multiply(rows, np.float32(1 / PIXEL_MAX), dtype=np.float32)


@dataclass(frozen=True)
class Network:
    """An architecture with its parameters.

    ``parameters`` maps flat names such as ``dense1.weight`` to arrays. They
    are used as they are, without a copy: the trainer updates them in place.
    Raises ValueError when a name or a shape is not the architecture's.
    """

    architecture: Architecture
    parameters: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        expected = self.architecture.parameter_shapes()
        given = {name: array.shape for name, array in self.parameters.items()}
        if given != expected:
            raise ValueError(f"parameters {given} are not the architecture's {expected}")

    def logits(self, x: FloatArray, record: list[FloatArray] | None = None) -> FloatArray:
        """Run all layers on rows ``x`` (N, 784) of 0-1; returns logits (N, 10).

        ``record``, when given, collects the input of every layer in order,
        which is all that the backward pass needs.
        """
        for layer in self.architecture.layers:
            if record is not None:
                record.append(x)
            match layer:
                case Dense():
                    x = layers.dense(x, self.parameters[layer.weight], self.parameters[layer.bias])
                case ReLU():
                    x = layers.relu(x)
        return x
