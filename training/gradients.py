"""The backward of every layer in ``model/layers.py``, under the same name.

``dout`` is the gradient of the loss with respect to the layer's output; the
results are the gradients with respect to what the forward took, each named
``d`` and the forward's name for it.
"""

from model.layers import FloatArray


def dense_backward(
    dout: FloatArray, x: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gradients of ``dense``: dout (N, O), x (N, I), weight (I, O) to (dx, dweight, dbias)."""
    return dout @ weight.T, x.T @ dout, dout.sum(axis=0)


def relu_backward(dout: FloatArray, x: FloatArray) -> FloatArray:
    """Gradient of ``relu``: passes where x was above 0, and 0 at the kink itself."""
    return dout * (x > 0)


def softmax_backward(dout: FloatArray, probabilities: FloatArray) -> FloatArray:
    """Gradient of ``softmax`` with respect to the logits, from its output (N, K)."""
    dlogits = dout * probabilities
    dlogits -= probabilities * dlogits.sum(axis=-1, keepdims=True)
    return dlogits
