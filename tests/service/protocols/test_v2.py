"""The Open Inference Protocol: what may be asked, in which form, and what is answered."""

import base64
import gzip
import json
import time
import tomllib
import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.test import TestResponse

from model import Artifact, Classifier
from service import __version__
from service.app import create_app
from service.errors import OnlyModel, UnknownModel
from service.health import Health
from service.limits import Limits
from service.metrics import Metrics
from service.models import Models
from service.protocols import v2
from service.settings import Settings
from tests.helpers import ROOT, table
from tests.service.cases import JSON, PNG, pixels_json, png
from tests.service.cases_v2 import HEADER_LENGTH, INFER, elements
from tests.service.conftest import SETTINGS
from tests.service.test_predict import FRAME

FRAMES = np.stack([FRAME, FRAME.T])  # (2, 28, 28)
FILE = png(FRAME)

Code: TypeAlias = Callable[[bytes], bytes]

ALL = ["digit", "probabilities", "accepted"]
DTYPES = {"INT64": "<i8", "FP32": "<f4", "BOOL": "?"}


def request(array: NDArray[Any], datatype: str, **fields: object) -> bytes:
    """A request with the values of ``array`` in its JSON, flat."""
    tensor = {
        "name": "image",
        "datatype": datatype,
        "shape": array.shape,
        "data": array.ravel().tolist(),
    }
    return json.dumps({"inputs": [tensor], **fields}).encode()


def nested(array: NDArray[Any], datatype: str) -> bytes:
    tensor = {"name": "image", "datatype": datatype, "shape": array.shape, "data": array.tolist()}
    return json.dumps({"inputs": [tensor]}).encode()


def files(*texts: str) -> bytes:
    tensor = {"name": "image_bytes", "datatype": "BYTES", "shape": [len(texts)], "data": texts}
    return json.dumps({"inputs": [tensor]}).encode()


def behind(
    data: bytes, datatype: str, shape: list[int], name: str = "image", **fields: object
) -> tuple[bytes, dict[str, str]]:
    """A request with ``data`` behind its JSON."""
    own = {"binary_data_size": len(data)}
    tensor = {"name": name, "datatype": datatype, "shape": shape, "parameters": own}
    head = json.dumps({"inputs": [tensor], **fields}).encode()
    return head + data, {HEADER_LENGTH: str(len(head))}


def infer(client: FlaskClient, body: bytes, headers: dict[str, str] | None = None) -> TestResponse:
    response = client.post(INFER, data=body, headers=headers or {})
    assert response.status_code == 200, response.data
    return response


