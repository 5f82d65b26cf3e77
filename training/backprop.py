"""The backward pass: reverse-mode differentiation over the layers of a network."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model.architecture import Dense, ReLU
from model.layers import FloatArray
from model.network import Network
from training.gradients import (
    dense_backward_input,
    dense_backward_parameters,
    relu_backward,
)
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
    layers = network.architecture.layers
    for number, layer in reversed(list(enumerate(layers))):
        match layer:
            case Dense():
                dweight, dbias = gradients[layer.weight], gradients[layer.bias]
                dense_backward_parameters(dout, inputs[number], dweight, dbias)
                if number > 0:  # nobody asks for the gradient of the pixels
                    dout = dense_backward_input(dout, network.parameters[layer.weight])
            case ReLU():
                dout = relu_backward(dout, inputs[number])
    return loss, logits
