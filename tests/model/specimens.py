"""One of every layer, or more: what it takes, what it makes of it, and what it stores."""

from dataclasses import dataclass, field

from model.specifications import (
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Shape,
    Sigmoid,
    Tanh,
)


@dataclass(frozen=True)
class Specimen:
    """A layer, a shape it takes and what the specification must say of both."""

    layer: Layer
    takes: Shape
    makes: Shape
    parameters: dict[str, Shape] = field(default_factory=dict)
    statistics: dict[str, Shape] = field(default_factory=dict)


SPECIMENS = {
    "dense": Specimen(
        Dense("a", 6, 4), (6,), (4,), parameters={"a.weight": (6, 4), "a.bias": (4,)}
    ),
    "conv2d: no padding": Specimen(
        Conv2D("a", 3, 8, kernel=5),
        (3, 9, 7),
        (8, 5, 3),
        parameters={"a.weight": (8, 3, 5, 5), "a.bias": (8,)},
    ),
    "conv2d: padded to the same size": Specimen(
        Conv2D("a", 3, 8, kernel=5, padding=2),
        (3, 9, 7),
        (8, 9, 7),
        parameters={"a.weight": (8, 3, 5, 5), "a.bias": (8,)},
    ),
    "conv2d: halved, a row left over, no bias": Specimen(
        Conv2D("a", 1, 2, kernel=3, stride=2, biased=False),
        (1, 28, 28),
        (2, 13, 13),
        parameters={"a.weight": (2, 1, 3, 3)},
    ),
    "conv2d: as large as the image": Specimen(
        Conv2D("a", 1, 2, kernel=7),
        (1, 7, 7),
        (2, 1, 1),
        parameters={"a.weight": (2, 1, 7, 7), "a.bias": (2,)},
    ),
    "depthwise_conv2d": Specimen(
        DepthwiseConv2D("a", 4, kernel=3, stride=2, padding=1),
        (4, 28, 7),
        (4, 14, 4),
        parameters={"a.weight": (4, 3, 3), "a.bias": (4,)},
    ),
    "depthwise_conv2d: no bias": Specimen(
        DepthwiseConv2D("a", 4, kernel=3, biased=False),
        (4, 5, 5),
        (4, 3, 3),
        parameters={"a.weight": (4, 3, 3)},
    ),
    "batch_norm: images": Specimen(
        BatchNorm("a", 4),
        (4, 5, 6),
        (4, 5, 6),
        parameters={"a.scale": (4,), "a.shift": (4,)},
        statistics={"a.mean": (4,), "a.variance": (4,)},
    ),
    "batch_norm: rows": Specimen(
        BatchNorm("a", 4),
        (4,),
        (4,),
        parameters={"a.scale": (4,), "a.shift": (4,)},
        statistics={"a.mean": (4,), "a.variance": (4,)},
    ),
    "max_pool2d: a row left over": Specimen(MaxPool2D(2, 2), (4, 7, 6), (4, 3, 3)),
    "max_pool2d: overlapping": Specimen(MaxPool2D(3, 1), (4, 7, 6), (4, 5, 4)),
    "average_pool2d": Specimen(AveragePool2D(2, 3), (4, 7, 8), (4, 2, 3)),
    "global_average_pool": Specimen(GlobalAveragePool(), (4, 7, 6), (4,)),
    "flatten": Specimen(Flatten(), (4, 7, 6), (168,)),
    "dropout: images": Specimen(Dropout(0.5), (4, 7, 6), (4, 7, 6)),
    "dropout: rows": Specimen(Dropout(0.5), (4,), (4,)),
    "relu: images": Specimen(ReLU(), (4, 7, 6), (4, 7, 6)),
    "relu: rows": Specimen(ReLU(), (4,), (4,)),
    "leaky_relu": Specimen(LeakyReLU(0.1), (4, 7, 6), (4, 7, 6)),
    "sigmoid": Specimen(Sigmoid(), (4,), (4,)),
    "tanh": Specimen(Tanh(), (4,), (4,)),
    "gelu": Specimen(GELU(), (4,), (4,)),
}
