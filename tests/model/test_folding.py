from typing import Any

import numpy as np

from model.architecture import Architecture
from model.folding import AffineStage, Stage, fold
from tests.helpers import table
from tests.training.networks import drawn

CONVOLUTION = {"type": "conv2d", "outputs": 3, "kernel": 3, "stride": 3}
NORM = {"type": "batch_norm"}
RELU = {"type": "relu"}
DROPOUT = {"type": "dropout", "rate": 0.5}
POOL = {"type": "max_pool2d", "size": 2, "stride": 2}
FLATTEN = {"type": "flatten"}
DENSE = {"type": "dense", "outputs": 10}


def folded(outline: list[dict[str, Any]]) -> list[Stage]:
    return fold(drawn(Architecture.from_outline(outline)))


def described(stage: Stage) -> str:
    activation = f" {type(stage.activation).__name__}" if stage.activation else ""
    return type(stage.layer).__name__ + activation


@table(
    "outline, stages",
    {
        "a batch norm goes into the convolution before it": (
            [CONVOLUTION, NORM, RELU, FLATTEN, DENSE],
            ["Conv2D ReLU", "Dense"],
        ),
        "into a depthwise convolution": (
            [{"type": "depthwise_conv2d", "kernel": 3}, NORM, FLATTEN, DENSE],
            ["DepthwiseConv2D", "Dense"],
        ),
        "into a dense layer, past a dropout": (
            [DENSE, DROPOUT, NORM, RELU, DENSE],
            ["Dense ReLU", "Dense"],
        ),
        "and one into another": ([DENSE, NORM, NORM], ["Dense"]),
        "not past an activation": (
            [CONVOLUTION, RELU, NORM, FLATTEN, DENSE],
            ["Conv2D ReLU", "BatchNorm", "Dense"],
        ),
        "nor past a pool": (
            [CONVOLUTION, POOL, NORM, FLATTEN, DENSE],
            ["Conv2D", "MaxPool2D", "BatchNorm", "Dense"],
        ),
        "nor where it has a channel for every pixel": (
            [CONVOLUTION, FLATTEN, NORM, DENSE],
            ["Conv2D", "BatchNorm", "Dense"],
        ),
        "of the pixels it takes their scaling": ([NORM, DENSE], ["BatchNorm", "Dense"]),
        "the scaling stays where nothing affine follows": (
            [POOL, FLATTEN, DENSE],
            ["BatchNorm", "MaxPool2D", "Dense"],
        ),
        "an activation stands for itself after another": (
            [DENSE, RELU, {"type": "tanh"}],
            ["Dense ReLU", "Tanh"],
        ),
        "and goes with a pool": (
            [CONVOLUTION, POOL, RELU, FLATTEN, DENSE],
            ["Conv2D", "MaxPool2D ReLU", "Dense"],
        ),
    },
)
def test_what_changes_no_more_is_folded(outline: list[dict[str, Any]], stages: list[str]) -> None:
    assert [described(stage) for stage in folded(outline)] == stages


def test_constants_are_folded_in_double_precision_and_rounded_once() -> None:
    network = drawn(Architecture.from_outline([DENSE, NORM]))
    [stage] = fold(network)
    assert isinstance(stage, AffineStage)
    p = network.parameters
    factor = p["batch_norm1.scale"] / np.sqrt(p["batch_norm1.variance"] + 1e-5)
    weight = p["dense1.weight"].T * factor[:, None] / 255
    bias = (p["dense1.bias"] - p["batch_norm1.mean"]) * factor + p["batch_norm1.shift"]
    np.testing.assert_allclose(stage.weight, weight, rtol=1e-14)
    np.testing.assert_allclose(stage.bias, bias, rtol=1e-14, atol=1e-14)
    np.testing.assert_array_equal(stage.matrix[:, :-1], stage.weight.astype(np.float32))
    np.testing.assert_array_equal(stage.matrix[:, -1], stage.bias.astype(np.float32))
