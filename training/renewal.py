"""A model for a newer normalizer or file format than its own, where that is the same model.

Another normalizer is another pair of eyes. A network is still the one that was trained, and its
temperature and thresholds are still right, if every image it was trained, calibrated and tested
on looks to the new normalizer as it did to the old: then only what it is judged on besides has
to be measured again. The reference of its drift is made anew from the training images.
"""

import dataclasses
from pathlib import Path

from model import artifact as artifacts
from model import normalizer
from model.artifact import Artifact
from training.dataset import Mnist
from training.errors import DataError
from training.references import with_reference
from training.rows import Digits


def renewed(path: Path, data: Mnist) -> Artifact:
    """The artifact at ``path`` for the present normalizer, with the figures it was written with.

    Its training record says with which normalizer it was trained. Raises ArtifactError, and
    DataError where the normalizer changes an image of ``data``.
    """
    artifact = artifacts.read(path, any_normalizer=True)
    for name, digits in (("training", data.train), ("test", data.test)):
        changed = _changed(digits)
        if changed is not None:
            raise DataError(
                f"{path}: normalizer version {normalizer.VERSION} changes {name} image {changed}, "
                f"which version {artifact.normalizer_version} may not have done; train it again"
            )
    record = {"normalizer_version": artifact.normalizer_version, **artifact.training}
    newer = dataclasses.replace(artifact, normalizer_version=normalizer.VERSION, training=record)
    return with_reference(newer, data.train.images)


def _changed(digits: Digits) -> int | None:
    """The first image that the normalizer does not leave as it is, to the bit."""
    frames = (normalizer.normalize(image).pixels for image in digits.images)
    pairs = enumerate(zip(digits.images, frames, strict=True))
    return next((index for index, (image, frame) in pairs if (image != frame).any()), None)
