"""Images that hold no digit: what they cost, what is learned of them, what is not counted."""

from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from model.artifact import Artifact
from model.layers import softmax
from tests.helpers import table
from tests.training.differences import check_gradient
from tests.training.runs import DIGITS, FEW, MNIST, VALIDATION, changed
from training.batches import batches
from training.config import (
    AdamW,
    BinaryCrossEntropy,
    DataConfig,
    Distillation,
    LossConfig,
    MeanSquaredError,
    SoftmaxCrossEntropy,
)
from training.examination import accuracy, all_logits
from training.losses import Loss, objective
from training.outliers import outliers
from training.rows import NO_DIGIT
from training.trainer import train

Array: TypeAlias = NDArray[np.floating[Any]]

SOFTMAX: dict[str, LossConfig] = {
    "softmax cross-entropy": SoftmaxCrossEntropy(),
    "smoothed": SoftmaxCrossEntropy(label_smoothing=0.1),
    "squared": MeanSquaredError(),
    "distillation": Distillation("a.npz", temperature=3.0, weight=0.7),
    "distillation, labels alone": Distillation("a.npz", weight=0.0),
    "distillation, teacher alone": Distillation("a.npz", weight=1.0),
}

LOGITS, TEACHER = np.random.default_rng(3).normal(0, 2, (2, 6, 10))
LABELS = np.array([4, NO_DIGIT, 0, 9, 4, NO_DIGIT], np.uint8)
KNOWN, UNKNOWN = np.flatnonzero(LABELS < 10), np.flatnonzero(LABELS == NO_DIGIT)


def of_labels(config: LossConfig, teacher: Array = TEACHER) -> Loss:
    """The loss with ``LABELS``, and a teacher's logits where it needs them."""
    taught = teacher.copy() if isinstance(config, Distillation) else None
    return objective(config, LABELS, taught)


# -- what they cost ---------------------------------------------------------


@table("config", {**SOFTMAX, "binary": BinaryCrossEntropy()})
def test_the_gradient_agrees_with_finite_differences(config: LossConfig) -> None:
    loss = of_labels(config)
    check_gradient(
        lambda logits: loss(logits)[0],
        lambda dout, logits: [dout * loss(logits)[1]],
        [LOGITS],
    )


@table("config", SOFTMAX)
def test_who_is_undecided_has_nothing_to_learn(config: LossConfig) -> None:
    logits = LOGITS.copy()
    logits[UNKNOWN] = 3.0  # all alike
    gradient = of_labels(config)(logits)[1]
    np.testing.assert_allclose(gradient[UNKNOWN], 0, atol=1e-15)
    assert gradient[KNOWN].any(axis=1).all()


@table("config", SOFTMAX)
def test_who_sees_a_digit_there_is_to_see_it_less(config: LossConfig) -> None:
    logits = np.zeros((6, 10))
    logits[:, 3] = 5.0
    gradient = of_labels(config)(logits)[1][UNKNOWN]
    assert (gradient[:, 3] > 0).all()
    assert (np.delete(gradient, 3, axis=1) < 0).all()


def test_the_loss_worked_by_hand() -> None:
    logits = np.array([[np.log(3), *[0.0] * 9]])  # 3 in 12 and nine times 1 in 12
    loss, gradient = objective(SoftmaxCrossEntropy(), LABELS[1:2])(logits)
    assert loss == pytest.approx(0.1 * np.log(4) + 0.9 * np.log(12))
    np.testing.assert_allclose(gradient, [[3 / 12 - 0.1, *[1 / 12 - 0.1] * 9]])


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_a_teacher_is_asked_about_digits_alone(weight: float) -> None:
    config = Distillation("a.npz", weight=weight)
    expected, dexpected = of_labels(config)(LOGITS)
    deluded, other = TEACHER.copy(), TEACHER.copy()
    deluded[UNKNOWN] = np.eye(10)[[3, 3]] * 50
    other[KNOWN[0], 3] += 1
    found, dfound = of_labels(config, deluded)(LOGITS)
    assert found == expected
    np.testing.assert_array_equal(dfound, dexpected)
    assert of_labels(config, other)(LOGITS)[0] != expected


# -- what is learned of them ------------------------------------------------


@pytest.mark.usefixtures("one_blas_thread")
@table("taught", {"by labels": False, "by a teacher": True})
def test_a_network_becomes_undecided_about_what_holds_no_digit(
    taught: bool,  # noqa: FBT001 - a case
    tiny_artifact: Artifact,
) -> None:
    loss = Distillation("a.npz") if taught else SoftmaxCrossEntropy()
    teachers = [tiny_artifact.network] if taught else []
    unseen = outliers(200, MNIST.test.images, np.random.default_rng(0))
    sureness = {}
    for share in (0.0, 0.3):
        recipe = changed(epochs=6, loss=loss, data=DataConfig(outliers=share))
        network, _ = train(recipe, DIGITS, VALIDATION, teachers=teachers)
        sureness[share] = softmax(all_logits(network, unseen)).max(axis=1).mean()
        assert accuracy(all_logits(network, VALIDATION.images), VALIDATION.labels) > 0.9
    least = 1 / 10
    assert sureness[0.3] - least < (sureness[0.0] - least) / 2


# -- what is not counted ----------------------------------------------------


@pytest.mark.usefixtures("one_blas_thread")
@pytest.mark.parametrize("batch_size", [20, 96, None])
def test_the_accuracy_of_an_epoch_is_of_digits_and_its_loss_of_everything(
    batch_size: int | None,
) -> None:
    # At this rate the network stays what it was at the start.
    recipe = changed(
        epochs=1, batch_size=batch_size, optimizer=AdamW(1e-12), data=DataConfig(outliers=0.5)
    )
    network, [epoch] = train(recipe, FEW, VALIDATION)
    assert epoch.accuracy == accuracy(all_logits(network, FEW.images), FEW.labels)
    seen = list(batches(FEW, recipe, 1))
    images, labels = (
        np.concatenate([getattr(batch, name) for batch in seen]) for name in ("images", "labels")
    )
    assert len(labels) == 96 + 48
    loss = objective(SoftmaxCrossEntropy(), labels)(all_logits(network, images))[0]
    assert epoch.loss == pytest.approx(loss, rel=1e-5)
