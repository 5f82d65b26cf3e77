import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model import errors, normalizer
from model.artifact import Artifact, encode
from model.classifier import PROBABILITY_DIGITS, Classifier
from model.confidence import ANY_ENERGY, Confidence, Thresholds, energies
from model.network import scale_pixels
from tests.helpers import synthetic_mnist, table

DIGITS = synthetic_mnist().test
FRAMES = np.stack([normalizer.normalize(image).pixels for image in DIGITS.images[:20]])


@pytest.fixture(scope="module")
def classifier(tiny_artifact: Artifact) -> Classifier:
    return Classifier(tiny_artifact)


def with_thresholds(
    artifact: Artifact, confidence: float = 0.0, energy: float = ANY_ENERGY
) -> Classifier:
    thresholds = Thresholds(confidence, energy)
    judge = Confidence(artifact.confidence.temperature, thresholds)
    return Classifier(dataclasses.replace(artifact, confidence=judge))


def test_digits_are_read(classifier: Classifier) -> None:
    predictions = classifier.classify(DIGITS.images)
    right = [
        prediction.digit == label
        for prediction, label in zip(predictions, DIGITS.labels.tolist(), strict=True)
    ]
    assert sum(right) > 0.8 * len(right)


ROUNDED = 0.51 * 10**-PROBABILITY_DIGITS


def test_probabilities_are_the_calibrated_ones_of_the_network(
    classifier: Classifier, tiny_artifact: Artifact
) -> None:
    logits = tiny_artifact.network.logits(scale_pixels(FRAMES))
    expected = tiny_artifact.confidence.probabilities(logits)
    predictions = classifier.classify(DIGITS.images[:20])
    found = np.array([one.probabilities for one in predictions])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=ROUNDED)
    assert [one.confidence for one in predictions] == found.max(axis=1).tolist()
    assert [one.digit for one in predictions] == expected.argmax(axis=1).tolist()


def test_an_image_is_read_alone_as_in_a_batch_of_other_sizes(classifier: Classifier) -> None:
    first, second = DIGITS.images[:2]
    large = 255 - np.kron(second, np.ones((3, 3), np.uint8))
    batch = classifier.classify([first, large, np.zeros((5, 9), np.uint8)])
    for image, together in zip([first, large], batch, strict=False):
        [alone] = classifier.classify([image])
        assert alone.digit == together.digit
        np.testing.assert_allclose(
            alone.probabilities, together.probabilities, rtol=1e-5, atol=1e-6
        )
    assert [one.warnings for one in batch] == [(), ("inverted",), ()]
    assert [one.reason == "blank" for one in batch] == [False, False, True]


BEYOND = 1e6  # above every energy


@table(
    "confidence, energy, reason",
    {
        "none are missed": (0.0, ANY_ENERGY, None),
        "the confidence": (1.1, ANY_ENERGY, "low_confidence"),
        "the energy": (0.0, BEYOND, "out_of_distribution"),
        "both": (1.1, BEYOND, "out_of_distribution"),
    },
)
def test_the_first_threshold_that_is_missed_is_the_reason(
    confidence: float, energy: float, reason: str | None, tiny_artifact: Artifact
) -> None:
    judge = with_thresholds(tiny_artifact, confidence, energy)
    predictions = judge.classify(DIGITS.images[:20])
    assert {prediction.reason for prediction in predictions} == {reason}
    assert {prediction.accepted for prediction in predictions} == {reason is None}


@table("thresholds", {"met": (0.0, ANY_ENERGY), "both missed": (1.1, BEYOND)})
def test_a_blank_image_is_blank_whatever_the_thresholds(
    thresholds: tuple[float, float], tiny_artifact: Artifact
) -> None:
    judge = with_thresholds(tiny_artifact, *thresholds)
    [prediction] = judge.classify(np.zeros((1, 28, 28), np.uint8))
    assert prediction.reason == "blank"
    assert not prediction.accepted


def test_what_reaches_a_threshold_is_accepted(tiny_artifact: Artifact) -> None:
    sure = [one.confidence for one in Classifier(tiny_artifact).classify(DIGITS.images[:20])]
    threshold = sorted(sure)[9]
    predictions = with_thresholds(tiny_artifact, confidence=threshold).classify(DIGITS.images[:20])
    assert [one.accepted for one in predictions] == [one >= threshold for one in sure]


def test_the_energy_of_each_image_is_what_is_compared(tiny_artifact: Artifact) -> None:
    found = energies(tiny_artifact.network.logits(scale_pixels(FRAMES)))
    for threshold in np.sort(found)[[4, 9, 14]] + 1e-3:  # of another last bit
        judge = with_thresholds(tiny_artifact, energy=float(threshold))
        predictions = judge.classify(DIGITS.images[:20])
        assert [one.accepted for one in predictions] == (found >= threshold).tolist()


def test_labels_name_the_digits(tiny_artifact: Artifact) -> None:
    turned = Classifier(dataclasses.replace(tiny_artifact, labels=tuple(range(9, -1, -1))))
    plain = Classifier(tiny_artifact).classify(DIGITS.images[:20])
    assert [one.digit for one in turned.classify(DIGITS.images[:20])] == [
        9 - one.digit for one in plain
    ]


@table(
    "images, words",
    {
        "no images": ([], "no image"),
        "an empty array": (np.empty((0, 28, 28), np.uint8), "no image"),
        "an image without pixels": ([np.empty((0, 28), np.uint8)], "(0, 28)"),
        "a row instead of an image": (np.zeros((1, 784), np.uint8), "(784,)"),
        "colours": (np.zeros((1, 28, 28, 3), np.uint8), "(28, 28, 3)"),
        "floats": (np.zeros((1, 28, 28)), "float64"),
        "wide integers": (np.zeros((1, 28, 28), np.int64), "int64"),
    },
)
def test_what_is_no_image_is_refused(
    images: NDArray[np.uint8], words: str, classifier: Classifier
) -> None:
    with pytest.raises(errors.InputError) as caught:
        classifier.classify(images)
    assert words in str(caught.value)


def test_a_file_is_loaded_and_ready(tiny_artifact_path: Path, tiny_artifact: Artifact) -> None:
    loaded = Classifier.load(tiny_artifact_path)
    assert loaded.artifact.digest() == tiny_artifact.digest()
    assert loaded.classify(DIGITS.images[:5]) == Classifier(tiny_artifact).classify(
        DIGITS.images[:5]
    )


def test_a_damaged_file_is_not_loaded(tiny_artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "damaged.npz"
    path.write_bytes(encode(tiny_artifact)[:-1])
    with pytest.raises(errors.ArtifactError, match=r"damaged\.npz"):
        Classifier.load(path)


def test_a_model_made_for_other_eyes_is_refused(tiny_artifact: Artifact, tmp_path: Path) -> None:
    other = dataclasses.replace(tiny_artifact, normalizer_version=normalizer.VERSION + 1)
    path = tmp_path / "other.npz"
    path.write_bytes(encode(other))
    words = f"normalizer version {normalizer.VERSION + 1}"
    with pytest.raises(errors.UnsupportedFormat, match=words) as caught:
        Classifier.load(path)
    assert str(path) in str(caught.value)
