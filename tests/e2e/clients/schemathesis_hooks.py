"""What Schemathesis is told beside the description, which it loads by itself
(``SCHEMATHESIS_HOOKS``): files it cannot make up, rules that no JSON Schema can state, and one
check more.
"""

import base64
import io
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import schemathesis
from hypothesis import strategies as st
from PIL import Image
from schemathesis.core.parameters import ParameterLocation

from tests.described import Description

SIDE = 28  # of all that is made here, so that nothing is refused for normalize=never
PIXELS = SIDE * SIDE
KINDS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")

HEADER_LENGTH = "Inference-Header-Content-Length"
BINARY = "application/octet-stream"

# The JSON in front of the bytes of an image, and all outputs wanted as bytes.
TENSOR_OF_BYTES = json.dumps(
    {
        "inputs": [
            {
                "name": "image",
                "datatype": "UINT8",
                "shape": [1, PIXELS],
                "parameters": {"binary_data_size": PIXELS},
            }
        ],
        "parameters": {"binary_data_output": True},
    }
).encode()

DRAWING = Description().components["examples"]["Picture"]["value"]["image"]

# What goes between any server and its client, and is no part of the interface.
TRANSPORT = frozenset({"connection", "content-length", "content-type", "date"})


# -- files ----------------------------------------------------------------------


def picture(pixels: bytes, kind: str) -> bytes:
    file = io.BytesIO()
    Image.frombytes("L", (SIDE, SIDE), pixels).save(file, kind)
    return file.getvalue()


def array(pixels: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE))
    return file.getvalue()


def text(pixels: bytes, kind: str, *, as_url: bool) -> str:
    file = base64.b64encode(picture(pixels, kind)).decode()
    return f"data:image/{kind.lower()};base64,{file}" if as_url else file


# All pixels of an image from a few: Hypothesis draws few at a time.
RAW = st.binary(min_size=1, max_size=60).map(lambda few: (few * PIXELS)[:PIXELS])

for kind in KINDS:
    schemathesis.openapi.media_type(f"image/{kind.lower()}", st.builds(picture, RAW, st.just(kind)))
schemathesis.openapi.media_type(BINARY, RAW)
schemathesis.openapi.media_type("application/x-npy", st.builds(array, RAW))
schemathesis.openapi.format(
    "picture", st.builds(text, RAW, st.sampled_from(KINDS), as_url=st.booleans())
)


@schemathesis.deserializer("text/csv", "application/x-ndjson", BINARY, "image/png")
def as_text(_context: schemathesis.DeserializationContext, response: schemathesis.Response) -> str:
    """Tables and lines are held to the patterns of their schemas; bytes have none."""
    return str(response.content, "latin-1")


# -- rules beyond the schema -----------------------------------------------------


@schemathesis.hook.apply_to(path_regex="/infer$")
def map_body(_context: schemathesis.HookContext, body: Any) -> Any:  # noqa: ANN401 - any body
    """Of the images in bytes, put every other one behind JSON that is as long as they are."""
    if isinstance(body, bytes) and body[0] % 2:
        return TENSOR_OF_BYTES.ljust(len(body)) + body
    return body


@schemathesis.hook("map_case").apply_to(path=["/predict", "/explain"])
def normalize_large(
    _context: schemathesis.HookContext, case: schemathesis.Case
) -> schemathesis.Case:
    """Let the drawing of the examples be normalized: it is no frame, as no schema can tell."""
    if isinstance(case.body, dict) and DRAWING in json.dumps(case.body, default=repr):
        case.query.pop("normalize", None)
    return case


@schemathesis.hook("map_case").apply_to(path_regex="/infer$")
def mend_tensors(_context: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
    """Mend what is valid by the schema of an inference, and not by what it says in words.

    A tensor has as many values as its shape says, and a body says how long its JSON is
    where that is not all. What was made to be refused stays as it is.
    """
    assert case.meta is not None
    if isinstance(case.body, dict) and not case.meta.is_negative_at(ParameterLocation.BODY):
        body = whole(case.body)
        for tensor in body["inputs"]:
            tensor["data"] = filled(tensor["data"], tensor["shape"])
        case.body = body
    if not case.meta.is_negative_at(ParameterLocation.HEADER):
        case.headers.pop(HEADER_LENGTH, None)
        if isinstance(case.body, bytes):
            case.headers[HEADER_LENGTH] = str(len(case.body) - PIXELS)
    return case


def whole(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same with 1 for 1.0, which no schema can tell apart."""
    if isinstance(value, dict):
        return {name: whole(within) for name, within in value.items()}
    if isinstance(value, list):
        return [whole(within) for within in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def filled(data: list[Any], shape: list[int]) -> list[Any]:
    """The values of a tensor, without its nesting, as often as it takes to fill its shape."""
    flat, size = list(leaves(data)), math.prod(shape)
    return (flat * size)[:size]


def leaves(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from leaves(value)
        else:
            yield value


@schemathesis.hook
def flatmap_headers(
    context: schemathesis.HookContext, headers: Mapping[str, str]
) -> st.SearchStrategy[Mapping[str, str]]:
    """Ask for each of the types that an answer is described to have."""
    assert context.operation is not None
    answered = context.operation.definition.raw["responses"].get("200", {}).get("content", {})
    types = st.sampled_from(["*/*", *answered])
    return types.map(lambda wanted: {**headers, "Accept": wanted})


# -- checks ------------------------------------------------------------------------


@schemathesis.check
def no_undocumented_header(
    _context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Every header of an answer is described for its status.

    OPTIONS, which every path has, is described in words.
    """
    described = case.operation.responses.find_by_status_code(response.status_code)
    if described is not None and response.request.method != "OPTIONS":
        known = TRANSPORT | {name.lower() for name, _ in described.headers.items()}
        assert not response.headers.keys() - known
