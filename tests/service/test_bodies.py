"""Native bodies: the same images, however they are sent, and never anything but a refusal."""

import base64
import gzip
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service import bodies
from service.batches import Batch
from service.errors import RequestError
from service.limits import Limits
from tests.helpers import PROPERTY, table
from tests.service.cases import (
    FORM_AB,
    MAX_BATCH,
    MAX_BODY_BYTES,
    MAX_IMAGE_PIXELS,
    form,
    npy,
    npy_header,
    png,
)

LIMITS = Limits(MAX_BODY_BYTES, MAX_BATCH, MAX_IMAGE_PIXELS)

JSON, RAW, NPY = "application/json", "application/octet-stream", "application/x-npy"
FORM = FORM_AB["Content-Type"]

ONE = np.random.default_rng(1).integers(2, 256, (28, 28)).astype(np.uint8)
TWO = np.stack([ONE, 255 - ONE])
SHARES = np.array([ONE > 99, ONE > 200])  # as 0 and 1, full ink


def text(image: NDArray[np.uint8]) -> str:
    return base64.b64encode(png(image)).decode()


def document(value: object) -> bytes:
    return json.dumps(value).encode()


def newer_npy(array: NDArray[np.uint8]) -> bytes:
    """In version 2.0 of the format, whose header may be longer."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(2, 0))
    return file.getvalue()


@table(
    "content_type, body, images, field",
    {
        "pixels": (JSON, document({"pixels": ONE.ravel().tolist()}), [ONE], "pixels"),
        "base64": (JSON, document({"image": text(ONE)}), [ONE], "image"),
        "a data URL": (
            JSON,
            document({"image": f"data:image/png;base64,{text(ONE)}"}),
            [ONE],
            "image",
        ),
        "a data URL in capitals": (
            JSON,
            document({"image": f"DATA:image/PNG;Base64,{text(ONE)}"}),
            [ONE],
            "image",
        ),
        "a data URL without a type": (
            JSON,
            document({"image": f"data:;base64,{text(ONE)}"}),
            [ONE],
            "image",
        ),
        "slashes escaped, as PHP does": (
            JSON,
            document({"image": text(ONE)}).replace(b"/", b"\\/"),
            [ONE],
            "image",
        ),
        "pixels and pictures together": (
            JSON,
            document({"instances": [ONE.tolist(), text(TWO[1])]}),
            TWO,
            "instances[1]",
        ),
        "a form of one": (FORM, form(png(ONE)), [ONE], "image"),
        "a form of two": (FORM, form(png(ONE), png(TWO[1])), TWO, "image[1]"),
        "a form that leaves out the type": (
            FORM,
            form(png(ONE)).replace(b"Content-Type: image/png\r\n", b""),
            [ONE],
            "image",
        ),
        "a form that does not know the type": (
            FORM,
            form(png(ONE), content_type="application/octet-stream"),
            [ONE],
            "image",
        ),
        "a form with a quoted boundary": (
            'multipart/form-data; charset=utf-8; boundary="ab"',
            form(png(ONE)),
            [ONE],
            "image",
        ),
        "bytes of one": (RAW, ONE.tobytes(), [ONE], "body[0]"),
        "bytes of two": (RAW, TWO.tobytes(), TWO, "body[1]"),
        "bytes of 0 and 1": (RAW, SHARES.astype(np.uint8).tobytes(), SHARES * 255, "body[1]"),
        "an array (28, 28)": (NPY, npy(ONE), [ONE], "body"),
        "an array (784,)": (NPY, npy(ONE.ravel()), [ONE], "body"),
        "an array (N, 28, 28)": (NPY, npy(TWO), TWO, "body[1]"),
        "an array (N, 784)": (NPY, npy(TWO.reshape(2, 784)), TWO, "body[1]"),
        "an array (N, 1, 28, 28)": (NPY, npy(TWO[:, np.newaxis]), TWO, "body[1]"),
        "an array (N, 28, 28, 1)": (NPY, npy(TWO[..., np.newaxis]), TWO, "body[1]"),
        "an array by columns": (NPY, npy(np.asfortranarray(TWO)), TWO, "body[1]"),
        "float16": (NPY, npy(TWO.astype(np.float16)), TWO, "body[1]"),
        "float32 of 0-1": (NPY, npy((TWO / 255).astype(np.float32)), TWO, "body[1]"),
        "float64": (NPY, npy(TWO.astype(np.float64)), TWO, "body[1]"),
        "the other byte order": (NPY, npy(TWO.astype(">f4")), TWO, "body[1]"),
        "version 2.0 of the format": (NPY, newer_npy(TWO), TWO, "body[1]"),
        "each image on its own scale": (
            NPY,
            npy(np.stack([ONE.astype(float), SHARES[0]])),
            [ONE, SHARES[0] * 255],
            "body[1]",
        ),
    },
)
def test_images_come_out_as_they_were_sent(
    content_type: str, body: bytes, images: NDArray[np.uint8], field: str
) -> None:
    batch = bodies.read(body, content_type, LIMITS)
    assert batch.place(len(batch.images) - 1) == field
    assert [image.dtype for image in batch.images] == [np.uint8] * len(images)
    assert np.array_equal(np.stack(list(batch.images)), np.stack(list(images)))


def test_a_batch_may_be_as_large_as_the_limit_says() -> None:
    batch = bodies.read(bytes(784 * MAX_BATCH), RAW, LIMITS)
    assert len(batch.images) == MAX_BATCH


def test_nothing_is_allocated_on_the_word_of_a_header() -> None:
    """A terabyte of images, in a batch that is small enough."""
    generous = Limits(MAX_BODY_BYTES, 10**9, MAX_IMAGE_PIXELS)
    with pytest.raises(RequestError, match="promises 6272000000000 bytes"):
        bodies.read(npy_header("<f8", (10**9, 28, 28)), NPY, generous)


KINDS = [JSON, RAW, NPY, FORM, "image/png", "image/bmp", "image/webp", "image/gif", "image/jpeg"]


def read_or_refuse(body: bytes, content_type: str) -> Batch | None:
    try:
        return bodies.read(body, content_type, LIMITS)
    except RequestError:
        return None


@PROPERTY
@given(st.sampled_from(KINDS), st.binary(max_size=400))
def test_any_bytes_are_images_or_refused(content_type: str, body: bytes) -> None:
    read_or_refuse(body, content_type)


@PROPERTY
@given(
    st.sampled_from([(NPY, npy(TWO)), (FORM, form(png(ONE), png(ONE)))]),
    st.lists(st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=3)), max_size=4),
    st.integers(0, 3000),
)
def test_a_damaged_body_is_read_or_refused(
    sound: tuple[str, bytes], damage: list[tuple[int, bytes]], end: int
) -> None:
    content_type, whole = sound
    body = bytearray(whole[:end])
    for position, junk in damage:
        body[position : position + len(junk)] = junk
    batch = read_or_refuse(bytes(body), content_type)
    assert batch is None or 1 <= len(batch.images) <= MAX_BATCH


HEADER_LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.lists(inner, max_size=3),
    max_leaves=5,
)


@PROPERTY
@given(HEADER_LITERALS, HEADER_LITERALS, HEADER_LITERALS)
def test_any_header_of_an_array_is_read_or_refused(
    descr: object, order: object, shape: object
) -> None:
    header = repr({"descr": descr, "fortran_order": order, "shape": shape}).encode()
    head = b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header
    assert read_or_refuse(head + bytes(784), NPY) is None


def test_gzip_within_a_form_is_no_picture() -> None:
    assert read_or_refuse(form(gzip.compress(png(ONE))), FORM) is None
