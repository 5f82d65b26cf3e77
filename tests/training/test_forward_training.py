import numpy as np
import pytest

from model.architecture import Architecture, mlp
from model.network import Network
from tests.helpers import table
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
from training.backprop import forward_training, loss_and_gradients
from training.config import Initialization
from training.initializers import initialize, learned_count, named_views
from training.losses import softmax_cross_entropy


def test_loss_and_logits_are_those_of_the_forward_pass() -> None:
    network, (x, labels) = drawn(mlp(784, 3, 10)), batch()
    loss, logits = loss_and_gradients(network, x, of_labels(labels), empty_like(network))
    np.testing.assert_array_equal(logits, network.logits(x))
    assert loss == softmax_cross_entropy(logits, labels)[0]


SERVED_ALIKE = {
    name: architecture
    for name, architecture in ARCHITECTURES.items()
    if not {"dropout", "batch_norm"} & {layer["type"] for layer in architecture.to_json()}
}


@table("architecture", SERVED_ALIKE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_computes_what_serving_computes_bit_for_bit(
    architecture: Architecture, dtype: type[np.floating]
) -> None:
    network = drawn(architecture)
    parameters = {name: array.astype(dtype) for name, array in network.parameters.items()}
    network, x = Network(architecture, parameters), batch(33)[0].astype(dtype)
    logits, traces = forward_training(network, x)
    assert logits.tobytes() == network.logits(x).tobytes()
    assert [trace.layer for trace in traces] == list(architecture.layers)


# -- dropout ----------------------------------------------------------------


def test_dropout_zeroes_its_share_and_makes_up_for_it() -> None:
    architecture = Architecture.from_outline(
        [{"type": "dropout", "rate": 0.25}, {"type": "dense", "outputs": 10}]
    )
    _, traces = forward_training(drawn(architecture), np.ones((200, 784)), masks())
    out = traces[0].out
    assert set(out.ravel()) == {0.0, 1 / 0.75}
    assert np.mean(out == 0) == pytest.approx(0.25, abs=0.005)
    assert out.mean() == pytest.approx(1, abs=0.01)


def test_dropout_draws_anew_for_every_batch() -> None:
    network, rng = drawn(ARCHITECTURES["no convolution"]), np.random.default_rng(0)
    first, second = (forward_training(network, batch()[0], rng)[0] for _ in range(2))
    again = forward_training(network, batch()[0], np.random.default_rng(0))[0]
    assert (first != second).any()
    np.testing.assert_array_equal(again, first)


def test_dropout_without_a_generator_is_refused() -> None:
    with pytest.raises(ValueError, match="trained with a generator"):
        forward_training(drawn(CONVOLUTIONAL), batch()[0])


# -- batch norm -------------------------------------------------------------

NORMED = Architecture.from_outline(
    [
        {"type": "average_pool2d", "size": 14, "stride": 14},
        {"type": "batch_norm", "epsilon": 1e-12},
        {"type": "flatten"},
        {"type": "batch_norm", "epsilon": 1e-12},
        {"type": "dense", "outputs": 10},
    ]
)


def test_a_batch_is_normalized_by_itself_whatever_was_gathered() -> None:
    x, labels = batch()
    one, other = drawn(CONVOLUTIONAL), drawn(CONVOLUTIONAL)
    for name in CONVOLUTIONAL.statistic_names():
        other.parameters[name][...] = 100
    found, expected = (gradients_of(network, x, of_labels(labels)) for network in (other, one))
    for name, gradient in found.items():
        np.testing.assert_array_equal(gradient, expected[name])


def test_what_serving_will_use_moves_a_tenth_towards_mean_and_unbiased_variance() -> None:
    network, x = drawn(NORMED), batch()[0]
    p = network.parameters
    before = {name: p[name].copy() for name in NORMED.statistic_names()}
    pooled = x.reshape(5, 2, 14, 2, 14).mean(axis=(2, 4))  # (N, 2, 2)
    pixels = pooled.reshape(-1, 1)  # one channel
    normed = (pixels - pixels.mean()) / pixels.std() * p["batch_norm1.scale"]
    rows = (normed + p["batch_norm1.shift"]).reshape(5, 4)
    forward_training(network, x)
    for name, values in (("batch_norm1", pixels), ("batch_norm2", rows)):
        for part, batch_s in (("mean", values.mean(axis=0)), ("variance", values.var(0, ddof=1))):
            expected = 0.9 * before[f"{name}.{part}"] + 0.1 * batch_s
            np.testing.assert_allclose(p[f"{name}.{part}"], expected)


def test_after_many_batches_serving_and_training_agree() -> None:
    network, x = drawn(NORMED), batch(400)[0]
    for _ in range(200):
        logits, _ = forward_training(network, x)
    np.testing.assert_allclose(network.logits(x), logits, rtol=0.01, atol=0.01)


def test_statistics_are_gathered_in_place_of_the_flat_vector() -> None:
    vector = initialize(NORMED, Initialization(), np.random.default_rng(0))
    before = vector.copy()
    forward_training(Network(NORMED, named_views(NORMED, vector)), batch()[0].astype(np.float32))
    learned = learned_count(NORMED)
    assert vector[:learned].tolist() == before[:learned].tolist()
    assert (vector[learned:] != before[learned:]).all()


def test_a_batch_of_one_leaves_no_nan() -> None:
    network = drawn(NORMED)
    into = empty_like(network)
    loss, _ = loss_and_gradients(network, batch(1)[0], of_labels(batch(1)[1]), into)
    assert np.isfinite(loss)
    assert all(np.isfinite(array).all() for array in (*into.values(), *network.parameters.values()))
