"""What each stage of a network does in memory of its own: the steps of ``model/engine.py``.

The batch lies last, as in ``model/windows.py``: images are (C, H, W, N), rows (F, N). So a
convolution is K * K slice copies and one matrix product (Chellapilla et al. 2006), a dense
layer is one product, and to flatten is to look at the same memory in another shape.

The layers that take the time have a step each; all others are left to ``network.forward``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.folding import AffineStage, Parameters, Stage
from model.network import forward
from model.specifications import (
    BatchNorm,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Layer,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Shape,
)
from model.windows import ROW_AXES, batch_last, batch_second, taps

Float32: TypeAlias = NDArray[np.float32]
Activation: TypeAlias = Callable[[Float32, Float32], None]  # from one array into another


@dataclass(frozen=True)
class Needs:
    """How many numbers of memory a stage takes for one image.

    inputs: of its own; columns, outputs: of the scratch, which the stages share.
    """

    inputs: int
    columns: int
    outputs: int

    @classmethod
    def of(cls, stage: Stage) -> "Needs":
        """What the step of ``stage`` needs."""
        outputs = math.prod(stage.makes)
        if not isinstance(stage.layer, Conv2D):
            return cls(math.prod(stage.takes), 0, outputs)
        ones = math.prod(stage.makes[1:])
        columns = stage.layer.copied(stage.takes) + ones
        return cls(math.prod(_padded(stage.takes, stage.layer.padding)), columns, outputs)


class Scratch:
    """Memory for what lives no longer than a step: columns and outputs, as many numbers each."""

    def __init__(self, columns: int, outputs: int) -> None:
        self._columns = np.empty(columns, np.float32)
        self._outputs = np.empty(outputs, np.float32)

    def columns(self, *shape: int) -> Float32:
        """An array over the memory for columns, of any content."""
        return self._columns[: math.prod(shape)].reshape(shape)

    def outputs(self, *shape: int) -> Float32:
        """An array over the memory for outputs, of any content."""
        return self._outputs[: math.prod(shape)].reshape(shape)


class Step(Protocol):
    """A layer with its memory for batches of one size.

    input: (C, H, W, N) or (F, N), to be filled before a run, which leaves it as it is.
    """

    input: Float32

    def run(self) -> Float32:
        """The outputs (C', H', W', N) or (F', N), valid until another step runs."""


def step(stage: Stage, batch: int, scratch: Scratch, *, frames: bool = False) -> Step:
    """The step of ``stage`` for ``batch`` images; frames: whether it is the first of all."""
    match stage:
        case AffineStage(layer=Dense()):
            return _Dense(stage, batch, scratch, row_by_row=frames)
        case AffineStage(layer=Conv2D() as layer):
            return _Convolution(stage, layer, batch, scratch)
        case AffineStage(layer=BatchNorm()):
            return _Normalization(stage, batch, scratch)
        case AffineStage(layer=DepthwiseConv2D() as layer):
            weight, bias = stage.weight.astype(np.float32), stage.bias.astype(np.float32)
            return _Other(stage, {layer.weight: weight, layer.bias: bias}, batch)
        case Stage(layer=MaxPool2D() as layer):
            return _MaxPool(stage, layer, batch, scratch)
        case _:
            return _Other(stage, {}, batch)


class _Dense:
    """One product of weight and bias (O, I + 1) with the input over a row of ones (I + 1, N)."""

    def __init__(
        self, stage: AffineStage, batch: int, scratch: Scratch, *, row_by_row: bool
    ) -> None:
        self._matrix = stage.matrix
        # Frames come image by image and are copied faster so; BLAS multiplies either order.
        x = np.ones((self._matrix.shape[1], batch), np.float32, order="F" if row_by_row else "C")
        self._x = x
        self.input = x[:-1]
        self._out = scratch.outputs(len(self._matrix), batch)

    def run(self) -> Float32:
        return np.dot(self._matrix, self._x, out=self._out)


class _Convolution:
    """Windows of the padded input to columns, and one product, the bias with a row of ones.

    padded (C, H + 2P, W + 2P, N), its border zero for ever; columns (C*K*K + 1, H'*W'*N).
    """

    def __init__(self, stage: AffineStage, layer: Conv2D, batch: int, scratch: Scratch) -> None:
        channels, height, width = stage.takes
        padding, stride, size = layer.padding, layer.stride, layer.kernel
        padded = np.zeros((*_padded(stage.takes, padding), batch), np.float32)
        self.input = padded[:, padding : padding + height, padding : padding + width]

        rows, columns = stage.makes[1:]
        self._matrix = stage.matrix  # (O, C*K*K + 1)
        self._columns = scratch.columns(self._matrix.shape[1], rows * columns * batch)
        self._ones = self._columns[-1]
        windows = self._columns[:-1].reshape(channels, size, size, rows, columns, batch)
        self._copies = [
            (windows[:, i, j], padded[:, i::stride, j::stride][:, :rows, :columns])
            for i in range(size)
            for j in range(size)
        ]
        self._product = scratch.outputs(len(self._matrix), rows * columns * batch)
        self._out = self._product.reshape(*stage.makes, batch)

    def run(self) -> Float32:
        for window, pixels in self._copies:
            window[...] = pixels
        self._ones[...] = 1  # the columns of another layer lay here
        np.dot(self._matrix, self._columns, out=self._product)
        return self._out


class _Normalization:
    """A batch norm that follows no affine layer: each channel times a factor, plus a shift."""

    def __init__(self, stage: AffineStage, batch: int, scratch: Scratch) -> None:
        self.input = np.zeros((*stage.takes, batch), np.float32)
        self._out = scratch.outputs(*self.input.shape)
        by_channel = (-1, *[1] * len(stage.takes))
        self._factor = stage.weight.astype(np.float32).reshape(by_channel)
        self._shift = stage.bias.astype(np.float32).reshape(by_channel)

    def run(self) -> Float32:
        np.multiply(self.input, self._factor, out=self._out)
        self._out += self._shift
        return self._out


class _MaxPool:
    """The largest of each window: all that is at one place of a window, place after place."""

    def __init__(self, stage: Stage, layer: MaxPool2D, batch: int, scratch: Scratch) -> None:
        _, height, width = stage.takes
        self.input = np.zeros((*stage.takes, batch), np.float32)
        self._first, *self._others = [
            self.input[pixels] for *_, pixels in taps(height, width, layer.size, layer.stride)
        ]
        self._out = scratch.outputs(*stage.makes, batch)

    def run(self) -> Float32:
        self._out[...] = self._first
        for pixels in self._others:
            np.maximum(self._out, pixels, out=self._out)
        return self._out


class _Other:
    """Any layer, as ``network.forward`` computes it."""

    def __init__(self, stage: Stage, parameters: Parameters, batch: int) -> None:
        self._layer = stage.layer
        self._parameters = parameters
        self.input = np.zeros((*stage.takes, batch), np.float32)
        self._x = self.input.T if self.input.ndim == ROW_AXES else batch_second(self.input)

    def run(self) -> Float32:
        out = forward(self._layer, self._parameters, self._x)
        return out.T if out.ndim == ROW_AXES else batch_last(out)


def _padded(shape: Shape, padding: int) -> Shape:
    channels, height, width = shape
    return (channels, height + 2 * padding, width + 2 * padding)


# -- activations ------------------------------------------------------------


def activation(layer: Layer | None) -> Activation:
    """What writes the activations of its first argument into its second."""
    match layer:
        case None:
            return _copy
        case ReLU():
            return _relu
        case LeakyReLU():
            return partial(_leaky_relu, layer.slope)
        case _:
            return partial(_elementwise, layer)


def _copy(x: Float32, out: Float32) -> None:
    out[...] = x


def _relu(x: Float32, out: Float32) -> None:
    np.maximum(x, 0, out=out)


def _leaky_relu(slope: float, x: Float32, out: Float32) -> None:
    np.multiply(x, slope, out=out)
    np.maximum(x, out, out=out)


def _elementwise(layer: Layer, x: Float32, out: Float32) -> None:
    out[...] = forward(layer, {}, x)
