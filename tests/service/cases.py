"""Bad requests and what each is answered: the error table as its users see it.

Every case is sent through the application in ``test_errors.py`` and through
real sockets to a real server in ``tests/e2e/test_bad_input.py``.
"""

import base64
import dataclasses
import gzip
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from service import protocols

GOOD = [0] * 784

JSON = {"Content-Type": "application/json"}
PNG = {"Content-Type": "image/png"}
JPEG = {"Content-Type": "image/jpeg"}
GIF = {"Content-Type": "image/gif"}
WEBP = {"Content-Type": "image/webp"}
RAW = {"Content-Type": "application/octet-stream"}
NPY = {"Content-Type": "application/x-npy"}
FORM = {"Content-Type": "multipart/form-data"}
FORM_AB = {"Content-Type": "multipart/form-data; boundary=ab"}
BMP = {"Content-Type": "image/bmp"}

MAX_BODY_BYTES = 1_000_000  # the limits of the services that the cases are sent to
MAX_BATCH = 4
MAX_IMAGE_PIXELS = 1_000_000


@dataclass(frozen=True)
class BadRequest:
    """One bad request; ``field`` is what the error must name."""

    name: str
    status: int
    code: str
    field: str
    body: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=lambda: JSON)
    method: str = "POST"
    path: str = "/predict"

    @property
    def in_protocol(self) -> bool:
        """Whether it is sent to one of the inference protocols, which tell less."""
        return protocols.answers(self.path)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(pixels: ArrayLike) -> bytes:
    return encode(Image.fromarray(np.asarray(pixels, np.uint8)), "PNG")


def pixels_json(pixels: object) -> bytes:
    return json.dumps({"pixels": pixels}).encode()


def npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npy_text(header: str) -> bytes:
    """The head of a .npy file, whatever its header says."""
    return b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header.encode()


def npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    return npy_text(repr({"descr": dtype, "fortran_order": False, "shape": shape}))


def spoilt(value: float) -> NDArray[np.float64]:
    """Two images of numbers, of which the second has ``value`` for its fourth pixel."""
    array = np.full((2, 784), 7.0)
    array[1, 3] = value
    return array


def form(*files: bytes, name: str = "image", content_type: str = "image/png") -> bytes:
    """A form with the boundary ``ab``, a part for each file."""
    head = f'--ab\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n'
    head += f"Content-Type: {content_type}\r\n\r\n"
    return b"".join(head.encode() + file + b"\r\n" for file in files) + b"--ab--\r\n"


def one_pixel(literal: str, index: int = 7) -> bytes:
    """784 pixels of which one is written as ``literal``, which need not be JSON."""
    numbers = ["0"] * 784
    numbers[index] = literal
    return f'{{"pixels": [{", ".join(numbers)}]}}'.encode()


def huge_png() -> bytes:
    """A PNG whose header claims 50 000 x 50 000 pixels."""
    small = png(np.zeros((28, 28)))
    claim = (50_000).to_bytes(4, "big")
    header = b"IHDR" + claim + claim + small[24:29]
    return small[:12] + header + zlib.crc32(header).to_bytes(4, "big") + small[33:]


NOISE = Image.fromarray(np.random.default_rng(5).integers(0, 256, (28, 28)).astype(np.uint8))
NOISE_PNG = encode(NOISE, "PNG")

