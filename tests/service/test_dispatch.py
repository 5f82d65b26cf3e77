"""What may hold up the event loop: little work, whatever a client puts into its request."""

import base64
import contextlib
import json
import struct
from collections.abc import Mapping

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from service import bodies, errors, wsgi
from service.dispatch import is_quick
from service.limits import Limits
from service.negotiation import media_type
from tests.helpers import PROPERTY, table
from tests.service.cases import (
    FORM_AB,
    GIF,
    JSON,
    NPY,
    PNG,
    RAW,
    encode,
    huge_png,
    pixels_json,
    png,
)
from tests.service.hostile import BMP_OF_OS2

NO_BITS = bytes.fromhex("071011fd0f4444ff03")  # codes that have one word each

LIMITS = Limits(max_body_bytes=100_000, max_batch=16, max_image_pixels=10_000)


def is_answered_on_the_loop(
    body: bytes,
    headers: Mapping[str, str] = JSON,
    *,
    target: str = "/predict",
    method: str = "POST",
) -> bool:
    here = ("127.0.0.1", 1)
    return is_quick(
        wsgi.environment(
            wsgi.surroundings(here, here),
            method=method,
            target=target.encode(),
            version="1.1",
            fields={wsgi.key(name.encode()): value for name, value in headers.items()},
            body=body,
        )
    )


def one_shade(side: int) -> bytes:
    """A WebP of so many pixels in a row and in a column: 34 bytes, since no pixel needs a bit."""
    head = b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f"
    return head + struct.pack("<L", side - 1 | side - 1 << 14) + NO_BITS


# Small enough that none has the beginning of another by chance.
FILES = {
    "WEBP": one_shade(28),
    "BMP": BMP_OF_OS2,
    **{kind: encode(Image.new("L", (8, 8), 200), kind) for kind in ("PNG", "JPEG", "GIF")},
}


def quoted(file: bytes, prefix: str = "") -> bytes:
    return json.dumps({"image": prefix + base64.b64encode(file).decode()}).encode()


SMALL = pixels_json([255] * 784)
INFER = "/v2/models/digits/infer"
UINT8 = b'{"inputs":[{"name":"image","datatype":"UINT8","shape":[1,784]}]}'
BYTES = UINT8.replace(b"UINT8", b"BYTES")
HEAD = {"Inference-Header-Content-Length": str(len(UINT8))}
NO_HEAD = {"Inference-Header-Content-Length": "0"}


@table(
    "body, headers",
    {
        "pixels": (SMALL, JSON),
        "pixels of nobody knows what": (SMALL, {}),
        "as long as it may be": (SMALL.ljust(8_192), JSON),
        "numbers as bytes": (bytes(784 * 3), RAW),
        "an array": (b"\x93NUMPY" + bytes(800), NPY),
        "names": (b'{"id": "0f5e7c2a-5d1c-4f3e-9a51-c5a9d2f1b7e4", "signature_name": ""}', JSON),
        "nothing": (b"", PNG),
        "a PNG as small as a frame": (png(np.zeros((28, 28))), PNG),
        "as many pixels as it may have": (png(np.zeros((32, 32))), PNG),
    },
)
def test_a_small_prediction_is_answered_on_the_loop(body: bytes, headers: dict[str, str]) -> None:
    assert is_answered_on_the_loop(body, headers)


@table(
    "body, headers",
    {
        "a byte too long": (SMALL.ljust(8_193), JSON),
        "a picture": (b"P", PNG),
        "a picture in capitals": (b"P", {"Content-Type": "IMAGE/PNG"}),
        "a PNG with a row more": (png(np.zeros((33, 32))), PNG),
        "a PNG of 50 000 squared": (huge_png(), PNG),
        "the beginning of a PNG": (png(np.zeros((28, 28)))[:20], PNG),
        "a frame as another kind of picture": (FILES["GIF"], GIF),
        "a form": (b"--ab", FORM_AB),
        "packed": (b"\x1f\x8b", JSON | {"Content-Encoding": "gzip"}),
        "a backslash": (b'{"image": "\\u0069VBORw0KGgo="}', JSON),
        "16 megapixels in 48 letters": (quoted(one_shade(4_000)), JSON),
        **{kind: (quoted(file), JSON) for kind, file in FILES.items()},
        "a data URL": (quoted(one_shade(28), "data:image/webp;base64,"), JSON),
        "a data URL of many words": (
            quoted(one_shade(28), 'data:image/webp; name="a b.c" ;\t;base64,'),
            JSON,
        ),
        "a picture among others": (b'{"instances":[[0],' + quoted(FILES["PNG"]) + b"]}", {}),
    },
)
def test_what_may_be_a_picture_is_answered_by_a_thread(
    body: bytes, headers: dict[str, str]
) -> None:
    assert not is_answered_on_the_loop(body, headers)


