"""The model of every peer: the exported network in ONNX Runtime on one thread."""

import os
from typing import Any, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

MODEL = "BENCH_MODEL"  # the variable that names the ONNX file
PORT = "BENCH_PORT"

SIDE, PIXELS = 28, 784

Answer: TypeAlias = dict[str, Any]


class Network:
    """Frames of 784 bytes each to what is said about them."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            os.environ[MODEL], options, providers=["CPUExecutionProvider"]
        )

    def probabilities(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 784) to (N, 10)."""
        images = frames.reshape(-1, SIDE, SIDE)
        answer: NDArray[np.float32] = self._session.run(["probabilities"], {"images": images})[0]
        return answer

    def predict(self, frames: NDArray[np.uint8]) -> list[Answer]:
        """Of each frame of (N, 784): digit, confidence and all probabilities."""
        return [
            {"digit": row.index(max(row)), "confidence": max(row), "probabilities": row}
            for row in self.probabilities(frames).tolist()
        ]


def frames(pixels: Any) -> NDArray[np.uint8]:  # noqa: ANN401 - one list of numbers, or several
    """Lists of 784 numbers as (N, 784)."""
    return np.array(pixels, np.uint8).reshape(-1, PIXELS)


def port() -> int:
    return int(os.environ[PORT])
