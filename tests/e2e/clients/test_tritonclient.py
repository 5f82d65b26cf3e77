"""Triton's own client, over real sockets, as its users call it."""

import base64
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from model import Classifier, locate
from service.server import WRITE_SECONDS
from tests.helpers import table
from tests.server import Server
from tests.service.cases import png
from tests.service.encodings import DIGITS, ENCODINGS, draw

MODEL = "digits"
HEADER_LENGTH = "Inference-Header-Content-Length"

CLASSIFIER = Classifier.load(locate())
VERSION = str(CLASSIFIER.artifact.version)
OLDER = "1"  # of the shipped versions

FRAMES = CLASSIFIER.artifact.golden_images[:8]  # (8, 28, 28) uint8
FILES = [ENCODINGS["rgb png"](draw(strokes)).body for strokes in DIGITS.values()]

COMPRESSIONS = {"as it is": None, "gzip": "gzip", "deflate": "deflate"}


@pytest.fixture
def client(server: Server) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=4) as client:
        yield client


def images(
    array: NDArray[Any], datatype: str = "UINT8", *, binary: bool = True
) -> list[InferInput]:
    tensor = InferInput("image", list(array.shape), datatype)
    return [tensor.set_data_from_numpy(array, binary_data=binary)]


def files(*contents: bytes, binary: bool = True) -> list[InferInput]:
    tensor = InferInput("image_bytes", [len(contents)], "BYTES")
    return [tensor.set_data_from_numpy(np.array(contents, np.object_), binary_data=binary)]


def wanted(*, binary: dict[str, bool]) -> list[InferRequestedOutput]:
    return [InferRequestedOutput(name, binary_data=there) for name, there in binary.items()]


def assert_said(result: InferResult, expected: NDArray[np.uint8] = FRAMES) -> None:
    """The result is what the model says of these images, in shape, type and value."""
    said = CLASSIFIER.classify(expected)
    digits, shares = result.as_numpy("digit"), result.as_numpy("probabilities")
    accepted = result.as_numpy("accepted")
    assert (digits.dtype, shares.dtype, accepted.dtype) == (np.int64, np.float32, np.bool_)
    assert digits.tolist() == [one.digit for one in said]
    assert accepted.tolist() == [one.accepted for one in said]
    np.testing.assert_allclose(shares, [one.probabilities for one in said], atol=1e-6)


SHARES = (FRAMES / 255).astype(np.float32)


@table(
    "array, datatype",
    {
        "UINT8": (FRAMES, "UINT8"),
        "UINT8 of [N, 784]": (FRAMES.reshape(-1, 784), "UINT8"),
        "FP32 of 0-1": (SHARES, "FP32"),
        "FP32 of [N, 1, 28, 28]": (SHARES.reshape(-1, 1, 28, 28), "FP32"),
        "FP32 of 0-255": (FRAMES.astype(np.float32), "FP32"),
    },
)
@table("sent_binary", {"sent in JSON": False, "sent in bytes": True})
@table(
    "outputs",
    {
        "all in bytes, unasked": None,
        "all in JSON": dict.fromkeys(["digit", "probabilities", "accepted"], False),
        "some in bytes": {"accepted": True, "probabilities": False, "digit": True},
    },
)
def test_images(
    client: InferenceServerClient,
    array: NDArray[Any],
    datatype: str,
    outputs: dict[str, bool] | None,
    *,
    sent_binary: bool,
) -> None:
    result = client.infer(
        MODEL,
        images(array, datatype, binary=sent_binary),
        outputs=None if outputs is None else wanted(binary=outputs),
        request_id="a1",
    )
    assert_said(result)
    response = result.get_response()
    assert (response["model_name"], response["model_version"]) == (MODEL, VERSION)
    assert response["id"] == "a1"
    if outputs is not None:
        assert [output["name"] for output in response["outputs"]] == list(outputs)


def test_a_batch_of_files_in_bytes(client: InferenceServerClient) -> None:
    result = client.infer(MODEL, files(*FILES))
    assert result.as_numpy("digit").tolist() == list(DIGITS)
    assert result.as_numpy("accepted").all()


