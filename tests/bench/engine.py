"""``make bench-engine``: the engine beside ONNX Runtime and PyTorch, one thread each.

All take the same frames as uint8 and give the logits of the same network. ONNX Runtime runs
the file of ``python -m model export``; PyTorch, eager, is a process in its own environment.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx.utils
import onnxruntime
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from model import artifact as artifacts
from model import export, locate, normalizer
from model.architecture import Architecture, mlp
from model.artifact import Artifact
from model.confidence import Confidence
from model.engine import Engine
from model.network import Network, scale_pixels
from model.specifications import Conv2D, Dense, DepthwiseConv2D
from tests.bench.report import Figure, figure, publish
from tests.bench.training import TWIN, worker
from tests.bench.turns import Answer, Side, clocked, middle, require_agreement, take_turns
from tests.helpers import synthetic_mnist

ROUNDS = 30
FRAMES = synthetic_mnist(train=256, test=10).train.images
GOLDEN = 16

ENGINE, ONNX, TORCH = "engine", "ONNX Runtime", "PyTorch"

# What the engine's time may be to the other's, by batch: (must, aim).
BARS: Mapping[str, Mapping[int, tuple[float, float | None]]] = {
    ONNX: {1: (2.9, 2.0), 32: (3.0, 2.0), 256: (3.0, 2.0)},
    TORCH: {1: (1.0, None)},
}
BATCHES = tuple(BARS[ONNX])

MICROSECONDS_AN_IMAGE = 400
MULTIPLY_ADDS = 10  # millions an image
MEGABYTES = 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each (30)")
    parser.add_argument("--artifact", type=Path, help="default: the champion that is shipped")
    arguments = parser.parse_args()
    flagship = artifacts.read(locate(arguments.artifact))
    name = f"{flagship.name} {flagship.version}"
    small = stand_in(mlp(784, 128, 64, 10))
    with threadpool_limits(1, user_api="blas"):
        rows = compare(name, flagship, arguments.rounds)
        rows += size(name, flagship)
        rows += compare("MLP 784-128-64-10", small, arguments.rounds)
        publish("engine", rows)


def stand_in(architecture: Architecture) -> Artifact:
    """An artifact of random parameters: it takes as long as one that was trained."""
    rng = np.random.default_rng(1)
    parameters = {}
    for name, shape in architecture.parameter_shapes().items():
        if name.endswith(".weight"):
            fan_in = shape[0] if len(shape) == 2 else prod(shape[1:])
            values = rng.normal(0, np.sqrt(2 / fan_in), shape)
        else:
            values = rng.uniform(0.5 if name.endswith((".variance", ".scale")) else -0.5, 1, shape)
        parameters[name] = values.astype(np.float32)
    golden = FRAMES[:GOLDEN]
    return Artifact(
        name="stand_in",
        version=1,
        architecture=architecture,
        parameters=parameters,
        confidence=Confidence(),
        normalizer_version=normalizer.VERSION,
        golden_images=golden,
        golden_logits=Network(architecture, parameters).logits(scale_pixels(golden)),
    )


# -- the sides --------------------------------------------------------------


def compare(name: str, artifact: Artifact, rounds: int) -> list[Figure]:
    """The ratios of one network: a figure for each batch and each of the others with a bar."""
    expected = artifact.network.logits(scale_pixels(FRAMES))
    answers = {ENGINE: Engine(artifact.network).logits, ONNX: onnx_answer(artifact)}
    for side, answer in answers.items():
        require_agreement(side, answer(FRAMES), expected)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.npz"
        arrays: dict[str, Any] = {**artifact.parameters, "frames": FRAMES, "logits": expected}
        np.savez(path, architecture=json.dumps(artifact.architecture.to_json()), **arrays)
        with worker([str(TWIN), "-m", "tests.bench.eager", str(path)]) as torch:
            for batch in BATCHES:
                sides = {side: clocked(answer, FRAMES[:batch]) for side, answer in answers.items()}
                sides[TORCH] = process_side(torch, batch)
                figures += ratios(name, batch, take_turns(sides, rounds))
    return figures


def onnx_answer(artifact: Artifact) -> Answer:
    """ONNX Runtime, fully optimizing, with that part of the exported graph that logits take."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    extractor = onnx.utils.Extractor(export.convert(artifact))
    model = extractor.extract_model([export.IMAGES], [export.LOGITS]).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def answer(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = session.run([export.LOGITS], {export.IMAGES: frames})[0]
        return logits

    return answer


def process_side(process: subprocess.Popen[str], batch: int) -> Side:
    """A worker of ``tests.bench.eager`` as a side."""
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None

    def run(calls: int) -> float:
        stdin.write(f"{batch} {calls}\n")
        stdin.flush()
        return float(stdout.readline())

    return run


# -- the figures ------------------------------------------------------------


def ratios(name: str, batch: int, seconds: Mapping[str, NDArray[np.float64]]) -> list[Figure]:
    """Of one batch: what the engine takes to what the others take, and one image by itself."""
    medians = ", ".join(
        f"{side} {np.median(values) / batch * 1e6:.1f}" for side, values in seconds.items()
    )
    reference = (
        f"one thread each, {len(seconds[ENGINE])} rounds, the middle 80 % of them as the spread; "
        f"us an image: {medians} (onnxruntime {onnxruntime.__version__})"
    )
    figures = [
        figure(
            f"{name}, n={batch} / {other}",
            middle(seconds[ENGINE] / seconds[other]),
            "ratio",
            reference=reference,
            must=bars[batch][0],
            aim=bars[batch][1],
        )
        for other, bars in BARS.items()
        if batch in bars
    ]
    if batch == 1:
        runs = middle(seconds[ENGINE] * 1e6)
        must = MICROSECONDS_AN_IMAGE
        figures.append(figure(f"{name}, one image", runs, "us", reference=reference, must=must))
    return figures


def size(name: str, artifact: Artifact) -> list[Figure]:
    """How much there is to compute and to keep."""
    count = multiply_adds(artifact.architecture) / 1e6
    megabytes = len(artifacts.encode(artifact)) / 1e6
    return [
        figure(
            f"{name}, multiply-adds an image",
            [count],
            "M",
            reference="of its dense layers and convolutions, padding included",
            must=MULTIPLY_ADDS,
        ),
        figure(
            f"{name}, artifact",
            [megabytes],
            "MB",
            reference=f"{artifact.architecture.parameter_count()} numbers in float32",
            must=MEGABYTES,
        ),
    ]


def multiply_adds(architecture: Architecture) -> int:
    """Products that are summed for one image, by the dense layers and the convolutions."""
    total, shape = 0, architecture.input_shape
    for layer in architecture.layers:
        shape = layer.output(shape)
        match layer:
            case Dense():
                total += layer.inputs * layer.outputs
            case Conv2D():
                total += layer.inputs * layer.kernel**2 * prod(shape)
            case DepthwiseConv2D():
                total += layer.kernel**2 * prod(shape)
    return total


if __name__ == "__main__":
    main()
