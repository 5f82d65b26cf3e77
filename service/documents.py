"""JSON documents: bytes to values, so strictly that nothing is lost without a word."""

import json
from collections.abc import Sequence
from typing import Any

import orjson

from service import errors

JSON_TYPES: dict[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    type(None): "null",
    list: "a list",
    dict: "an object",
}


# A larger body is looked at first: as objects and texts, eight megabytes are half a gigabyte.
# Of what is meant seriously, each object and each text holds an image.
LARGE_BYTES = 8_192
BYTES_A_MARK = 8  # at least so many for every brace that opens and every quote


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """A JSON value in which no key stands twice.

    orjson reads it four times faster than the standard library, but keeps the
    last of two equal keys without a word, and does not say *which* number was
    NaN: what it refuses, and whatever has more than one key, is read again
    with care. Raises JSONError.
    """
    quotes = body.count(b'"')
    if len(body) > LARGE_BYTES and BYTES_A_MARK * (quotes + body.count(b"{")) > len(body):
        raise errors.WrongType(
            "body", "the body is mostly objects and texts; send images, or fewer at a time"
        )
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _parse_carefully(body)
        _check_characters(document, body)
        return document
    if quotes <= 2:  # noqa: PLR2004 - a string has two quotes: there is one key
        return document
    del document  # before it is there a second time
    return _parse_carefully(body)


def parse_object(body: bytes, expected: str) -> dict[str, Any]:
    """A JSON object; ``expected`` tells who sends something else what to send.

    Raises EmptyBody or JSONError.
    """
    if not body:
        raise errors.EmptyBody("body", f"the body is empty; {expected}")
    document = parse_json(body)
    if not isinstance(document, dict):
        raise errors.WrongType("body", f"the body is {kind(document)}; {expected}")
    return document


def may_hold_booleans(body: bytes) -> bool:
    """Whether a JSON text may have a boolean among its values: true has a u, false an f."""
    return b"u" in body or b"f" in body


def only_one(document: dict[str, Any], names: Sequence[str], expected: str) -> str:
    """The one of ``names`` that an object has; raises MissingField or AmbiguousBody."""
    given = [name for name in names if name in document]
    if not given:
        raise errors.MissingField(names[0], f"there is nothing to read; {expected}")
    if len(given) > 1:
        raise errors.AmbiguousBody(
            given[-1], f"{' and '.join(given)} are there together; send one of them"
        )
    return given[0]


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    return JSON_TYPES.get(type(value), "an unknown value")


def printable(key: str) -> str:
    """A client's key as it may stand in an answer: short, ASCII, no control characters."""
    return ascii(key)[1:-1][:64]


def _parse_carefully(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """What the standard library makes of a body, NaN and infinities included."""
    try:
        # Of bytes it would guess the encoding, and take UTF-16 and UTF-32 as well.
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise errors.NestedTooDeeply(
            "body", "the lists are nested too deeply; send pixels in rows at most"
        ) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise errors.InvalidJSON(
            "body", f"the body is not JSON from {place} on; correct it"
        ) from None
    except ValueError:  # not UTF-8, or an integer of thousands of digits
        raise errors.InvalidJSON("body", "the body is not JSON in UTF-8; correct it") from None


def _check_characters(document: object, body: bytes) -> None:
    """Raise InvalidJSON for half a character, which cannot be written down again."""
    if b"\\u" in body:
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise errors.InvalidJSON(
                "body", "the body has half of a pair of surrogates; send both, or the character"
            ) from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise errors.DuplicateKey(printable(key), "the key stands twice; send it once")
        document[key] = value
    return document
