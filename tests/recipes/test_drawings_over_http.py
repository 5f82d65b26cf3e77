"""Real drawings through the running service, in every form that a user may send them in."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.client import Client
from tests.helpers import table
from tests.recipes.test_mnist_over_http import digits, read_all
from tests.server import Server, running
from training.drawings import VARIANTS, Variant, read_drawings, read_labels
from training.rows import Digits

BEST, GOOD = 0.997, 0.99  # of the drawings: as they are, and in any other form
SEED = 1
SOME = 300  # drawings in each of the other forms: most are large pictures, and take longer

Picture: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True)
class Drawings:
    """Drawings, and the files that they are read from."""

    files: list[Path]
    digits: Digits


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("service") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def drawn(drawings_folder: Path) -> Drawings:
    files = [path for path, _ in read_labels(drawings_folder)]
    return Drawings(files, read_drawings(drawings_folder))


def as_png(picture: Picture) -> bytes:
    return saved(Image.fromarray(picture), "PNG", compress_level=1)


def as_jpeg(picture: Picture) -> bytes:
    return saved(Image.fromarray(picture), "JPEG", quality=40)


def on_transparent(picture: Picture, shade: int) -> bytes:
    """Ink of one shade as a canvas in a browser holds it: red, green, blue and opacity."""
    canvas = np.full((*picture.shape, 4), shade, np.uint8)
    canvas[..., 3] = 255 - picture
    return as_png(canvas)


def saved(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def assert_read(
    server: Server, bodies: list[bytes], content_type: str, labels: Picture, share: float
) -> None:
    """The service reads at least this share of the bodies as they are labelled."""

    def send(client: Client, body: Picture) -> list[int]:
        return digits(client.predict(body.tobytes(), content_type).json)

    read = read_all(server, send, [np.frombuffer(body, np.uint8) for body in bodies])
    wrong = np.flatnonzero(read != labels)
    right = len(labels) - len(wrong)
    misread = ", ".join(f"{row} ({labels[row]}) as {read[row]}" for row in wrong)
    assert right >= share * len(labels), f"{right} of {len(labels)} read right; misread: {misread}"


def test_drawings_are_read_as_they_are(server: Server, drawn: Drawings) -> None:
    bodies = [file.read_bytes() for file in drawn.files]
    assert_read(server, bodies, "image/png", drawn.digits.labels, BEST)


LARGE = VARIANTS["enlarged"]
FORMS = {
    **{name: (variant, as_png, "image/png") for name, variant in VARIANTS.items()},
    "a JPEG file": (LARGE, as_jpeg, "image/jpeg"),
    "black on transparent": (LARGE, partial(on_transparent, shade=0), "image/png"),
    "white on transparent": (LARGE, partial(on_transparent, shade=255), "image/png"),
}


@table("variant, encode, content_type", FORMS)
def test_drawings_are_read_in_any_form(
    server: Server,
    drawn: Drawings,
    variant: Variant,
    encode: Callable[[Picture], bytes],
    content_type: str,
) -> None:
    rng = np.random.default_rng(SEED)
    some = drawn.digits.take(rng.choice(len(drawn.digits), SOME, replace=False))
    bodies = [encode(variant(drawing, rng)) for drawing in some.images]
    assert_read(server, bodies, content_type, some.labels, GOOD)