def read(response: TestResponse) -> dict[str, NDArray[Any] | list[bytes]]:
    """The outputs of an answer as the specification has them, wherever they stand."""
    length = response.headers.get(HEADER_LENGTH)
    body = response.data
    head = body if length is None else body[: int(length)]
    rest = body[len(head) :]
    outputs: dict[str, NDArray[Any] | list[bytes]] = {}
    for output in json.loads(head)["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            data, stands = output["data"], "in the JSON"
        else:
            data, rest, stands = rest[:size], rest[size:], "behind it"
            assert len(data) == size
        assert ("data" in output) is (stands == "in the JSON")
        outputs[output["name"]] = values(output, data)
    assert rest == b""
    kind = "application/json" if length is None else "application/octet-stream"
    assert response.content_type == kind
    return outputs


def values(output: dict[str, Any], data: Any) -> NDArray[Any] | list[bytes]:  # noqa: ANN401 - list or bytes
    if output["datatype"] == "BYTES":
        return split(data) if isinstance(data, bytes) else [text.encode() for text in data]
    dtype = DTYPES[output["datatype"]]
    array: NDArray[Any]
    array = np.frombuffer(data, dtype) if isinstance(data, bytes) else np.array(data, dtype)
    return array.reshape(output["shape"])


def split(data: bytes) -> list[bytes]:
    found = []
    while data:
        end = 4 + int.from_bytes(data[:4], "little")
        found.append(data[4:end])
        data = data[end:]
    return found


@pytest.fixture
def expected(shipped: Artifact) -> dict[str, NDArray[Any]]:
    """What the model says of FRAMES."""
    said = Classifier(shipped).classify(FRAMES)
    return {
        "digit": np.array([one.digit for one in said], np.int64),
        "probabilities": np.array([one.probabilities for one in said], np.float32),
        "accepted": np.array([one.accepted for one in said]),
    }


def assert_said(
    outputs: dict[str, NDArray[Any] | list[bytes]], expected: dict[str, NDArray[Any]], count: int
) -> None:
    for name, array in outputs.items():
        assert isinstance(array, np.ndarray)
        assert array.shape == expected[name][:count].shape
        np.testing.assert_allclose(array, expected[name][:count], atol=1e-6)


SHARES = (FRAMES / 255).astype(np.float32)

IN_JSON = {
    "UINT8": request(FRAMES, "UINT8"),
    "UINT8 nested": nested(FRAMES, "UINT8"),
    "UINT8 in floats": request(FRAMES.astype(float), "UINT8"),
    "[N, 784]": request(FRAMES.reshape(2, 784), "UINT8"),
    "[N, 784] nested": nested(FRAMES.reshape(2, 784), "UINT8"),
    "[N, 1, 28, 28]": request(FRAMES.reshape(2, 1, 28, 28), "UINT8"),
    "[N, 1, 28, 28] nested": nested(FRAMES.reshape(2, 1, 28, 28), "UINT8"),
    "[N, 28, 28, 1]": nested(FRAMES.reshape(2, 28, 28, 1), "UINT8"),
    "[28, 28]": request(FRAME, "UINT8"),
    "[784]": request(FRAME.ravel(), "UINT8"),
    "FP32 of 0-255": request(FRAMES.astype(float), "FP32"),
    "FP32 of 0-255 in integers": request(FRAMES, "FP32"),
    "FP32 of 0-1": request(SHARES, "FP32"),
    "FP32 of 0-1 nested": nested(SHARES, "FP32"),
    "a file": files(base64.b64encode(FILE).decode()),
    "files": files(
        base64.b64encode(FILE).decode(),
        f"data:image/png;base64,{base64.b64encode(png(FRAME.T)).decode()}",
    ),
}


@table("body", IN_JSON)
def test_an_input_in_json(
    client: FlaskClient, expected: dict[str, NDArray[Any]], body: bytes
) -> None:
    response = infer(client, body)
    outputs = read(response)
    assert list(outputs) == ALL
    assert HEADER_LENGTH not in response.headers
    [one] = json.loads(body)["inputs"]
    assert_said(outputs, expected, 1 if one["shape"] in ([28, 28], [784], [1]) else 2)


BEHIND = {
    "UINT8": behind(FRAMES.tobytes(), "UINT8", [2, 28, 28]),
    "UINT8 of [N, 784]": behind(FRAMES.tobytes(), "UINT8", [2, 784]),
    "FP32 of 0-1": behind(SHARES.tobytes(), "FP32", [2, 1, 28, 28]),
    "FP32 of 0-255": behind(FRAMES.astype("<f4").tobytes(), "FP32", [2, 28, 28]),
    "files": behind(elements(FILE, png(FRAME.T)), "BYTES", [2], "image_bytes"),
}


@table("body, headers", BEHIND)
def test_an_input_behind_the_json(
    client: FlaskClient, expected: dict[str, NDArray[Any]], body: bytes, headers: dict[str, str]
) -> None:
    assert_said(read(infer(client, body, headers)), expected, 2)


@table(
    "body",
    {
        "UINT8": FRAME.tobytes(),
        "FP32 of 0-1": SHARES[0].tobytes(),
        "FP32 of 0-255": FRAME.astype("<f4").tobytes(),
        "a file": FILE,
    },
)
def test_a_body_that_is_nothing_but_an_image(
    client: FlaskClient, expected: dict[str, NDArray[Any]], body: bytes
) -> None:
    response = infer(client, body, {HEADER_LENGTH: "0"})
    outputs = read(response)
    assert list(outputs) == ALL
    assert HEADER_LENGTH in response.headers  # all outputs are binary
    assert_said(outputs, expected, 1)


@table(
    "coding, compress, expand",
    {
        "gzip": ("gzip", gzip.compress, gzip.decompress),
        "deflate": ("deflate", zlib.compress, zlib.decompress),
    },
)
def test_compression_wraps_the_whole_body(
    shipped: Artifact, coding: str, compress: Code, expand: Code
) -> None:
    client = create_app(Settings(), Classifier(shipped)).test_client()
    many = np.concatenate([FRAMES] * 20)  # an answer of 2 kB
    wish = {"binary_data_output": True}
    body, headers = behind(many.tobytes(), "UINT8", [40, 28, 28], parameters=wish)
    plain = infer(client, body, headers)
    headers |= {"Content-Encoding": coding, "Accept-Encoding": coding}
    packed = infer(client, compress(body), headers)
    assert packed.headers["Content-Encoding"] == coding
    assert packed.headers[HEADER_LENGTH] == plain.headers[HEADER_LENGTH]
    assert expand(packed.data) == plain.data


def test_the_answer_in_json_has_one_shape(client: FlaskClient, shipped: Artifact) -> None:
    response = infer(client, request(FRAME, "UINT8", id="a1"))
    [said] = Classifier(shipped).classify([FRAME])
    shares = pytest.approx(list(said.probabilities), abs=1e-6)
    assert response.get_json() == {
        "model_name": "digits",
        "model_version": str(shipped.version),
        "id": "a1",
        "outputs": [
            {"name": "digit", "datatype": "INT64", "shape": [1], "data": [said.digit]},
            {"name": "probabilities", "datatype": "FP32", "shape": [1, 10], "data": shares},
            {"name": "accepted", "datatype": "BOOL", "shape": [1], "data": [said.accepted]},
        ],
    }


@table(
    "fields, names, binary",
    {
        "none named": ({}, ALL, []),
        "an empty list": ({"outputs": []}, ALL, []),
        "null": ({"outputs": None}, ALL, []),
        "one": ({"outputs": [{"name": "digit"}]}, ["digit"], []),
        "in another order": (
            {"outputs": [{"name": "accepted"}, {"name": "probabilities"}, {"name": "digit"}]},
            ["accepted", "probabilities", "digit"],
            [],
        ),
        "one behind the JSON": (
            {"outputs": [{"name": "digit", "parameters": {"binary_data": True}}]},
            ["digit"],
            ["digit"],
        ),
        "some behind the JSON": (
            {
                "outputs": [
                    {"name": "accepted", "parameters": {"binary_data": True}},
                    {"name": "digit"},
                    {"name": "probabilities", "parameters": {"binary_data": True}},
                ]
            },
            ["accepted", "digit", "probabilities"],
            ["accepted", "probabilities"],
        ),
        "all behind the JSON": ({"parameters": {"binary_data_output": True}}, ALL, ALL),
        "all of those named": (
            {"parameters": {"binary_data_output": True}, "outputs": [{"name": "accepted"}]},
            ["accepted"],
            ["accepted"],
        ),
        "all but one": (
            {
                "parameters": {"binary_data_output": True},
                "outputs": [
                    {"name": "digit", "parameters": {"binary_data": False}},
                    {"name": "probabilities"},
                ],
            },
            ["digit", "probabilities"],
            ["probabilities"],
        ),
    },
)
def test_outputs_are_where_they_are_wanted(
    client: FlaskClient,
    expected: dict[str, NDArray[Any]],
    fields: dict[str, Any],
    names: list[str],
    binary: list[str],
) -> None:
    response = infer(client, request(FRAMES, "UINT8", **fields))
    outputs = read(response)
    assert list(outputs) == names
    assert_said(outputs, expected, 2)
    head = json.loads(response.data[: int(response.headers.get(HEADER_LENGTH, 10**6))])
    assert [output["name"] for output in head["outputs"] if "data" not in output] == binary


def test_outputs_are_the_same_to_the_last_bit_in_json_and_behind_it(client: FlaskClient) -> None:
    asked = {"parameters": {"binary_data_output": True}}
    in_json = read(infer(client, request(FRAMES, "UINT8")))
    binary = read(infer(client, request(FRAMES, "UINT8", **asked)))
    for name in ALL:
        np.testing.assert_array_equal(in_json[name], binary[name])


@pytest.mark.parametrize("binary", [False, True], ids=["in the JSON", "behind it"])
@pytest.mark.parametrize("count", [1, 3, 10])
def test_probabilities_as_classes(
    client: FlaskClient, expected: dict[str, NDArray[Any]], count: int, *, binary: bool
) -> None:
    wanted = {
        "name": "probabilities",
        "parameters": {"classification": count, "binary_data": binary},
    }
    response = infer(client, request(FRAMES, "UINT8", outputs=[wanted, {"name": "digit"}]))
    head = json.loads(response.data[: int(response.headers.get(HEADER_LENGTH, 10**6))])
    described = {key: head["outputs"][0][key] for key in ("datatype", "shape")}
    assert described == {"datatype": "BYTES", "shape": [2, count]}
    elements = [element.decode().split(":") for element in read(response)["probabilities"]]
    for row, image in enumerate(np.split(np.array(elements), 2)):
        shares = expected["probabilities"][row]
        likeliest = np.argsort(-shares, stable=True)[:count]
        assert image[:, 1].tolist() == list(map(str, likeliest))
        assert image[:, 2].tolist() == list(map(str, likeliest))  # a digit is its own label
        np.testing.assert_allclose(image[:, 0].astype(float), shares[likeliest], atol=2e-6)


@table(
    "fields, echoed",
    {
        "an id": ({"id": "a1"}, "a1"),
        "an empty id": ({"id": ""}, ""),
        "an id of null": ({"id": None}, None),
        "no id": ({}, None),
        "unknown parameters": ({"parameters": {"priority": 7, "timeout": "soon"}}, None),
        "parameters of null": ({"parameters": None}, None),
        "unknown fields": ({"model_name": "others", "x": [{}]}, None),
        "unknown parameters of an output": (
            {"outputs": [{"name": "digit", "parameters": {"color": "red"}, "x": 1}]},
            None,
        ),
    },
)
def test_what_is_not_known_is_ignored_and_the_id_comes_back(
    client: FlaskClient, fields: dict[str, Any], echoed: str | None
) -> None:
    answer = infer(client, request(FRAME, "UINT8", **fields)).get_json()
    assert answer.get("id") == echoed
    assert ("id" in answer) is (echoed is not None)


def test_a_version_may_be_named(client: FlaskClient, shipped: Artifact) -> None:
    path = f"/v2/models/digits/versions/{shipped.version}/infer"
    named = client.post(path, data=request(FRAME, "UINT8"))
    assert named.status_code == 200
    assert named.get_json() == infer(client, request(FRAME, "UINT8")).get_json()


@table(
    "headers",
    {
        "nothing said": {},
        "a form, as curl says": {"Content-Type": "application/x-www-form-urlencoded"},
        "octets": {"Content-Type": "application/octet-stream"},
        "a picture": {"Content-Type": "image/png"},
        "another answer": {"Accept": "text/html"},
    },
)
def test_no_type_is_asked_for(client: FlaskClient, headers: dict[str, str]) -> None:
    assert infer(client, request(FRAME, "UINT8"), headers).content_type == "application/json"


def test_the_server_tells_its_extensions(client: FlaskClient) -> None:
    assert client.get("/v2").get_json() == {
        "name": "digits",
        "version": __version__,
        "extensions": ["binary_tensor_data", "classification", "model_repository", "statistics"],
    }


def test_the_version_of_the_server_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["version"] == __version__


@pytest.mark.parametrize("path", ["/v2/models/digits", "/v2/models/digits/versions/{version}"])
def test_the_model_tells_its_tensors(client: FlaskClient, shipped: Artifact, path: str) -> None:
    assert client.get(path.format(version=shipped.version)).get_json() == {
        "name": "digits",
        "versions": [str(shipped.version)],
        "platform": "numpy_npz",
        "inputs": [
            {"name": "image", "datatype": "UINT8", "shape": [-1, 28, 28]},
            {"name": "image_bytes", "datatype": "BYTES", "shape": [-1]},
        ],
        "outputs": [
            {"name": "digit", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]},
            {"name": "accepted", "datatype": "BOOL", "shape": [-1]},
        ],
    }


