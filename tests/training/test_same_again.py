"""What a run computes follows from its recipe and data alone, however often it stopped."""

import dataclasses

import numpy as np
import pytest

from model.architecture import Architecture, mlp
from tests.helpers import TINY_RECIPE, table
from tests.training.runs import (
    AUGMENTED,
    CONV,
    DIGITS,
    VALIDATION,
    changed,
    checkpoints_of,
    parameter_bytes,
    stopping,
    trained,
)
from training.batches import batches
from training.config import (
    AdamW,
    AugmentationConfig,
    Cosine,
    DataConfig,
    Glorot,
    Initialization,
    MeanSquaredError,
    OneCycle,
    Recipe,
    RMSprop,
    SoftmaxCrossEntropy,
)
from training.dataset import Digits
from training.trainer import Run, train

pytestmark = pytest.mark.usefixtures("one_blas_thread")


# -- the same again, and what makes it another --------------------------------


@table(
    "recipe",
    {
        "plain": TINY_RECIPE,
        "augmented, so by two processes": AUGMENTED,
        "with dropout and batch norm": changed(architecture=CONV),
        "in full batches": changed(batch_size=None),
        "in two threads": changed(architecture=CONV, batch_size=100, threads=2),
        "averaged and stopped early": stopping(average_decay=0.9, patience=2),
    },
)
def test_the_same_seed_gives_the_same_parameters_to_the_bit(recipe: Recipe) -> None:
    (first, history), (again, same_history) = trained(recipe), trained(recipe)
    assert parameter_bytes(first) == parameter_bytes(again)
    assert history == same_history


DROPPING = Architecture.from_outline(
    [{"type": "dropout", "rate": 0.3}, *mlp(784, 16, 10).to_json()]
)


@table(
    "recipe",
    {
        "seed": changed(seed=8),
        "architecture": changed(architecture=mlp(784, 17, 10)),
        "dropout": changed(architecture=DROPPING),
        "epochs": changed(epochs=3),
        "learning rate": changed(optimizer=AdamW(0.02)),
        "weight decay": changed(optimizer=AdamW(0.01, weight_decay=0.1)),
        "optimizer": changed(optimizer=RMSprop(0.01)),
        "batch size": changed(batch_size=33),
        "full batches": changed(batch_size=None),
        "shuffling": changed(shuffle_every=2),
        "loss": changed(loss=MeanSquaredError()),
        "label smoothing": changed(loss=SoftmaxCrossEntropy(label_smoothing=0.1)),
        "schedule": changed(schedule=Cosine()),
        "schedule's shape": changed(schedule=OneCycle()),
        "warm-up": changed(warm_up=1.0),
        "averaging": changed(average_decay=0.9),
        "clipping": changed(clip_norm=0.1),
        "initialization": changed(initialization=Initialization(weights=Glorot())),
        "augmentation": AUGMENTED,
    },
)
def test_another_recipe_gives_other_parameters(recipe: Recipe) -> None:
    assert parameter_bytes(trained(recipe)[0]) != parameter_bytes(trained(TINY_RECIPE)[0])


@table(
    "recipe",
    {
        "name": changed(name="other"),
        "version": changed(version=9),
        "data that were divided before": changed(data=DataConfig(validation_fraction=0.5)),
        "patience that is not used up": changed(patience=9),
        "augmentation within no bounds": changed(
            augmentation=AugmentationConfig(elastic_smoothness=2)
        ),
    },
)
def test_what_is_not_of_the_training_changes_nothing(recipe: Recipe) -> None:
    assert parameter_bytes(trained(recipe)[0]) == parameter_bytes(trained(TINY_RECIPE)[0])


def test_batches_are_those_of_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    step = Run._step

    def watched(self: Run, batch: Digits, *rest: object) -> tuple[float, int]:
        seen.append(batch.images.tobytes())
        return step(self, batch, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Run, "_step", watched)
    trained(AUGMENTED)
    expected = [batch for epoch in (1, 2) for batch in batches(DIGITS, AUGMENTED, epoch)]
    assert seen == [batch.images.tobytes() for batch in expected]


# -- going on -----------------------------------------------------------------


@table(
    "recipe",
    {
        "plain": changed(epochs=5),
        "augmented, with dropout, batch norm, one-cycle and an average": dataclasses.replace(
            AUGMENTED, epochs=5, architecture=CONV, schedule=OneCycle(), average_decay=0.9
        ),
        "stopped early": stopping(patience=2),
        "in two threads": changed(architecture=CONV, batch_size=100, epochs=4, threads=2),
    },
)
def test_a_run_goes_on_from_any_epoch_as_if_it_had_never_stopped(recipe: Recipe) -> None:
    network, history = trained(recipe)
    for start in checkpoints_of(recipe):
        again, whole = train(recipe, DIGITS, VALIDATION, start=start)
        assert parameter_bytes(again) == parameter_bytes(network)
        assert whole == history


def test_a_checkpoint_is_not_changed_by_what_goes_on_from_it() -> None:
    start = checkpoints_of(TINY_RECIPE)[1]
    before = {name: array.copy() for name, array in start.arrays.items()}
    train(TINY_RECIPE, DIGITS, VALIDATION, start=start)
    for name, array in before.items():
        np.testing.assert_array_equal(start.arrays[name], array)
