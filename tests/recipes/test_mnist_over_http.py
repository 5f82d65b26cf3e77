"""All test images through the running service, against the record in the artifact."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from model import artifact, locate
from tests.client import Client
from tests.server import Server, ask_all, running
from tests.service.cases import png
from training.dataset import Mnist

Images: TypeAlias = NDArray[np.uint8]
Send: TypeAlias = Callable[[Client, Images], list[int]]


def one_png(client: Client, image: Images) -> list[int]:
    return digits(client.predict(png(image), "image/png").json)


def json_batch(client: Client, images: Images) -> list[int]:
    return digits(client.predict_json({"instances": images.tolist()}).json)


def digits(answer: dict[str, list[dict[str, int]]]) -> list[int]:
    return [prediction["digit"] for prediction in answer["predictions"]]


def read_all(server: Server, send: Send, pieces: Sequence[Images]) -> Images:
    """The digits of all pieces, in order."""
    read = [digit for said in ask_all(server, send, pieces) for digit in said]
    return np.array(read, np.uint8)


@pytest.mark.parametrize(
    ("send", "images_a_request"),
    [
        pytest.param(one_png, 1, id="singly as PNG"),
        pytest.param(json_batch, 500, id="JSON batches"),
    ],
)
def test_accuracy_over_http_is_the_recorded_one_to_the_image(
    mnist: Mnist, tmp_path: Path, send: Send, images_a_request: int
) -> None:
    recorded = artifact.read(locate()).evaluation["test"]
    images, labels = mnist.test.images, mnist.test.labels
    pieces = (
        list(images)
        if images_a_request == 1
        else np.split(images, range(images_a_request, len(images), images_a_request))
    )
    with running(tmp_path / "log") as server:
        read = read_all(server, send, pieces)
    assert len(read) == recorded["images"]
    assert int((read == labels).sum()) == recorded["correct"]
    right_by_digit = np.bincount(labels[read == labels], minlength=10).tolist()
    assert right_by_digit == [recorded["by_digit"][str(d)]["correct"] for d in range(10)]
