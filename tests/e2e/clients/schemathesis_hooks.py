"""What Schemathesis is told beside the description: files it cannot make up, answers it cannot
read, and one check more. It loads this module by itself (``SCHEMATHESIS_HOOKS``).
"""

import base64
import io
from typing import Any

import numpy as np
import schemathesis
from hypothesis import strategies as st
from PIL import Image

SIDE = 28  # of all that is made here, so that nothing is refused for normalize=never
KINDS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")

# What goes between any server and its client, and is no part of the interface.
TRANSPORT = frozenset({"connection", "content-length", "content-type", "date", "server"})


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


# 784 bytes from a few: Hypothesis draws few at a time.
RAW = st.binary(min_size=1, max_size=60).map(lambda few: (few * SIDE * SIDE)[: SIDE * SIDE])

for kind in KINDS:
    schemathesis.openapi.media_type(
        f"image/{kind.lower()}", st.builds(picture, RAW, st.just(kind))
    )
schemathesis.openapi.media_type("application/octet-stream", RAW)
schemathesis.openapi.media_type("application/x-npy", st.builds(array, RAW))
schemathesis.openapi.format(
    "picture", st.builds(text, RAW, st.sampled_from(KINDS), as_url=st.booleans())
)


@schemathesis.deserializer("text/csv", "application/x-ndjson")
def as_text(_context: schemathesis.DeserializationContext, response: schemathesis.Response) -> str:
    """Tables and lines are held to the patterns of their schemas."""
    return response.content.decode()


@schemathesis.check
def no_undocumented_header(
    _context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Every header of an answer is described for its status."""
    described = case.operation.responses.find_by_status_code(response.status_code)
    if described is not None:
        known = TRANSPORT | {name.lower() for name, _ in described.headers.items()}
        assert not response.headers.keys() - known
