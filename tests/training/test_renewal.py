"""An artifact of an older normalizer, for the present one."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from model import artifact as artifacts
from model import normalizer
from model.artifact import Artifact
from model.errors import ArtifactError, UnsupportedFormat
from tests.helpers import synthetic_mnist
from training.errors import DataError
from training.renewal import renewed
from training.rows import Digits

MADE = synthetic_mnist(train=30, test=20)


def framed(digits: Digits) -> Digits:
    """The same digits, each where MNIST has it."""
    frames = [normalizer.normalize(image, "always").pixels for image in digits.images]
    return Digits(np.stack(frames), digits.labels)


MNIST = dataclasses.replace(MADE, train=framed(MADE.train), test=framed(MADE.test))
OLDER = normalizer.VERSION - 1


@pytest.fixture
def old(tiny_artifact: Artifact, tmp_path: Path) -> Path:
    """An artifact that was evaluated with the version before."""
    path = tmp_path / "old.npz"
    older = dataclasses.replace(tiny_artifact, normalizer_version=OLDER)
    path.write_bytes(artifacts.encode(older))
    with pytest.raises(UnsupportedFormat, match="train it again"):
        artifacts.read(path)
    return path


def test_the_same_network_is_there_for_the_present_normalizer(
    old: Path, tiny_artifact: Artifact, tmp_path: Path
) -> None:
    found = renewed(old, MNIST)
    artifacts.write(tmp_path / "new.npz", found)
    read = artifacts.read(tmp_path / "new.npz")
    assert read.normalizer_version == normalizer.VERSION
    assert read.training == {**tiny_artifact.training, "normalizer_version": OLDER}
    assert read.reference is not None
    assert read.reference.images == len(MNIST.train)
    assert (read.confidence, read.evaluation) == (found.confidence, tiny_artifact.evaluation)
    for name, values in tiny_artifact.parameters.items():
        np.testing.assert_array_equal(read.parameters[name], values)


def test_what_it_was_first_trained_with_stays_on_record(old: Path, tmp_path: Path) -> None:
    once = dataclasses.replace(renewed(old, MNIST), normalizer_version=OLDER)
    (tmp_path / "again.npz").write_bytes(artifacts.encode(once))
    assert renewed(tmp_path / "again.npz", MNIST).training["normalizer_version"] == OLDER


@pytest.mark.parametrize("half", ["train", "test"])
def test_it_is_refused_where_an_image_looks_otherwise(old: Path, half: str) -> None:
    digits: Digits = getattr(MNIST, half)
    images = digits.images.copy()
    images[7] = 255 - images[7]  # another ground is taken away
    other = Digits(images, digits.labels)
    if half == "train":
        changed = dataclasses.replace(MNIST, train=other)
    else:
        changed = dataclasses.replace(MNIST, test=other)
    name = "training" if half == "train" else "test"
    with pytest.raises(DataError, match=f"{name} image 7.*train it again"):
        renewed(old, changed)


def test_a_damaged_artifact_is_refused_as_ever(old: Path) -> None:
    data = bytearray(old.read_bytes())
    data[-200] ^= 1
    old.write_bytes(bytes(data))
    with pytest.raises(ArtifactError):
        renewed(old, MNIST)
