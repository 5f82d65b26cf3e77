"""Every way to send images to the service, and to read what it answers."""

import base64
import csv
import dataclasses
import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image

from tests.client import Answer
from tests.service.cases import FORM_AB, JSON, NPY, RAW, encode, form, npy
from tests.service.cases_v1 import PREDICT as V1
from tests.service.cases_v1 import b64

V2 = "/v2/models/digits/infer"
HEADER_LENGTH = "Inference-Header-Content-Length"

MANY = 250  # images in one request, where several may be

Images: TypeAlias = NDArray[np.uint8]  # (N, 28, 28)


@dataclass(frozen=True)
class Request:
    """What is posted."""

    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Said:
    """What is answered: a digit for each image, and the probabilities (N, 10)."""

    digits: list[int]
    probabilities: NDArray[np.float64]


def rows(answer: Answer) -> Said:
    return _entries(answer.json["predictions"])


def columns(answer: Answer) -> Said:
    outputs = answer.json["outputs"]
    return Said(outputs["digit"], np.array(outputs["probabilities"]))


def lines(answer: Answer) -> Said:
    return _entries([json.loads(line) for line in answer.body.splitlines()])


def table_of_text(answer: Answer) -> Said:
    entries = list(csv.DictReader(io.StringIO(answer.body.decode())))
    shares = [[float(entry[f"p{digit}"]) for digit in range(10)] for entry in entries]
    return Said([int(entry["digit"]) for entry in entries], np.array(shares))


def expanded(answer: Answer) -> Said:
    assert answer.headers["Content-Encoding"] == "gzip"
    return rows(dataclasses.replace(answer, body=gzip.decompress(answer.body)))


def tensors(answer: Answer) -> Said:
    outputs = {output["name"]: output["data"] for output in answer.json["outputs"]}
    return Said(outputs["digit"], np.reshape(outputs["probabilities"], (-1, 10)))


def binary_tensors(answer: Answer) -> Said:
    length = int(answer.headers[HEADER_LENGTH])
    rest = answer.body[length:]
    found: dict[str, bytes] = {}
    for output in json.loads(answer.body[:length])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        found[output["name"]], rest = rest[:size], rest[size:]
    assert not rest
    shares = np.frombuffer(found["probabilities"], "<f4").astype(np.float64).reshape(-1, 10)
    return Said(np.frombuffer(found["digit"], "<i8").tolist(), shares)


def _entries(entries: Sequence[dict[str, Any]]) -> Said:
    shares = np.array([entry["probabilities"] for entry in entries])
    return Said([entry["digit"] for entry in entries], shares)


@dataclass(frozen=True)
class Way:
    """One way. most: images in a request. seen: what the service is to see of images."""

    encode: Callable[[Images], Request]
    decode: Callable[[Answer], Said] = rows
    most: int = MANY
    seen: Callable[[Images], Images] | None = None


def file(image: Images, kind: str = "PNG", **options: object) -> bytes:
    return encode(Image.fromarray(image), kind, **options)


def text(image: Images) -> str:
    return base64.b64encode(file(image)).decode()


def shares(images: Images) -> NDArray[np.float64]:
    return images / 255


def after_jpeg(images: Images) -> Images:
    """The pixels that are left of images after they were JPEG files."""
    return np.stack([np.asarray(Image.open(io.BytesIO(file(image, "JPEG")))) for image in images])


