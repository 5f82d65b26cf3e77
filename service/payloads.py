"""JSON in both directions: a body to uint8 images, predictions to an answer."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from model import Explanation, Prediction
from model.architecture import FRAME_SIDE
from model.network import PIXEL_MAX
from service import errors

PIXELS = FRAME_SIDE * FRAME_SIDE

EXPECTED_PIXELS = f"send {PIXELS} numbers, or {FRAME_SIDE} rows of {FRAME_SIDE}"
EXPECTED_BODY = 'send {"pixels": [...]} for one image or {"instances": [...]} for several'

PROBABILITY_DIGITS = 6  # finer than float32 logits mean anything
IMPORTANCE_DIGITS = 3  # of values up to some 20 nats


def images_from_json(body: bytes, max_batch: int) -> list[NDArray[np.uint8]]:
    """The images (28, 28) uint8 of a JSON body; raises JSONError, PixelError or BatchError."""
    document = parse_json(body)
    if not isinstance(document, dict):
        raise errors.WrongType("body", f"the body is not a JSON object; {EXPECTED_BODY}")
    for name in document.keys() - {"pixels", "instances"}:
        raise errors.UnknownField(_printable(name), f"the field is not known; {EXPECTED_BODY}")
    if len(document) > 1:
        raise errors.AmbiguousBody(
            "instances", "pixels and instances are both there; send one of them"
        )
    if "pixels" in document:
        return [_image(document["pixels"], "pixels")]
    if "instances" not in document:
        raise errors.MissingField("pixels", f"there is nothing to read; {EXPECTED_BODY}")
    instances = document["instances"]
    if not isinstance(instances, list):
        raise errors.WrongType("instances", "instances is not a list; send a list of images")
    if not instances:
        raise errors.EmptyBatch("instances", "instances is empty; send at least one image")
    if len(instances) > max_batch:
        raise errors.BatchTooLarge(
            "instances",
            f"instances has {len(instances)} images; send at most {max_batch} in one request",
        )
    return [_image(value, f"instances[{index}]") for index, value in enumerate(instances)]


def answer(name: str, version: int, predictions: Sequence[Prediction], request_id: str) -> bytes:
    """The one shape of every answer, as JSON."""
    return orjson.dumps(_answer(name, version, predictions, request_id))


def explanation_answer(name: str, version: int, why: Explanation, request_id: str) -> bytes:
    """The answer to one image, with what the model saw and what made its answer, as JSON."""
    grounds = {
        "frame": why.frame.pixels.tolist(),
        "importance": np.round(why.importance.astype(np.float64), IMPORTANCE_DIGITS).tolist(),
        "steps": [{"name": step.name, "did": step.did} for step in why.frame.steps],
    }
    return orjson.dumps(_answer(name, version, [why.prediction], request_id) | grounds)


def _answer(
    name: str, version: int, predictions: Sequence[Prediction], request_id: str
) -> dict[str, Any]:
    return {
        "model": {"name": name, "version": version},
        "predictions": [
            {
                "digit": prediction.digit,
                "confidence": round(prediction.confidence, PROBABILITY_DIGITS),
                "accepted": prediction.accepted,
                "reason": prediction.reason,
                "probabilities": [
                    round(share, PROBABILITY_DIGITS) for share in prediction.probabilities
                ],
                "warnings": prediction.warnings,
            }
            for prediction in predictions
        ],
        "request_id": request_id,
    }


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """A JSON value in which no key stands twice.

    orjson reads it four times faster than the standard library, but keeps the
    last of two equal keys without a word, and does not say *which* number was
    NaN. So a body with more than one key, and a body that it refuses, are read
    by the standard library. Raises JSONError.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_carefully(body)
    holds_one_key = body.count(b'"') <= 2  # noqa: PLR2004 - a string has two quotes
    return document if holds_one_key else _parse_carefully(body)


