import dataclasses
import math
from typing import Any

import pytest

from model.architecture import LAYER_TYPES, TYPE_NAMES
from model.specifications import (
    MAX_KERNEL,
    MAX_WIDTH,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Elementwise,
    Flatten,
    GlobalAveragePool,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Shape,
)
from tests.helpers import table
from tests.model.specimens import SPECIMENS, Specimen


def test_every_layer_type_has_a_specimen() -> None:
    assert {name.partition(":")[0] for name in SPECIMENS} == LAYER_TYPES.keys()
    for name, specimen in SPECIMENS.items():
        assert TYPE_NAMES[type(specimen.layer)] == name.partition(":")[0]


@table("specimen", SPECIMENS)
def test_a_layer_knows_its_output_and_what_it_stores(specimen: Specimen) -> None:
    layer = specimen.layer
    assert layer.output(specimen.takes) == specimen.makes
    assert list(layer.parameters().items()) == list(specimen.parameters.items())
    assert list(layer.statistics().items()) == list(specimen.statistics.items())


@table("specimen", SPECIMENS)
def test_a_layer_is_frozen_and_hashable(specimen: Specimen) -> None:
    assert hash(specimen.layer) == hash(dataclasses.replace(specimen.layer))
    for field in dataclasses.fields(specimen.layer):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(specimen.layer, field.name, 1)


def test_an_elementwise_layer_takes_any_shape_and_keeps_it() -> None:
    found = [cls for cls in TYPE_NAMES if issubclass(cls, Elementwise)]
    assert {TYPE_NAMES[cls] for cls in found} == {
        "dropout",
        "relu",
        "leaky_relu",
        "sigmoid",
        "tanh",
        "gelu",
    }
    specimens = [specimen for specimen in SPECIMENS.values() if type(specimen.layer) in found]
    for specimen in specimens:
        for shape in ((3,), (3, 4, 5)):
            assert specimen.layer.output(shape) == shape


@table(
    "layer, shape, count",
    {
        "conv2d": (Conv2D("a", 3, 8, kernel=5, padding=2), (3, 9, 7), 3 * 25 * 63),
        "conv2d with a stride": (Conv2D("a", 1, 9, kernel=3, stride=2), (1, 28, 28), 9 * 13 * 13),
        "depthwise_conv2d": (DepthwiseConv2D("a", 4, kernel=3, padding=1), (4, 7, 7), 4 * 9 * 49),
        "another": (Dense("a", 4, 3), (4,), 0),
    },
)
def test_a_convolution_knows_how_many_numbers_its_windows_hold(
    layer: Layer, shape: Shape, count: int
) -> None:
    assert layer.copied(shape) == count


# -- shapes that do not fit -------------------------------------------------


@table(
    "layer, shape, message",
    {
        "dense: other rows": (Dense("a", 6, 4), (5,), "a takes rows of 6 inputs .* given (5,)"),
        "dense: images": (Dense("a", 6, 4), (6, 1, 1), "a takes rows of 6 inputs .* (6, 1, 1)"),
        "conv2d: other channels": (
            Conv2D("a", 3, 8, kernel=5),
            (1, 28, 28),
            "a takes images of 3 inputs .* given (1, 28, 28)",
        ),
        "conv2d: rows": (
            Conv2D("a", 3, 8, kernel=5),
            (3,),
            "a takes images of 3 inputs .* given (3,)",
        ),
        "conv2d: a window higher than the image": (
            Conv2D("a", 3, 8, kernel=5),
            (3, 4, 9),
            "a: a window of 5 does not fit into (3, 4, 9)",
        ),
        "conv2d: a window wider than the padded image": (
            Conv2D("a", 3, 8, kernel=7, padding=1, stride=7),
            (3, 9, 4),
            "a: a window of 7 does not fit",
        ),
        "depthwise_conv2d: other channels": (
            DepthwiseConv2D("a", 3, kernel=3),
            (4, 9, 9),
            "a takes images of 3 channels",
        ),
        "depthwise_conv2d: too small an image": (
            DepthwiseConv2D("a", 3, kernel=3),
            (3, 2, 9),
            "a: a window of 3 does not fit",
        ),
        "batch_norm: other rows": (BatchNorm("a", 3), (4,), "a takes rows of 3 channels"),
        "batch_norm: other images": (
            BatchNorm("a", 3),
            (4, 3, 3),
            "a takes images of 3 channels .* (4, 3, 3)",
        ),
        "max_pool2d: rows": (MaxPool2D(2, 2), (6,), "MaxPool2D takes images .* given (6,)"),
        "max_pool2d: too small an image": (
            MaxPool2D(3, 1),
            (1, 2, 3),
            "MaxPool2D: a window of 3 does not fit",
        ),
        "average_pool2d: rows": (AveragePool2D(2, 2), (6,), "AveragePool2D takes images"),
        "average_pool2d: too small an image": (
            AveragePool2D(2, 2),
            (1, 2, 1),
            "AveragePool2D: a window of 2 does not fit",
        ),
        "global_average_pool: rows": (GlobalAveragePool(), (6,), "GlobalAveragePool takes images"),
        "flatten: rows": (Flatten(), (6,), "Flatten takes images"),
    },
)
def test_a_shape_that_does_not_fit_is_refused_by_the_layers_name(
    layer: Layer, shape: Shape, message: str
) -> None:
    pattern = "^" + message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=pattern):
        layer.output(shape)


