"""Answers of the Open Inference Protocol: predictions to tensors, in JSON and behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from model import Artifact, Prediction
from service.answers import likeliest
from service.protocols import MODEL_NAME
from service.protocols.tensors import DTYPES, Tensor
from service.protocols.v2_metadata import OUTPUTS
from service.protocols.v2_request import Output, Request

# What is said of an image under the name of each output.
FIELDS: Mapping[str, Callable[[Prediction], object]] = {
    "digit": lambda said: said.digit,
    "probabilities": lambda said: said.probabilities,
    "accepted": lambda said: said.accepted,
}


@dataclass(frozen=True)
class Answer:
    """A body; ``header_length`` is that of its JSON where tensors follow it, else None."""

    body: bytes
    header_length: int | None


def write(artifact: Artifact, predictions: Sequence[Prediction], asked: Request) -> Answer:
    """The answer to one request, each output where it is wanted."""
    said: dict[str, Any] = {"model_name": MODEL_NAME, "model_version": str(artifact.version)}
    if asked.id is not None:
        said["id"] = asked.id
    said["outputs"], behind = [], []
    for output in asked.outputs:
        tensor = _tensor(output, predictions, artifact.labels)
        entry: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": tensor.shape,
        }
        if output.binary:
            behind.append(tensor.to_bytes())
            entry["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            entry["data"] = tensor.to_json()
        said["outputs"].append(entry)
    header = orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY)
    return Answer(b"".join([header, *behind]), len(header) if behind else None)


def _tensor(output: Output, predictions: Sequence[Prediction], labels: Sequence[int]) -> Tensor:
    if output.classes:
        classes = [
            element
            for prediction in predictions
            for element in _classes(prediction, labels, output.classes)
        ]
        return Tensor(output.name, "BYTES", (len(predictions), output.classes), classes)
    metadata = OUTPUTS[output.name]
    [datatype] = metadata.datatypes
    field = FIELDS[output.name]
    values = np.array([field(prediction) for prediction in predictions], DTYPES[datatype])
    return Tensor(output.name, datatype, values.shape, values)


def _classes(prediction: Prediction, labels: Sequence[int], count: int) -> list[bytes]:
    """The likeliest classes as ``value:index:label`` (Triton's classification extension)."""
    shares = prediction.probabilities
    return [
        f"{shares[index]:f}:{index}:{labels[index]}".encode()
        for index in likeliest(prediction, count)
    ]
