"""Bad requests to the Open Inference Protocol, and what each is answered; see ``cases.py``."""

import base64
import json
from typing import Any

import numpy as np

from tests.service.cases import GOOD, MAX_BATCH, MAX_BODY_BYTES, NOISE_PNG, BadRequest, huge_png

INFER = "/v2/models/digits/infer"
HEADER_LENGTH = "Inference-Header-Content-Length"

INPUT: dict[str, Any] = {
    "name": "image",
    "datatype": "UINT8",
    "shape": [1, 28, 28],
    "data": GOOD,
}
TWO: dict[str, Any] = {"shape": [2, 784], "data": [GOOD, GOOD]}
FILES: dict[str, Any] = {"name": "image_bytes", "datatype": "BYTES", "shape": [2]}

PNG_TEXT = base64.b64encode(NOISE_PNG).decode()


def asked(**fields: object) -> bytes:
    """A request for one blank image with other ``fields``."""
    return json.dumps({"inputs": [INPUT], **fields}).encode()


def sent(**fields: object) -> bytes:
    """A request whose input has other ``fields``; None takes one away."""
    tensor = {name: value for name, value in (INPUT | fields).items() if value is not None}
    return asked(inputs=[tensor])


def wanted(*outputs: object) -> bytes:
    return asked(outputs=outputs)


def behind(data: bytes, size: object = None, /, **fields: object) -> tuple[bytes, dict[str, str]]:
    """A request with ``data`` behind its JSON, and the header that says where the JSON ends."""
    own = {"binary_data_size": len(data) if size is None else size}
    head = sent(**{"data": None, "parameters": own} | fields)
    return head + data, {HEADER_LENGTH: str(len(head))}


def elements(*files: bytes) -> bytes:
    """The bytes of a BYTES tensor."""
    return b"".join(len(file).to_bytes(4, "little") + file for file in files)


def numbers(value: object, index: int = 787) -> list[object]:
    """The flat pixels of two images, of which one is ``value``."""
    flat: list[object] = [7] * (2 * 784)
    flat[index] = value
    return flat


def floats(value: float) -> bytes:
    """Two images of FP32, of which the second has ``value`` for its fourth pixel."""
    return np.array(numbers(value), "<f4").tobytes()


_BODIES = [
    ("nothing", 400, "empty_body", "body", b""),
    ("not json", 400, "invalid_json", "body", b'{"inputs": ['),
    ("a list", 400, "wrong_type", "body", b"[]"),
    ("inputs named twice", 400, "duplicate_key", "inputs", b'{"inputs": [], "inputs": []}'),
    ("lists in lists", 400, "nested_too_deeply", "body", b"[" * 10_000 + b"]" * 10_000),
    ("too much", 413, "body_too_large", "body", b" " * (MAX_BODY_BYTES + 1)),
    ("no inputs", 400, "missing_field", "inputs", b"{}"),
    ("inputs that are null", 400, "missing_field", "inputs", asked(inputs=None)),
    ("an empty list of inputs", 400, "ambiguous_body", "inputs", asked(inputs=[])),
    ("two inputs", 400, "ambiguous_body", "inputs", asked(inputs=[INPUT, INPUT])),
    ("inputs that are an object", 400, "wrong_type", "inputs", asked(inputs={})),
    ("an input that is a number", 400, "wrong_type", "inputs[0]", asked(inputs=[7])),
    ("an id that is a number", 400, "wrong_type", "id", asked(id=7)),
    ("parameters in a list", 400, "wrong_type", "parameters", asked(parameters=[])),
    (
        "a binary_data_output of 1",
        400,
        "wrong_type",
        "parameters.binary_data_output",
        asked(parameters={"binary_data_output": 1}),
    ),
]

_INPUTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("without a name", "missing_field", "inputs[0].name", {"name": None}),
    ("with a name that is a number", "wrong_type", "inputs[0].name", {"name": 7}),
    ("of another name", "unknown_tensor", "inputs[0].name", {"name": "picture"}),
    ("without a datatype", "missing_field", "inputs[0].datatype", {"datatype": None}),
    ("of FP16", "wrong_datatype", "inputs[0].datatype", {"datatype": "FP16"}),
    ("of INT32", "wrong_datatype", "inputs[0].datatype", {"datatype": "INT32"}),
    ("of BYTES", "wrong_datatype", "inputs[0].datatype", {"datatype": "BYTES"}),
    ("of uint8", "wrong_datatype", "inputs[0].datatype", {"datatype": "uint8"}),
    ("of files in UINT8", "wrong_datatype", "inputs[0].datatype", {"name": "image_bytes"}),
    ("without a shape", "missing_field", "inputs[0].shape", {"shape": None}),
    ("with a shape in words", "wrong_type", "inputs[0].shape", {"shape": "28x28"}),
    ("with a side of -1", "wrong_shape", "inputs[0].shape", {"shape": [-1, 28, 28]}),
    ("with a side of 28.0", "wrong_shape", "inputs[0].shape", {"shape": [1, 28.0, 28]}),
    ("with a side of true", "wrong_shape", "inputs[0].shape", {"shape": [True, 28, 28]}),
    ("with a side of 2^64", "wrong_shape", "inputs[0].shape", {"shape": [2**64, 28, 28]}),
    ("with a thousand sides", "wrong_shape", "inputs[0].shape", {"shape": [1] * 1000}),
    ("of another shape", "wrong_shape", "inputs[0]", {"shape": [1, 28, 29]}),
    ("without sides", "wrong_shape", "inputs[0]", {"shape": []}),
    ("of no images", "empty_batch", "inputs[0]", {"shape": [0, 28, 28]}),
    ("without data", "missing_field", "inputs[0].data", {"data": None}),
    ("with data in a string", "wrong_type", "inputs[0].data", {"data": "0, 1"}),
    ("with empty data", "wrong_data_size", "inputs[0].data", {"data": []}),
    ("with 783 numbers", "wrong_data_size", "inputs[0].data", {"data": GOOD[1:]}),
    ("with 785 numbers", "wrong_data_size", "inputs[0].data", {"data": [*GOOD, 0]}),
    ("with rows for an image", "wrong_data_size", "inputs[0].data", {"data": [[0] * 28] * 28}),
    (
        "with a short row",
        "wrong_data_size",
        "inputs[0].data[0][27]",
        {"data": [[[0] * 28] * 27 + [[0] * 27]]},
    ),
    (
        "with a row that is none",
        "wrong_data_size",
        "inputs[0].data[0][3]",
        {"data": [[[0] * 28] * 3 + [7] * 25]},
    ),
    (
        "with a true",
        "pixel_not_a_number",
        "inputs[0].data[1][3]",
        TWO | {"data": numbers(value=True)},
    ),
    ("with a text", "pixel_not_a_number", "inputs[0].data[1][3]", TWO | {"data": numbers("7")}),
    ("with a null", "pixel_not_a_number", "inputs[0].data[1][3]", TWO | {"data": numbers(None)}),
    (
        "with a list for a number",
        "pixel_not_a_number",
        "inputs[0].data[1][3]",
        TWO | {"data": numbers([7])},
    ),
    ("with a NaN", "pixel_not_finite", "inputs[0].data[1][3]", TWO | {"data": numbers(np.nan)}),
    ("with a -1", "pixel_out_of_range", "inputs[0].data[1][3]", TWO | {"data": numbers(-1)}),
    ("with a 256", "pixel_out_of_range", "inputs[0].data[1][3]", TWO | {"data": numbers(256)}),
    ("with a 0.5", "wrong_datatype", "inputs[0].data[1][3]", TWO | {"data": numbers(0.5)}),
    (
        "with a 256 in the only image",
        "pixel_out_of_range",
        "inputs[0].data[3]",
        {"shape": [784], "data": [0, 0, 0, 256] + [0] * 780},
    ),
    *(
        (
            f"of FP32 with {value!r}",
            code,
            "inputs[0].data[1][3]",
            TWO | {"datatype": "FP32", "data": numbers(value)},
        )
        for value, code in (
            (np.nan, "pixel_not_finite"),
            (1e39, "pixel_not_finite"),
            (10**400, "pixel_out_of_range"),
            (-0.1, "pixel_out_of_range"),
            (255.5, "pixel_out_of_range"),
            ("0.5", "pixel_not_a_number"),
        )
    ),
    (
        "with data and a size of it",
        "ambiguous_body",
        "inputs[0].data",
        {"parameters": {"binary_data_size": 784}},
    ),
    ("with parameters in a list", "wrong_type", "inputs[0].parameters", {"parameters": [1]}),
    (
        "with a size in a string",
        "wrong_type",
        "inputs[0].parameters.binary_data_size",
        {"data": None, "parameters": {"binary_data_size": "784"}},
    ),
    (
        "of bytes that are not there",
        "wrong_data_size",
        "inputs[0].parameters.binary_data_size",
        {"data": None, "parameters": {"binary_data_size": 784}},
    ),
    (
        "of files in two axes",
        "wrong_shape",
        "inputs[0].shape",
        FILES | {"shape": [1, 1], "data": [""]},
    ),
    ("of no files", "empty_batch", "inputs[0]", FILES | {"shape": [0], "data": []}),
    (
        "of fewer files than it says",
        "wrong_data_size",
        "inputs[0].data",
        FILES | {"data": [PNG_TEXT]},
    ),
    ("of a file in a list", "wrong_type", "inputs[0].data[1]", FILES | {"data": [PNG_TEXT, [1]]}),
    (
        "of a file that is no base64",
        "invalid_base64",
        "inputs[0].data[1]",
        FILES | {"data": [PNG_TEXT, "*"]},
    ),
    (
        "of a file that breaks off",
        "unreadable_image",
        "inputs[0].data[1]",
        FILES | {"data": [PNG_TEXT, "iVBORw0KGgo="]},
    ),
]

