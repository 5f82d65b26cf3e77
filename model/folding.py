"""What a trained network amounts to: fewer stages that compute the same function.

Training moves the numbers; serving knows them. A batch norm is then one more affine
map of each channel and goes into the layer before it (Jacob et al. 2018, section 3.2),
the scaling of the pixels goes into the layer after it, and dropout does nothing. In
real numbers all of this is exact, zero padding included: what stands before a
convolution only scales, and zeros stay zeros. It is done in float64 and rounded once.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.network import PIXEL_MAX, Network
from model.specifications import (
    BatchNorm,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Elementwise,
    Flatten,
    Layer,
    Shape,
)

Float64: TypeAlias = NDArray[np.float64]
Parameters: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Stage:
    """A layer and the activation after it, where there is one.

    takes, makes: shapes of one image, (C, H, W) or (F,). What a stage makes is what the
    next one takes, or the same numbers in the same order where they were flattened.
    """

    layer: Layer
    takes: Shape
    makes: Shape
    activation: Layer | None = None


@dataclass(frozen=True)
class AffineStage(Stage):
    """A stage whose layer is one weight and one bias, with the outputs first.

    weight: (O, I) of dense, (O, C, K, K) of conv2d, (C, K, K) of depthwise_conv2d, (C,)
    of a batch norm on its own; bias: (O,) or (C,), zeros where the layer has none.
    """

    _: KW_ONLY
    weight: Float64
    bias: Float64

    def followed_by(self, factor: Float64, shift: Float64) -> "AffineStage":
        """This stage with its outputs times ``factor`` (O,), plus ``shift`` (O,)."""
        outputs_first = (-1, *[1] * (self.weight.ndim - 1))
        weight = self.weight * factor.reshape(outputs_first)
        return replace(self, weight=weight, bias=self.bias * factor + shift)

    @cached_property
    def matrix(self) -> NDArray[np.float32]:
        """Weight and bias side by side, (O, I + 1): for inputs with a row of ones below."""
        weight = self.weight.reshape(len(self.weight), -1)
        return np.concatenate([weight, self.bias[:, None]], axis=1).astype(np.float32)


def fold(network: Network) -> list[Stage]:
    """The stages from pixels of 0-255 to logits, with a copy of the network's numbers."""
    shape = network.architecture.input_shape
    pixels = _scaled_pixels(shape)
    stages: list[Stage] = [pixels]
    for layer in network.architecture.layers:
        takes, shape = shape, layer.output(shape)
        if isinstance(layer, (Dropout, Flatten)):
            continue  # they change no number
        joined = _joined(stages[-1], layer, network.parameters)
        if joined is not None:
            stages[-1] = joined
        else:
            stages.append(_stage(layer, takes, shape, network.parameters))
    first, second, *others = stages
    if first is pixels and isinstance(second, AffineStage):
        return [replace(second, weight=second.weight / PIXEL_MAX), *others]
    return stages


def _joined(stage: Stage, layer: Layer, parameters: Parameters) -> Stage | None:
    """``stage`` with ``layer``, which comes next, in it; None where that cannot be."""
    if stage.activation is not None:
        return None
    if isinstance(layer, Elementwise):
        return replace(stage, activation=layer)
    if (
        isinstance(layer, BatchNorm)
        and isinstance(stage, AffineStage)
        and layer.channels == len(stage.bias)  # once flattened, every pixel is a channel
    ):
        return stage.followed_by(*_factor_and_shift(layer, parameters))
    return None


def _stage(layer: Layer, takes: Shape, makes: Shape, parameters: Parameters) -> Stage:
    match layer:
        case Dense():
            weight, bias = parameters[layer.weight].T, parameters[layer.bias]
        case Conv2D() | DepthwiseConv2D():
            weight = parameters[layer.weight]
            bias = parameters.get(layer.bias, np.zeros(len(weight)))
        case BatchNorm():
            weight, bias = _factor_and_shift(layer, parameters)
        case _:
            return Stage(layer, takes, makes)
    weight, bias = weight.astype(np.float64), bias.astype(np.float64)
    return AffineStage(layer, takes, makes, weight=weight, bias=bias)


def _factor_and_shift(layer: BatchNorm, parameters: Parameters) -> tuple[Float64, Float64]:
    """What a batch norm multiplies each channel by, and what it then adds: both (C,)."""
    names = (*layer.parameters(), *layer.statistics())
    scale, shift, mean, variance = (parameters[name].astype(np.float64) for name in names)
    factor = scale / np.sqrt(variance + layer.epsilon)
    return factor, shift - mean * factor


def _scaled_pixels(shape: Shape) -> AffineStage:
    """Pixels of 0-255 brought to 0-1: a batch norm in all but name."""
    layer = BatchNorm("pixels", shape[0])
    factor = np.full(shape[0], 1 / PIXEL_MAX)
    return AffineStage(layer, shape, shape, weight=factor, bias=np.zeros(shape[0]))
