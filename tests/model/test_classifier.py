import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model import errors
from model.artifact import Artifact, encode
from model.classifier import Classifier
from model.confidence import Confidence
from model.network import scale_pixels
from tests.helpers import synthetic_mnist, table

DIGITS = synthetic_mnist().test


@pytest.fixture(scope="module")
def classifier(tiny_artifact: Artifact) -> Classifier:
    return Classifier(tiny_artifact)


def with_threshold(artifact: Artifact, threshold: float) -> Classifier:
    confidence = Confidence(artifact.confidence.temperature, threshold)
    return Classifier(dataclasses.replace(artifact, confidence=confidence))


def test_digits_are_read(classifier: Classifier) -> None:
    predictions = classifier.classify(DIGITS.images)
    right = [
        prediction.digit == label
        for prediction, label in zip(predictions, DIGITS.labels.tolist(), strict=True)
    ]
    assert sum(right) > 0.9 * len(right)


def test_probabilities_are_the_calibrated_ones_of_the_network(
    classifier: Classifier, tiny_artifact: Artifact
) -> None:
    logits = tiny_artifact.network.logits(scale_pixels(DIGITS.images[:20]))
    expected = tiny_artifact.confidence.probabilities(logits)
    predictions = classifier.classify(DIGITS.images[:20])
    np.testing.assert_allclose([one.probabilities for one in predictions], expected)
    np.testing.assert_allclose([one.confidence for one in predictions], expected.max(axis=1))
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


def test_a_blank_image_is_not_accepted_whatever_the_confidence(tiny_artifact: Artifact) -> None:
    [prediction] = with_threshold(tiny_artifact, 0.0).classify(np.zeros((1, 28, 28), np.uint8))
    assert prediction.reason == "blank"
    assert not prediction.accepted


@table("threshold, reason", {"met": (0.0, None), "missed": (1.1, "low_confidence")})
def test_the_threshold_decides_what_is_accepted(
    threshold: float, reason: str | None, tiny_artifact: Artifact
) -> None:
    predictions = with_threshold(tiny_artifact, threshold).classify(DIGITS.images[:20])
    assert {prediction.reason for prediction in predictions} == {reason}
    assert {prediction.accepted for prediction in predictions} == {reason is None}


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
    other = dataclasses.replace(tiny_artifact, normalizer_version=2)
    path = tmp_path / "other.npz"
    path.write_bytes(encode(other))
    with pytest.raises(errors.UnsupportedFormat, match="normalizer version 2") as caught:
        Classifier.load(path)
    assert str(path) in str(caught.value)
