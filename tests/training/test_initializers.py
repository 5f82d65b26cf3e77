import math

import numpy as np
import pytest

from model.architecture import Architecture, mlp
from tests.helpers import table
from training.config import (
    Distribution,
    Glorot,
    He,
    Initialization,
    Lecun,
    Normal,
    Uniform,
    Zeros,
)
from training.initializers import draw, initialize, learned_count, named_views

CONVOLUTIONAL = Architecture.from_outline(
    [
        {"type": "conv2d", "outputs": 8, "kernel": 5, "stride": 3, "biased": False},
        {"type": "batch_norm"},
        {"type": "depthwise_conv2d", "kernel": 3},
        {"type": "global_average_pool"},
        {"type": "dense", "outputs": 10},
        {"type": "batch_norm"},
    ]
)


# -- names ------------------------------------------------------------------


@table("architecture", {"dense": mlp(784, 3, 10), "convolutional": CONVOLUTIONAL})
def test_views_cover_the_vector_once_in_the_architectures_shapes(
    architecture: Architecture,
) -> None:
    vector = np.arange(architecture.parameter_count(), dtype=np.float32)
    views = named_views(architecture, vector)
    found = [(name, view.shape) for name, view in views.items()]
    assert found == list(architecture.parameter_shapes().items())
    assert sorted(np.concatenate([view.ravel() for view in views.values()])) == vector.tolist()


def test_what_is_learned_comes_first_each_part_in_layer_order() -> None:
    vector = np.arange(CONVOLUTIONAL.parameter_count(), dtype=np.float32)
    starts = {name: int(view.flat[0]) for name, view in named_views(CONVOLUTIONAL, vector).items()}
    assert sorted(starts.items(), key=lambda item: item[1]) == [
        ("conv2d1.weight", 0),
        ("batch_norm1.scale", 200),
        ("batch_norm1.shift", 208),
        ("depthwise_conv2d1.weight", 216),
        ("depthwise_conv2d1.bias", 288),
        ("dense1.weight", 296),
        ("dense1.bias", 376),
        ("batch_norm2.scale", 386),
        ("batch_norm2.shift", 396),
        ("batch_norm1.mean", 406),
        ("batch_norm1.variance", 414),
        ("batch_norm2.mean", 422),
        ("batch_norm2.variance", 432),
    ]
    assert learned_count(CONVOLUTIONAL) == 406


def test_a_vector_of_what_is_learned_has_only_its_names() -> None:
    views = named_views(CONVOLUTIONAL, np.zeros(learned_count(CONVOLUTIONAL), np.float32))
    statistics = CONVOLUTIONAL.statistic_names()
    assert len(statistics) == 4
    assert list(views) == [n for n in CONVOLUTIONAL.parameter_shapes() if n not in statistics]


def test_views_share_the_vector() -> None:
    vector = np.zeros(7850, np.float32)
    views = named_views(mlp(784, 10), vector)
    vector[0] = -1
    views["dense1.bias"][9] = 5
    assert views["dense1.weight"][0, 0] == -1
    assert vector[-1] == 5


def test_without_batch_norm_all_is_learned() -> None:
    assert learned_count(mlp(784, 16, 10)) == mlp(784, 16, 10).parameter_count()


# -- distributions ----------------------------------------------------------

DENSE, CONV2D, DEPTHWISE = (784, 50), (64, 32, 5, 3), (2000, 5, 3)


