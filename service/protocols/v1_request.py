"""Requests of KServe v1 and TensorFlow Serving: a JSON document to images.

What a document may hold is TensorFlow Serving's (its guide "RESTful API", section
"Predict API"); KServe hands it to its models as it is.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from service import embedded, errors, pixels
from service.batches import Batch, Image, from_list
from service.documents import kind, only_one, parse_object
from service.limits import Limits

ROWS, COLUMNS = "instances", "inputs"

EXPECTED = f'send {{"{ROWS}": [...]}}, or {{"{COLUMNS}": [...]}} for an answer in columns'

FILE = '{"b64": "a picture in base64"}'


@dataclass(frozen=True)
class Request:
    """The images of a request, and whether the answer is to be in columns, too."""

    batch: Batch
    in_columns: bool


def read(body: bytes, limits: Limits) -> Request:
    """The request in a body; raises RequestError, which names what is at fault.

    Both servers pass over fields that they do not know, and so does this.
    """
    document = parse_object(body, EXPECTED)
    signature = document.get("signature_name", "")
    if not isinstance(signature, str):
        raise errors.WrongType(
            "signature_name",
            f"signature_name is {kind(signature)}; send any string, or leave it out",
        )
    field = only_one(document, (ROWS, COLUMNS), EXPECTED)
    value, reader = document[field], _instance
    if field == COLUMNS and isinstance(value, dict):
        name, value = _named(value, field)
        field, reader = f"{field}.{name}", READERS[name]
    to_image = partial(reader, max_pixels=limits.max_image_pixels)
    return Request(from_list(value, field, limits.max_batch, to_image), COLUMNS in document)


def _instance(value: object, field: str, max_pixels: int) -> Image:
    """An image by itself, or below the name of an input."""
    if isinstance(value, dict) and "b64" not in value:
        name, image = _named(value, field)
        return READERS[name](image, f"{field}.{name}", max_pixels)
    return _image(value, field, max_pixels)


def _named(value: dict[str, Any], field: str) -> tuple[str, Any]:
    """The one input of an object, and its name."""
    if len(value) != 1 or not value.keys() <= READERS.keys():
        raise errors.UnknownField(
            field,
            f'{field} has not one of the inputs; send {{"image": ...}} or {{"image_bytes": ...}}',
        )
    [(name, tensor)] = value.items()
    return name, tensor


def _image(value: object, field: str, max_pixels: int) -> Image:
    """Pixels, or a picture."""
    if isinstance(value, dict):
        return _picture(value, field, max_pixels)
    if not isinstance(value, list):
        raise errors.WrongType(
            field, f"{field} is {kind(value)}; {pixels.EXPECTED_PIXELS}, or {FILE}"
        )
    return pixels.from_list(_without_channels(value), field)


def _picture(value: object, field: str, max_pixels: int) -> Image:
    """A picture as bytes are written in JSON."""
    if not isinstance(value, dict):
        raise errors.WrongType(field, f"{field} is {kind(value)}; send {FILE}")
    if value.keys() != {"b64"}:
        raise errors.UnknownField(field, f"{field} has other names than b64; send {FILE}")
    return embedded.picture(value["b64"], f"{field}.b64", max_pixels)


def _without_channels(rows: list[Any]) -> list[Any]:
    """Rows of numbers, of rows of pixels of one channel; what is anything else stays as it is."""
    try:
        return [[pixel for [pixel] in row] for row in rows]
    except (TypeError, ValueError):
        return rows


READERS = {"image": _image, "image_bytes": _picture}  # by the name of the input