BAD_REQUESTS = [
    BadRequest("empty body", 400, "empty_body", "body"),
    BadRequest("empty png", 400, "empty_body", "body", headers=PNG),
    BadRequest(
        "no content type", 415, "missing_content_type", "Content-Type", pixels_json(GOOD), {}
    ),
    BadRequest(
        "wrong content type",
        415,
        "unsupported_media_type",
        "Content-Type",
        pixels_json(GOOD),
        {"Content-Type": "text/plain"},
    ),
    BadRequest("wrong method", 405, "method_not_allowed", "method", method="GET"),
    BadRequest("wrong method on a GET", 405, "method_not_allowed", "method", path="/livez"),
    BadRequest("wrong path", 404, "not_found", "path", path="/predicts"),
    *(
        BadRequest(
            f"model version {version!r}",
            404,
            "unknown_model_version",
            "version",
            method="GET",
            path=f"/models/{version}",
        )
        for version in ("9999", "latest", "1.0", "-1", "01", "%D9%A1")
    ),
    BadRequest(
        "a model without a version", 404, "not_found", "path", method="GET", path="/models/"
    ),
    BadRequest("not json", 400, "invalid_json", "body", b'{"pixels": [0, 1'),
    BadRequest("json after json", 400, "invalid_json", "body", pixels_json(GOOD) + b"{}"),
    BadRequest("not utf-8", 400, "invalid_json", "body", b'{"pixels\xff": []}'),
    BadRequest("half a character", 400, "invalid_json", "body", rb'{"image": "\ud800"}'),
    BadRequest("5000 digits", 400, "invalid_json", "body", one_pixel("9" * 5000)),
    BadRequest("duplicate key", 400, "duplicate_key", "pixels", b'{"pixels": [1], "pixels": [2]}'),
    BadRequest("10 000 deep", 400, "nested_too_deeply", "body", b"[" * 10_000 + b"]" * 10_000),
    BadRequest(
        "thousands of objects",
        422,
        "wrong_type",
        "body",
        b'{"pixels": [' + b'{"":0},' * 2_000 + b"0]}",
    ),
    BadRequest("a list", 422, "wrong_type", "body", b"[1, 2]"),
    BadRequest("null", 422, "wrong_type", "body", b"null"),
    BadRequest("an empty object", 422, "missing_field", "pixels", b"{}"),
    BadRequest("unknown field", 422, "unknown_field", "pixel", b'{"pixel": []}'),
    BadRequest(
        "two fields", 422, "ambiguous_body", "instances", b'{"pixels": [], "instances": []}'
    ),
    BadRequest("pixels a string", 422, "wrong_type", "pixels", b'{"pixels": "0, 1"}'),
    BadRequest("783 numbers", 422, "wrong_pixel_count", "pixels", pixels_json(GOOD[1:])),
    BadRequest("785 numbers", 422, "wrong_pixel_count", "pixels", pixels_json([*GOOD, 0])),
    BadRequest("no numbers", 422, "wrong_pixel_count", "pixels", pixels_json([])),
    BadRequest(
        "a short row", 422, "ragged_rows", "pixels[3]", pixels_json([[0] * 28] * 3 + [[0] * 27])
    ),
    BadRequest(
        "a row that is none", 422, "ragged_rows", "pixels[1]", pixels_json([[0] * 28] + [0] * 27)
    ),
    BadRequest("27 rows", 422, "ragged_rows", "pixels", pixels_json([[0] * 28] * 27)),
    BadRequest("true", 422, "pixel_not_a_number", "pixels[7]", one_pixel("true")),
    BadRequest("a string", 422, "pixel_not_a_number", "pixels[7]", one_pixel('"0"')),
    BadRequest("null pixel", 422, "pixel_not_a_number", "pixels[7]", one_pixel("null")),
    BadRequest("a list pixel", 422, "pixel_not_a_number", "pixels[7]", one_pixel("[0]")),
    BadRequest("an object pixel", 422, "pixel_not_a_number", "pixels[7]", one_pixel("{}")),
    BadRequest("NaN", 422, "pixel_not_finite", "pixels[7]", one_pixel("NaN")),
    BadRequest("Infinity", 422, "pixel_not_finite", "pixels[7]", one_pixel("Infinity")),
    BadRequest("-Infinity", 422, "pixel_not_finite", "pixels[7]", one_pixel("-Infinity")),
    BadRequest("1e999", 422, "pixel_not_finite", "pixels[7]", one_pixel("1e999")),
    BadRequest("-1", 422, "pixel_out_of_range", "pixels[7]", one_pixel("-1")),
    BadRequest("-0.5", 422, "pixel_out_of_range", "pixels[7]", one_pixel("-0.5")),
    BadRequest("256", 422, "pixel_out_of_range", "pixels[7]", one_pixel("256")),
    BadRequest("255.5", 422, "pixel_out_of_range", "pixels[7]", one_pixel("255.5")),
    BadRequest("400 digits", 422, "pixel_out_of_range", "pixels[7]", one_pixel("9" * 400)),
    BadRequest(
        "256 in a row",
        422,
        "pixel_out_of_range",
        "pixels[1][2]",
        pixels_json([[0] * 28, [0, 0, 256] + [0] * 25] + [[0] * 28] * 26),
    ),
    BadRequest("instances a number", 422, "wrong_type", "instances", b'{"instances": 3}'),
    BadRequest("an instance a number", 422, "wrong_type", "instances[0]", b'{"instances": [3]}'),
    BadRequest("empty batch", 422, "empty_batch", "instances", b'{"instances": []}'),
    BadRequest(
        "too large a batch",
        413,
        "batch_too_large",
        "instances",
        json.dumps({"instances": [GOOD] * (MAX_BATCH + 1)}).encode(),
    ),
    BadRequest(
        "one bad item",
        422,
        "pixel_out_of_range",
        "instances[1][0]",
        json.dumps({"instances": [GOOD, [256, *GOOD[1:]]]}).encode(),
    ),
    BadRequest("a truncated png", 422, "unreadable_image", "body", NOISE_PNG[:-30], PNG),
    BadRequest("a png header", 422, "unreadable_image", "body", NOISE_PNG[:20], PNG),
    BadRequest("a text called png", 422, "unreadable_image", "body", b"I am a text.", PNG),
    BadRequest("a png called jpeg", 422, "unreadable_image", "body", NOISE_PNG, JPEG),
    *(
        BadRequest(
            f"a truncated {kind['Content-Type']}",
            422,
            "unreadable_image",
            "body",
            encode(NOISE, name)[:-300],
            kind,
        )
        for name, kind in (("JPEG", JPEG), ("GIF", GIF), ("WEBP", WEBP), ("BMP", BMP))
    ),
    BadRequest("a png called webp", 422, "unreadable_image", "body", NOISE_PNG, WEBP),
    BadRequest(
        "a gif of 40 000 comments",
        422,
        "unreadable_image",
        "body",
        b"GIF89a" + bytes(7) + b"!\xfe\0" * 40_000,
        GIF,
    ),
    BadRequest(
        "a gif on a huge screen",
        413,
        "image_too_large",
        "body",
        b"GIF89a" + b"\xff" * 4 + encode(NOISE, "GIF")[10:],
        GIF,
    ),
    BadRequest("50 000 squared", 413, "image_too_large", "body", huge_png(), PNG),
    BadRequest(
        "a pixel too many rows", 413, "image_too_large", "body", png(np.zeros((1001, 1000))), PNG
    ),
    BadRequest(
        "an unknown manner",
        422,
        "unknown_choice",
        "normalize",
        pixels_json(GOOD),
        path="/predict?normalize=yes",
    ),
    BadRequest(
        "never to be normalized, and no frame",
        422,
        "not_a_frame",
        "body",
        png(np.zeros((28, 29))),
        PNG,
        path="/predict?normalize=never",
    ),
    BadRequest(
        "several images to explain",
        422,
        "not_one_image",
        "instances",
        json.dumps({"instances": [GOOD, GOOD]}).encode(),
        path="/explain",
    ),
    BadRequest(
        "an explanation in an unknown format",
        422,
        "unknown_choice",
        "format",
        pixels_json(GOOD),
        path="/explain?format=svg",
    ),
    BadRequest(
        "an explanation in an unknown manner",
        422,
        "unknown_choice",
        "normalize",
        pixels_json(GOOD),
        path="/explain?normalize=no",
    ),
    BadRequest(
        "no frame to explain",
        422,
        "not_a_frame",
        "body",
        png(np.zeros((28, 29))),
        PNG,
        path="/explain?normalize=never",
    ),
    BadRequest("nothing to explain", 400, "empty_body", "body", headers=PNG, path="/explain"),
    BadRequest(
        "too much to explain",
        413,
        "body_too_large",
        "body",
        b" " * (MAX_BODY_BYTES + 1),
        path="/explain?format=png",
    ),
    BadRequest("over the limit", 413, "body_too_large", "body", b" " * (MAX_BODY_BYTES + 1)),
    *(
        BadRequest(
            f"an image that is {name}", 422, code, "image", json.dumps({"image": value}).encode()
        )
        for name, value, code in (
            ("a number", 7, "wrong_type"),
            ("no base64", "iVBORw0KGgo*", "invalid_base64"),
            ("not ASCII", "\xe9" * 4, "invalid_base64"),
            ("base64 of no picture", "bm8gcGljdHVyZQ==", "unreadable_image"),
            ("empty", "", "unreadable_image"),
            ("a data URL of a text", "data:text/plain;base64,bm8=", "unreadable_image"),
            ("a data URL without base64", "data:image/png,%89PNG", "invalid_base64"),
            (
                "a data URL of another type",
                f"data:image/gif;base64,{base64.b64encode(NOISE_PNG).decode()}",
                "unreadable_image",
            ),
        )
    ),
    BadRequest(
        "pixels and an image", 422, "ambiguous_body", "image", b'{"pixels": [], "image": ""}'
    ),
    BadRequest(
        "a broken picture among instances",
        422,
        "unreadable_image",
        "instances[1]",
        json.dumps({"instances": [GOOD, "iVBORw0KGgo="]}).encode(),
    ),
    BadRequest("783 bytes", 422, "wrong_pixel_count", "body", bytes(783), RAW),
    BadRequest("bytes of too many images", 413, "batch_too_large", "body", bytes(784 * 5), RAW),
    *(
        BadRequest(f"an array {name}", status, code, field, body, NPY)
        for name, status, code, field, body in (
            ("that is none", 422, "invalid_npy", "body", b"I am a text."),
            ("of objects", 422, "wrong_dtype", "body", npy_header("|O", (28, 28))),
            ("cut short", 422, "invalid_npy", "body", npy(np.zeros((28, 28)))[:-1]),
            ("with more behind it", 422, "invalid_npy", "body", npy(np.zeros(784)) + b"\0"),
            ("of 300 GB", 413, "batch_too_large", "body", npy_header("<f8", (10**8, 28, 28))),
            ("with a header of code", 422, "invalid_npy", "body", npy_text("__import__('os')")),
            ("of integers", 422, "wrong_dtype", "body", npy(np.zeros((28, 28), np.int64))),
            ("of booleans", 422, "wrong_dtype", "body", npy(np.zeros((28, 28), bool))),
            ("of one image too wide", 422, "wrong_shape", "body", npy(np.zeros((28, 29)))),
            ("without an axis", 422, "wrong_shape", "body", npy(np.zeros(()))),
            ("of no images", 422, "empty_batch", "body", npy(np.zeros((0, 784)))),
            ("of too many images", 413, "batch_too_large", "body", npy(np.zeros((5, 784)))),
            ("with a NaN", 422, "pixel_not_finite", "body[1][3]", npy(spoilt(np.nan))),
            ("with a -1", 422, "pixel_out_of_range", "body[1][3]", npy(spoilt(-1))),
            ("with a 256", 422, "pixel_out_of_range", "body[1][3]", npy(spoilt(256))),
        )
    ),
    BadRequest("a form without a boundary", 400, "invalid_multipart", "Content-Type", b"--a", FORM),
    *(
        BadRequest(f"a form {name}", status, code, field, body, FORM_AB)
        for name, status, code, field, body in (
            ("that is none", 400, "invalid_multipart", "body", b"I am a text."),
            ("that breaks off", 400, "invalid_multipart", "body", form(NOISE_PNG)[:-20]),
            ("of a large head", 400, "invalid_multipart", "body", form(b"7", name="a" * 2_000)),
            ("without parts", 422, "empty_batch", "image", b"--ab--\r\n"),
            ("with another field", 422, "unknown_field", "digit", form(b"7", name="digit")),
            ("of too many parts", 413, "batch_too_large", "image", form(*[NOISE_PNG] * 5)),
            ("with a bad picture", 422, "unreadable_image", "image[1]", form(NOISE_PNG, b"GIF89a")),
            ("of a text", 422, "unreadable_image", "image", form(b"7", content_type="text/html")),
            (
                "with a picture of another type",
                422,
                "unreadable_image",
                "image",
                form(NOISE_PNG, content_type="image/gif"),
            ),
        )
    ),
    BadRequest(
        "a coding that is not read",
        415,
        "unsupported_coding",
        "Content-Encoding",
        pixels_json(GOOD),
        JSON | {"Content-Encoding": "br"},
    ),
    BadRequest(
        "two codings",
        415,
        "unsupported_coding",
        "Content-Encoding",
        pixels_json(GOOD),
        JSON | {"Content-Encoding": "gzip, gzip"},
    ),
    *(
        BadRequest(
            f"{coding} that {name}", status, code, "body", body, JSON | {"Content-Encoding": coding}
        )
        for coding, name, status, code, body in (
            ("gzip", "is none", 400, "corrupt_coding", pixels_json(GOOD)),
            ("deflate", "is none", 400, "corrupt_coding", b"\xff" * 20),
            ("gzip", "breaks off", 400, "corrupt_coding", gzip.compress(pixels_json(GOOD))[:-9]),
            ("gzip", "goes on", 400, "corrupt_coding", gzip.compress(pixels_json(GOOD)) + b"0"),
            (
                "gzip",
                "expands beyond the limit",
                413,
                "body_too_large",
                gzip.compress(bytes(MAX_BODY_BYTES + 1)),
            ),
            ("deflate", "expands to 100 MB", 413, "body_too_large", zlib.compress(bytes(10**8))),
        )
    ),
    *(
        BadRequest(
            f"an answer as {accept}",
            406,
            "not_acceptable",
            "Accept",
            pixels_json(GOOD),
            JSON | {"Accept": accept},
            path=path,
        )
        for path, accept in (
            ("/predict", "text/html"),
            ("/predict", "application/json;q=0"),
            ("/explain", "text/csv"),
        )
    ),
    *(
        BadRequest(f"{path} {name}", 422, code, field, pixels_json(GOOD), path=f"{path}?{query}")
        for path, name, code, field, query in (
            ("/predict", "with top_k=0", "out_of_range", "top_k", "top_k=0"),
            ("/predict", "with top_k=11", "out_of_range", "top_k", "top_k=11"),
            ("/predict", "with top_k=+1", "out_of_range", "top_k", "top_k=%2B1"),
            (
                "/predict",
                "with top_k of many digits",
                "out_of_range",
                "top_k",
                "top_k=" + "1" * 5000,
            ),
            ("/predict", "with noughts before 1999", "out_of_range", "top_k", "top_k=000000001999"),
            ("/predict", "with noughts only", "out_of_range", "top_k", "top_k=00"),
            (
                "/predict",
                "with noughts before many digits",
                "out_of_range",
                "top_k",
                "top_k=000000001" + "1" * 5000,
            ),
            ("/predict", "with an Arabic top_k", "out_of_range", "top_k", "top_k=%D9%A1"),
            (
                "/predict",
                "with probabilities=yes",
                "unknown_choice",
                "probabilities",
                "probabilities=yes",
            ),
            ("/predict", "with a misspelt parameter", "unknown_parameter", "query", "topk=3"),
            ("/predict", "with top_k twice", "repeated_parameter", "top_k", "top_k=1&top_k=2"),
            ("/explain", "with top_k", "unknown_parameter", "query", "top_k=1"),
        )
    ),
]
