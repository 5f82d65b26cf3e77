import dataclasses
import io
import threading
from collections.abc import Callable
from typing import TextIO

import numpy as np
import pytest
from numpy.typing import NDArray

from model.architecture import Architecture, mlp
from model.artifact import Artifact
from model.network import Network, scale_pixels
from tests.helpers import TINY_RECIPE, seen_on_a_terminal, synthetic_mnist, table
from tests.training.runs import (
    CONV,
    DIGITS,
    FEW,
    MNIST,
    NOBODY,
    VALIDATION,
    changed,
    checkpoints_of,
    parameter_bytes,
    stopping,
    trained,
)
from training import parts
from training.checkpoint import Checkpoint
from training.config import (
    Adam,
    AdamW,
    AugmentationConfig,
    BinaryCrossEntropy,
    Distillation,
    GradientDescent,
    LossConfig,
    MeanSquaredError,
    Momentum,
    Nesterov,
    OptimizerConfig,
    Recipe,
    RMSprop,
    SoftmaxCrossEntropy,
    Step,
)
from training.dataset import Digits, split
from training.errors import DivergedError
from training.examination import accuracy, all_logits
from training.losses import softmax_cross_entropy
from training.progress import Progress
from training.trainer import train

pytestmark = pytest.mark.usefixtures("one_blas_thread")


# -- learning -----------------------------------------------------------------


def test_the_loss_goes_down_and_the_digits_are_learned() -> None:
    network, history = trained(changed(epochs=8))
    losses = [epoch.loss for epoch in history]
    assert losses[:4] == sorted(losses[:4], reverse=True)
    assert losses[-1] < losses[0] / 10
    assert accuracy(all_logits(network, MNIST.test.images), MNIST.test.labels) > 0.98


@table(
    "loss",
    {
        "label smoothing": SoftmaxCrossEntropy(label_smoothing=0.1),
        "ten yes-or-no questions": BinaryCrossEntropy(),
        "squared error": MeanSquaredError(),
    },
)
def test_every_loss_teaches_the_digits(loss: LossConfig) -> None:
    network, history = trained(changed(architecture=mlp(784, 32, 10), epochs=12, loss=loss))
    assert history[-1].loss < history[0].loss
    assert accuracy(all_logits(network, MNIST.test.images), MNIST.test.labels) > 0.95


@table(
    "optimizer",
    {
        "gradient descent": GradientDescent(0.1),
        "momentum": Momentum(0.02),
        "Nesterov": Nesterov(0.02),
        "RMSprop": RMSprop(0.002),
        "Adam": Adam(0.005),
    },
)
def test_every_optimizer_teaches_the_digits(optimizer: OptimizerConfig) -> None:
    network, _ = trained(changed(epochs=8, optimizer=optimizer))
    assert accuracy(all_logits(network, MNIST.test.images), MNIST.test.labels) > 0.95


def test_a_student_comes_to_answer_as_its_teacher(tiny_artifact: Artifact) -> None:
    images = MNIST.test.images
    taught = all_logits(tiny_artifact.network, images)

    def distance(weight: float) -> float:
        """How far the student's logits are from the teacher's, shifts of a whole row apart."""
        loss = Distillation("a.npz", temperature=4.0, weight=weight)
        recipe = changed(epochs=12, seed=99, loss=loss)
        network, history = train(recipe, DIGITS, VALIDATION, teachers=[tiny_artifact.network])
        assert accuracy(all_logits(network, images), MNIST.test.labels) > 0.85
        assert history[-1].loss < history[0].loss
        apart = all_logits(network, images) - taught
        return float((apart - apart.mean(axis=1, keepdims=True)).std())

    assert distance(1.0) < distance(0.0) / 2


def test_a_network_of_convolutions_batch_norm_and_dropout_learns() -> None:
    network, history = trained(changed(architecture=CONV, epochs=6))
    assert history[-1].loss < history[0].loss / 2
    assert accuracy(all_logits(network, MNIST.test.images), MNIST.test.labels) > 0.9


def test_the_network_is_the_recipes_and_float32() -> None:
    network, _ = trained(TINY_RECIPE)
    assert network.architecture == TINY_RECIPE.architecture
    assert {array.dtype for array in network.parameters.values()} == {np.dtype(np.float32)}


def test_the_data_are_left_as_they_were() -> None:
    trained(changed(augmentation=AugmentationConfig(shift=2, rotation=10)))
    trained(changed(batch_size=None))
    fresh = split(synthetic_mnist(), 0.2, np.random.default_rng(0))[0]
    np.testing.assert_array_equal(DIGITS.images, fresh.images)
    np.testing.assert_array_equal(DIGITS.labels, fresh.labels)


# -- the record of the epochs -------------------------------------------------

STILL = AdamW(1e-12)  # at this rate the network stays what it was at the start


