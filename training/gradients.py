"""The backward of every layer in ``model/layers.py``, under the same name.

``dout`` is the gradient of the loss with respect to the layer's output; the
results are the gradients with respect to what the forward took, each named
``d`` and the forward's name for it.
"""

import numpy as np

from model.layers import FloatArray


def dense_backward(
    dout: FloatArray, x: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gradients of ``dense``: dout (N, O), x (N, I), weight (I, O) to (dx, dweight, dbias)."""
    dweight, dbias = np.empty_like(weight), np.empty_like(dout, shape=weight.shape[1:])
    dense_backward_parameters(dout, x, dweight, dbias)
    return dense_backward_input(dout, weight), dweight, dbias


def dense_backward_input(dout: FloatArray, weight: FloatArray) -> FloatArray:
    """The first of the three, dx (N, I), which the first layer of a network has no use for."""
    return dout @ weight.T


def dense_backward_parameters(
    dout: FloatArray, x: FloatArray, dweight: FloatArray, dbias: FloatArray
) -> None:
    """The other two, written into the given dweight (I, O) and dbias (O,)."""
    np.matmul(x.T, dout, out=dweight)
    np.sum(dout, axis=0, out=dbias)


def relu_backward(dout: FloatArray, x: FloatArray) -> FloatArray:
    """Gradient of ``relu``: passes where x was above 0, and 0 at the kink itself."""
    return dout * (x > 0)


def softmax_backward(dout: FloatArray, probabilities: FloatArray) -> FloatArray:
    """Gradient of ``softmax`` with respect to the logits, from its output (N, K)."""
    dlogits = dout * probabilities
    dlogits -= probabilities * dlogits.sum(axis=-1, keepdims=True)
    return dlogits
