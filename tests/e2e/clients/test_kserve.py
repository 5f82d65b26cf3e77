"""KServe's own client, over real sockets, in both of its protocols."""

import asyncio
import base64
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import pytest
from kserve import InferenceRESTClient, InferInput, InferRequest, InferResponse, RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from numpy.typing import NDArray

from model import Classifier, locate
from tests.helpers import table
from tests.server import Server, running
from tests.service.cases import png
from tests.service.cases_v1 import b64

MODEL = "digits"
PROTOCOLS = {"v1": "v1", "v2": "v2"}

CLASSIFIER = Classifier.load(locate())

FRAMES = CLASSIFIER.artifact.golden_images[:8]  # (8, 28, 28) uint8
SAID = CLASSIFIER.classify(FRAMES)
DIGITS = [one.digit for one in SAID]
SHARES = [one.probabilities for one in SAID]

Answer = TypeVar("Answer")


def ask(
    server: Server, protocol: str, action: Callable[[InferenceRESTClient, str], Awaitable[Answer]]
) -> Answer:
    """What comes of an action with a client and the server's address."""

    async def connected() -> Answer:
        client = InferenceRESTClient(RESTConfig(protocol=protocol))
        try:
            return await action(client, f"http://127.0.0.1:{server.port}")
        finally:
            await client.close()

    return asyncio.run(connected())


def is_ready(server: Server, protocol: str, model: str = MODEL) -> bool:
    ready: bool = ask(server, protocol, lambda client, url: client.is_model_ready(url, model))
    return ready


def predict(server: Server, document: dict[str, Any], model: str = MODEL) -> dict[str, Any]:
    answer: dict[str, Any] = ask(
        server, "v1", lambda client, url: client.infer(url, document, model)
    )
    return answer


def explain(server: Server, document: dict[str, Any], model: str = MODEL) -> dict[str, Any]:
    answer: dict[str, Any] = ask(
        server, "v1", lambda client, url: client.explain(url, model, document)
    )
    return answer


def infer(server: Server, *inputs: InferInput, **options: object) -> tuple[InferResponse, bool]:
    """The answer, and whether tensors came as bytes, which the client does not tell."""
    request = InferRequest(MODEL, [*inputs], **options)
    headers: dict[str, str] = {}
    answer = ask(
        server,
        "v2",
        lambda client, url: client.infer(url, request, MODEL, response_headers=headers),
    )
    return answer, "inference-header-content-length" in headers


def tensor(name: str, datatype: str, values: NDArray[Any], *, binary: bool = True) -> InferInput:
    found = InferInput(name, list(values.shape), datatype)
    found.set_data_from_numpy(values, binary_data=binary)
    return found


def refused(action: Callable[[], object]) -> httpx.HTTPStatusError:
    with pytest.raises(httpx.HTTPStatusError) as refusal:
        action()
    return refusal.value


def assert_alike(digits: object, shares: object) -> None:
    assert digits == DIGITS
    np.testing.assert_allclose(np.asarray(shares), SHARES, rtol=0, atol=1e-6)


@table("protocol", PROTOCOLS)
def test_the_server_lives_and_the_model_is_ready(server: Server, protocol: str) -> None:
    assert ask(server, protocol, lambda client, url: client.is_server_live(url)) is True
    assert is_ready(server, protocol)


def test_the_server_is_ready(server: Server) -> None:
    assert ask(server, "v2", lambda client, url: client.is_server_ready(url)) is True


@table("protocol", PROTOCOLS)
def test_a_model_of_a_server_that_stops_is_not_ready(tmp_path: Path, protocol: str) -> None:
    async def stop(client: InferenceRESTClient, url: str) -> None:
        assert await client.is_model_ready(url, MODEL)
        server.process.send_signal(signal.SIGTERM)
        while await client.is_model_ready(url, MODEL):
            pass

    with running(tmp_path / "log", workers=1) as server:
        ask(server, protocol, stop)


@table(
    "instances",
    {
        "rows": FRAMES.tolist(),
        "numbers": FRAMES.reshape(-1, 784).tolist(),
        "channels": FRAMES[..., np.newaxis].tolist(),
        "files": [b64(png(frame)) for frame in FRAMES],
        "named files": [{"image_bytes": b64(png(frame))} for frame in FRAMES],
    },
)
def test_v1_predicts(server: Server, instances: list[object]) -> None:
    entries = predict(server, {"instances": instances})["predictions"]
    assert_alike(
        [entry["digit"] for entry in entries], [entry["probabilities"] for entry in entries]
    )
    outputs = predict(server, {"inputs": instances})["outputs"]
    assert_alike(outputs["digit"], outputs["probabilities"])


