"""What is asked: one digit, or a batch of it, in every kind of body."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.normalizer import normalize
from service.pixels import PIXELS
from tests.service.cases import JSON, PNG, RAW, png
from tests.service.encodings import DIGITS, draw

DIGIT = 5
FRAME = normalize(draw(DIGITS[DIGIT])).pixels  # (28, 28), with as much ink as MNIST's have


@dataclass(frozen=True)
class Request:
    """One request. digit: where in a JSON answer the first digit is, () where it is not JSON."""

    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    digit: tuple[str | int, ...] = ("predictions", 0, "digit")
    images: int = 1

    @property
    def method(self) -> str:
        return "POST" if self.body else "GET"


def frames(count: int) -> NDArray[np.uint8]:
    """(count, 28, 28), each of them the one digit."""
    return np.resize(FRAME, (count, *FRAME.shape))


def json_image(path: str = "/predict") -> Request:
    return Request(path, json.dumps({"pixels": _numbers(1)[0]}).encode(), JSON)


def json_batch(path: str, count: int) -> Request:
    """In the form of KServe's first protocol, which the service and most others share."""
    return Request(path, json.dumps({"instances": _numbers(count)}).encode(), JSON, images=count)


def v2_json(path: str) -> Request:
    tensor = {"name": "image", "shape": [1, PIXELS], "datatype": "UINT8", "data": _numbers(1)[0]}
    body = json.dumps({"inputs": [tensor]}).encode()
    return Request(path, body, JSON, ("outputs", 0, "data", 0))


def v2_binary(path: str, count: int) -> Request:
    """Tensors in bytes behind a short JSON, both ways, as tritonclient sends them."""
    tensor = {
        "name": "image",
        "shape": [count, PIXELS],
        "datatype": "UINT8",
        "parameters": {"binary_data_size": count * PIXELS},
    }
    wanted = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    head = json.dumps(wanted).encode()
    headers = {**RAW, "Inference-Header-Content-Length": str(len(head))}
    return Request(path, head + frames(count).tobytes(), headers, (), count)


def raw(path: str, count: int) -> Request:
    return Request(path, frames(count).tobytes(), RAW, images=count)


def picture(path: str) -> Request:
    return Request(path, png(FRAME), PNG)


def _numbers(count: int) -> list[list[int]]:
    numbers: list[list[int]] = frames(count).reshape(count, PIXELS).tolist()
    return numbers


JSON_IMAGE = json_image()