def test_the_first_loss_is_about_that_of_guessing() -> None:
    [epoch] = trained(changed(epochs=1, optimizer=STILL))[1]
    assert epoch.loss == pytest.approx(np.log(10), rel=0.3)
    assert epoch.accuracy < 0.4
    assert epoch.validation_accuracy is not None
    assert epoch.validation_accuracy < 0.4


def test_the_history_is_of_every_epoch() -> None:
    network, history = trained(changed(epochs=3))
    assert [epoch.number for epoch in history] == [1, 2, 3]
    last = accuracy(all_logits(network, VALIDATION.images), VALIDATION.labels)
    assert history[-1].validation_accuracy == last


@pytest.mark.parametrize("batch_size", [1, 20, 60, None])
def test_loss_and_accuracy_of_an_epoch_are_means_over_all_its_images(
    batch_size: int | None,
) -> None:
    digits = DIGITS.part(0, 50)
    network, [epoch] = trained(changed(epochs=1, batch_size=batch_size, optimizer=STILL), digits)
    logits = all_logits(network, digits.images)
    assert epoch.loss == pytest.approx(softmax_cross_entropy(logits, digits.labels)[0], rel=1e-5)
    assert epoch.accuracy == accuracy(logits, digits.labels)


def test_where_nothing_is_held_out_no_accuracy_is_claimed() -> None:
    _, history = train(TINY_RECIPE, FEW, NOBODY)
    assert [epoch.validation_accuracy for epoch in history] == [None, None]


def test_the_learning_rate_is_that_of_the_last_step() -> None:
    recipe = changed(epochs=4, schedule=Step(epochs=2, factor=0.1))
    rates = [epoch.learning_rate for epoch in trained(recipe)[1]]
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.001])


# -- a full batch -------------------------------------------------------------


def first_step(digits: Digits, recipe: Recipe) -> NDArray[np.float32]:
    """What one step of gradient descent at rate 1 takes from the parameters: the gradient."""
    before, after = checkpoints_of(recipe, digits)
    return before.arrays["parameters"] - after.arrays["parameters"]


PLAIN_CONV = Architecture.from_outline(
    [layer for layer in CONV.to_json() if layer["type"] not in {"batch_norm", "dropout"}]
)
FULL = changed(epochs=1, batch_size=None, optimizer=GradientDescent(1.0))


def test_a_full_batch_is_one_step_with_all_images() -> None:
    as_one = dataclasses.replace(FULL, batch_size=len(DIGITS))
    gradient = first_step(DIGITS, FULL)
    # The order of the images is another one, and with it the order of the sums.
    np.testing.assert_allclose(gradient, first_step(DIGITS, as_one), rtol=1e-4, atol=1e-7)
    assert [checkpoint.step for checkpoint in checkpoints_of(FULL)] == [0, 1]


