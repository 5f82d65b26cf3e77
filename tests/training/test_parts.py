"""The gradient of a batch does not depend on how the batch was divided."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.architecture import Architecture, mlp
from tests.helpers import table
from training import parts
from training.config import Adam, Recipe
from training.dataset import Digits
from training.helper import Helper
from training.initializers import initialize
from training.parts import BatchGradient

IMAGES = 41

CONVOLUTIONAL = Architecture.from_outline(
    [
        {"type": "conv2d", "outputs": 3, "kernel": 3, "stride": 4},
        {"type": "relu"},
        {"type": "flatten"},
        {"type": "dense", "outputs": 10},
    ]
)


def recipe(architecture: Architecture) -> Recipe:
    return Recipe(
        name="parts",
        version=1,
        seed=1,
        architecture=architecture,
        epochs=1,
        optimizer=Adam(learning_rate=0.001),
    )


def vector_of(architecture: Architecture) -> NDArray[np.float32]:
    made = recipe(architecture)
    return initialize(architecture, made.initialization, np.random.default_rng(2))


def batch(images: int = IMAGES) -> Digits:
    rng = np.random.default_rng(3)
    return Digits(
        rng.integers(0, 256, (images, 28, 28)).astype(np.uint8),
        rng.integers(0, 10, images).astype(np.uint8),
    )


def gradient(
    architecture: Architecture, helper: Helper | None
) -> tuple[NDArray[np.float32], float, int]:
    vector = vector_of(architecture)
    of = BatchGradient(recipe(architecture), vector, helper)
    found, loss, correct = of(batch(), np.random.default_rng(4).spawn(2))
    return found.copy(), loss, correct


@table(
    "part, share",
    {
        "one part, its products in halves": (1024, 1000),
        "several parts": (10, 1000),
        "two threads with a part each": (1024, 1),
        "two threads with three parts each": (8, 1),
        "parts of two images": (2, 1),
    },
)
@pytest.mark.parametrize("architecture", [mlp(784, 300, 10), CONVOLUTIONAL], ids=["mlp", "cnn"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_has_one_gradient(
    part: int,
    share: int,
    architecture: Architecture,
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, loss, correct = gradient(architecture, None)
    monkeypatch.setattr(parts, "PART", part)
    monkeypatch.setattr(parts, "SHARE_OF_DENSE", share)
    monkeypatch.setattr(parts, "SHARE_OF_CONVOLUTIONAL", share)
    with Helper() as helper:
        divided, its_loss, its_correct = gradient(architecture, helper if threads > 1 else None)
    np.testing.assert_allclose(divided, whole, rtol=1e-4, atol=1e-6)
    assert its_loss == pytest.approx(loss, rel=1e-5)
    assert its_correct == correct


def test_a_batch_divided_between_threads_gathers_the_mean_statistics_of_its_parts() -> None:
    architecture = Architecture.from_outline(
        [{"type": "batch_norm"}, {"type": "dense", "outputs": 10}]
    )
    digits = batch(2 * parts.SHARE_OF_DENSE)
    vector = vector_of(architecture)
    with Helper() as helper:
        of = BatchGradient(recipe(architecture), vector, helper)
        of(digits, np.random.default_rng(4).spawn(2))
    mean, variance = vector[-2 * 784 : -784], vector[-784:]
    x = digits.images.reshape(2, -1, 784).astype(np.float64) / 255
    np.testing.assert_allclose(mean, 0.1 * x.mean(axis=(0, 1)), rtol=1e-5, atol=1e-7)
    unbiased = x.var(axis=1, ddof=1).mean(axis=0)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * unbiased, rtol=1e-5)


def test_a_batch_is_divided_only_where_each_thread_gets_its_share() -> None:
    with Helper() as helper:
        of = BatchGradient(recipe(mlp(784, 10)), vector_of(mlp(784, 10)), helper)
        [(_, other)] = of._pairs(batch(2 * parts.SHARE_OF_DENSE - 1))
        assert other is None
        [(one, other)] = of._pairs(batch(2 * parts.SHARE_OF_DENSE))
        assert other is not None
        assert len(one) == len(other) == parts.SHARE_OF_DENSE
