import numpy as np
import pytest

from model.architecture import mlp
from training.initializers import he_normal, named_views


def test_views_share_the_vector_in_layer_order() -> None:
    architecture = mlp(784, 3, 10)
    vector = np.arange(architecture.parameter_count(), dtype=np.float32)
    views = named_views(architecture, vector)
    assert {name: view.shape for name, view in views.items()} == architecture.parameter_shapes()
    assert np.concatenate([view.ravel() for view in views.values()]).tolist() == vector.tolist()
    vector[0] = -1
    assert views["dense1.weight"][0, 0] == -1


@pytest.mark.parametrize("width", [16, 400])
def test_weights_have_the_variance_of_he_and_biases_are_0(width: int) -> None:
    architecture = mlp(784, width, 10)
    parameters = named_views(architecture, he_normal(architecture, np.random.default_rng(0)))
    assert np.std(parameters["dense1.weight"]) == pytest.approx(np.sqrt(2 / 784), rel=0.05)
    assert np.std(parameters["dense2.weight"]) == pytest.approx(np.sqrt(2 / width), rel=0.15)
    assert np.mean(parameters["dense1.weight"]) == pytest.approx(0, abs=0.002)
    assert not parameters["dense1.bias"].any()
    assert not parameters["dense2.bias"].any()


def test_the_generator_decides_the_start() -> None:
    first, again, other = (
        he_normal(mlp(784, 10), np.random.default_rng(seed)).tobytes() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
