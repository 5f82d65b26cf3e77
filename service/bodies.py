"""Native bodies: bytes of a Content-Type to images."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np

from service import embedded, errors, images, multipart, npy, pixels
from service.batches import Batch, Image, check_count, from_list, place
from service.documents import may_hold_booleans, only_one, parse_object, printable
from service.limits import Limits
from service.negotiation import media_type

EXPECTED = (
    'send {"pixels": [...]} or {"image": "base64"} for one image, {"instances": [...]} for several'
)

JSON_FIELDS = ("pixels", "image", "instances")

PART = "image"  # the name of every part of a form

# What a form says of a file whose type its sender does not know (RFC 7578, section 4.4).
UNTYPED = frozenset({"", "text/plain", "application/octet-stream"})

Reader: TypeAlias = Callable[[bytes, Mapping[str, str], Limits], Batch]


def read(body: bytes, content_type: str | None, limits: Limits) -> Batch:
    """The images of a native request; raises RequestError, which names the one at fault."""
    if not body:
        raise errors.EmptyBody("body", f"the body is empty; send {' or '.join(MEDIA_TYPES)}")
    name, parameters = media_type(content_type, MEDIA_TYPES)
    return READERS[name](body, parameters, limits)


def _json(body: bytes, _parameters: Mapping[str, str], limits: Limits) -> Batch:
    """The images of a JSON object with exactly one of ``JSON_FIELDS``."""
    document = parse_object(body, EXPECTED)
    for name in document.keys() - set(JSON_FIELDS):
        raise errors.UnknownField(printable(name), f"the field is not known; {EXPECTED}")
    field = only_one(document, JSON_FIELDS, EXPECTED)
    value, booleans = document[field], may_hold_booleans(body)
    if field == "pixels":
        return Batch([pixels.from_list(value, field, booleans=booleans)], field)
    if field == "image":
        return Batch([embedded.picture(value, field, limits.max_image_pixels)], field)
    read_one = partial(_instance, limits=limits, booleans=booleans)
    return from_list(value, field, limits.max_batch, read_one)


def _instance(value: object, field: str, limits: Limits, *, booleans: bool) -> Image:
    """An image of a list: a text is a picture, anything else has to be pixels."""
    if isinstance(value, str):
        return embedded.picture(value, field, limits.max_image_pixels)
    return pixels.from_list(value, field, booleans=booleans)


def _form(body: bytes, parameters: Mapping[str, str], limits: Limits) -> Batch:
    """The pictures of a form, each a part named ``image``."""
    parts = multipart.parts(body, parameters.get("boundary"), PART, limits.max_batch)
    check_count(len(parts), PART, limits.max_batch)
    several = len(parts) > 1
    names = [place(PART, index) for index in range(len(parts))] if several else [PART]
    pictures = [_part(part, name, limits) for part, name in zip(parts, names, strict=True)]
    return Batch(pictures, PART, several)


def _part(part: multipart.Part, field: str, limits: Limits) -> Image:
    said = None if part.content_type in UNTYPED else part.content_type
    return images.decode(part.content, limits.max_image_pixels, content_type=said, field=field)


def _picture(
    body: bytes, _parameters: Mapping[str, str], limits: Limits, *, content_type: str
) -> Batch:
    """One picture, of the type that it is said to be."""
    return Batch([images.decode(body, limits.max_image_pixels, content_type=content_type)], "body")


def _raw(body: bytes, _parameters: Mapping[str, str], limits: Limits) -> Batch:
    """Images one after the other, 784 bytes each."""
    count, rest = divmod(len(body), pixels.PIXELS)
    if rest:
        raise errors.WrongPixelCount(
            "body", f"the body has {len(body)} bytes; send {pixels.PIXELS} for each image"
        )
    check_count(count, "body", limits.max_batch)
    array = np.frombuffer(body, np.uint8).reshape(count, pixels.PIXELS)
    return Batch(pixels.from_array(array, "body"), "body", several=True)


def _npy(body: bytes, _parameters: Mapping[str, str], limits: Limits) -> Batch:
    """The images of one array in NumPy's format."""
    array = npy.read(body, limits.max_batch)
    several = pixels.split(array.shape, "body") is not None
    return Batch(pixels.from_array(array, "body"), "body", several)


READERS: Mapping[str, Reader] = {
    "application/json": _json,
    "multipart/form-data": _form,
    "application/octet-stream": _raw,
    "application/x-npy": _npy,
    **{name: partial(_picture, content_type=name) for name in images.FORMATS},
}

MEDIA_TYPES = tuple(READERS)