def written(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def a_picture(kind: str, seen: Callable[[Images], Images] | None = None, **options: object) -> Way:
    """One picture as the body."""
    headers = {"Content-Type": f"image/{kind.lower()}"}
    return Way(
        lambda images: Request("/predict", file(images[0], kind, **options), headers),
        most=1,
        seen=seen,
    )


def one(make: Callable[[Images], object]) -> Way:
    """A native document of one image."""
    return Way(lambda images: Request("/predict", written(make(images[0])), JSON), most=1)


def instances(make: Callable[[Images], object], path: str = "/predict") -> Way:
    """A document of what is made of each image."""
    headers = JSON if path == "/predict" else {}
    return Way(lambda images: Request(path, written({"instances": [*map(make, images)]}), headers))


def inputs(make: Callable[[Images], object]) -> Way:
    """A document of TensorFlow Serving for an answer in columns."""
    return Way(lambda images: Request(V1, written({"inputs": make(images)}), {}), columns)


def raw(
    make: Callable[[Images], bytes],
    headers: Mapping[str, str],
    decode: Callable[[Answer], Said] = rows,
) -> Way:
    return Way(lambda images: Request("/predict", make(images), headers), decode)


def octets(images: Images) -> bytes:
    return images.tobytes()


def packed(way: Way, coding: str, pack: Callable[[bytes], bytes]) -> Way:
    """The same, with its body compressed."""

    def encode(images: Images) -> Request:
        request = way.encode(images)
        headers = {**request.headers, "Content-Encoding": coding}
        return dataclasses.replace(request, body=pack(request.body), headers=headers)

    return dataclasses.replace(way, encode=encode)


def tensor(
    name: str, datatype: str, data: Callable[[Images], NDArray[Any]], *, flat: bool = False
) -> Way:
    """A tensor of the Open Inference Protocol in JSON, in its shape or flat."""

    def encode(images: Images) -> Request:
        values = data(images)
        entry = {"name": name, "datatype": datatype, "shape": values.shape}
        entry["data"] = (values.ravel() if flat else values).tolist()
        return Request(V2, written({"inputs": [entry]}), {})

    return Way(encode, tensors)


def binary(name: str, datatype: str, data: Callable[[Images], tuple[Sequence[int], bytes]]) -> Way:
    """A tensor behind the JSON, with the answer behind its JSON, too."""

    def encode(images: Images) -> Request:
        shape, behind = data(images)
        size = {"binary_data_size": len(behind)}
        entry = {"name": name, "datatype": datatype, "shape": shape, "parameters": size}
        header = written({"inputs": [entry], "parameters": {"binary_data_output": True}})
        return Request(V2, header + behind, {HEADER_LENGTH: str(len(header))})

    return Way(encode, binary_tensors)


def headless(make: Callable[[Images], bytes]) -> Way:
    """A body that is one image and nothing else."""
    headers = {HEADER_LENGTH: "0"}
    return Way(lambda images: Request(V2, make(images[0]), headers), binary_tensors, most=1)


def elements(images: Images) -> tuple[Sequence[int], bytes]:
    """Encoded files as BYTES, each behind its length."""
    files = [file(image) for image in images]
    return [len(files)], b"".join(struct.pack("<I", len(found)) + found for found in files)


def mixed(images: Images) -> list[object]:
    """Each image in another form."""
    forms = (
        lambda image: image,
        lambda image: image.ravel(),
        shares,
        text,
        lambda image: f"data:image/png;base64,{text(image)}",
    )
    return [forms[index % len(forms)](image) for index, image in enumerate(images)]


WAYS: Mapping[str, Way] = {
    "PNG": a_picture("PNG"),
    "lossless WebP": a_picture("WEBP", lossless=True, method=0),
    "BMP": a_picture("BMP"),
    "GIF": a_picture("GIF"),
    "JPEG": a_picture("JPEG", after_jpeg),
    "784 pixels": one(lambda image: {"pixels": image.ravel()}),
    "28 rows of pixels": one(lambda image: {"pixels": image}),
    "pixels as shares": one(lambda image: {"pixels": shares(image)}),
    "base64": one(lambda image: {"image": text(image)}),
    "a data URL": one(lambda image: {"image": f"data:image/png;base64,{text(image)}"}),
    "instances of 784 pixels": instances(np.ravel),
    "instances of 28 rows": instances(np.asarray),
    "instances of shares": instances(shares),
    "instances of files": instances(text),
    "mixed instances": Way(
        lambda images: Request("/predict", written({"instances": mixed(images)}), JSON)
    ),
    "a form": raw(lambda images: form(*map(file, images)), FORM_AB),
    "octets": raw(octets, RAW),
    "an array of uint8": raw(npy, NPY),
    "an array of float32 shares": raw(
        lambda images: npy(shares(images).astype(np.float32).reshape(-1, 784)), NPY
    ),
    "an array of float64": raw(lambda images: npy(images.astype(np.float64)), NPY),
    "an array in Fortran's order": raw(lambda images: npy(np.asfortranarray(images)), NPY),
    "an array with channels": raw(lambda images: npy(images[:, np.newaxis]), NPY),
    "instances in gzip": packed(instances(np.ravel), "gzip", gzip.compress),
    "instances in deflate": packed(instances(np.ravel), "deflate", zlib.compress),
    "an array in gzip": packed(raw(npy, NPY), "gzip", gzip.compress),
    "octets in deflate": packed(raw(octets, RAW), "deflate", zlib.compress),
    "an answer in CSV": raw(octets, RAW | {"Accept": "text/csv"}, table_of_text),
    "an answer in lines": raw(octets, RAW | {"Accept": "application/x-ndjson"}, lines),
    "an answer in gzip": raw(octets, RAW | {"Accept-Encoding": "gzip"}, expanded),
    "v1: instances of 784 pixels": instances(np.ravel, V1),
    "v1: instances of 28 rows": instances(np.asarray, V1),
    "v1: instances with channels": instances(lambda image: image[..., np.newaxis], V1),
    "v1: instances of shares": instances(shares, V1),
    "v1: instances of files": instances(lambda image: b64(file(image)), V1),
    "v1: named instances": instances(lambda image: {"image": image}, V1),
    "v1: named files": instances(lambda image: {"image_bytes": b64(file(image))}, V1),
    "v1: inputs": inputs(list),
    "v1: a column of pixels": inputs(lambda images: {"image": images}),
    "v1: a column of files": inputs(
        lambda images: {"image_bytes": [b64(file(image)) for image in images]}
    ),
    "v1: instances in gzip": packed(instances(np.ravel, V1), "gzip", gzip.compress),
    "v2: UINT8": tensor("image", "UINT8", np.asarray),
    "v2: UINT8, flat": tensor("image", "UINT8", np.asarray, flat=True),
    "v2: UINT8 of [N, 784]": tensor("image", "UINT8", lambda images: images.reshape(-1, 784)),
    "v2: FP32 shares": tensor("image", "FP32", shares),
    "v2: FP32 of [N, 1, 28, 28], flat": tensor(
        "image", "FP32", lambda images: images[:, np.newaxis].astype(np.float32), flat=True
    ),
    "v2: files": tensor(
        "image_bytes", "BYTES", lambda images: np.array([text(image) for image in images])
    ),
    "v2: binary UINT8": binary("image", "UINT8", lambda images: (images.shape, images.tobytes())),
    "v2: binary FP32 shares": binary(
        "image", "FP32", lambda images: (images.shape, shares(images).astype("<f4").tobytes())
    ),
    "v2: binary files": binary("image_bytes", "BYTES", elements),
    "v2: binary UINT8 in gzip": packed(
        binary("image", "UINT8", lambda images: (images.shape, images.tobytes())),
        "gzip",
        gzip.compress,
    ),
    "v2: one image of UINT8, without JSON": headless(octets),
    "v2: one file, without JSON": headless(file),
}
