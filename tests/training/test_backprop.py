import numpy as np
import pytest
from numpy.typing import NDArray

from model.architecture import Architecture, Dense, ReLU, mlp
from model.network import Network
from tests.helpers import table
from tests.training.differences import TOLERANCE, numerical_gradient
from training.backprop import loss_and_gradients
from training.losses import softmax_cross_entropy


def drawn(architecture: Architecture, seed: int = 0) -> Network:
    """A network of random float64 parameters, small enough that no unit saturates."""
    rng = np.random.default_rng(seed)
    return Network(
        architecture,
        {
            name: rng.normal(0, 1 / np.sqrt(shape[0]), shape)
            for name, shape in architecture.parameter_shapes().items()
        },
    )


def batch(count: int = 5, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.random((count, 784)), rng.integers(0, 10, count).astype(np.uint8)


def empty_like(network: Network) -> dict[str, NDArray[np.float64]]:
    return {name: np.full(array.shape, np.nan) for name, array in network.parameters.items()}


@table(
    "architecture",
    {
        "one layer": mlp(784, 10),
        "one hidden layer": mlp(784, 3, 10),
        "two hidden layers": mlp(784, 3, 4, 10),
        "relu at both ends": Architecture((ReLU(), Dense("only", 784, 10), ReLU())),
    },
)
def test_every_gradient_agrees_with_finite_differences(architecture: Architecture) -> None:
    network, (x, labels) = drawn(architecture), batch()
    gradients = empty_like(network)
    loss_and_gradients(network, x, labels, gradients)

    def loss() -> float:
        return softmax_cross_entropy(network.logits(x), labels)[0]

    for name, parameter in network.parameters.items():
        expected = numerical_gradient(loss, parameter)
        np.testing.assert_allclose(
            gradients[name], expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name
        )


def test_loss_and_logits_are_those_of_the_forward_pass() -> None:
    network, (x, labels) = drawn(mlp(784, 3, 10)), batch()
    loss, logits = loss_and_gradients(network, x, labels, empty_like(network))
    np.testing.assert_array_equal(logits, network.logits(x))
    assert loss == softmax_cross_entropy(logits, labels)[0]


def test_gradients_worked_by_hand() -> None:
    # One pixel is lit and all parameters are 0: ten equal probabilities.
    architecture = mlp(784, 10)
    network = Network(
        architecture,
        {name: np.zeros(shape) for name, shape in architecture.parameter_shapes().items()},
    )
    x = np.zeros((1, 784))
    x[0, 5] = 2
    gradients = empty_like(network)
    loss, _ = loss_and_gradients(network, x, np.array([3]), gradients)
    assert loss == pytest.approx(np.log(10))
    dbias = [0.1, 0.1, 0.1, -0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    np.testing.assert_allclose(gradients["dense1.bias"], dbias)
    np.testing.assert_allclose(gradients["dense1.weight"][5], 2 * np.array(dbias))
    assert not np.delete(gradients["dense1.weight"], 5, axis=0).any()


def test_a_batch_has_the_mean_gradient_of_its_rows() -> None:
    network, (x, labels) = drawn(mlp(784, 3, 10)), batch(2)
    together, first, second = (empty_like(network) for _ in range(3))
    loss_and_gradients(network, x, labels, together)
    loss_and_gradients(network, x[:1], labels[:1], first)
    loss_and_gradients(network, x[1:], labels[1:], second)
    for name, gradient in together.items():
        np.testing.assert_allclose(gradient, (first[name] + second[name]) / 2)


def test_a_step_against_the_gradient_lowers_the_loss() -> None:
    network, (x, labels) = drawn(mlp(784, 8, 10)), batch(20)
    gradients = empty_like(network)
    before, _ = loss_and_gradients(network, x, labels, gradients)
    for name, gradient in gradients.items():
        network.parameters[name][...] -= 1e-3 * gradient
    after, _ = loss_and_gradients(network, x, labels, gradients)
    assert after < before
