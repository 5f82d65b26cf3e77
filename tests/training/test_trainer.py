import dataclasses
import io
from typing import TextIO

import numpy as np
import pytest

from model.network import Network
from tests.helpers import TINY_RECIPE, seen_on_a_terminal, synthetic_mnist, table
from training.config import AugmentationConfig, OptimizerConfig, Recipe
from training.dataset import Digits, split
from training.evaluation import accuracy, all_logits
from training.losses import softmax_cross_entropy
from training.progress import Epoch, Progress
from training.trainer import steps_per_epoch, train

MNIST = synthetic_mnist()
DIGITS, VALIDATION, _ = split(MNIST, 0.2, np.random.default_rng(0))


def trained(recipe: Recipe, seed: int = 0) -> tuple[Network, list[Epoch]]:
    return train(recipe, DIGITS, VALIDATION, np.random.default_rng(seed))


def parameter_bytes(network: Network) -> bytes:
    return b"".join(array.tobytes() for array in network.parameters.values())


def test_the_loss_goes_down_and_the_digits_are_learned() -> None:
    recipe = dataclasses.replace(TINY_RECIPE, epochs=8)
    network, history = trained(recipe)
    losses = [epoch.loss for epoch in history]
    assert losses[:4] == sorted(losses[:4], reverse=True)
    assert losses[-1] < losses[0] / 10
    assert accuracy(all_logits(network, MNIST.test.images), MNIST.test.labels) > 0.98


def test_the_first_loss_is_about_that_of_guessing() -> None:
    still = OptimizerConfig(learning_rate=1e-12)
    recipe = dataclasses.replace(TINY_RECIPE, epochs=1, optimizer=still)
    [epoch] = trained(recipe)[1]
    assert epoch.loss == pytest.approx(np.log(10), rel=0.3)
    assert epoch.validation_accuracy < 0.4


def test_the_history_is_of_every_epoch() -> None:
    network, history = trained(dataclasses.replace(TINY_RECIPE, epochs=3))
    assert [epoch.number for epoch in history] == [1, 2, 3]
    last = accuracy(all_logits(network, VALIDATION.images), VALIDATION.labels)
    assert history[-1].validation_accuracy == last


def test_the_network_is_the_recipes_and_float32() -> None:
    network, _ = trained(TINY_RECIPE)
    assert network.architecture == TINY_RECIPE.architecture
    assert {array.dtype for array in network.parameters.values()} == {np.dtype(np.float32)}


AUGMENTED = dataclasses.replace(TINY_RECIPE, augmentation=AugmentationConfig(shift=2, rotation=10))


@table("recipe", {"plain": TINY_RECIPE, "augmented": AUGMENTED})
def test_the_same_seed_gives_the_same_parameters_to_the_bit(recipe: Recipe) -> None:
    assert parameter_bytes(trained(recipe)[0]) == parameter_bytes(trained(recipe)[0])


@table(
    "other",
    {
        "seed": (TINY_RECIPE, 1),
        "augmentation": (AUGMENTED, 0),
        "epochs": (dataclasses.replace(TINY_RECIPE, epochs=3), 0),
        "batch size": (dataclasses.replace(TINY_RECIPE, batch_size=33), 0),
        "learning rate": (dataclasses.replace(TINY_RECIPE, optimizer=OptimizerConfig(0.02)), 0),
        "weight decay": (
            dataclasses.replace(TINY_RECIPE, optimizer=OptimizerConfig(0.01, weight_decay=0.1)),
            0,
        ),
    },
)
def test_another_recipe_gives_other_parameters(other: tuple[Recipe, int]) -> None:
    assert parameter_bytes(trained(*other)[0]) != parameter_bytes(trained(TINY_RECIPE)[0])


def test_the_data_are_left_as_they_were() -> None:
    trained(AUGMENTED)
    fresh = split(synthetic_mnist(), 0.2, np.random.default_rng(0))[0]
    np.testing.assert_array_equal(DIGITS.images, fresh.images)
    np.testing.assert_array_equal(DIGITS.labels, fresh.labels)


@pytest.mark.parametrize("batch_size", [1, 20, 60])
def test_the_loss_of_an_epoch_is_the_mean_of_all_its_images(batch_size: int) -> None:
    # At this learning rate the network stays what it was at the start.
    recipe = dataclasses.replace(
        TINY_RECIPE, epochs=1, batch_size=batch_size, optimizer=OptimizerConfig(1e-12)
    )
    digits = DIGITS.take(np.arange(60))
    network, [epoch] = train(recipe, digits, VALIDATION, np.random.default_rng(0))
    expected, _ = softmax_cross_entropy(all_logits(network, digits.images), digits.labels)
    assert epoch.loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("images", "batch_size", "steps"), [(100, 10, 10), (101, 10, 11), (9, 10, 1), (100, 1, 100)]
)
def test_the_last_batch_may_be_short(images: int, batch_size: int, steps: int) -> None:
    digits = Digits(np.zeros((images, 28, 28), np.uint8), np.zeros(images, np.uint8))
    recipe = dataclasses.replace(TINY_RECIPE, batch_size=batch_size)
    assert steps_per_epoch(recipe, digits) == steps


def test_progress_is_told_of_every_epoch() -> None:
    stream = io.StringIO()
    progress = Progress(2, steps_per_epoch(TINY_RECIPE, DIGITS), stream)
    _, history = train(TINY_RECIPE, DIGITS, VALIDATION, np.random.default_rng(0), progress)
    progress.close()
    assert stream.getvalue().splitlines() == [
        f"epoch {epoch.number}/2  loss {epoch.loss:.4f}  "
        f"validation accuracy {epoch.validation_accuracy:.2%}"
        for epoch in history
    ]


def test_progress_is_told_of_every_step() -> None:
    steps = steps_per_epoch(TINY_RECIPE, DIGITS)

    def watch(terminal: TextIO) -> None:
        progress = Progress(2, steps, terminal)
        train(TINY_RECIPE, DIGITS, VALIDATION, np.random.default_rng(0), progress)
        progress.close()

    assert f"{2 * steps}/{2 * steps}" in seen_on_a_terminal(watch)


def test_watching_changes_nothing() -> None:
    progress = Progress(2, steps_per_epoch(TINY_RECIPE, DIGITS), io.StringIO())
    watched, _ = train(TINY_RECIPE, DIGITS, VALIDATION, np.random.default_rng(0), progress)
    assert parameter_bytes(watched) == parameter_bytes(trained(TINY_RECIPE)[0])