@table(
    "target",
    {
        "native": "/explain",
        "with a query": "/explain?format=png",
        "in absolute form": "http://digits/explain",
        "percent-encoded": "/%65xplain",
        "of version 1": "/v1/models/digits:explain",
        "the description": "/openapi.json",
        "the reference": "/docs",
        "feedback": "/feedback",
        "a version, which may have to be loaded": "/predict?version=3",
        "a version behind escapes": "/predict?v%65rsion=3",
        "a version of v1": "/v1/models/digits/versions/3:predict",
        "a version of v2": "/v2/models/digits/versions/3/infer",
        "the state of a version": "/v2/models/digits/versions/3/ready",
        "a card": "/models/3",
        "a model that is to be loaded": "/v2/repository/models/digits/load",
    },
)
def test_what_takes_long_is_answered_by_a_thread(target: str) -> None:
    assert not is_answered_on_the_loop(SMALL, target=target)


@table(
    "body, headers, quick",
    {
        "numbers in JSON": (UINT8, {}, True),
        "a picture in JSON": (quoted(FILES["PNG"]), {}, False),
        "numbers behind JSON": (UINT8 + bytes(784), HEAD, True),
        "files behind JSON": (BYTES + bytes(50), HEAD, False),
        "files under another name": (BYTES.replace(b"B", b"\\u0042") + bytes(50), HEAD, False),
        "bytes of one image": (bytes(784), NO_HEAD, True),
        "floats of one image": (bytes(4 * 784), NO_HEAD, True),
        "bytes of something": (bytes(783), NO_HEAD, False),
        "a picture": (one_shade(28), NO_HEAD, False),
        "a picture of that size": (one_shade(28).ljust(784), NO_HEAD, False),
        "many noughts": (one_shade(28), {"Inference-Header-Content-Length": "00"}, False),
    },
)
def test_tensors_of_files_are_read_in_a_thread(
    body: bytes, headers: dict[str, str], *, quick: bool
) -> None:
    assert is_answered_on_the_loop(body, headers, target=INFER) == quick


def test_the_length_of_a_head_hides_nothing_on_other_routes() -> None:
    assert not is_answered_on_the_loop(quoted(FILES["PNG"]), JSON | HEAD)


@table(
    "target",
    {
        name: name
        for name in (
            "/livez",
            "/readyz?verbose",
            "/healthz",
            "/health",
            "/metrics",
            "/v2/health/live",
            "/v2/health/ready",
        )
    },
)
def test_health_waits_for_no_thread_whatever_comes_with_it(target: str) -> None:
    large = PNG | {"Content-Encoding": "gzip"}
    assert is_answered_on_the_loop(bytes(100_000), large, target=target)


TYPES = st.sampled_from(["image/png", "IMAGE/webp", "multipart/form-data", "application/json"])
BLANKS = st.text(st.sampled_from(" \t\v\f\x1c\x85\xa0;,\"'"), max_size=3)


@PROPERTY
@given(BLANKS, TYPES, BLANKS)
@example("\xa0", "image/png", "")
def test_no_content_type_that_is_read_as_a_picture_is_mistaken(
    before: str, name: str, after: str
) -> None:
    said = before + name + after
    with contextlib.suppress(errors.MediaTypeError):
        read, _ = media_type(said, bodies.MEDIA_TYPES)
        quick = is_answered_on_the_loop(b"{}", {"Content-Type": said})
        assert quick == (read == "application/json")


SPOILT = st.dictionaries(st.integers(0, 15), st.integers(0, 255), max_size=2)
URLS = st.builds(
    "data:{}{}{},".format,
    st.text(max_size=8),
    st.text(max_size=8),
    st.sampled_from(["", ";base64", ";BASE64", "; base64"]),
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])


@PROPERTY
@given(
    st.sampled_from(list(FILES.values())),
    SPOILT,
    st.just("") | URLS,
    st.sets(st.integers(0, 60), max_size=2),
    ENCODINGS,
)
@example(one_shade(28), {}, "data:a.b c;\"=',", set(), "utf-8")
@example(one_shade(28), {}, "", set(), "utf-16")
@example(FILES["JPEG"], {2: 0}, "data:image/jpeg;base64,", set(), "utf-8")
def test_no_text_that_is_read_as_a_picture_is_mistaken(
    file: bytes, spoilt: dict[int, int], prefix: str, escaped: set[int], encoding: str
) -> None:
    """Whatever its URL says, and however its letters are written."""
    changed = bytearray(file)
    for place, value in spoilt.items():
        changed[place] = value
    text = prefix + base64.b64encode(changed).decode()
    body = f'{{"image": "{written(text, escaped)}"}}'.encode(encoding, "replace")
    with contextlib.suppress(errors.RequestError):
        bodies.read(body, "application/json", LIMITS)
        assert not is_answered_on_the_loop(body)


def written(text: str, escaped: set[int]) -> str:
    """A text within JSON, some of its letters by their code points."""
    return "".join(
        f"\\u{ord(letter):04x}" if place in escaped else json.dumps(letter)[1:-1]
        for place, letter in enumerate(text)
    )