@table(
    "path, said, status_when_draining",
    {
        "live": ("/v2/health/live", {"live": True}, 200),
        "ready": ("/v2/health/ready", {"ready": True}, 503),
        "the model": ("/v2/models/digits/ready", {"name": "digits", "ready": True}, 503),
        "its version": (
            "/v2/models/digits/versions/{version}/ready",
            {"name": "digits", "ready": True},
            503,
        ),
    },
)
def test_health(
    app: Flask, shipped: Artifact, path: str, said: dict[str, object], status_when_draining: int
) -> None:
    client, path = app.test_client(), path.format(version=shipped.version)
    assert (client.get(path).status_code, client.get(path).get_json()) == (200, said)
    app.extensions["health"].draining = True
    draining = client.get(path)
    assert draining.status_code == status_when_draining
    ready = {"ready": False} if "ready" in said else {}
    assert draining.get_json() == said | ready


@table(
    "body, draining, states",
    {
        "nothing": (b"", False, ["READY"]),
        "an empty object": (b"{}", False, ["READY"]),
        "what is ready": (b'{"ready": true}', False, ["READY"]),
        "all": (b'{"ready": false}', False, ["READY"]),
        "unknown fields": (b'{"repository_name": "x"}', False, ["READY"]),
        "all while it drains": (b"", True, ["UNAVAILABLE"]),
        "what is ready while it drains": (b'{"ready": true}', True, []),
    },
)
def test_the_index_of_the_repository(
    app: Flask, shipped: Artifact, body: bytes, states: list[str], *, draining: bool
) -> None:
    app.extensions["health"].draining = draining
    reason = "the service is stopping" if draining else ""
    said = app.test_client().post("/v2/repository/index", data=body)
    assert said.status_code == 200
    assert said.get_json() == [
        {"name": "digits", "version": str(shipped.version), "state": state, "reason": reason}
        for state in states
    ]


