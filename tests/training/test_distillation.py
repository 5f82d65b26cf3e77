"""What teachers are shown, and what becomes of their answers."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from model.architecture import mlp
from model.network import Network, scale_pixels
from tests.helpers import TINY_RECIPE, table
from tests.training.runs import FEW
from training import parts
from training.augmentation import augment_both
from training.batches import batches
from training.config import (
    AugmentationConfig,
    Distillation,
    LossConfig,
    SoftmaxCrossEntropy,
)
from training.dataset import Digits
from training.initializers import initialize, named_views
from training.losses import objective
from training.parts import BatchGradient
from training.streams import Stream, generator

ONE_LAYER = mlp(784, 10)
RECIPE = replace(TINY_RECIPE, architecture=ONE_LAYER, loss=Distillation("a.npz", weight=0.8))


def student() -> NDArray[np.float32]:
    """The parameters (P,) of a student of one layer."""
    return initialize(ONE_LAYER, RECIPE.initialization, np.random.default_rng(0))


def teacher(seed: int) -> Network:
    vector = np.random.default_rng(seed).normal(0, 0.1, 7850).astype(np.float32)
    return Network(ONE_LAYER, named_views(ONE_LAYER, vector))


def gradient(batch: Digits, *teachers: Network) -> NDArray[np.float32]:
    """Of the student's loss of a batch, (P,)."""
    of = BatchGradient(RECIPE, student(), teachers=teachers)
    found, _, _ = of(batch, np.random.default_rng(0).spawn(2))
    return found.copy()


def assert_close(found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def test_several_teachers_are_one_that_answers_with_their_mean() -> None:
    one, other = teacher(1), teacher(2)
    both = {
        name: (array + other.parameters[name]) / np.float32(2)
        for name, array in one.parameters.items()
    }
    expected = gradient(FEW, Network(ONE_LAYER, both))
    assert_close(gradient(FEW, one, other), expected)
    assert not np.allclose(gradient(FEW, one), expected, rtol=0.1)


# -- what they are shown ------------------------------------------------------


def noisy() -> Digits:
    """Digits among noise, and as they were before."""
    noise = np.random.default_rng(5).integers(0, 256, FEW.images.shape, np.uint8)
    return Digits(np.maximum(FEW.images, noise), FEW.labels, FEW.images)


@pytest.mark.parametrize("part", [1024, 40])
def test_the_student_sees_spoilt_images_and_its_teacher_plain_ones(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART", part)
    batch = noisy()
    x = scale_pixels(batch.images)
    answers = Network(ONE_LAYER, named_views(ONE_LAYER, student())).logits(x)
    taught = teacher(1).logits(scale_pixels(FEW.images))
    dlogits = objective(RECIPE.loss, batch.labels, taught)(answers)[1]
    found = named_views(ONE_LAYER, gradient(batch, teacher(1)))
    assert_close(found["dense1.weight"], (x.T @ dlogits).astype(np.float32))
    assert_close(found["dense1.bias"], dlogits.sum(axis=0))


SPOILING = AugmentationConfig(shift=2, noise=0.2)


@table(
    "loss, bounds, shown",
    {
        "spoilt and taught": (RECIPE.loss, SPOILING, True),
        "only moved": (RECIPE.loss, replace(SPOILING, noise=0), False),
        "without a teacher": (SoftmaxCrossEntropy(), SPOILING, False),
    },
)
def test_batches_bring_plain_images_where_a_teacher_is_to_see_others(
    loss: LossConfig,
    bounds: AugmentationConfig,
    shown: bool,  # noqa: FBT001 - a case
) -> None:
    recipe = replace(RECIPE, batch_size=None, loss=loss, augmentation=bounds)
    [batch] = batches(FEW, recipe, 1)
    rng = generator(recipe.seed, Stream.AUGMENTATION, 1)
    plain, spoilt = augment_both(FEW.images, bounds, rng)
    np.testing.assert_array_equal(batch.images, spoilt)
    np.testing.assert_array_equal(batch.labels, FEW.labels)
    assert (batch.plain is not None) == shown
    if batch.plain is not None:
        np.testing.assert_array_equal(batch.plain, plain)
        assert (plain != spoilt).any()


def test_rows_are_taken_with_their_plain_images() -> None:
    batch, chosen = noisy(), np.array([5, 2, 9])
    for rows, expected in (
        (batch.take(chosen), FEW.images[chosen]),
        (batch.part(2, 7), FEW.images[2:7]),
    ):
        assert rows.plain is not None
        np.testing.assert_array_equal(rows.plain, expected)
    assert FEW.take(chosen).plain is None
    assert FEW.part(2, 7).plain is None
