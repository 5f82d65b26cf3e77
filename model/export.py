"""A model as an ONNX file, for runtimes other than this project's own.

Only ``python -m model export`` imports this module: it alone needs the package onnx.
Images are (N, C, H, W) there, where they are (C, N, H, W) here; all else has its like.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from model.architecture import CLASSES, FRAME_SIDE
from model.artifact import Artifact, write_whole
from model.errors import ExportError
from model.layers import GELU_CUBIC, GELU_SCALE
from model.network import PIXEL_MAX, Network
from model.specifications import (
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Convolution,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Pool2D,
    ReLU,
    Sigmoid,
    Tanh,
)

# Of ONNX 1.8 (2020): it has all that a network needs, and runtimes since then read it.
OPSET = 13

IMAGES, LOGITS, PROBABILITIES = "images", "logits", "probabilities"

DOCUMENTATION = (
    "Reads handwritten digits. images: uint8 (N, 28, 28), bright ink on dark ground, each "
    "digit placed as in MNIST: anything else goes through the normalizer of that version first. "
    "logits: float32 (N, 10). probabilities: the softmax of logits / temperature."
)


def write(path: Path, artifact: Artifact) -> int:
    """Write ``artifact`` to ``path`` as ONNX, all of it or nothing; returns its bytes.

    Raises ExportError when ``path`` cannot be written.
    """
    data: bytes = convert(artifact).SerializeToString(deterministic=True)
    if path.is_dir():
        raise ExportError(f"{path}: is a directory; name a file for the ONNX model")
    try:
        write_whole(path, data)
    except OSError as error:
        raise ExportError(
            f"{path}: cannot be written ({error.strerror}); name a file that can be"
        ) from None
    return len(data)


def convert(artifact: Artifact) -> onnx.ModelProto:
    """The checked ONNX model of ``artifact``.

    Its input is ``images``, uint8 (N, 28, 28) of 0-255; its outputs are ``logits`` and
    ``probabilities``, float32 (N, 10). What else an artifact says of itself is in the
    metadata: each value is text, and JSON where it is a list or an object.
    """
    model = helper.make_model(
        _graph(artifact.network, artifact.confidence.temperature),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=helper.find_min_ir_version_for([helper.make_opsetid("", OPSET)]),
        producer_name="digits",
        model_version=artifact.version,
        doc_string=DOCUMENTATION,
    )
    properties = {
        "name": artifact.name,
        "version": str(artifact.version),
        "digest": artifact.digest(),
        "temperature": repr(artifact.confidence.temperature),
        "thresholds": json.dumps(asdict(artifact.confidence.thresholds)),
        "normalizer_version": str(artifact.normalizer_version),
        "labels": json.dumps(artifact.labels),
    }
    helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    return model


# -- the graph --------------------------------------------------------------


@dataclass(frozen=True)
class _Builder:
    """A graph that grows; parameters have a dot in their names, and nothing else has."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, TensorProto] = field(default_factory=dict)

    def node(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:  # noqa: ANN401 - an int, a float or a list
        """Add a node; returns the name of its output."""
        name = name or f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: ArrayLike, dtype: type[np.generic] = np.float32) -> str:
        """Add a constant, or put it in the place of its like; returns its name."""
        self.constants[name] = numpy_helper.from_array(np.array(value, dtype), name)
        return name


def _graph(network: Network, temperature: float) -> onnx.GraphProto:
    builder = _Builder()
    x = _scaled(builder, network)
    for layer in network.architecture.layers:
        x = _layer(builder, layer, network, x)
    builder.node("Identity", x, name=LOGITS)
    divided = builder.node("Div", LOGITS, builder.constant("temperature", temperature))
    builder.node("Softmax", divided, name=PROBABILITIES, axis=1)
    frames = helper.make_tensor_value_info(IMAGES, TensorProto.UINT8, ["N", FRAME_SIDE, FRAME_SIDE])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", CLASSES])
        for name in (LOGITS, PROBABILITIES)
    ]
    constants = list(builder.constants.values())
    return helper.make_graph(builder.nodes, "digits", [frames], outputs, constants)


def _scaled(builder: _Builder, network: Network) -> str:
    """Frames (N, 28, 28) of 0-255 as the first layer takes them, of 0-1."""
    # The 0 keeps the length of the batch.
    shape = builder.constant("input_shape", [0, *network.architecture.input_shape], np.int64)
    pixels = builder.node("Cast", IMAGES, to=TensorProto.FLOAT)
    scaled = builder.node("Mul", pixels, builder.constant("pixel_scale", 1 / PIXEL_MAX))
    return builder.node("Reshape", scaled, shape)


def _layer(builder: _Builder, layer: Layer, network: Network, x: str) -> str:  # noqa: C901, PLR0912 - one case a layer
    """Add what ``layer`` makes of ``x``; the cases stand as in ``model.network.forward``."""
    names = [*layer.parameters(), *layer.statistics()]
    for name in names:
        builder.constant(name, network.parameters[name])
    match layer:
        case Dense():
            return builder.node("Gemm", x, *names)
        case Conv2D():
            return builder.node("Conv", x, *names, **_convolution(layer))
        case DepthwiseConv2D():
            kernels = network.parameters[layer.weight][:, None]  # (C, 1, K, K)
            builder.constant(layer.weight, kernels)
            groups = layer.channels
            return builder.node("Conv", x, *names, group=groups, **_convolution(layer))
        case BatchNorm():
            return builder.node("BatchNormalization", x, *names, epsilon=float(layer.epsilon))
        case MaxPool2D():
            return builder.node("MaxPool", x, **_pool(layer))
        case AveragePool2D():
            return builder.node("AveragePool", x, **_pool(layer))
        case GlobalAveragePool():
            return builder.node("Flatten", builder.node("GlobalAveragePool", x), axis=1)
        case Flatten():
            return builder.node("Flatten", x, axis=1)
        case Dropout():
            return x  # drops while training only
        case ReLU():
            return builder.node("Relu", x)
        case LeakyReLU():
            return builder.node("LeakyRelu", x, alpha=float(layer.slope))
        case Sigmoid():
            return builder.node("Sigmoid", x)
        case Tanh():
            return builder.node("Tanh", x)
        case GELU():
            return _gelu(builder, x)


def _convolution(layer: Convolution) -> dict[str, Any]:
    return {
        "kernel_shape": [layer.kernel] * 2,
        "strides": [layer.stride] * 2,
        "pads": [layer.padding] * 4,
    }


def _pool(layer: Pool2D) -> dict[str, Any]:
    return {"kernel_shape": [layer.size] * 2, "strides": [layer.stride] * 2}


def _gelu(builder: _Builder, x: str) -> str:
    """``model.layers.gelu`` step by step: ONNX has an operator for it from opset 20 on only."""
    half, one = builder.constant("half", 0.5), builder.constant("one", 1)
    cubic = builder.node("Mul", builder.node("Mul", x, x), builder.constant("cubic", GELU_CUBIC))
    scaled = builder.node("Mul", x, builder.constant("gelu_scale", GELU_SCALE))
    inner = builder.node("Mul", scaled, builder.node("Add", cubic, one))
    gate = builder.node("Add", builder.node("Tanh", inner), one)
    return builder.node("Mul", builder.node("Mul", x, half), gate)
