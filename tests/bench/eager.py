"""The PyTorch side of ``tests.bench.engine``, in an environment of its own.

Run as ``python -m tests.bench.eager NETWORK.npz`` with an architecture, its parameters,
frames and the logits that must come out. Says ``ready``, then answers each line
``BATCH CALLS`` with the seconds that so many calls with that batch took.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from model.architecture import Architecture
from model.network import PIXEL_MAX
from model.specifications import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2D,
    ReLU,
    Shape,
)
from tests.bench.turns import Answer, clocked, require_agreement

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


def weighted(module: nn.Module, state: Arrays) -> nn.Module:
    module.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    return module


def module_of(layer: Layer, arrays: Arrays, shape: Shape) -> nn.Module:
    """The layer as PyTorch has it, with its weights; ``shape`` is what it takes."""
    match layer:
        case Dense():
            state = {"weight": arrays[layer.weight].T.copy(), "bias": arrays[layer.bias]}
            return weighted(nn.Linear(layer.inputs, layer.outputs), state)
        case Conv2D():
            module = nn.Conv2d(
                layer.inputs,
                layer.outputs,
                layer.kernel,
                layer.stride,
                layer.padding,
                bias=layer.biased,
            )
            names = [layer.weight, layer.bias][: 1 + layer.biased]
            return weighted(module, {name.partition(".")[2]: arrays[name] for name in names})
        case BatchNorm():
            kind = nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d
            torch_names = ("weight", "bias", "running_mean", "running_var")
            names = [*layer.parameters(), *layer.statistics()]
            state = {theirs: arrays[ours] for theirs, ours in zip(torch_names, names, strict=True)}
            state["num_batches_tracked"] = np.array(0)
            return weighted(kind(layer.channels, layer.epsilon), state)
        case MaxPool2D():
            return nn.MaxPool2d(layer.size, layer.stride)
        case Flatten():
            return nn.Flatten()
        case ReLU():
            return nn.ReLU()
        case Dropout():
            return nn.Dropout(layer.rate)
        case _:
            raise SystemExit(f"there is no PyTorch module for {layer} here; add one")


def network(architecture: Architecture, arrays: Arrays) -> Answer:
    """Frames (N, 28, 28) uint8 to logits (N, 10), as somebody would serve them with PyTorch."""
    shape = architecture.input_shape
    modules, takes = [], shape
    for layer in architecture.layers:
        modules.append(module_of(layer, arrays, takes))
        takes = layer.output(takes)
    model = nn.Sequential(*modules).eval()
    if len(shape) > 1:
        model = model.to(memory_format=torch.channels_last)  # the faster of its two layouts

    def answer(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            pixels = torch.from_numpy(frames).to(torch.float32) / PIXEL_MAX
            logits: NDArray[np.float32] = model(pixels.reshape(-1, *shape)).numpy()
        return logits

    return answer


def main(path: str) -> None:
    torch.set_num_threads(1)
    with np.load(path) as data:
        arrays = dict(data)
    answer = network(Architecture.from_json(json.loads(str(arrays["architecture"]))), arrays)
    frames = arrays["frames"]
    require_agreement("PyTorch", answer(frames), arrays["logits"])
    print(f"ready torch {torch.__version__} {torch.get_num_threads()} threads", flush=True)
    for line in sys.stdin:
        batch, calls = map(int, line.split())
        print(clocked(answer, frames[:batch])(calls), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
