"""The occlusion map: what is known of it beforehand, on scores that are known."""

import dataclasses
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from model.artifact import Artifact
from model.classifier import Classifier
from model.confidence import Confidence
from model.explanation import PATCH_SIDE, occlusion
from model.network import scale_pixels
from tests.helpers import synthetic_mnist, table

DIGITS = synthetic_mnist().test

INKED: NDArray[np.uint8] = np.full((28, 28), 200, np.uint8)


def pixel_score(frames: NDArray[np.uint8], row: int = 11, column: int = 16) -> NDArray[np.float64]:
    """A score that looks at one pixel alone: 1 where it is full ink."""
    return np.asarray(frames[:, row, column] / 255)


def test_the_map_finds_the_one_place_that_matters() -> None:
    found = occlusion(INKED, pixel_score)
    assert found.shape == (28, 28)
    assert found.dtype == np.float32
    rows, columns = np.nonzero(found == found.max())
    assert (set(rows.tolist()), set(columns.tolist())) == (
        {10, 11},
        {16, 17},
    )  # as finely as patches move
    assert found.max() == np.float32(200 / 255)  # every patch over it takes all of it away
    far = np.maximum(*np.abs(np.indices((28, 28)) - np.array([11, 16])[:, None, None]))
    assert not found[far >= PATCH_SIDE].any()


def test_what_speaks_against_the_score_is_negative() -> None:
    found = occlusion(INKED, lambda frames: -pixel_score(frames))
    np.testing.assert_array_equal(found, -occlusion(INKED, pixel_score))
    assert found.min() == np.float32(-200 / 255)


def test_every_pixel_is_hidden_once_or_more() -> None:
    for row, column in np.ndindex(28, 28):
        found = occlusion(INKED, partial(pixel_score, row=row, column=column))
        assert found[row, column] == np.float32(200 / 255)


@table(
    "turn",
    {
        "left and right": lambda images: images[..., ::-1],
        "up and down": lambda images: images[..., ::-1, :],
        "rows and columns": lambda images: np.swapaxes(images, -1, -2),
    },
)
def test_a_turned_frame_has_a_turned_map(turn: object) -> None:
    assert callable(turn)
    weights = np.random.default_rng(3).normal(size=(28, 28))
    frame = DIGITS.images[0]
    plain = occlusion(frame, lambda frames: np.tensordot(frames, weights, axes=2))
    turned = occlusion(turn(frame), lambda frames: np.tensordot(frames, turn(weights), axes=2))
    np.testing.assert_allclose(turned, turn(plain), rtol=1e-4, atol=1e-3)


def test_one_call_scores_the_frame_and_every_copy_that_differs_from_it() -> None:
    calls = []

    def counted(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
        calls.append(frames)
        return pixel_score(frames)

    dot = np.zeros((28, 28), np.uint8)
    dot[11, 16] = 255  # under patches from 3 rows and 3 columns
    for frame in (INKED, dot):
        occlusion(frame, counted)
    assert [len(frames) for frames in calls] == [1 + 144, 1 + 9]
    for frames, frame in zip(calls, (INKED, dot), strict=True):
        np.testing.assert_array_equal(frames[0], frame)
        assert (frames[1:] != frame).any(axis=(1, 2)).all()
        assert len(np.unique(frames, axis=0)) == (145 if frame is INKED else 2)


def test_without_ink_nothing_matters() -> None:
    assert not occlusion(np.zeros((28, 28), np.uint8), pixel_score).any()


def test_log_odds_are_of_the_calibrated_probability() -> None:
    confidence = Confidence(temperature=0.7)
    logits = np.random.default_rng(1).normal(0, 3, (20, 10)).astype(np.float32)
    for label in range(10):
        share = confidence.probabilities(logits)[:, label]
        expected = np.log(share / (1 - share))
        np.testing.assert_allclose(confidence.log_odds(logits, label), expected, rtol=1e-6)


def test_log_odds_tell_apart_what_probabilities_no_longer_do() -> None:
    logits = np.zeros((2, 10), np.float32)
    logits[:, 4] = [50, 60]
    confidence = Confidence()
    assert len(set(confidence.probabilities(logits)[:, 4].tolist())) == 1
    first, second = confidence.log_odds(logits, 4)
    assert second - first == pytest.approx(10)


def test_an_explanation_is_of_the_digit_that_classify_names(tiny_artifact: Artifact) -> None:
    classifier = Classifier(tiny_artifact)
    for image in 255 - DIGITS.images[:5]:
        explanation = classifier.explain(image)
        assert [explanation.prediction] == classifier.classify([image])
        frame = explanation.frame.pixels
        label = explanation.prediction.digit

        def score(frames: NDArray[np.uint8], label: int = label) -> NDArray[np.float64]:
            logits = tiny_artifact.network.logits(scale_pixels(frames))
            return tiny_artifact.confidence.log_odds(logits, label)

        np.testing.assert_allclose(
            explanation.importance, occlusion(frame, score), rtol=1e-3, atol=1e-4
        )
        assert np.abs(explanation.importance).max() > 0


def test_labels_name_what_is_explained(tiny_artifact: Artifact) -> None:
    turned = Classifier(dataclasses.replace(tiny_artifact, labels=tuple(range(9, -1, -1))))
    plain = Classifier(tiny_artifact).explain(DIGITS.images[0])
    found = turned.explain(DIGITS.images[0])
    assert found.prediction.digit == 9 - plain.prediction.digit
    np.testing.assert_array_equal(found.importance, plain.importance)


def test_the_manner_is_the_normalizers(tiny_artifact: Artifact) -> None:
    inverted = 255 - DIGITS.images[0]
    explanation = Classifier(tiny_artifact).explain(inverted, "never")
    np.testing.assert_array_equal(explanation.frame.pixels, inverted)
    assert "inverted" in Classifier(tiny_artifact).explain(inverted).prediction.warnings


def test_a_blank_explains_itself(tiny_artifact: Artifact) -> None:
    explanation = Classifier(tiny_artifact).explain(np.full((40, 30), 255, np.uint8))
    assert explanation.prediction.reason == explanation.frame.reason == "blank"
    assert not explanation.importance.any()
