"""The only forward pass in the project: frames in, logits out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model import layers
from model.architecture import FRAME_SIDE, Architecture
from model.layers import FloatArray
from model.specifications import (
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Tanh,
)

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

    def logits(self, x: FloatArray) -> FloatArray:
        """Run all layers on rows ``x`` (N, 784) of 0-1; returns logits (N, 10)."""
        x = self.shaped(x)
        for layer in self.architecture.layers:
            x = forward(layer, self.parameters, x)
        return x

    def shaped(self, x: FloatArray) -> FloatArray:
        """Rows (N, 784) as the first layer takes them: as they are, or images (1, N, 28, 28)."""
        shape = self.architecture.input_shape
        return x if len(shape) == 1 else x.reshape(1, len(x), *shape[1:])


def forward(  # noqa: C901, PLR0912 - one case a layer
    layer: Layer, parameters: Mapping[str, NDArray[Any]], x: FloatArray
) -> FloatArray:
    """What ``layer`` makes of ``x``: rows (N, F), or images with the batch second (C, N, H, W)."""
    match layer:
        case Dense():
            return layers.dense(x, parameters[layer.weight], parameters[layer.bias])
        case Conv2D():
            weight, bias = parameters[layer.weight], parameters.get(layer.bias)
            return layers.conv2d(x, weight, bias, layer.stride, layer.padding)
        case DepthwiseConv2D():
            weight, bias = parameters[layer.weight], parameters.get(layer.bias)
            return layers.depthwise_conv2d(x, weight, bias, layer.stride, layer.padding)
        case BatchNorm():
            names = (*layer.parameters(), *layer.statistics())
            scale, shift, mean, variance = (parameters[name] for name in names)
            return layers.batch_norm(x, scale, shift, mean, variance, layer.epsilon)
        case MaxPool2D():
            return layers.max_pool2d(x, layer.size, layer.stride)
        case AveragePool2D():
            return layers.average_pool2d(x, layer.size, layer.stride)
        case GlobalAveragePool():
            return layers.global_average_pool(x)
        case Flatten():
            return layers.flatten(x)
        case Dropout():
            return x  # drops while training only
        case ReLU():
            return layers.relu(x)
        case LeakyReLU():
            return layers.leaky_relu(x, layer.slope)
        case Sigmoid():
            return layers.sigmoid(x)
        case Tanh():
            return layers.tanh(x)
        case GELU():
            return layers.gelu(x)
