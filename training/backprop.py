"""The backward pass: reverse-mode differentiation over the layers of a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model import layers
from model.layers import FloatArray
from model.network import Network, forward
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
from training import gradients, halves
from training.helper import Helper
from training.losses import Loss

Parameters: TypeAlias = Mapping[str, NDArray[Any]]

# How far a batch moves what batch norm gathers for serving (Ioffe and Szegedy 2015).
STATISTICS_MOMENTUM = 0.1


@dataclass(frozen=True)
class Trace:
    """What the backward pass needs to know of one layer's forward.

    x: its input. out: its output. extra: batch norm's mean and variance (C,) of the batch, or
    dropout's mask.
    """

    layer: Layer
    x: FloatArray
    out: FloatArray
    extra: tuple[FloatArray, ...] = ()


def loss_and_gradients(  # noqa: PLR0913, PLR0917 - the last two may be left out
    network: Network,
    x: FloatArray,
    loss: Loss,
    into: Parameters,
    dropout: np.random.Generator | None = None,
    helper: Helper | None = None,
) -> tuple[float, FloatArray]:
    """Loss and logits (N, 10) of rows x (N, 784); fills ``into`` in place.

    ``loss`` takes logits and returns (loss, dlogits). ``into`` has the names
    and shapes of what the network learns; what batch norm gathers is moved
    towards the batch. ``dropout`` draws the masks of dropout layers. ``helper`` takes
    half of the products of wide dense layers.
    """
    logits, traces = forward_training(network, x, dropout, helper)
    value, dout = loss(logits)
    for number, trace in reversed(list(enumerate(traces))):
        arrays = [into[name] for name in trace.layer.parameters()]
        # Nobody asks for the gradient of the pixels.
        dout = _backward(trace, dout, network.parameters, arrays, first=number == 0, helper=helper)
    return value, logits


def forward_training(
    network: Network,
    x: FloatArray,
    dropout: np.random.Generator | None = None,
    helper: Helper | None = None,
) -> tuple[FloatArray, list[Trace]]:
    """Logits (N, 10) of a batch, and what the backward pass needs of every layer.

    The layers are those that serve; only batch norm takes the batch's own mean and
    variance, and dropout drops (Srivastava et al. 2014, scaled while training).
    """
    traces = []
    x = network.shaped(x)
    for layer in network.architecture.layers:
        extra: tuple[FloatArray, ...] = ()
        match layer:
            case BatchNorm():
                mean, variance = extra = layers.batch_statistics(x)
                _gather(layer, network.parameters, x, mean, variance)
                scale, shift = (network.parameters[name] for name in layer.parameters())
                out = layers.batch_norm(x, scale, shift, mean, variance, layer.epsilon)
            case Dropout():
                if dropout is None:
                    raise ValueError("a network with dropout is trained with a generator for it")
                kept = dropout.random(x.shape, np.float32) >= layer.rate
                extra = (kept.astype(x.dtype) / (1 - layer.rate),)
                out = layers.dropout(x, *extra)
            case Dense() if helper and layer.inputs >= halves.WIDE:
                weight, bias = (network.parameters[name] for name in layer.parameters())
                out = halves.dense(helper, x, weight, bias)
            case _:
                out = forward(layer, network.parameters, x)
        traces.append(Trace(layer, x, out, extra))
        x = out
    return x, traces


def _gather(
    layer: BatchNorm, parameters: Parameters, x: FloatArray, mean: FloatArray, variance: FloatArray
) -> None:
    """Move what serving will use towards the batch's mean and unbiased variance."""
    count = x.size // layer.channels
    unbiased = variance * (count / max(1, count - 1))
    for name, batch in zip(layer.statistics(), (mean, unbiased), strict=True):
        running = parameters[name]
        running += STATISTICS_MOMENTUM * (batch - running)


def _backward(  # noqa: C901, PLR0912, PLR0913 - one case a layer
    trace: Trace,
    dout: FloatArray,
    parameters: Parameters,
    into: Sequence[FloatArray],
    *,
    first: bool,
    helper: Helper | None,
) -> FloatArray:
    """Write the gradients of a layer's parameters ``into`` their arrays; returns that of its input.

    The ``first`` layer of the network does without the latter where it costs a product.
    """
    layer, x = trace.layer, trace.x
    match layer:
        case Dense():
            dweight, dbias = into
            if helper and layer.inputs >= halves.WIDE:
                halves.dense_backward_parameters(helper, dout, x, dweight, dbias)
            else:
                gradients.dense_backward_parameters(dout, x, dweight, dbias)
            return dout if first else gradients.dense_backward_input(dout, parameters[layer.weight])
        case Conv2D():
            gradients.conv2d_backward_parameters(
                dout, x, *_weight_and_bias(into), layer.stride, layer.padding
            )
            weight = parameters[layer.weight]
            return (
                dout
                if first
                else gradients.conv2d_backward_input(
                    dout, weight, x.shape, layer.stride, layer.padding
                )
            )
        case DepthwiseConv2D():
            gradients.depthwise_conv2d_backward_parameters(
                dout, x, *_weight_and_bias(into), layer.stride, layer.padding
            )
            weight = parameters[layer.weight]
            return (
                dout
                if first
                else gradients.depthwise_conv2d_backward_input(
                    dout, weight, x.shape, layer.stride, layer.padding
                )
            )
        case BatchNorm():
            scale, (mean, variance) = parameters[layer.scale], trace.extra
            dx, into[0][...], into[1][...] = gradients.batch_norm_backward(
                dout, x, scale, mean, variance, layer.epsilon
            )
            return dx
        case MaxPool2D():
            return gradients.max_pool2d_backward(dout, x, layer.size, layer.stride)
        case AveragePool2D():
            return gradients.average_pool2d_backward(dout, x.shape, layer.size, layer.stride)
        case GlobalAveragePool():
            return gradients.global_average_pool_backward(dout, x.shape)
        case Flatten():
            return gradients.flatten_backward(dout, x.shape)
        case Dropout():
            return gradients.dropout_backward(dout, *trace.extra)
        case ReLU():
            return gradients.relu_backward(dout, x)
        case LeakyReLU():
            return gradients.leaky_relu_backward(dout, x, layer.slope)
        case Sigmoid():
            return gradients.sigmoid_backward(dout, trace.out)
        case Tanh():
            return gradients.tanh_backward(dout, trace.out)
        case GELU():
            return gradients.gelu_backward(dout, x)


def _weight_and_bias(into: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray | None]:
    return (into[0], into[1]) if len(into) > 1 else (into[0], None)