def test_a_batch_of_files_in_json(client: InferenceServerClient) -> None:
    texts = [base64.b64encode(file) for file in FILES]
    result = client.infer(
        MODEL, files(*texts, binary=False), outputs=wanted(binary={"digit": False})
    )
    assert result.as_numpy("digit").tolist() == list(DIGITS)


@table(
    "body, expected",
    {
        "UINT8": (FRAMES[0].tobytes(), FRAMES[:1]),
        "FP32": (SHARES[0].tobytes(), FRAMES[:1]),
        "a file": (png(FRAMES[0]), FRAMES[:1]),
    },
)
def test_a_body_that_is_nothing_but_an_image(
    server: Server, body: bytes, expected: NDArray[np.uint8]
) -> None:
    """The client cannot ask like this, but reads the answer."""
    with server.client() as http:
        answer = http.request("POST", f"/v2/models/{MODEL}/infer", body, {HEADER_LENGTH: "0"})
    assert answer.status == 200
    length = int(answer.headers[HEADER_LENGTH])
    read = InferenceServerClient.parse_response_body(answer.body, header_length=length)
    assert_said(read, expected)


def test_a_body_that_another_sends(server: Server) -> None:
    body, length = InferenceServerClient.generate_request_body(images(FRAMES))
    with server.client() as http:
        headers = {HEADER_LENGTH: str(length), "Content-Type": "application/octet-stream"}
        answer = http.request("POST", f"/v2/models/{MODEL}/infer", body, headers)
    length = int(answer.headers[HEADER_LENGTH])
    assert_said(InferenceServerClient.parse_response_body(answer.body, header_length=length))


@table("request_coding", COMPRESSIONS)
@table("response_coding", COMPRESSIONS)
@table("binary", {"in JSON": False, "in bytes": True})
def test_compression(
    client: InferenceServerClient,
    request_coding: str | None,
    response_coding: str | None,
    *,
    binary: bool,
) -> None:
    many = np.concatenate([FRAMES] * 5)  # an answer that is large enough to be compressed
    names = ["digit", "probabilities", "accepted"]
    result = client.infer(
        MODEL,
        images(many, binary=binary),
        outputs=wanted(binary=dict.fromkeys(names, binary)),
        request_compression_algorithm=request_coding,
        response_compression_algorithm=response_coding,
    )
    assert_said(result, many)


@table("binary", {"in JSON": False, "in bytes": True})
def test_classification(client: InferenceServerClient, *, binary: bool) -> None:
    best = InferRequestedOutput("probabilities", binary_data=binary, class_count=3)
    result = client.infer(MODEL, images(FRAMES), outputs=[best])
    classes = result.as_numpy("probabilities")
    assert classes.shape == (len(FRAMES), 3)
    for row, said in zip(classes, CLASSIFIER.classify(FRAMES), strict=True):
        texts = [one.decode() if isinstance(one, bytes) else one for one in row]
        value, index, label = texts[0].split(":")
        assert (int(index), int(label)) == (said.digit, said.digit)
        assert float(value) == pytest.approx(said.confidence, abs=2e-6)


def test_metadata(client: InferenceServerClient) -> None:
    server = client.get_server_metadata()
    assert server["name"] == MODEL
    assert {"binary_tensor_data", "classification", "statistics"} <= set(server["extensions"])
    for version in ("", VERSION):
        model = client.get_model_metadata(MODEL, version)
        assert model["versions"] == [VERSION, OLDER]
        described = [
            (one["name"], one["datatype"], one["shape"])
            for one in model["inputs"] + model["outputs"]
        ]
        assert described == [
            ("image", "UINT8", [-1, 28, 28]),
            ("image_bytes", "BYTES", [-1]),
            ("digit", "INT64", [-1]),
            ("probabilities", "FP32", [-1, 10]),
            ("accepted", "BOOL", [-1]),
        ]


