"""What each layer of a network looks like, without its numbers.

A specification knows the names and shapes of its parameters, and what shape it
makes of the one it is given: (C, H, W) for images, (F,) for rows; the batch is
not part of it. Elementwise layers take either.
"""

import math
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

from model import windows
from model.windows import output_side

Shape: TypeAlias = windows.Shape

# Far above any network this project trains; keep a forged specification
# from describing what cannot be computed.
MAX_WIDTH = 65_536
MAX_KERNEL = 28

IMAGE_AXES = 3  # channels, height, width


@dataclass(frozen=True)
class Specification:
    """What every layer answers; most have no parameters and change no shape."""

    def parameters(self) -> dict[str, Shape]:
        """Names and shapes of what the layer learns."""
        return {}

    def statistics(self) -> dict[str, Shape]:
        """Names and shapes of what it gathers while learning."""
        return {}

    def output(self, shape: Shape) -> Shape:
        """The shape it makes of ``shape``; raises ValueError when it cannot."""
        return shape

    def copied(self, shape: Shape) -> int:
        """How many numbers it copies of one image of ``shape``, window by window, to multiply."""
        del shape
        return 0


@dataclass(frozen=True)
class Elementwise(Specification):
    """A layer that takes images as well as rows."""


@dataclass(frozen=True)
class ReLU(Elementwise):
    """max(x, 0)."""


@dataclass(frozen=True)
class LeakyReLU(Elementwise):
    """x above 0, ``slope`` times x below."""

    slope: float = 0.01

    def __post_init__(self) -> None:
        _number(self, "slope", 0, 1)


@dataclass(frozen=True)
class Sigmoid(Elementwise):
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True)
class Tanh(Elementwise):
    """Hyperbolic tangent."""


@dataclass(frozen=True)
class GELU(Elementwise):
    """Gaussian error linear unit."""


@dataclass(frozen=True)
class Dropout(Elementwise):
    """While training, each value is 0 with probability ``rate``; nothing when serving."""

    rate: float

    def __post_init__(self) -> None:
        _number(self, "rate", 0, 0.99)


@dataclass(frozen=True)
class Weighted(Specification):
    """A layer with the parameters ``NAME.weight`` and ``NAME.bias``."""

    name: str

    @property
    def weight(self) -> str:
        """Name of the weight parameter."""
        return f"{self.name}.weight"

    @property
    def bias(self) -> str:
        """Name of the bias parameter."""
        return f"{self.name}.bias"


@dataclass(frozen=True)
class Dense(Weighted):
    """An affine layer with parameters ``NAME.weight`` (I, O) and ``NAME.bias`` (O,)."""

    inputs: int
    outputs: int

    def __post_init__(self) -> None:
        _check_name(self.name)
        _whole(self, "inputs", 1, MAX_WIDTH)
        _whole(self, "outputs", 1, MAX_WIDTH)

    def parameters(self) -> dict[str, Shape]:
        """Weight and bias."""
        return {self.weight: (self.inputs, self.outputs), self.bias: (self.outputs,)}

    def output(self, shape: Shape) -> Shape:
        """Rows of ``inputs`` to rows of ``outputs``."""
        _require_fit(self.name, "inputs", self.inputs, shape, axes=1)
        return (self.outputs,)