def test_v1_explains(server: Server) -> None:
    (explanation,) = explain(server, {"instances": [FRAMES[0].tolist()]})["explanations"]
    assert explanation["digit"] == DIGITS[0]
    assert explanation["frame"] == FRAMES[0].tolist()
    why = CLASSIFIER.explain(FRAMES[0])
    np.testing.assert_allclose(explanation["importance"], why.importance, atol=6e-4)


@table(
    "document, words",
    {
        "a short instance": ({"instances": [[0] * 783]}, "instances[0] has 783 numbers"),
        "nothing": ({}, "there is nothing to read"),
        "a broken file": ({"instances": [b64(b"GIF89a")]}, "instances[0].b64 is not a whole GIF"),
    },
)
def test_v1_tells_what_is_wrong(server: Server, document: dict[str, Any], words: str) -> None:
    for action in (predict, explain):
        refusal = refused(partial(action, server, document))
        assert refusal.response.status_code == 400
        assert words in str(refusal)


@table(
    "sent",
    {
        "UINT8": tensor("image", "UINT8", FRAMES),
        "UINT8 in JSON": tensor("image", "UINT8", FRAMES, binary=False),
        "FP32": tensor("image", "FP32", (FRAMES / 255).astype(np.float32)),
        "FP32 in JSON": tensor("image", "FP32", FRAMES.astype(np.float32), binary=False),
        "files": tensor("image_bytes", "BYTES", np.array([png(f) for f in FRAMES], np.object_)),
        "files in JSON": tensor(
            "image_bytes",
            "BYTES",
            np.array([base64.b64encode(png(frame)) for frame in FRAMES], np.object_),
            binary=False,
        ),
        "a list": InferInput("image", [8, 28, 28], "UINT8", data=FRAMES.tolist()),
    },
)
@pytest.mark.parametrize("binary", [True, False])
def test_v2_infers(server: Server, sent: InferInput, *, binary: bool) -> None:
    answer, came_binary = infer(
        server, sent, request_id="a1", parameters={"binary_data_output": binary}
    )
    assert (answer.id, answer.model_name, came_binary) == ("a1", MODEL, binary)
    outputs = {output.name: output for output in answer.outputs}
    found = {name: (output.datatype, output.shape) for name, output in outputs.items()}
    assert found == {
        "digit": ("INT64", [8]),
        "probabilities": ("FP32", [8, 10]),
        "accepted": ("BOOL", [8]),
    }
    assert_alike(outputs["digit"].as_numpy().tolist(), outputs["probabilities"].as_numpy())
    assert outputs["accepted"].as_numpy().tolist() == [one.accepted for one in SAID]


def test_v2_answers_what_is_asked_for(server: Server) -> None:
    wanted = [
        RequestedOutput("probabilities", {"binary_data": True}),
        RequestedOutput("digit", {"binary_data": False}),
    ]
    answer, came_binary = infer(server, tensor("image", "UINT8", FRAMES), request_outputs=wanted)
    assert came_binary
    assert [output.name for output in answer.outputs] == ["probabilities", "digit"]
    shares, digits = answer.outputs
    assert_alike(digits.as_numpy().tolist(), shares.as_numpy())


@table(
    "sent, words",
    {
        "a narrow image": (tensor("image", "UINT8", FRAMES[:, :, 1:]), "inputs[0]"),
        "an unknown input": (tensor("picture", "UINT8", FRAMES), "inputs[0].name"),
        "a NaN": (tensor("image", "FP32", np.full((1, 784), np.nan, np.float32)), "NaN"),
    },
)
def test_v2_tells_what_is_wrong(server: Server, sent: InferInput, words: str) -> None:
    refusal = refused(partial(infer, server, sent))
    assert refusal.response.status_code == 400
    assert words in str(refusal)


def test_another_model_is_not_here(server: Server) -> None:
    for action in (
        partial(predict, server, {}, "letters"),
        partial(explain, server, {}, "letters"),
        partial(is_ready, server, "v1", "letters"),
    ):
        refusal = refused(action)
        assert refusal.response.status_code == 404
        assert "there is no model of this name; ask for digits" in str(refusal)
    assert not is_ready(server, "v2", "letters")
