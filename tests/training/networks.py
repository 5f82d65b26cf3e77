"""Small networks that have every layer between them, and batches for them."""

import numpy as np
from numpy.typing import NDArray

from model.architecture import Architecture, mlp
from model.network import Network
from training.backprop import loss_and_gradients
from training.config import SoftmaxCrossEntropy
from training.losses import Loss, objective

CONVOLUTIONAL = Architecture.from_outline(
    [
        {"type": "conv2d", "outputs": 3, "kernel": 5, "stride": 3, "padding": 2, "biased": False},
        {"type": "batch_norm", "epsilon": 0.01},
        {"type": "leaky_relu", "slope": 0.2},
        {"type": "depthwise_conv2d", "kernel": 3, "padding": 1},
        {"type": "tanh"},
        {"type": "max_pool2d", "size": 2, "stride": 2},
        {"type": "conv2d", "outputs": 4, "kernel": 2, "stride": 2},
        {"type": "average_pool2d", "size": 2, "stride": 1},
        {"type": "flatten"},
        {"type": "dense", "outputs": 7},
        {"type": "batch_norm"},
        {"type": "gelu"},
        {"type": "dropout", "rate": 0.3},
        {"type": "dense", "outputs": 10},
    ]
)
ARCHITECTURES = {
    "one layer": mlp(784, 10),
    "two hidden layers": mlp(784, 3, 4, 10),
    "elementwise at both ends": Architecture.from_outline(
        [
            {"type": "dropout", "rate": 0.2},
            {"type": "dense", "outputs": 10},
            {"type": "sigmoid"},
        ]
    ),
    "convolutional": CONVOLUTIONAL,
    "depthwise first, pooled to logits": Architecture.from_outline(
        [
            {"type": "depthwise_conv2d", "kernel": 5, "stride": 3, "biased": False},
            {"type": "relu"},
            {"type": "conv2d", "outputs": 10, "kernel": 3, "stride": 2},
            {"type": "global_average_pool"},
        ]
    ),
    "batch norm of pixels": Architecture.from_outline(
        [{"type": "batch_norm", "epsilon": 0.1}, {"type": "dense", "outputs": 10}]
    ),
    "no convolution": Architecture.from_outline(
        [
            {"type": "max_pool2d", "size": 7, "stride": 7},
            {"type": "dropout", "rate": 0.5},
            {"type": "flatten"},
            {"type": "dense", "outputs": 10},
        ]
    ),
}


def drawn(architecture: Architecture, seed: int = 0) -> Network:
    """A network of random float64 parameters, small enough that no unit saturates."""
    rng = np.random.default_rng(seed)

    def parameter(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        if name.endswith((".variance", ".scale")):
            return rng.uniform(0.5, 2, shape)
        return rng.normal(0, 1 / np.sqrt(np.prod(shape) / shape[-1]), shape)

    shapes = architecture.parameter_shapes()
    return Network(architecture, {name: parameter(name, shape) for name, shape in shapes.items()})


def batch(count: int = 5, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.random((count, 784)), rng.integers(0, 10, count).astype(np.uint8)


def of_labels(labels: NDArray[np.integer]) -> Loss:
    return objective(SoftmaxCrossEntropy(), labels)


def empty_like(network: Network) -> dict[str, NDArray[np.float64]]:
    """Room for the gradients, filled with what no gradient is."""
    gathered = network.architecture.statistic_names()
    return {
        name: np.full(array.shape, np.nan)
        for name, array in network.parameters.items()
        if name not in gathered
    }


def masks() -> np.random.Generator:
    """The same masks at every call."""
    return np.random.default_rng(5)


def gradients_of(
    network: Network, x: NDArray[np.float64], loss: Loss
) -> dict[str, NDArray[np.float64]]:
    into = empty_like(network)
    loss_and_gradients(network, x, loss, into, masks())
    return into
