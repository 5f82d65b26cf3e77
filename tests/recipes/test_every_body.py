"""The same images through every body type and dialect of the running service: the same answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from model import Classifier, locate
from tests.client import Client
from tests.e2e.ways import MANY, WAYS, Images, Said, Way
from tests.helpers import table
from tests.model.drawing import DIGITS, shaded, written
from tests.server import Server, running
from training.dataset import Mnist

COUNT = 1_000  # of MNIST's test images
TOLERANCE = 1e-6

SIZES = ((20, 2.5), (18, 2), (16, 1.5), (20, 4))  # height of a digit, width of its pen


@dataclass(frozen=True)
class Sample:
    """Images, and what the model says of them where no service is in between.

    said: by the number of images that are read at once. Sums of float32 come out a little
    differently for one image than for a batch, by less than the tolerance too: that is the
    model, and not how it is asked.
    """

    images: Images
    said: Mapping[int, Said]


def read(classifier: Classifier, images: Images, at_once: int) -> Said:
    predictions = [one for piece in pieces(images, at_once) for one in classifier.classify(piece)]
    shares = np.array([prediction.probabilities for prediction in predictions])
    return Said([prediction.digit for prediction in predictions], shares)


def pieces(images: Images, at_once: int) -> list[Images]:
    return [images[start : start + at_once] for start in range(0, len(images), at_once)]


def sample(classifier: Classifier, images: Images) -> Sample:
    return Sample(images, {count: read(classifier, images, count) for count in (1, MANY)})


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(locate())


@pytest.fixture(scope="module")
def drawn(classifier: Classifier) -> Sample:
    """Forty digits in MNIST's frame."""
    lines = [(DIGITS[digit], height, pen) for height, pen in SIZES for digit in DIGITS]
    ink = [written(line, (28, 28), (4, 9), height, pen) for line, height, pen in lines]
    return sample(classifier, np.stack([shaded(sheet, on=0, pen=255) for sheet in ink]))


@pytest.fixture(scope="module")
def tested(classifier: Classifier, mnist: Mnist) -> Sample:
    """Test images of MNIST."""
    return sample(classifier, mnist.test.images[:COUNT])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service as it starts by default."""
    with running(tmp_path_factory.mktemp("service") / "log") as server:
        yield server


def ask(way: Way, client: Client, images: Images) -> Said:
    request = way.encode(images)
    answer = client.request("POST", request.path, request.body, request.headers)
    assert answer.status == 200, answer.body
    return way.decode(answer)


def assert_read_alike(service: Server, classifier: Classifier, sample: Sample, way: Way) -> None:
    """The service says of images sent in one way what the model says of them."""
    expected = sample.said[way.most]
    if way.seen:
        expected = read(classifier, way.seen(sample.images), way.most)
    with service.client() as client:  # alone: what comes together is computed together
        said = [ask(way, client, piece) for piece in pieces(sample.images, way.most)]
    assert [digit for piece in said for digit in piece.digits] == expected.digits
    shares = np.concatenate([piece.probabilities for piece in said])
    np.testing.assert_allclose(shares, expected.probabilities, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("at_once", [2, 8, 16])
def test_an_image_is_read_alike_alone_and_with_others(
    classifier: Classifier, tested: Sample, at_once: int
) -> None:
    together = read(classifier, tested.images, at_once)
    assert together.digits == tested.said[1].digits
    np.testing.assert_allclose(
        together.probabilities, tested.said[1].probabilities, rtol=0, atol=2 * TOLERANCE
    )


@table("way", WAYS)
def test_drawn_digits_are_read_alike_in_whatever_way_they_are_sent(
    service: Server, classifier: Classifier, drawn: Sample, way: Way
) -> None:
    assert_read_alike(service, classifier, drawn, way)


@table("way", WAYS)
def test_mnist_is_read_alike_in_whatever_way_it_is_sent(
    service: Server, classifier: Classifier, tested: Sample, way: Way
) -> None:
    assert_read_alike(service, classifier, tested, way)


@pytest.mark.parametrize("name", ["drawn", "tested"])
def test_an_image_is_read_alike_alone_and_among_others(
    request: pytest.FixtureRequest, name: str
) -> None:
    alone, together = request.getfixturevalue(name).said.values()
    assert alone.digits == together.digits
    np.testing.assert_allclose(alone.probabilities, together.probabilities, rtol=0, atol=TOLERANCE)