# -- ranges -----------------------------------------------------------------

HUGE, NAN, INF = 10**5000, math.nan, math.inf
NO_COUNTS = [-1, 1.0, NAN, True, "1", None, [], {}, HUGE, -HUGE]
NO_NUMBERS = [-0.1, NAN, INF, -INF, True, "0.1", None, [], {}, HUGE, -HUGE]

NAMES = (
    ["a", "conv_1", "Z"],
    ["", "a b", "a.b", "../a", "1a", "a\n", None, 1, True, ["a"], {"a": 1}],
)
WIDTHS = ([1, MAX_WIDTH], [0, MAX_WIDTH + 1, *NO_COUNTS])
WINDOWS = ([1, 2, MAX_KERNEL], [0, MAX_KERNEL + 1, *NO_COUNTS])
PADDINGS = ([0, 1, 2], [3, *NO_COUNTS])  # to half of a kernel of 5
FLAGS: tuple[list[object], list[object]] = ([True, False], [0, 1, None, "true", [], {}])

CONV2D, DEPTHWISE = Conv2D("a", 1, 1, kernel=5), DepthwiseConv2D("a", 1, kernel=5)

RANGES: dict[type, tuple[Any, dict[str, tuple[list[Any], list[Any]]]]] = {
    # layer: one to change, and of each of its fields the values within and outside
    Dense: (Dense("a", 1, 1), {"name": NAMES, "inputs": WIDTHS, "outputs": WIDTHS}),
    Conv2D: (
        CONV2D,
        {
            "name": NAMES,
            "inputs": WIDTHS,
            "outputs": WIDTHS,
            "kernel": WINDOWS,
            "stride": WINDOWS,
            "padding": PADDINGS,
            "biased": FLAGS,
        },
    ),
    DepthwiseConv2D: (
        DEPTHWISE,
        {
            "name": NAMES,
            "channels": WIDTHS,
            "kernel": WINDOWS,
            "stride": WINDOWS,
            "padding": PADDINGS,
            "biased": FLAGS,
        },
    ),
    BatchNorm: (
        BatchNorm("a", 1),
        {
            "name": NAMES,
            "channels": WIDTHS,
            "epsilon": ([1e-12, 1e-3, 1], [0, 1e-13, 1.1, *NO_NUMBERS]),
        },
    ),
    MaxPool2D: (MaxPool2D(2, 2), {"size": WINDOWS, "stride": WINDOWS}),
    AveragePool2D: (AveragePool2D(2, 2), {"size": WINDOWS, "stride": WINDOWS}),
    Dropout: (Dropout(0.5), {"rate": ([0, 0.0, 0.99], [1, 0.991, *NO_NUMBERS])}),
    LeakyReLU: (LeakyReLU(), {"slope": ([0, 0.3, 1], [1.1, 2, *NO_NUMBERS])}),
}


def values(which: int) -> list[Any]:
    """A layer, a field of it and a value; 0 for those within its range, 1 for the others."""
    return [
        pytest.param(layer, field, value, id=f"{TYPE_NAMES[cls]}.{field}-{number}")
        for cls, (layer, ranges) in RANGES.items()
        for field, both in ranges.items()
        for number, value in enumerate(both[which])
    ]


@pytest.mark.parametrize(("layer", "field", "value"), values(0))
def test_a_value_within_its_range_is_taken(layer: Any, field: str, value: object) -> None:  # noqa: ANN401 - a layer of any type
    assert getattr(dataclasses.replace(layer, **{field: value}), field) == value


@pytest.mark.parametrize(("layer", "field", "value"), values(1))
def test_a_value_outside_its_range_is_refused_by_name(
    layer: Any,  # noqa: ANN401 - a layer of any type
    field: str,
    value: object,
) -> None:
    if field == "name":
        named = "layer name .* must be a plain identifier"
    else:
        named = rf"{getattr(layer, 'name', type(layer).__name__)}\.{field} must be"
    with pytest.raises(ValueError, match=f"^{named}"):
        dataclasses.replace(layer, **{field: value})


def test_every_field_of_every_layer_has_its_range_checked() -> None:
    fields = {cls: {field.name for field in dataclasses.fields(cls)} for cls in TYPE_NAMES}
    checked = {cls: set(ranges) for cls, (_, ranges) in RANGES.items()}
    assert {cls: names for cls, names in fields.items() if names} == checked


@pytest.mark.parametrize("layer", [CONV2D, DEPTHWISE])
def test_padding_goes_to_half_of_the_kernel(layer: Conv2D | DepthwiseConv2D) -> None:
    assert dataclasses.replace(layer, kernel=28, padding=14).padding == 14
    with pytest.raises(ValueError, match=r"a\.padding must be an integer from 0 to 0"):
        dataclasses.replace(layer, kernel=1, padding=1)