_OUTPUTS = [
    ("that is a number", "wrong_type", "outputs[0]", wanted(7)),
    ("without a name", "missing_field", "outputs[0].name", wanted({})),
    ("of another name", "unknown_tensor", "outputs[0].name", wanted({"name": "logits"})),
    ("twice", "repeated_output", "outputs[1]", wanted({"name": "digit"}, {"name": "digit"})),
    ("and others in an object", "wrong_type", "outputs", asked(outputs={"name": "digit"})),
    *(
        (
            f"{name} with {parameters}",
            code,
            f"outputs[0].parameters{field}",
            wanted({"name": name, "parameters": parameters}),
        )
        for name, parameters, code, field in (
            ("digit", 7, "wrong_type", ""),
            ("digit", {"binary_data": "yes"}, "wrong_type", ".binary_data"),
            ("probabilities", {"classification": "3"}, "wrong_type", ".classification"),
            ("probabilities", {"classification": True}, "wrong_type", ".classification"),
            ("probabilities", {"classification": 0}, "wrong_classification", ".classification"),
            ("probabilities", {"classification": 11}, "wrong_classification", ".classification"),
            ("digit", {"classification": 1}, "wrong_classification", ".classification"),
            ("accepted", {"classification": 1}, "wrong_classification", ".classification"),
        )
    ),
]

_SIZE = "inputs[0].parameters.binary_data_size"
_DATA = "inputs[0].data"

_BINARY = [
    ("783 bytes", "wrong_data_size", _DATA, behind(bytes(783))),
    ("785 bytes", "wrong_data_size", _DATA, behind(bytes(785))),
    ("a size that is too small", "wrong_data_size", _SIZE, behind(bytes(784), 783)),
    ("a size that is too large", "wrong_data_size", _SIZE, behind(bytes(784), 2**62)),
    ("a size below 0", "wrong_data_size", _SIZE, behind(bytes(784), -1)),
    ("no size", "wrong_data_size", _SIZE, behind(bytes(784), parameters={})),
    ("a list and bytes", "wrong_data_size", _SIZE, behind(b"\0", parameters={}, data=GOOD)),
    ("784 bytes of FP32", "wrong_data_size", _DATA, behind(bytes(784), datatype="FP32")),
    ("1568 bytes of FP16", "wrong_datatype", "datatype", behind(bytes(1568), datatype="FP16")),
    *(
        (
            f"FP32 with {value}",
            code,
            "inputs[0].data[1][3]",
            behind(floats(value), datatype="FP32", shape=[2, 1, 28, 28]),
        )
        for value, code in (
            (np.nan, "pixel_not_finite"),
            (-np.inf, "pixel_not_finite"),
            (-1, "pixel_out_of_range"),
            (256, "pixel_out_of_range"),
        )
    ),
    *(
        (f"files {name}", code, field, behind(data, **FILES))
        for name, code, field, data in (
            ("that are missing", "wrong_data_size", f"{_DATA}[0]", b""),
            ("of which one is missing", "wrong_data_size", f"{_DATA}[1]", elements(NOISE_PNG)),
            (
                "of which a length is cut short",
                "wrong_data_size",
                f"{_DATA}[1]",
                elements(NOISE_PNG) + b"\0\0\0",
            ),
            (
                "of which one says 4 GB",
                "wrong_data_size",
                f"{_DATA}[1]",
                elements(NOISE_PNG) + b"\xff\xff\xff\xff",
            ),
            (
                "and something behind them",
                "wrong_data_size",
                _DATA,
                elements(NOISE_PNG, NOISE_PNG) + b"\0",
            ),
            (
                "of which one is a text",
                "unreadable_image",
                f"{_DATA}[1]",
                elements(NOISE_PNG, b"7"),
            ),
            ("of which one is empty", "unreadable_image", f"{_DATA}[1]", elements(NOISE_PNG, b"")),
        )
    ),
]

