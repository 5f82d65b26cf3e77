"""What is exported as ONNX is computed again by ONNX Runtime, and comes out the same."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from model import artifact as artifacts
from model import export, locate
from model.architecture import LAYER_TYPES, Architecture, mlp
from model.artifact import Artifact
from model.confidence import Confidence
from model.network import Network, scale_pixels
from tests.helpers import assert_one_line_error, run_module, run_python, synthetic_mnist, table

FRAMES = synthetic_mnist(train=64, test=10).train.images
BATCHES = (0, 1, 3, 64)

RELATIVE = 1e-5  # of the largest logit: two orders of summation in float32

NO_ONNX = """
import sys
sys.modules["onnx"] = None  # what Python does for a package that is not there
from model.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def architecture(*layers: tuple[str, dict[str, object]] | str) -> Architecture:
    pairs = ((layer, {}) if isinstance(layer, str) else layer for layer in layers)
    return Architecture.from_outline([{"type": kind, **fields} for kind, fields in pairs])


def dense(outputs: int) -> tuple[str, dict[str, object]]:
    return ("dense", {"outputs": outputs})


def conv2d(outputs: int, kernel: int, **fields: object) -> tuple[str, dict[str, object]]:
    return ("conv2d", {"outputs": outputs, "kernel": kernel, **fields})


ARCHITECTURES = {
    "multilayer perceptron": mlp(784, 32, 16, 10),
    "rows, normalized": architecture(
        ("leaky_relu", {"slope": 0.5}),
        dense(24),
        ("batch_norm", {"epsilon": 1}),
        "sigmoid",
        dense(24),
        "tanh",
        dense(24),
        "gelu",
        ("dropout", {"rate": 0.5}),
        dense(10),
    ),
    "convolutions, one of them without a bias": architecture(
        conv2d(3, 5, stride=2, padding=2),
        ("batch_norm", {"epsilon": 0.01}),
        ("leaky_relu", {"slope": 1}),
        conv2d(4, 2, biased=False),
        "relu",
        ("max_pool2d", {"size": 3, "stride": 2}),
        "gelu",
        "flatten",
        ("dropout", {"rate": 0.5}),
        dense(10),
    ),
    "depthwise convolutions, with and without a bias": architecture(
        conv2d(6, 3, stride=3),
        ("depthwise_conv2d", {"kernel": 3, "stride": 2, "padding": 1}),
        "sigmoid",
        ("depthwise_conv2d", {"kernel": 2, "biased": False}),
        ("average_pool2d", {"size": 2, "stride": 1}),
        "flatten",
        dense(10),
    ),
    "windows that leave a row over": architecture(
        ("average_pool2d", {"size": 2, "stride": 3}),
        conv2d(5, 2),
        ("max_pool2d", {"size": 2, "stride": 3}),
        "global_average_pool",
        dense(10),
    ),
    "a mean of each channel at the end": architecture(
        "tanh", conv2d(10, 4, stride=4), "global_average_pool", ("dropout", {"rate": 0.1})
    ),
    "images laid flat at once": architecture("flatten", dense(10)),
}


def drawn(architecture: Architecture) -> Network:
    """Random parameters of both signs, but for variances, that keep numbers of the order of 1."""
    rng = np.random.default_rng(0)
    parameters = {}
    for name, shape in architecture.parameter_shapes().items():
        low = 0.1 if name.endswith(".variance") else -1
        fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
        scale = 3 / np.sqrt(fan_in) if name.endswith(".weight") else 1
        parameters[name] = (scale * rng.uniform(low, 1, shape)).astype(np.float32)
    return Network(architecture, parameters)


def artifact_of(network: Network, like: Artifact) -> Artifact:
    return dataclasses.replace(
        like,
        architecture=network.architecture,
        parameters=network.parameters,
        golden_logits=network.logits(scale_pixels(like.golden_images)),
        confidence=Confidence(temperature=2.5),
    )


