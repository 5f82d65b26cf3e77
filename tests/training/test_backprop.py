import typing
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from model.architecture import LAYER_TYPES, Architecture, mlp
from model.network import Network
from tests.helpers import table
from tests.training.differences import STEP, TOLERANCE
from tests.training.networks import (
    ARCHITECTURES,
    CONVOLUTIONAL,
    batch,
    drawn,
    empty_like,
    gradients_of,
    masks,
    of_labels,
)
from training import gradients
from training.backprop import forward_training, loss_and_gradients
from training.config import (
    BinaryCrossEntropy,
    Distillation,
    LossConfig,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)
from training.losses import Loss, objective

CHECKED = 30  # numbers of each parameter whose gradient is compared


def check_network(network: Network, loss: Loss) -> None:
    """Gradients of the parameters agree with central differences, at some of their numbers."""
    x, rng = batch()[0], np.random.default_rng(6)
    for name, gradient in gradients_of(network, x, loss).items():
        numbers = network.parameters[name].reshape(-1)  # a view
        for index in rng.permutation(numbers.size)[:CHECKED]:
            value, around = numbers[index], []
            for moved in (value + STEP, value - STEP):
                numbers[index] = moved
                around.append(loss(forward_training(network, x, masks())[0])[0])
            numbers[index] = value
            np.testing.assert_allclose(
                gradient.flat[index],
                (around[0] - around[1]) / (2 * STEP),
                rtol=TOLERANCE,
                atol=TOLERANCE,
                err_msg=name,
            )


# -- gradients --------------------------------------------------------------


def test_every_layer_is_in_one_of_the_networks() -> None:
    layers = [layer for network in ARCHITECTURES.values() for layer in network.to_json()]
    assert {layer["type"] for layer in layers} == LAYER_TYPES.keys()


@table("architecture", ARCHITECTURES)
def test_every_gradient_agrees_with_finite_differences(architecture: Architecture) -> None:
    check_network(drawn(architecture), of_labels(batch()[1]))


LOSSES: dict[str, LossConfig] = {
    "softmax cross-entropy": SoftmaxCrossEntropy(),
    "smoothed": SoftmaxCrossEntropy(label_smoothing=0.1),
    "binary": BinaryCrossEntropy(),
    "squared": MeanSquaredError(),
    "distillation": Distillation("a.npz", temperature=3.0, weight=0.7),
}


def test_every_loss_is_among_those_checked() -> None:
    assert {type(config) for config in LOSSES.values()} == set(typing.get_args(LossConfig))


@table("config", LOSSES)
@pytest.mark.parametrize("name", ["two hidden layers", "convolutional"])
def test_the_gradients_agree_with_every_loss(config: LossConfig, name: str) -> None:
    teacher = np.random.default_rng(3).normal(size=(5, 10))
    check_network(drawn(ARCHITECTURES[name]), objective(config, batch()[1], teacher))


BACKWARDS = {
    # what the backward pass of this network calls, and is to see the error of
    "dense_backward_input": CONVOLUTIONAL,
    "dense_backward_parameters": CONVOLUTIONAL,
    "conv2d_backward_input": CONVOLUTIONAL,
    "conv2d_backward_parameters": CONVOLUTIONAL,
    "depthwise_conv2d_backward_input": CONVOLUTIONAL,
    "depthwise_conv2d_backward_parameters": CONVOLUTIONAL,
    "batch_norm_backward": CONVOLUTIONAL,
    "max_pool2d_backward": CONVOLUTIONAL,
    "average_pool2d_backward": CONVOLUTIONAL,
    "global_average_pool_backward": ARCHITECTURES["depthwise first, pooled to logits"],
    "flatten_backward": CONVOLUTIONAL,
    "dropout_backward": CONVOLUTIONAL,
    "relu_backward": ARCHITECTURES["depthwise first, pooled to logits"],
    "leaky_relu_backward": CONVOLUTIONAL,
    "sigmoid_backward": ARCHITECTURES["elementwise at both ends"],
    "tanh_backward": CONVOLUTIONAL,
    "gelu_backward": CONVOLUTIONAL,
}