@pytest.fixture
def administrator(shipped: Artifact) -> FlaskClient:
    """The protocol as an administrator sees it, errors as they are raised."""
    app = Flask(__name__)
    app.testing = True
    classifier = Classifier(shipped)
    metrics = Metrics()
    models = Models(SETTINGS, metrics, classifier)
    limits, health = Limits.of(SETTINGS), Health(models)
    app.register_blueprint(v2.blueprint(models, metrics, limits, health, lambda: True))
    return app.test_client()


@pytest.mark.parametrize("body", [b"", b'{"parameters": {}}'])
def test_an_administrator_may_load_what_is_loaded(administrator: FlaskClient, body: bytes) -> None:
    answer = administrator.post("/v2/repository/models/digits/load", data=body)
    assert (answer.status_code, answer.get_json()) == (200, {})


def test_not_even_an_administrator_unloads_the_only_model(administrator: FlaskClient) -> None:
    with pytest.raises(OnlyModel, match="stop the service instead"):
        administrator.post("/v2/repository/models/digits/unload")


@pytest.mark.parametrize("action", ["load", "unload"])
def test_there_is_one_model_to_an_administrator_too(
    administrator: FlaskClient, action: str
) -> None:
    with pytest.raises(UnknownModel):
        administrator.post(f"/v2/repository/models/others/{action}")


