"""Bad requests to KServe v1 and TensorFlow Serving, and what each is answered."""

import base64
import json

from tests.service.cases import GOOD, MAX_BATCH, MAX_BODY_BYTES, NOISE_PNG, BadRequest, huge_png

PREDICT, EXPLAIN = "/v1/models/digits:predict", "/v1/models/digits:explain"


def b64(file: bytes) -> dict[str, str]:
    """A file as TensorFlow Serving has bytes in JSON."""
    return {"b64": base64.b64encode(file).decode()}


HUGE = b64(huge_png())
FILE = b64(NOISE_PNG)
TOO_MANY = [GOOD] * (MAX_BATCH + 1)

# Documents to predict of: what is wrong, status, code, field, document.
DOCUMENTS = (
    ("a list", 400, "wrong_type", "body", [GOOD]),
    ("an empty object", 400, "missing_field", "instances", {}),
    ("only a signature", 400, "missing_field", "instances", {"signature_name": "x"}),
    ("rows and columns", 400, "ambiguous_body", "inputs", {"instances": [], "inputs": []}),
    (
        "a signature of another type",
        400,
        "wrong_type",
        "signature_name",
        {"signature_name": 1, "instances": [GOOD]},
    ),
    ("instances that are none", 400, "wrong_type", "instances", {"instances": FILE}),
    ("inputs that are none", 400, "wrong_type", "inputs", {"inputs": 5}),
    ("no instances", 400, "empty_batch", "instances", {"instances": []}),
    ("no inputs", 400, "empty_batch", "inputs", {"inputs": []}),
    ("no images in a column", 400, "empty_batch", "inputs.image", {"inputs": {"image": []}}),
    ("too many instances", 413, "batch_too_large", "instances", {"instances": TOO_MANY}),
    (
        "too many in a column",
        413,
        "batch_too_large",
        "inputs.image",
        {"inputs": {"image": TOO_MANY}},
    ),
    *(
        (
            f"an instance that is {name}",
            status,
            code,
            f"instances[1]{place}",
            {"instances": [GOOD, bad]},
        )
        for name, status, code, place, bad in (
            ("a number", 400, "wrong_type", "", 7),
            ("a bare text", 400, "wrong_type", "", "iVBORw0KGgo="),
            ("null", 400, "wrong_type", "", None),
            ("783 numbers", 400, "wrong_pixel_count", "", GOOD[1:]),
            ("27 rows", 400, "ragged_rows", "", [[0] * 28] * 27),
            ("of 256", 400, "pixel_out_of_range", "[0]", [256, *GOOD[1:]]),
            ("of one channel of -1", 400, "pixel_out_of_range", "[0][0]", [[[-1]] * 28] * 28),
            ("of two channels", 400, "pixel_not_a_number", "[0][0]", [[[0, 0]] * 28] * 28),
            ("of texts", 400, "pixel_not_a_number", "[0][0]", ["0" * 28] * 28),
            ("an empty object", 400, "unknown_field", "", {}),
            ("another input", 400, "unknown_field", "", {"digit": GOOD}),
            ("two inputs", 400, "unknown_field", "", {"image": GOOD, "image_bytes": FILE}),
            ("a file and more", 400, "unknown_field", "", FILE | {"image": GOOD}),
            ("a file of a number", 400, "wrong_type", ".b64", {"b64": 7}),
            ("a file that is not base64", 400, "invalid_base64", ".b64", {"b64": "iVBORw0KGgo*"}),
            ("a broken file", 400, "unreadable_image", ".b64", b64(NOISE_PNG[:-30])),
            ("a file of 50 000 squared", 413, "image_too_large", ".b64", HUGE),
            ("named, of 783 numbers", 400, "wrong_pixel_count", ".image", {"image": GOOD[1:]}),
            ("a named file of pixels", 400, "wrong_type", ".image_bytes", {"image_bytes": GOOD}),
            ("a named file of a text", 400, "wrong_type", ".image_bytes", {"image_bytes": "iVBO"}),
        )
    ),
    *(
        (f"inputs of {name}", 400, code, field, {"inputs": inputs})
        for name, code, field, inputs in (
            ("nothing", "unknown_field", "inputs", {}),
            ("another name", "unknown_field", "inputs", {"digit": [GOOD]}),
            ("two names", "unknown_field", "inputs", {"image": [GOOD], "image_bytes": [FILE]}),
            ("one picture", "unknown_field", "inputs", FILE),
            ("numbers", "wrong_type", "inputs[0]", [0, 0]),
            ("a name without a list", "wrong_type", "inputs.image_bytes", {"image_bytes": FILE}),
            ("a bad column", "wrong_pixel_count", "inputs.image[1]", {"image": [GOOD, GOOD[1:]]}),
            ("a name in a name", "unknown_field", "inputs.image[0]", {"image": [{"image": GOOD}]}),
            ("pixels as files", "wrong_type", "inputs.image_bytes[0]", {"image_bytes": [GOOD]}),
        )
    ),
)

# Other paths: method, path, status, code, field.
ADDRESSES = (
    ("GET", "/v1", 404, "not_found", "path"),
    ("GET", "/v1/models/letters", 404, "unknown_model", "model"),
    ("GET", "/v1/models/letters/versions/1", 404, "unknown_model", "model"),
    ("GET", "/v1/models/digits/versions/9999", 404, "unknown_model_version", "version"),
    ("GET", "/v1/models/digits/versions/01", 404, "unknown_model_version", "version"),
    *(
        ("POST", f"/v1/models/{model}:{verb}", 404, code, field)
        for verb in ("predict", "explain")
        for model, code, field in (
            ("letters", "unknown_model", "model"),
            ("digits/versions/9999", "unknown_model_version", "version"),
            ("digits/versions/latest", "unknown_model_version", "version"),
        )
    ),
    ("POST", "/v1/models/digits:classify", 404, "not_found", "path"),
    ("GET", PREDICT, 405, "method_not_allowed", "method"),
    ("PUT", EXPLAIN, 405, "method_not_allowed", "method"),
    ("POST", "/v1/models", 405, "method_not_allowed", "method"),
    ("POST", "/v1/models/digits", 405, "method_not_allowed", "method"),
)

V1_CASES = [
    *(
        BadRequest(f"v1: {name}", 400, code, field, body, headers, path=PREDICT)
        for name, code, field, body, headers in (
            ("empty body", "empty_body", "body", b"", {}),
            ("not json", "invalid_json", "body", b'{"instances": [', {}),
            ("a key twice", "duplicate_key", "b64", b'{"inputs": [{"b64": "", "b64": ""}]}', {}),
            ("brotli", "unsupported_coding", "Content-Encoding", b"{}", {"Content-Encoding": "br"}),
        )
    ),
    BadRequest(
        "v1: over the limit",
        413,
        "body_too_large",
        "body",
        b" " * (MAX_BODY_BYTES + 1),
        path=PREDICT,
    ),
    *(
        BadRequest(
            f"v1: {name}", status, code, field, json.dumps(document).encode(), {}, path=PREDICT
        )
        for name, status, code, field, document in DOCUMENTS
    ),
    *(
        BadRequest(
            f"v1: {name} to explain",
            400,
            code,
            "instances",
            json.dumps({"instances": images}).encode(),
            {},
            path=EXPLAIN,
        )
        for name, code, images in (
            ("two images", "not_one_image", [GOOD, GOOD]),
            ("no images", "empty_batch", []),
        )
    ),
    *(
        BadRequest(f"v1: {method} {path}", status, code, field, method=method, path=path)
        for method, path, status, code, field in ADDRESSES
    ),
]