def test_health(client: InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, VERSION)
    assert not client.is_model_ready("others")
    assert not client.is_model_ready(MODEL, "9999")


def test_statistics_are_of_all_workers(client: InferenceServerClient, server: Server) -> None:
    def statistics() -> dict[str, Any]:
        [entry] = client.get_inference_statistics(MODEL, VERSION)["model_stats"]
        return dict(entry)

    def settled() -> dict[str, Any]:
        """When each worker has written what it has counted (``service/server.py``)."""
        time.sleep(20 * WRITE_SECONDS)
        return statistics()

    before = settled()
    for _ in range(20):  # a connection each, so that both workers get some
        with InferenceServerClient(f"127.0.0.1:{server.port}") as other:
            other.infer(MODEL, images(FRAMES))
    with pytest.raises(InferenceServerException):
        client.infer(MODEL, images(FRAMES[:, :, 1:]))
    settled()
    for _ in range(5):
        after = statistics()
        assert after["execution_count"] - before["execution_count"] == 20
        assert after["inference_count"] - before["inference_count"] == 20 * len(FRAMES)
        counts = [one["inference_stats"]["fail"]["count"] for one in (before, after)]
        assert counts[1] - counts[0] == 1
    assert client.get_inference_statistics()["model_stats"] == [after]


def test_repository(client: InferenceServerClient) -> None:
    served, older = client.get_model_repository_index()
    assert served == {"name": MODEL, "version": VERSION, "state": "READY", "reason": ""}
    assert (older["name"], older["version"]) == (MODEL, OLDER)
    for refused in (client.load_model, client.unload_model):
        with pytest.raises(InferenceServerException, match="only an administrator") as refusal:
            refused(MODEL)
        assert refusal.value.status() == "403"


def test_an_older_version_answers_who_names_it(client: InferenceServerClient) -> None:
    assert client.is_model_ready(MODEL, OLDER)
    result = client.infer(MODEL, images(FRAMES), OLDER)
    assert result.get_response()["model_version"] == OLDER


def test_many_at_once(client: InferenceServerClient) -> None:
    asked = [
        client.async_infer(MODEL, images(FRAMES[index % 8][np.newaxis]), request_id=f"r{index}")
        for index in range(40)
    ]
    for index, one in enumerate(asked):
        result = one.get_result()
        assert result.get_response()["id"] == f"r{index}"
        assert_said(result, FRAMES[index % 8][np.newaxis])


BROKEN = files(FILES[0], FILES[1][:60])
ONE = images(FRAMES)


@table(
    "inputs, asked, status, text",
    {
        "a file that breaks off": (BROKEN, {}, "400", "inputs[0].data[1] is not a whole"),
        "FP16": (images(FRAMES.astype(np.float16), "FP16"), {}, "400", "send UINT8 or FP32"),
        "another shape": (images(FRAMES[:, 1:]), {}, "400", "has the shape (8, 27, 28)"),
        "too many": (images(np.zeros((65, 784), np.uint8)), {}, "413", "send at most 64"),
        "another model": (ONE, {"model_name": "others"}, "404", "ask for digits"),
        "another version": (ONE, {"model_version": "9999"}, "404", "there is no such version"),
        "two inputs": ([*ONE, *files(*FILES)], {}, "400", "send one of image and"),
        "another output": (
            ONE,
            {"outputs": [InferRequestedOutput("logits")]},
            "400",
            "outputs[0].name is not known",
        ),
        "classes of digits": (
            ONE,
            {"outputs": [InferRequestedOutput("digit", class_count=1)]},
            "400",
            "outputs[0].parameters.classification",
        ),
    },
)
def test_errors_arrive_in_our_words(
    client: InferenceServerClient,
    inputs: list[InferInput],
    asked: dict[str, Any],
    status: str,
    text: str,
) -> None:
    with pytest.raises(InferenceServerException) as refusal:
        client.infer(**({"model_name": MODEL, "inputs": inputs} | asked))
    assert refusal.value.status() == status
    assert text in refusal.value.message()
