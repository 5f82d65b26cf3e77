"""What the tests of training runs share: small data, small recipes, and what came of them."""

import dataclasses

import numpy as np

from model.architecture import Architecture
from model.network import Network
from tests.helpers import TINY_RECIPE, synthetic_mnist
from training.checkpoint import Checkpoint
from training.config import (
    AugmentationConfig,
    Recipe,
)
from training.dataset import Digits, split
from training.progress import Epoch
from training.trainer import Run, train

MNIST = synthetic_mnist()
DIGITS, VALIDATION, _ = split(MNIST, 0.2, np.random.default_rng(0))
FEW = DIGITS.part(0, 96)
NOBODY = DIGITS.part(0, 0)

CONV = Architecture.from_outline(
    [
        {"type": "conv2d", "outputs": 6, "kernel": 5, "stride": 3, "biased": False},
        {"type": "batch_norm"},
        {"type": "relu"},
        {"type": "dropout", "rate": 0.2},
        {"type": "max_pool2d", "size": 2, "stride": 2},
        {"type": "flatten"},
        {"type": "dense", "outputs": 10},
    ]
)


def changed(**changes: object) -> Recipe:
    return dataclasses.replace(TINY_RECIPE, **changes)  # type: ignore[arg-type]


def stopping(**changes: object) -> Recipe:
    """A recipe that soon gets no better."""
    return changed(epochs=60, batch_size=64, **changes)


def trained(recipe: Recipe, digits: Digits = DIGITS) -> tuple[Network, tuple[Epoch, ...]]:
    return train(recipe, digits, VALIDATION)


def parameter_bytes(network: Network) -> bytes:
    return b"".join(array.tobytes() for array in network.parameters.values())


def checkpoints_of(recipe: Recipe, digits: Digits = DIGITS) -> list[Checkpoint]:
    """What a run is made of before it begins and after every epoch, as copies."""
    found = []

    def keep(checkpoint: Checkpoint) -> None:
        arrays = {name: array.copy() for name, array in checkpoint.arrays.items()}
        found.append(dataclasses.replace(checkpoint, arrays=arrays))

    keep(Run(recipe).checkpoint())
    train(recipe, digits, VALIDATION, save=keep)
    return found


AUGMENTED = changed(augmentation=AugmentationConfig(shift=2, rotation=10))