def _parse_carefully(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """What the standard library makes of a body, NaN and infinities included."""
    try:
        return json.loads(body, object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise errors.NestedTooDeeply(
            "body", f"the lists are nested too deeply; {EXPECTED_BODY}"
        ) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise errors.InvalidJSON(
            "body", f"the body is not JSON from {place} on; correct it"
        ) from None
    except ValueError:  # not UTF-8, or an integer of thousands of digits
        raise errors.InvalidJSON("body", "the body is not JSON in UTF-8; correct it") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise errors.DuplicateKey(_printable(key), "the key stands twice; send it once")
        document[key] = value
    return document


def _image(value: object, field: str) -> NDArray[np.uint8]:
    """784 numbers, or 28 rows of 28, as an image (28, 28) uint8; raises PixelError."""
    if not isinstance(value, list):
        raise errors.WrongType(field, f"{field} is not a list; {EXPECTED_PIXELS}")
    rows = bool(value) and isinstance(value[0], list)
    flat = _join_rows(value, field) if rows else value
    if len(flat) != PIXELS:
        raise errors.WrongPixelCount(field, f"{field} has {len(flat)} numbers; {EXPECTED_PIXELS}")
    pixels = _to_pixels(flat)
    if pixels is None:
        raise _fault(flat, field, rows=rows)
    return pixels.reshape(FRAME_SIDE, FRAME_SIDE)


def _to_pixels(flat: list[Any]) -> NDArray[np.uint8] | None:
    """784 JSON values as pixels of 0-255, or None where one is not such a number.

    Values of which the largest is at most 1 are shares of full ink.
    """
    kinds = set(map(type, flat))
    try:
        if kinds == {int}:  # bytes() converts and checks the range in one pass
            whole = np.frombuffer(bytes(flat), np.uint8)
            return whole if whole.max() > 1 else whole * np.uint8(PIXEL_MAX)
        if kinds <= {int, float}:
            values = np.array(flat, np.float64)
            if values.min() >= 0 and values.max() <= PIXEL_MAX:  # false for NaN too
                scale = 1 if values.max() > 1 else PIXEL_MAX
                return np.rint(values * scale).astype(np.uint8)
    except (ValueError, OverflowError):
        pass
    return None


def _join_rows(rows: list[Any], field: str) -> list[Any]:
    flat: list[Any] = []
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != FRAME_SIDE:
            found = f"has {len(row)} numbers" if isinstance(row, list) else "is not a row"
            place = f"{field}[{index}]"
            raise errors.RaggedRows(place, f"{place} {found}; {EXPECTED_PIXELS}")
        flat += row
    if len(rows) != FRAME_SIDE:
        raise errors.RaggedRows(field, f"{field} has {len(rows)} rows; {EXPECTED_PIXELS}")
    return flat


def _fault(flat: list[Any], field: str, *, rows: bool) -> errors.PixelError:
    """What is wrong with the first of ``flat`` that is not a number of 0-255."""
    for index, value in enumerate(flat):
        row, column = divmod(index, FRAME_SIDE)
        place = f"{field}[{row}][{column}]" if rows else f"{field}[{index}]"
        if type(value) not in (int, float):
            kind = _JSON_TYPES.get(type(value), "not a number")
            return errors.PixelNotANumber(place, f"{place} is {kind}; send a number of 0-255")
        if isinstance(value, float) and not math.isfinite(value):
            kind = "NaN" if math.isnan(value) else "infinite"
            return errors.PixelNotFinite(place, f"{place} is {kind}; send a number of 0-255")
        if not 0 <= value <= PIXEL_MAX:
            shown = value if abs(value) < 10**9 else "far out of range"
            return errors.PixelOutOfRange(place, f"{place} is {shown}; send a number of 0-255")
    raise AssertionError("every value is a number of 0-255")


_JSON_TYPES = {
    bool: "a boolean",
    str: "a string",
    type(None): "null",
    list: "a list",
    dict: "an object",
}


def _printable(key: str) -> str:
    """A client's key as it may stand in an answer: short, ASCII, no control characters."""
    return ascii(key)[1:-1][:64]