def statistics(client: FlaskClient, path: str = "/v2/models/digits/stats") -> dict[str, Any]:
    [entry] = client.get(path).get_json()["model_stats"]
    return dict(entry)


def test_statistics_before_anything_was_asked(client: FlaskClient, shipped: Artifact) -> None:
    never = {"count": 0, "ns": 0}
    parts = ["success", "fail", "queue", "compute_input", "compute_infer", "compute_output"]
    assert statistics(client) == {
        "name": "digits",
        "version": str(shipped.version),
        "last_inference": 0,
        "inference_count": 0,
        "execution_count": 0,
        "inference_stats": dict.fromkeys([*parts, "cache_hit", "cache_miss"], never),
        "batch_stats": [],
    }


def test_statistics_count_requests_and_images_of_every_dialect(
    client: FlaskClient, shipped: Artifact
) -> None:
    began = time.time()
    infer(client, request(FRAMES, "UINT8"))
    infer(client, FILE, {HEADER_LENGTH: "0"})
    client.post("/predict", data=pixels_json(FRAME.tolist()), headers=JSON)
    client.post(INFER, data=b"{}")
    client.post("/predict", data=FILE[:60], headers=PNG)
    client.post("/v2/models/others/infer", data=b"{}")  # of another model
    said = statistics(client)
    spent = said["inference_stats"]
    assert (said["execution_count"], said["inference_count"]) == (3, 4)
    assert began * 1000 - 1 <= said["last_inference"] <= time.time() * 1000 + 1
    stages = [spent[f"compute_{name}"] for name in ("input", "infer", "output")]
    assert [spent["success"]["count"], *(stage["count"] for stage in stages)] == [3, 3, 3, 3]
    assert min(stage["ns"] for stage in stages) > 0
    assert spent["success"]["ns"] == pytest.approx(sum(stage["ns"] for stage in stages), abs=3)
    assert spent["fail"]["count"] == 2
    assert 0 < spent["fail"]["ns"] < 1e9 * (time.time() - began)
    for path in ("/v2/models/stats", f"/v2/models/digits/versions/{shipped.version}/stats"):
        assert statistics(client, path) == said
