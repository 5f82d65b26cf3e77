"""What the Open Inference Protocol is told about the server and its model.

Sources: the protocol's REST specification (kserve/open-inference-protocol, version 2),
and Triton's statistics and model repository extensions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import service
from model.architecture import CLASSES, FRAME_SIDE
from service.metrics import Totals
from service.protocols import MODEL_NAME

EXTENSIONS = ("binary_tensor_data", "classification", "model_repository", "statistics")

PLATFORM = "numpy_npz"  # framework and format of the artifact

READY = "READY"  # of a version that is loaded

# Not measured here, or not there at all: no request waits in a queue, no answer is kept.
NEVER = {"count": 0, "ns": 0}


@dataclass(frozen=True)
class TensorMetadata:
    """What an input or an output looks like; a side of -1 is the number of images.

    datatypes: which it may have; the first is the one that metadata name.
    """

    datatypes: tuple[str, ...]
    shape: tuple[int, ...]


INPUTS: Mapping[str, TensorMetadata] = {
    "image": TensorMetadata(("UINT8", "FP32"), (-1, FRAME_SIDE, FRAME_SIDE)),
    "image_bytes": TensorMetadata(("BYTES",), (-1,)),
}

OUTPUTS: Mapping[str, TensorMetadata] = {
    "digit": TensorMetadata(("INT64",), (-1,)),
    "probabilities": TensorMetadata(("FP32",), (-1, CLASSES)),
    "accepted": TensorMetadata(("BOOL",), (-1,)),
}


def server() -> dict[str, Any]:
    """The server's metadata."""
    return {"name": MODEL_NAME, "version": service.__version__, "extensions": EXTENSIONS}


def model(versions: Sequence[int]) -> dict[str, Any]:
    """The model's metadata."""
    return {
        "name": MODEL_NAME,
        "versions": [str(version) for version in versions],
        "platform": PLATFORM,
        "inputs": _listed(INPUTS),
        "outputs": _listed(OUTPUTS),
    }


def index(version: int, *, loaded: bool, stopping: bool) -> dict[str, str]:
    """The entry of a version in the index of the repository."""
    reason = "the service is stopping" if stopping else "" if loaded else "loaded when it is asked"
    return {
        "name": MODEL_NAME,
        "version": str(version),
        "state": "UNAVAILABLE" if reason else READY,
        "reason": reason,
    }


def statistics(version: int, totals: Totals) -> dict[str, Any]:
    """What was predicted since the start, whatever the dialect and by whichever version.

    version: of the champion.
    """
    answered = sum(totals.seconds.values())
    spent = {
        "success": _duration(totals.requests, answered),
        "fail": _duration(totals.failures, totals.failure_seconds),
        "queue": NEVER,
        "compute_input": _duration(totals.requests, totals.seconds["decode"]),
        "compute_infer": _duration(totals.requests, totals.seconds["classify"]),
        "compute_output": _duration(totals.requests, totals.seconds["encode"]),
        "cache_hit": NEVER,
        "cache_miss": NEVER,
    }
    entry = {
        "name": MODEL_NAME,
        "version": str(version),
        "last_inference": round(totals.last_inference * 1_000),  # milliseconds
        "inference_count": totals.images,
        "execution_count": totals.requests,
        "inference_stats": spent,
        "batch_stats": [],
    }
    return {"model_stats": [entry]}


def _listed(tensors: Mapping[str, TensorMetadata]) -> list[dict[str, Any]]:
    return [
        {"name": name, "datatype": tensor.datatypes[0], "shape": tensor.shape}
        for name, tensor in tensors.items()
    ]


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": round(seconds * 1e9)}