def wrong(backward: Callable[..., Any]) -> Callable[..., Any]:
    """The same with every gradient one in a hundred too large."""

    def larger(*arguments: Any) -> Any:  # noqa: ANN401 - as any backward
        found = backward(*arguments)
        if found is None:  # it writes dweight and dbias, its third and fourth argument
            for written in arguments[2:4]:
                if written is not None:
                    np.multiply(written, 1.01, out=written)
            return None
        return tuple(1.01 * part for part in found) if isinstance(found, tuple) else 1.01 * found

    return larger


@pytest.mark.parametrize("name", BACKWARDS)
def test_the_check_fails_on_a_wrong_gradient_of_any_layer(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradients, name, wrong(getattr(gradients, name)))
    with pytest.raises(AssertionError, match="Not equal"):
        check_network(drawn(BACKWARDS[name]), of_labels(batch()[1]))


def test_gradients_worked_by_hand() -> None:
    # One pixel is lit and all parameters are 0: ten equal probabilities.
    architecture = mlp(784, 10)
    network = Network(
        architecture,
        {name: np.zeros(shape) for name, shape in architecture.parameter_shapes().items()},
    )
    x = np.zeros((1, 784))
    x[0, 5] = 2
    into = empty_like(network)
    loss, _ = loss_and_gradients(network, x, of_labels(np.array([3])), into)
    assert loss == pytest.approx(np.log(10))
    dbias = [0.1, 0.1, 0.1, -0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    np.testing.assert_allclose(into["dense1.bias"], dbias)
    np.testing.assert_allclose(into["dense1.weight"][5], 2 * np.array(dbias))
    assert not np.delete(into["dense1.weight"], 5, axis=0).any()


def test_a_batch_has_the_mean_gradient_of_its_rows() -> None:
    network, (x, labels) = drawn(mlp(784, 3, 10)), batch(2)
    together = gradients_of(network, x, of_labels(labels))
    first = gradients_of(network, x[:1], of_labels(labels[:1]))
    second = gradients_of(network, x[1:], of_labels(labels[1:]))
    for name, gradient in together.items():
        np.testing.assert_allclose(gradient, (first[name] + second[name]) / 2)


@pytest.mark.parametrize("name", ["two hidden layers", "convolutional"])
def test_a_step_against_the_gradient_lowers_the_loss(name: str) -> None:
    network, (x, labels) = drawn(ARCHITECTURES[name]), batch(20)
    into = empty_like(network)
    before, _ = loss_and_gradients(network, x, of_labels(labels), into, masks())
    for parameter, gradient in into.items():
        network.parameters[parameter][...] -= 1e-3 * gradient
    after, _ = loss_and_gradients(network, x, of_labels(labels), into, masks())
    assert after < before


@table("architecture", ARCHITECTURES)
def test_all_stays_float32_that_is_float32(architecture: Architecture) -> None:
    rng = np.random.default_rng(0)
    network = drawn(architecture)
    small = {name: array.astype(np.float32) for name, array in network.parameters.items()}
    x, labels = batch()
    into = {name: array.astype(np.float32) for name, array in empty_like(network).items()}
    logits, traces = forward_training(Network(architecture, small), x.astype(np.float32), rng)
    assert {trace.out.dtype for trace in traces} == {logits.dtype} == {np.dtype(np.float32)}
    loss_and_gradients(
        Network(architecture, small), x.astype(np.float32), of_labels(labels), into, masks()
    )
    expected = gradients_of(network, x, of_labels(labels))
    for name, gradient in into.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-3, atol=1e-4)


# -- the first layer --------------------------------------------------------


@table(
    "name, first",
    {
        "dense": ("dense_backward_input", ARCHITECTURES["one layer"]),
        "conv2d": (
            "conv2d_backward_input",
            Architecture.from_outline(
                [{"type": "conv2d", "outputs": 10, "kernel": 28}, {"type": "flatten"}]
            ),
        ),
        "depthwise_conv2d": (
            "depthwise_conv2d_backward_input",
            ARCHITECTURES["depthwise first, pooled to logits"],
        ),
    },
)
def test_nobody_computes_the_gradient_of_the_pixels(
    name: str, first: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(gradients, name)
    check_network(drawn(first), of_labels(batch()[1]))