@table(
    "distribution, shape, variance",
    {
        "he, dense": (He(), DENSE, 2 / 784),
        "he, conv2d": (He(), CONV2D, 2 / (32 * 5 * 3)),
        "he, depthwise": (He(), DEPTHWISE, 2 / (5 * 3)),
        "lecun, dense": (Lecun(), DENSE, 1 / 784),
        "lecun, conv2d": (Lecun(), CONV2D, 1 / (32 * 5 * 3)),
        "lecun, depthwise": (Lecun(), DEPTHWISE, 1 / (5 * 3)),
        "glorot, dense": (Glorot(), DENSE, 2 / (784 + 50)),
        "glorot, conv2d": (Glorot(), CONV2D, 2 / ((32 + 64) * 5 * 3)),
        "glorot, depthwise": (Glorot(), DEPTHWISE, 2 / (2 * 5 * 3)),
        "uniform": (Uniform(-0.5, 0.5), DENSE, 1 / 12),
        "normal": (Normal(0.3), DENSE, 0.09),
    },
)
def test_numbers_have_mean_0_and_the_variance_of_their_formula(
    distribution: Distribution, shape: tuple[int, ...], variance: float
) -> None:
    numbers = draw(distribution, shape, np.random.default_rng(0))
    assert numbers.shape == shape
    assert numbers.size >= 30_000  # the variance is then known to some 1 %
    assert numbers.mean() == pytest.approx(0, abs=4 * math.sqrt(variance / numbers.size))
    assert numbers.var() == pytest.approx(variance, rel=0.04)


@pytest.mark.parametrize("distribution", [He(), Lecun(), Normal(0.1)])
def test_a_normal_distribution_has_tails(distribution: Distribution) -> None:
    numbers = draw(distribution, DENSE, np.random.default_rng(0))
    within = np.mean(np.abs(numbers) < numbers.std())
    assert within == pytest.approx(math.erf(math.sqrt(0.5)), abs=0.01)
    assert np.abs(numbers).max() > 3.5 * numbers.std()


@table(
    "distribution, low, high",
    {
        "glorot": (Glorot(), -math.sqrt(6 / 834), math.sqrt(6 / 834)),
        "uniform": (Uniform(0.25, 1.0), 0.25, 1.0),
        "uniform at one value": (Uniform(0.25, 0.25), 0.25, 0.25),
    },
)
def test_a_uniform_distribution_fills_its_range(
    distribution: Distribution, low: float, high: float
) -> None:
    numbers = draw(distribution, DENSE, np.random.default_rng(0))
    assert low <= numbers.min() <= low + 0.001 * (high - low)
    assert high - 0.001 * (high - low) <= numbers.max() <= high


@pytest.mark.parametrize("distribution", [Zeros(), Normal(0.0)])
def test_zeros_are_zeros(distribution: Distribution) -> None:
    assert not draw(distribution, DENSE, np.random.default_rng(0)).any()


# -- networks ---------------------------------------------------------------


def test_weights_and_biases_are_drawn_as_the_recipe_says() -> None:
    initialization = Initialization(weights=Uniform(1, 2), biases=Uniform(3, 4))
    vector = initialize(CONVOLUTIONAL, initialization, np.random.default_rng(0))
    assert vector.dtype == np.float32
    assert vector.shape == (CONVOLUTIONAL.parameter_count(),)
    for name, view in named_views(CONVOLUTIONAL, vector).items():
        low = {"weight": 1, "bias": 3}.get(name.partition(".")[2])
        if low:
            assert low <= view.min() < view.max() <= low + 1


def test_by_default_weights_are_he_and_biases_0() -> None:
    views = named_views(
        mlp(784, 400, 10),
        initialize(mlp(784, 400, 10), Initialization(), np.random.default_rng(0)),
    )
    assert np.std(views["dense1.weight"]) == pytest.approx(math.sqrt(2 / 784), rel=0.02)
    assert np.std(views["dense2.weight"]) == pytest.approx(math.sqrt(2 / 400), rel=0.05)
    assert not views["dense1.bias"].any()
    assert not views["dense2.bias"].any()


def test_batch_norm_starts_as_the_identity_whatever_the_distributions() -> None:
    initialization = Initialization(weights=Uniform(5, 6), biases=Uniform(5, 6))
    vector = initialize(CONVOLUTIONAL, initialization, np.random.default_rng(0))
    views = named_views(CONVOLUTIONAL, vector)
    for name in ("batch_norm1", "batch_norm2"):
        assert (views[f"{name}.scale"] == 1).all()
        assert (views[f"{name}.shift"] == 0).all()
        assert (views[f"{name}.mean"] == 0).all()
        assert (views[f"{name}.variance"] == 1).all()


def test_the_generator_decides_the_start() -> None:
    first, again, other = (
        initialize(mlp(784, 10), Initialization(), np.random.default_rng(seed)).tobytes()
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
