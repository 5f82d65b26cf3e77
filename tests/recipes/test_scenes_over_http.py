"""Digits as people send them, through the running service: half as PNG, half as poor JPEG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.client import Client
from tests.recipes.test_mnist_over_http import digits, read_all
from tests.server import running
from tests.service.cases import png
from training.dataset import Mnist
from training.judging import SCENES, SEED
from training.scene_judging import chosen
from training.scene_kinds import KINDS
from training.scenes import jpeg, scenes

GOOD = 0.985

JPEG_MAGIC = 0xFF


def send(client: Client, body: NDArray[np.uint8]) -> list[int]:
    content_type = "image/jpeg" if body[0] == JPEG_MAGIC else "image/png"
    return digits(client.predict(body.tobytes(), content_type).json)


def shares(kinds: Sequence[str], right: NDArray[np.bool_]) -> str:
    names = np.array(kinds)
    return ", ".join(f"{kind} {right[names == kind].mean():.1%}" for kind in KINDS)


def test_scenes_are_read_over_http(tmp_path: Path, mnist: Mnist) -> None:
    some = chosen(mnist.test, SCENES, SEED)
    bodies, kinds = [], []
    for place, (sheet, _, kind) in enumerate(scenes(some, SEED, compressed=False)):
        bodies.append(np.frombuffer(jpeg(sheet) if place % 2 else png(sheet), np.uint8))
        kinds.append(kind)
    with running(tmp_path / "log") as server:
        right = read_all(server, send, bodies) == some.labels
    assert len(right) >= SCENES
    assert right.mean() >= GOOD, f"{right.mean():.2%} of {len(right)}: {shares(kinds, right)}"