@pytest.mark.parametrize("part", [1, 7, 95, 96, 97])
def test_a_batch_in_parts_has_the_gradient_loss_and_accuracy_of_one_piece(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, [epoch] = first_step(FEW, FULL), trained(FULL, FEW)[1]
    monkeypatch.setattr(parts, "PART", part)
    np.testing.assert_allclose(first_step(FEW, FULL), whole, rtol=1e-4, atol=1e-7)
    [again] = trained(FULL, FEW)[1]
    assert again.loss == pytest.approx(epoch.loss, rel=1e-6)
    assert again.accuracy == epoch.accuracy


def test_no_part_is_larger_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def scale(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(len(images))
        return scale_pixels(images)

    monkeypatch.setattr(parts, "scale_pixels", scale)
    monkeypatch.setattr(parts, "PART", 40)
    train(FULL, FEW, NOBODY)
    assert seen == [40, 40, 16]


@table(
    "recipe",
    {
        "in a full batch": FULL,
        "of which halves are too small": dataclasses.replace(FULL, batch_size=100),
        "in convolutions": changed(architecture=PLAIN_CONV, epochs=1, optimizer=Momentum(0.02)),
    },
)
def test_a_second_thread_gives_the_same_steps(recipe: Recipe) -> None:
    def steps(threads: int) -> NDArray[np.float32]:
        return first_step(DIGITS, dataclasses.replace(recipe, threads=threads))

    before = threading.enumerate()
    np.testing.assert_allclose(steps(2), steps(1), rtol=1e-2, atol=1e-5)
    assert threading.enumerate() == before


# -- what a recipe adds to the steps ------------------------------------------


@pytest.mark.parametrize("norm", [0.01, 0.5])
def test_clipping_bounds_the_step_of_gradient_descent(norm: float) -> None:
    free, clipped = (
        first_step(FEW, FULL),
        first_step(FEW, dataclasses.replace(FULL, clip_norm=norm)),
    )
    assert np.linalg.norm(free) > norm
    assert np.linalg.norm(clipped) == pytest.approx(norm, rel=1e-4)
    np.testing.assert_allclose(clipped, free * (norm / np.linalg.norm(free)), rtol=1e-3, atol=1e-7)


def test_a_gradient_shorter_than_the_limit_is_left_alone() -> None:
    free = first_step(FEW, FULL)
    np.testing.assert_array_equal(first_step(FEW, dataclasses.replace(FULL, clip_norm=99.0)), free)


@table("architecture", {"of dense layers": mlp(784, 16, 10), "with batch norm": CONV})
def test_averaging_gives_the_running_average_of_the_parameters(architecture: Architecture) -> None:
    # With a full batch, every epoch is a step, so every step is seen.
    recipe = changed(architecture=architecture, epochs=30, batch_size=None, average_decay=0.6)
    first, *rest = checkpoints_of(recipe, FEW)
    expected = first.arrays["parameters"].astype(np.float64)
    for step, checkpoint in enumerate(rest, start=1):
        decay = min(0.6, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * checkpoint.arrays["parameters"]
        np.testing.assert_allclose(checkpoint.arrays["running"], expected, rtol=1e-4, atol=1e-6)
    network, history = train(recipe, FEW, VALIDATION)
    assert_is(network, rest[-1].arrays["running"])
    # It is the average that is validated, too.
    score = accuracy(all_logits(network, VALIDATION.images), VALIDATION.labels)
    assert history[-1].validation_accuracy == score


def assert_is(network: Network, vector: NDArray[np.float32]) -> None:
    """The parameters of ``network`` are the numbers of ``vector``, in whatever order."""
    found = np.concatenate([array.ravel() for array in network.parameters.values()])
    np.testing.assert_array_equal(np.sort(found), np.sort(vector))


# -- early stopping -----------------------------------------------------------


@table("average", {"of the last parameters": 0.0, "of their running average": 0.9})
def test_early_stopping_takes_the_best_epochs_parameters(average: float) -> None:
    recipe = stopping(patience=3, average_decay=average)
    *_, last = checkpoints = checkpoints_of(recipe)
    scores = [epoch.validation_accuracy or 0 for epoch in last.history]
    best = scores.index(max(scores))
    assert best > 0
    assert len(scores) == best + 1 + 3 < 60
    network, history = trained(recipe)
    assert history == last.history
    assert_is(network, checkpoints[best + 1].arrays["running" if average else "parameters"])
    score = accuracy(all_logits(network, VALIDATION.images), VALIDATION.labels)
    assert score == max(scores)


def test_a_run_that_gets_better_to_its_end_is_not_stopped() -> None:
    slow = changed(epochs=4, batch_size=None, patience=1, optimizer=GradientDescent(0.1))
    scores = [epoch.validation_accuracy or 0 for epoch in trained(slow)[1]]
    assert scores == sorted(set(scores))
    assert len(scores) == 4


# -- divergence ---------------------------------------------------------------


@table(
    "recipe, words",
    {
        "in the middle": (changed(optimizer=GradientDescent(1e30)), "the loss is .* in epoch 1"),
        "in two threads": (
            changed(batch_size=None, threads=2, optimizer=GradientDescent(1e30)),
            "the loss is .* in epoch 2",
        ),
        "in the last step": (
            changed(epochs=1, batch_size=None, optimizer=GradientDescent(1e39)),
            "the largest parameter is .* in epoch 1",
        ),
    },
)
def test_a_run_that_diverges_says_so_and_what_to_lower(recipe: Recipe, words: str) -> None:
    # Without numpy's warnings, which would be errors here.
    with pytest.raises(DivergedError, match=rf"{words}; lower optimizer.learning_rate"):
        trained(recipe)


# -- watching -----------------------------------------------------------------


def test_progress_is_told_of_every_epoch() -> None:
    stream = io.StringIO()
    with Progress(2, len(DIGITS), stream=stream) as progress:
        _, history = train(TINY_RECIPE, DIGITS, VALIDATION, progress=progress)
    for line, epoch in zip(stream.getvalue().splitlines(), history, strict=True):
        assert line.startswith(f"epoch {epoch.number}/2  {epoch}  ")


def test_progress_is_told_of_every_image() -> None:
    def watch(terminal: TextIO) -> None:
        with Progress(2, len(DIGITS), stream=terminal) as progress:
            train(TINY_RECIPE, DIGITS, VALIDATION, progress=progress)

    assert "100%" in seen_on_a_terminal(watch)


def test_the_checkpoint_comes_after_the_journals_line() -> None:
    stream = io.StringIO()
    lines = []

    def save(_: Checkpoint) -> None:
        lines.append(len(stream.getvalue().splitlines()))

    with Progress(2, len(DIGITS), stream=stream) as progress:
        train(TINY_RECIPE, DIGITS, VALIDATION, progress=progress, save=save)
    assert lines == [1, 2]


@table(
    "save",
    {"watched": None, "kept": lambda _: None},
)
def test_watching_changes_nothing(save: Callable[[Checkpoint], None] | None) -> None:
    with Progress(2, len(DIGITS), stream=io.StringIO()) as progress:
        watched, _ = train(TINY_RECIPE, DIGITS, VALIDATION, progress=progress, save=save)
    assert parameter_bytes(watched) == parameter_bytes(trained(TINY_RECIPE)[0])