_HEADER_LENGTHS = [
    ("beyond the body", "wrong_header_length", asked(), str(len(asked()) + 1)),
    ("of thousands of digits", "wrong_header_length", asked(), "1" * 5_000),
    ("below 0", "wrong_header_length", asked(), "-1"),
    ("in words", "wrong_header_length", asked(), "all"),
    ("that is empty", "wrong_header_length", asked(), ""),
    ("in the midst of the JSON", "invalid_json", asked(), "20"),
    ("of 0 for a JSON", "wrong_data_size", asked(), "0"),
    ("of 0 for 785 bytes", "wrong_data_size", bytes(785), "0"),
    ("of 0 for no bytes", "empty_body", b"", "0"),
    ("of 0 for half a picture", "unreadable_image", NOISE_PNG[:200], "0"),
    ("of 0 for FP32 with NaN", "pixel_not_finite", floats(np.nan)[3136:], "0"),
]

_FORBIDDEN = [
    BadRequest(
        f"v2: {action} {name} without a token",
        403,
        "forbidden",
        "Authorization",
        path=f"/v2/repository/models/{name}/{action}",
    )
    for action in ("load", "unload")
    for name in ("digits", "others")
]

_ADDRESSES = [
    BadRequest(
        f"v2: {method} {path}",
        404,
        code,
        field,
        asked() if method == "POST" else b"",
        {},
        method,
        path,
    )
    for method, path, code, field in (
        ("GET", "/v2/models/others", "unknown_model", "model"),
        ("GET", "/v2/models/others/ready", "unknown_model", "model"),
        ("GET", "/v2/models/others/versions/1/stats", "unknown_model", "model"),
        ("POST", "/v2/models/others/infer", "unknown_model", "model"),
        ("GET", "/v2/models/digits/versions/9999", "unknown_model_version", "version"),
        ("GET", "/v2/models/digits/versions/9999/ready", "unknown_model_version", "version"),
        ("GET", "/v2/models/digits/versions/latest/stats", "unknown_model_version", "version"),
        ("POST", "/v2/models/digits/versions/9999/infer", "unknown_model_version", "version"),
        ("GET", "/v2/", "not_found", "path"),
        ("GET", "/v2/models", "not_found", "path"),
        ("GET", "/v2/models/digits/config", "not_found", "path"),
    )
]

V2_CASES = [
    *(
        BadRequest(f"v2: {name}", status, code, field, body, {}, path=INFER)
        for name, status, code, field, body in _BODIES
    ),
    *(
        BadRequest(f"v2: an input {name}", 400, code, field, sent(**fields), {}, path=INFER)
        for name, code, field, fields in _INPUTS
    ),
    *(
        BadRequest(f"v2: an output {name}", 400, code, field, body, {}, path=INFER)
        for name, code, field, body in _OUTPUTS
    ),
    *(
        BadRequest(f"v2: {name} behind the JSON", 400, code, field, body, headers, path=INFER)
        for name, code, field, (body, headers) in _BINARY
    ),
    *(
        BadRequest(
            f"v2: a header length {name}",
            400,
            code,
            HEADER_LENGTH if code == "wrong_header_length" else "body",
            body,
            {HEADER_LENGTH: said},
            path=INFER,
        )
        for name, code, body, said in _HEADER_LENGTHS
    ),
    *(
        BadRequest(
            f"v2: too many {name}", 413, "batch_too_large", "inputs[0]", body, headers, path=INFER
        )
        for name, body, headers in (
            ("images", sent(shape=[MAX_BATCH + 1, 784]), {}),
            ("images, as is only said", sent(shape=[2**60, 28, 28]), {}),
            ("images behind the JSON", *behind(bytes(784 * 5), shape=[5, 784])),
            ("files", sent(**(FILES | {"shape": [2**60], "data": []})), {}),
        )
    ),
    BadRequest(
        "v2: a file of too many pixels",
        413,
        "image_too_large",
        "inputs[0].data[0]",
        *behind(elements(huge_png()), **(FILES | {"shape": [1]})),
        path=INFER,
    ),
    BadRequest(
        "v2: a coding that is not read",
        400,
        "unsupported_coding",
        "Content-Encoding",
        asked(),
        {"Content-Encoding": "br"},
        path=INFER,
    ),
    BadRequest(
        "v2: an index of what is ready, as a text",
        400,
        "wrong_type",
        "ready",
        b'{"ready": "yes"}',
        {},
        path="/v2/repository/index",
    ),
    BadRequest(
        "v2: an index of a list", 400, "wrong_type", "body", b"[]", {}, path="/v2/repository/index"
    ),
    BadRequest("v2: a wrong method", 405, "method_not_allowed", "method", method="GET", path=INFER),
    *_FORBIDDEN,
    *_ADDRESSES,
]
