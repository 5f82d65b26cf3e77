"""The backward pass: reverse-mode differentiation over the layers of a network."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model.architecture import Dense, ReLU
from model.layers import FloatArray
from model.network import Network
from training.gradients import dense_backward, relu_backward
from training.losses import softmax_cross_entropy


def loss_and_gradients(
    network: Network,
    x: FloatArray,
    labels: NDArray[np.integer],
    gradients: Mapping[str, FloatArray],
) -> tuple[float, FloatArray]:
    """Mean loss and logits (N, 10) of rows x (N, 784); fills ``gradients`` in place.

    ``gradients`` has the names and shapes of the network's parameters.
    """
    inputs: list[FloatArray] = []
    logits = network.logits(x, record=inputs)
    loss, dout = softmax_cross_entropy(logits, labels)
    for layer, layer_input in zip(
        reversed(network.architecture.layers), reversed(inputs), strict=True
    ):
        match layer:
            case Dense():
                weight = network.parameters[layer.weight]
                dout, dweight, dbias = dense_backward(dout, layer_input, weight)
                gradients[layer.weight][...] = dweight
                gradients[layer.bias][...] = dbias
            case ReLU():
                dout = relu_backward(dout, layer_input)
    return loss, logits