@dataclass(frozen=True)
class Convolution(Weighted):
    """What convolutions share: square windows, ``stride`` apart, over zero padding."""

    _: KW_ONLY
    kernel: int
    stride: int = 1
    padding: int = 0
    biased: bool = True

    def __post_init__(self) -> None:
        _check_name(self.name)
        _whole(self, "kernel", 1, MAX_KERNEL)
        _whole(self, "stride", 1, MAX_KERNEL)
        _whole(self, "padding", 0, self.kernel // 2)  # more would be windows of padding alone
        if type(self.biased) is not bool:
            raise ValueError(f"{self.name}.biased must be true or false")

    def copied(self, shape: Shape) -> int:
        """Every pixel once for each window that it is in."""
        return shape[0] * self.kernel**2 * math.prod(self.output(shape)[1:])

    def _named(self, weight: Shape) -> dict[str, Shape]:
        """The weight, of that shape, and where it has one the bias, a number for each output."""
        return {self.weight: weight} | ({self.bias: weight[:1]} if self.biased else {})

    def _sides(self, shape: Shape) -> Shape:
        return _windows(self.name, shape, self.kernel, self.stride, self.padding)


@dataclass(frozen=True)
class Conv2D(Convolution):
    """A convolution: ``NAME.weight`` (O, I, K, K) and, where ``biased``, ``NAME.bias`` (O,)."""

    inputs: int
    outputs: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _whole(self, "inputs", 1, MAX_WIDTH)
        _whole(self, "outputs", 1, MAX_WIDTH)

    def parameters(self) -> dict[str, Shape]:
        """Weight and, where it has one, bias."""
        return self._named((self.outputs, self.inputs, self.kernel, self.kernel))

    def output(self, shape: Shape) -> Shape:
        """Images of ``inputs`` channels to images of ``outputs`` channels."""
        _require_fit(self.name, "inputs", self.inputs, shape, axes=IMAGE_AXES)
        return (self.outputs, *self._sides(shape))


@dataclass(frozen=True)
class DepthwiseConv2D(Convolution):
    """One kernel a channel: ``NAME.weight`` (C, K, K) and, where ``biased``, ``NAME.bias`` (C,)."""

    channels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _whole(self, "channels", 1, MAX_WIDTH)

    def parameters(self) -> dict[str, Shape]:
        """Weight and, where it has one, bias."""
        return self._named((self.channels, self.kernel, self.kernel))

    def output(self, shape: Shape) -> Shape:
        """Images to images of as many channels."""
        _require_fit(self.name, "channels", self.channels, shape, axes=IMAGE_AXES)
        return (self.channels, *self._sides(shape))


@dataclass(frozen=True)
class BatchNorm(Specification):
    """Each channel brought to mean 0 and variance 1, then to ``NAME.shift`` and ``NAME.scale``.

    ``NAME.mean`` and ``NAME.variance`` are gathered in training and used in serving.
    """

    name: str
    channels: int
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        _check_name(self.name)
        _whole(self, "channels", 1, MAX_WIDTH)
        _number(self, "epsilon", 1e-12, 1)

    @property
    def scale(self) -> str:
        """Name of the scale parameter."""
        return f"{self.name}.scale"

    def parameters(self) -> dict[str, Shape]:
        """Scale and shift."""
        return {f"{self.name}.{part}": (self.channels,) for part in ("scale", "shift")}

    def statistics(self) -> dict[str, Shape]:
        """Mean and variance."""
        return {f"{self.name}.{part}": (self.channels,) for part in ("mean", "variance")}

    def output(self, shape: Shape) -> Shape:
        """Images or rows of ``channels``, unchanged."""
        _require_fit(self.name, "channels", self.channels, shape, axes=len(shape))
        return shape


@dataclass(frozen=True)
class Pool2D(Specification):
    """One number for each window of ``size``; what does not fill a window is dropped."""

    size: int
    stride: int

    def __post_init__(self) -> None:
        _whole(self, "size", 1, MAX_KERNEL)
        _whole(self, "stride", 1, MAX_KERNEL)

    def output(self, shape: Shape) -> Shape:
        """Images to smaller images."""
        _require_image(_kind(self), shape)
        return (shape[0], *_windows(_kind(self), shape, self.size, self.stride, 0))


@dataclass(frozen=True)
class MaxPool2D(Pool2D):
    """The largest value of each window."""


@dataclass(frozen=True)
class AveragePool2D(Pool2D):
    """The mean of each window."""


@dataclass(frozen=True)
class GlobalAveragePool(Specification):
    """The mean of each channel: images to rows."""

    def output(self, shape: Shape) -> Shape:
        """(C, H, W) to (C,)."""
        _require_image(_kind(self), shape)
        return shape[:1]


@dataclass(frozen=True)
class Flatten(Specification):
    """Images to rows, channel by channel."""

    def output(self, shape: Shape) -> Shape:
        """(C, H, W) to (C * H * W,)."""
        _require_image(_kind(self), shape)
        return (math.prod(shape),)


Layer: TypeAlias = (
    Dense
    | Conv2D
    | DepthwiseConv2D
    | BatchNorm
    | MaxPool2D
    | AveragePool2D
    | GlobalAveragePool
    | Flatten
    | Dropout
    | ReLU
    | LeakyReLU
    | Sigmoid
    | Tanh
    | GELU
)


def _kind(layer: object) -> str:
    return type(layer).__name__


def _check_name(name: object) -> None:
    if type(name) is not str or not name.isidentifier():
        raise ValueError(f"layer name {name!r} must be a plain identifier such as 'dense1'")


def _whole(layer: object, field: str, low: int, high: int) -> None:
    value = getattr(layer, field)
    if type(value) is not int or not low <= value <= high:
        owner = getattr(layer, "name", _kind(layer))
        raise ValueError(f"{owner}.{field} must be an integer from {low} to {high}")


def _number(layer: object, field: str, low: float, high: float) -> None:
    value = getattr(layer, field)
    if type(value) not in (int, float) or not low <= value <= high:
        owner = getattr(layer, "name", _kind(layer))
        raise ValueError(f"{owner}.{field} must be a number from {low} to {high}")


def _require_image(owner: str, shape: Shape) -> None:
    if len(shape) != IMAGE_AXES:
        raise ValueError(f"{owner} takes images (C, H, W) but is given {shape}")


def _require_fit(owner: str, field: str, wanted: int, shape: Shape, *, axes: int) -> None:
    if len(shape) != axes or shape[0] != wanted:
        what = "images" if axes == IMAGE_AXES else "rows"
        raise ValueError(f"{owner} takes {what} of {wanted} {field} but is given {shape}")


def _windows(owner: str, shape: Shape, size: int, stride: int, padding: int) -> Shape:
    """Height and width of what windows of ``size`` make of an image (C, H, W)."""
    sides = tuple(output_side(side, size, stride, padding) for side in shape[1:])
    if min(sides) < 1:
        raise ValueError(f"{owner}: a window of {size} does not fit into {shape}")
    return sides
