"""MNIST as other data sets have their digits: cut out tight, small, light on dark or dark on light.

Images of the training set that the champion has held out or learned: this is about frames.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.classifier import Classifier
from model.store import locate
from tests.helpers import table
from training.dataset import Digits, Mnist

Picture = NDArray[np.uint8]

FIRST, LAST = 10_000, 12_000
INK = 40  # what belongs to a digit's box


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(locate())


@pytest.fixture(scope="module")
def digits(mnist: Mnist) -> Digits:
    return mnist.train.part(FIRST, LAST)


def tight(frame: Picture) -> Picture:
    rows, columns = (np.flatnonzero((frame > INK).any(axis=axis)) for axis in (1, 0))
    return frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def resized(picture: Picture, height: int, width: int) -> Picture:
    size = (max(width, 1), max(height, 1))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def enlarged(picture: Picture) -> Picture:
    height, width = picture.shape
    return resized(picture, 8 * height, 8 * width)


def in_a_square(frame: Picture, side: int = 16) -> Picture:
    """As the digits of envelopes in USPS: the longer side of the digit is that of the image."""
    digit = tight(frame)
    scale = side / max(digit.shape)
    small = resized(digit, round(digit.shape[0] * scale), round(digit.shape[1] * scale))
    top, left = ((side - length) // 2 for length in small.shape)
    square = np.zeros((side, side), np.uint8)
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def inverted(picture: Picture) -> Picture:
    return 255 - picture


@table(
    "change, share",
    {
        "cut out": (tight, 0.99),
        "cut out, dark on light": (lambda frame: inverted(tight(frame)), 0.99),
        "cut out and enlarged": (lambda frame: enlarged(tight(frame)), 0.985),
        "16x16": (in_a_square, 0.99),
        "16x16, dark on light": (lambda frame: inverted(in_a_square(frame)), 0.99),
        "8x8": (lambda frame: resized(in_a_square(frame), 8, 8), 0.975),
        "in 32x32": (lambda frame: np.pad(frame, 2), 0.995),
        "the 20x20 of its box": (lambda frame: frame[4:24, 4:24], 0.99),
        "56x56": (lambda frame: resized(frame, 56, 56), 0.995),
        "100x100, dark on light": (lambda frame: inverted(resized(frame, 100, 100)), 0.995),
    },
)
def test_digits_of_other_sets_are_read(
    classifier: Classifier, digits: Digits, change: Callable[[Picture], Picture], share: float
) -> None:
    pictures = [np.ascontiguousarray(change(frame)) for frame in digits.images]
    read = np.array([answer.digit for answer in classifier.classify(pictures)])
    right = float((read == digits.labels).mean())
    assert right >= share, f"{right:.2%} read right"


def test_always_is_as_good_on_frames(classifier: Classifier, digits: Digits) -> None:
    answers = classifier.classify(digits.images, "always")
    read = np.array([answer.digit for answer in answers])
    assert (read == digits.labels).mean() >= 0.995
