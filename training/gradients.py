"""The backward of every layer in ``model/layers.py``, under the same name.

``dout`` is the gradient of the loss with respect to the layer's output; the
results are the gradients with respect to what the forward took, each named
``d`` and the forward's name for it. A layer with parameters also has its
backward in two halves, since the first layer of a network has no use for dx.
"""

import numpy as np

from model.layers import GELU_CUBIC, GELU_SCALE, FloatArray, max_pool2d
from model.windows import (
    Shape,
    batch_last,
    batch_second,
    by_channel,
    col2im,
    from_channels,
    im2col,
    taps,
)

# -- affine maps ------------------------------------------------------------


def dense_backward(
    dout: FloatArray, x: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gradients of ``dense``: dout (N, O), x (N, I), weight (I, O) to (dx, dweight, dbias)."""
    dweight, dbias = np.empty_like(weight), np.empty_like(dout, shape=weight.shape[1:])
    dense_backward_parameters(dout, x, dweight, dbias)
    return dense_backward_input(dout, weight), dweight, dbias


def dense_backward_input(dout: FloatArray, weight: FloatArray) -> FloatArray:
    """The first of the three, dx (N, I)."""
    return dout @ weight.T


def dense_backward_parameters(
    dout: FloatArray, x: FloatArray, dweight: FloatArray, dbias: FloatArray
) -> None:
    """The other two, written into the given dweight (I, O) and dbias (O,)."""
    np.matmul(x.T, dout, out=dweight)
    np.sum(dout, axis=0, out=dbias)


def conv2d_backward(
    dout: FloatArray, x: FloatArray, weight: FloatArray, stride: int, padding: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gradients of ``conv2d``: dout (O, N, H', W') to (dx, dweight, dbias)."""
    dweight, dbias = np.empty_like(weight), np.empty_like(dout, shape=weight.shape[:1])
    conv2d_backward_parameters(dout, x, dweight, dbias, stride, padding)
    return conv2d_backward_input(dout, weight, x.shape, stride, padding), dweight, dbias


def conv2d_backward_input(
    dout: FloatArray, weight: FloatArray, x_shape: Shape, stride: int, padding: int
) -> FloatArray:
    """The first of the three, dx of ``x_shape`` (C, N, H, W)."""
    images = batch_last(dout)  # (O, H', W', N)
    kernels = weight.reshape(len(weight), -1)  # (O, C*K*K)
    dcolumns = kernels.T @ images.reshape(len(weight), -1)  # (C*K*K, H'*W'*N)
    dcolumns = dcolumns.reshape(*weight.shape[1:], *images.shape[1:])
    return col2im(dcolumns, x_shape, stride, padding)


def conv2d_backward_parameters(  # noqa: PLR0913, PLR0917 - the forward's, and where to
    dout: FloatArray,
    x: FloatArray,
    dweight: FloatArray,
    dbias: FloatArray | None,
    stride: int,
    padding: int,
) -> None:
    """The other two, written into the given dweight (O, C, K, K) and dbias (O,) or None."""
    # The columns are made again, so that the forward need not keep them: K*K times its input.
    columns = im2col(x, dweight.shape[-1], stride, padding)  # (C, K, K, H', W', N)
    rows = by_channel(dout)  # (O, H'*W'*N)
    # (C*K*K, O): BLAS is faster with the longer of the two sides first.
    dkernels = columns.reshape(-1, rows.shape[1]) @ rows.T
    dweight[...] = dkernels.T.reshape(dweight.shape)
    if dbias is not None:
        np.sum(rows, axis=1, out=dbias)


def depthwise_conv2d_backward(
    dout: FloatArray, x: FloatArray, weight: FloatArray, stride: int, padding: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gradients of ``depthwise_conv2d``: dout (C, N, H', W') to (dx, dweight, dbias)."""
    dweight, dbias = np.empty_like(weight), np.empty_like(dout, shape=weight.shape[:1])
    depthwise_conv2d_backward_parameters(dout, x, dweight, dbias, stride, padding)
    dx = depthwise_conv2d_backward_input(dout, weight, x.shape, stride, padding)
    return dx, dweight, dbias


def depthwise_conv2d_backward_input(
    dout: FloatArray, weight: FloatArray, x_shape: Shape, stride: int, padding: int
) -> FloatArray:
    """The first of the three, dx of ``x_shape`` (C, N, H, W)."""
    images = batch_last(dout)[:, None, None]  # (C, 1, 1, H', W', N)
    dcolumns = weight[:, :, :, None, None, None] * images  # (C, K, K, H', W', N)
    return col2im(dcolumns, x_shape, stride, padding)


def depthwise_conv2d_backward_parameters(  # noqa: PLR0913, PLR0917 - the forward's, and where to
    dout: FloatArray,
    x: FloatArray,
    dweight: FloatArray,
    dbias: FloatArray | None,
    stride: int,
    padding: int,
) -> None:
    """The other two, written into the given dweight (C, K, K) and dbias (C,) or None."""
    columns = im2col(x, dweight.shape[-1], stride, padding)  # (C, K, K, H', W', N)
    rows = by_channel(dout)  # (C, H'*W'*N)
    dkernels = columns.reshape(len(rows), -1, rows.shape[1]) @ rows[:, :, None]  # (C, K*K, 1)
    dweight[...] = dkernels.reshape(dweight.shape)
    if dbias is not None:
        np.sum(rows, axis=1, out=dbias)


# -- pooling and shape ------------------------------------------------------


def max_pool2d_backward(dout: FloatArray, x: FloatArray, size: int, stride: int) -> FloatArray:
    """Gradient of ``max_pool2d``: to the first of a window's largest values, row by row."""
    images, out, douts = batch_last(x), batch_last(max_pool2d(x, size, stride)), batch_last(dout)
    dx = np.zeros_like(images)
    free = np.ones(out.shape, np.bool_)  # windows whose largest value has not come yet
    for *_, pixels in taps(x.shape[2], x.shape[3], size, stride):
        largest = (images[pixels] == out) & free
        dx[pixels] += douts * largest
        free ^= largest
    return batch_second(dx)


def average_pool2d_backward(dout: FloatArray, x_shape: Shape, size: int, stride: int) -> FloatArray:
    """Gradient of ``average_pool2d``: an equal share to every pixel of a window."""
    channels, batch, height, width = x_shape
    share = batch_last(dout) / (size * size)
    dx = np.zeros((channels, height, width, batch), dout.dtype)
    for *_, pixels in taps(height, width, size, stride):
        dx[pixels] += share
    return batch_second(dx)


def global_average_pool_backward(dout: FloatArray, x_shape: Shape) -> FloatArray:
    """Gradient of ``global_average_pool``: dout (N, C) spread over images (C, N, H, W)."""
    channels, batch, height, width = x_shape
    dx = np.empty((channels, height, width, batch), dout.dtype)
    dx[...] = (dout.T / (height * width))[:, None, None, :]
    return batch_second(dx)


def flatten_backward(dout: FloatArray, x_shape: Shape) -> FloatArray:
    """Gradient of ``flatten``: rows dout (N, C*H*W) back to images (C, N, H, W)."""
    channels, batch, height, width = x_shape
    return batch_second(np.ascontiguousarray(dout.T).reshape(channels, height, width, batch))


# -- normalization and regularization ---------------------------------------


def batch_norm_backward(  # noqa: PLR0913, PLR0917 - as the forward
    dout: FloatArray,
    x: FloatArray,
    scale: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    epsilon: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gradients (dx, dscale, dshift) of ``batch_norm`` through ``batch_statistics(x)``.

    mean and variance must be x's own: dx holds what x changes by way of them
    (Ioffe and Szegedy 2015, section 3), and is of x's shape.
    """
    douts, centred = by_channel(dout), by_channel(x) - mean[:, None]  # (C, M)
    inverse = 1 / np.sqrt(variance + epsilon)  # (C,)
    dshift = douts.sum(axis=1)
    dscale = np.vecdot(douts, centred) * inverse
    # dx = factor * (dout - mean(dout) - normalized x * mean(dout * normalized x))
    factor, count = scale * inverse, douts.shape[1]
    dx = douts * factor[:, None]
    centred *= (factor * inverse * dscale / count)[:, None]
    centred += (factor * dshift / count)[:, None]
    dx -= centred
    return from_channels(dx, x.shape), dscale, dshift


def dropout_backward(dout: FloatArray, mask: FloatArray) -> FloatArray:
    """Gradient of ``dropout`` with respect to x."""
    return dout * mask


# -- activations, elementwise -----------------------------------------------


def relu_backward(dout: FloatArray, x: FloatArray) -> FloatArray:
    """Gradient of ``relu``: passes where x was above 0, and 0 at the kink itself."""
    return dout * (x > 0)


def leaky_relu_backward(dout: FloatArray, x: FloatArray, slope: float) -> FloatArray:
    """Gradient of ``leaky_relu``: ``slope`` where x was not above 0."""
    return dout * np.maximum(x > 0, x.dtype.type(slope))


def sigmoid_backward(dout: FloatArray, out: FloatArray) -> FloatArray:
    """Gradient of ``sigmoid``, from its output."""
    return dout * (out * (1 - out))


def tanh_backward(dout: FloatArray, out: FloatArray) -> FloatArray:
    """Gradient of ``tanh``, from its output."""
    return dout * (1 - out * out)


def gelu_backward(dout: FloatArray, x: FloatArray) -> FloatArray:
    """Gradient of ``gelu``."""
    square = x * x
    inner = np.tanh(GELU_SCALE * x * (1 + GELU_CUBIC * square))
    dinner = (1 - inner * inner) * (GELU_SCALE * (1 + 3 * GELU_CUBIC * square))
    dx: FloatArray = dout * (0.5 * (1 + inner + x * dinner))
    return dx


def softmax_backward(dout: FloatArray, probabilities: FloatArray) -> FloatArray:
    """Gradient of ``softmax`` with respect to the logits, from its output (N, K)."""
    dlogits = dout * probabilities
    dlogits -= probabilities * dlogits.sum(axis=-1, keepdims=True)
    return dlogits
