"""The layers of a network as pure functions.

Training stands on these same functions and adds the backward of each in
``training/gradients.py``, so the two sides cannot drift apart. Arrays are
float32 when serving and training, float64 in gradient checks. Rows are (N, F);
images are (C, N, H, W), channels before the batch, so that a convolution is
one matrix product with the whole batch in its longest axis.
"""

import math
from typing import TypeAlias

import numpy as np

from model import windows
from model.windows import (
    batch_last,
    batch_second,
    by_channel,
    from_channels,
    im2col,
)

FloatArray: TypeAlias = windows.FloatArray

GELU_SCALE = math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715

# -- affine maps ------------------------------------------------------------


def dense(x: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """Affine map of each row of ``x``.

    Shapes: x (N, I), weight (I, O), bias (O,); returns (N, O).
    """
    out = x @ weight  # (N, O)
    out += bias
    return out


def conv2d(
    x: FloatArray, weight: FloatArray, bias: FloatArray | None, stride: int, padding: int
) -> FloatArray:
    """Cross-correlation of images with O kernels, zeros around them (LeCun et al. 1998).

    Shapes: x (C, N, H, W), weight (O, C, K, K), bias (O,) or None; returns
    (O, N, H', W') with H' = (H + 2 * padding - K) // stride + 1.
    """
    columns = im2col(x, weight.shape[-1], stride, padding)  # (C, K, K, H', W', N)
    kernels = weight.reshape(len(weight), -1)  # (O, C*K*K)
    out = kernels @ columns.reshape(kernels.shape[1], -1)  # (O, H'*W'*N)
    if bias is not None:
        out += bias[:, None]
    return batch_second(out.reshape(len(weight), *columns.shape[3:]))


def depthwise_conv2d(
    x: FloatArray, weight: FloatArray, bias: FloatArray | None, stride: int, padding: int
) -> FloatArray:
    """``conv2d`` of each channel with a kernel of its own (Howard et al. 2017).

    Shapes: x (C, N, H, W), weight (C, K, K), bias (C,) or None; returns (C, N, H', W').
    """
    columns = im2col(x, weight.shape[-1], stride, padding)  # (C, K, K, H', W', N)
    kernels = weight.reshape(len(weight), 1, -1)  # (C, 1, K*K)
    out = kernels @ columns.reshape(len(weight), kernels.shape[2], -1)  # (C, 1, H'*W'*N)
    if bias is not None:
        out += bias[:, None, None]
    return batch_second(out.reshape(len(weight), *columns.shape[3:]))


# -- pooling and shape ------------------------------------------------------


def max_pool2d(x: FloatArray, size: int, stride: int) -> FloatArray:
    """The largest value of each window; what does not fill a window is dropped.

    Shapes: x (C, N, H, W); returns (C, N, H', W') with H' = (H - size) // stride + 1.
    """
    images = batch_last(x)  # (C, H, W, N)
    first, *others = [pixels for *_, pixels in windows.taps(x.shape[2], x.shape[3], size, stride)]
    out = images[first].copy()
    for pixels in others:
        np.maximum(out, images[pixels], out=out)
    return batch_second(out)


def average_pool2d(x: FloatArray, size: int, stride: int) -> FloatArray:
    """The mean of each window; shapes as in ``max_pool2d``."""
    images = batch_last(x)  # (C, H, W, N)
    first, *others = [pixels for *_, pixels in windows.taps(x.shape[2], x.shape[3], size, stride)]
    out = images[first].copy()
    for pixels in others:
        out += images[pixels]
    out /= size * size
    return batch_second(out)


def global_average_pool(x: FloatArray) -> FloatArray:
    """The mean of each channel (Lin et al. 2014): images (C, N, H, W) to rows (N, C)."""
    out: FloatArray = x.mean(axis=(2, 3))  # (C, N)
    return out.T


def flatten(x: FloatArray) -> FloatArray:
    """Images (C, N, H, W) to rows (N, C*H*W), channel by channel; a view where it can be."""
    channels, batch, height, width = x.shape
    return batch_last(x).reshape(channels * height * width, batch).T


# -- normalization and regularization ---------------------------------------


def batch_norm(  # noqa: PLR0913, PLR0917 - the layer has these six
    x: FloatArray,
    scale: FloatArray,
    shift: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    epsilon: float,
) -> FloatArray:
    """(x - mean) / sqrt(variance + epsilon) * scale + shift (Ioffe and Szegedy 2015).

    x is images (C, N, H, W) or rows (N, C), the other arrays are (C,); returns x's shape.
    """
    factor = scale / np.sqrt(variance + epsilon)  # (C,)
    out = by_channel(x) * factor[:, None]
    out += (shift - mean * factor)[:, None]
    return from_channels(out, x.shape)


def batch_statistics(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and biased variance (C,) of each channel, which ``batch_norm`` takes while training.

    x is images (C, N, H, W) or rows (N, C).
    """
    values = by_channel(x)  # (C, M)
    mean: FloatArray = values.mean(axis=1)
    centred = values - mean[:, None]  # E[x^2] - E[x]^2 would lose digits in float32
    return mean, np.vecdot(centred, centred) / values.shape[1]


def dropout(x: FloatArray, mask: FloatArray) -> FloatArray:
    """Drop values while training (Srivastava et al. 2014).

    ``mask``, of x's shape, holds 0 with probability ``rate`` and 1 / (1 - rate)
    otherwise, so that the mean stays and serving needs no dropout at all.
    """
    return x * mask


# -- activations, elementwise -----------------------------------------------


def relu(x: FloatArray) -> FloatArray:
    """Rectified linear unit, elementwise max(x, 0) (Nair and Hinton 2010)."""
    return np.maximum(x, 0)


def leaky_relu(x: FloatArray, slope: float) -> FloatArray:
    """Slope 1 above 0 and ``slope``, from 0 to 1, below (Maas et al. 2013)."""
    out: FloatArray = np.maximum(x, x * slope)
    return out


def sigmoid(x: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), written with tanh, which overflows nowhere."""
    out: FloatArray = np.tanh(0.5 * x)
    out *= 0.5
    out += 0.5
    return out


def tanh(x: FloatArray) -> FloatArray:
    """Hyperbolic tangent."""
    out: FloatArray = np.tanh(x)
    return out


def gelu(x: FloatArray) -> FloatArray:
    """Gaussian error linear unit in its tanh form (Hendrycks and Gimpel 2016)."""
    out: FloatArray = 0.5 * x * (1 + np.tanh(GELU_SCALE * x * (1 + GELU_CUBIC * (x * x))))
    return out


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities over the last axis; each row sums to 1.

    The row maximum is subtracted first, which changes nothing mathematically
    and keeps ``exp`` from overflowing (Goodfellow et al. 2016, section 4.1).
    """
    shifted = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    exponentials: FloatArray = np.exp(shifted)
    exponentials /= np.add.reduce(exponentials, axis=-1, keepdims=True)
    return exponentials