def session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def computed(model: bytes, frames: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    outputs: list[NDArray[np.float32]] = session(model).run(
        ["logits", "probabilities"], {"images": frames}
    )
    return outputs


def assert_agreement(artifact: Artifact, frames: NDArray[np.uint8]) -> None:
    model = export.convert(artifact).SerializeToString()
    for batch in BATCHES:
        logits, probabilities = computed(model, frames[:batch])
        expected = artifact.network.logits(scale_pixels(frames[:batch]))
        assert logits.shape == probabilities.shape == (batch, 10)
        assert logits.dtype == probabilities.dtype == np.float32
        tolerance = RELATIVE * np.abs(expected).max(initial=0)
        np.testing.assert_allclose(logits, expected, rtol=0, atol=tolerance)
        calibrated = artifact.confidence.probabilities(expected)
        np.testing.assert_allclose(probabilities, calibrated, rtol=0, atol=1e-5)


@table("architecture", ARCHITECTURES)
def test_onnxruntime_gives_the_networks_logits_and_probabilities(
    architecture: Architecture, tiny_artifact: Artifact
) -> None:
    assert_agreement(artifact_of(drawn(architecture), tiny_artifact), FRAMES)


def test_the_architectures_are_of_every_layer_that_there_is() -> None:
    layers = {type(layer) for case in ARCHITECTURES.values() for layer in case.layers}
    assert layers == set(LAYER_TYPES.values())


def test_the_networks_tell_these_frames_apart() -> None:
    for case in ARCHITECTURES.values():
        logits = drawn(case).logits(scale_pixels(FRAMES))
        assert np.ptp(logits, axis=0).max() > 0.1, case


def test_the_shipped_model_is_exported_as_it_is() -> None:
    artifact = artifacts.read(locate())
    assert_agreement(artifact, FRAMES)
    logits, _ = computed(export.convert(artifact).SerializeToString(), artifact.golden_images)
    tolerance = RELATIVE * np.abs(artifact.golden_logits).max()
    np.testing.assert_allclose(logits, artifact.golden_logits, rtol=0, atol=tolerance)


# -- what a file says of itself ---------------------------------------------


def test_a_file_says_which_model_it_is(tiny_artifact: Artifact) -> None:
    artifact = dataclasses.replace(tiny_artifact, version=3, confidence=Confidence(1.25))
    model = export.convert(artifact)
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "name": "digits",
        "version": "3",
        "digest": artifact.digest(),
        "temperature": "1.25",
        "thresholds": json.dumps(dataclasses.asdict(artifact.confidence.thresholds)),
        "normalizer_version": str(artifact.normalizer_version),
        "labels": "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]",
    }
    assert model.model_version == 3
    assert "images: uint8 (N, 28, 28)" in model.doc_string


def test_inputs_and_outputs_have_names_types_and_a_free_batch(tiny_artifact: Artifact) -> None:
    def described(values: Any) -> list[tuple[str, str, list[object]]]:  # noqa: ANN401 - a list of what onnxruntime calls NodeArg
        return [(value.name, value.type, value.shape) for value in values]

    running = session(export.convert(tiny_artifact).SerializeToString())
    assert described(running.get_inputs()) == [("images", "tensor(uint8)", ["N", 28, 28])]
    assert described(running.get_outputs()) == [
        ("logits", "tensor(float)", ["N", 10]),
        ("probabilities", "tensor(float)", ["N", 10]),
    ]


def test_old_runtimes_can_read_it(tiny_artifact: Artifact) -> None:
    model = export.convert(tiny_artifact)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 13)]
    assert model.ir_version == 7


def test_the_same_artifact_gives_the_same_bytes(tiny_artifact: Artifact, tmp_path: Path) -> None:
    sizes = [export.write(tmp_path / name, tiny_artifact) for name in ("one", "two")]
    one, two = ((tmp_path / name).read_bytes() for name in ("one", "two"))
    assert one == two
    assert sizes == [len(one)] * 2


# -- the command ------------------------------------------------------------


def test_the_command_writes_a_file_that_onnxruntime_runs(
    tiny_artifact: Artifact, tiny_artifact_path: Path, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "digits.onnx"
    run = run_module("model", "export", tiny_artifact_path, "--onnx", file)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    data = file.read_bytes()
    assert run.stdout == (
        f"{file}: ONNX opset 13, digits version 1, {tiny_artifact.digest()}, {len(data)} bytes\n"
    )
    assert [path.name for path in file.parent.iterdir()] == ["digits.onnx"]
    onnx.checker.check_model(str(file), full_check=True)
    logits, _ = computed(data, tiny_artifact.golden_images)
    np.testing.assert_allclose(logits, tiny_artifact.golden_logits, atol=1e-4)


FAILURES = {
    "a directory": ("{folder}", ["is a directory", "name a file"]),
    "no name at all": ("", ["is a directory", "name a file"]),
    "a folder that is a file": ("{folder}/file/digits.onnx", ["cannot be written", "name a file"]),
}


@table("file, words", FAILURES)
def test_a_file_that_cannot_be_written_is_one_line(
    file: str, words: list[str], tiny_artifact_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    target = file.format(folder=tmp_path)
    run = run_module("model", "export", tiny_artifact_path, "--onnx", target)
    assert_one_line_error(run, *words)
    assert len(run.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_damaged_model_is_not_exported(tiny_artifact_path: Path, tmp_path: Path) -> None:
    damaged, file = tmp_path / "damaged.npz", tmp_path / "digits.onnx"
    damaged.write_bytes(tiny_artifact_path.read_bytes()[:-1])
    assert_one_line_error(run_module("model", "export", damaged, "--onnx", file), "damaged.npz")
    assert not file.exists()


def test_without_the_package_onnx_the_command_says_how_to_get_it(
    tiny_artifact_path: Path, tmp_path: Path
) -> None:
    file = tmp_path / "digits.onnx"
    run = run_python(NO_ONNX, "export", tiny_artifact_path, "--onnx", file)
    assert_one_line_error(run, "onnx", 'pip install "digits[onnx]"')
    assert run.stdout == ""
    assert not file.exists()


def test_the_other_commands_do_without_the_package_onnx(tiny_artifact_path: Path) -> None:
    assert run_python(NO_ONNX, "verify", tiny_artifact_path).returncode == 0


@pytest.mark.parametrize("arguments", [[], ["--onnx"]])
def test_the_command_wants_to_know_where(arguments: list[str]) -> None:
    run = run_module("model", "export", *arguments)
    assert run.returncode == 2
    assert "--onnx" in run.stderr
