"""Dense layers divided between two threads by their inputs.

Where a batch is too small to be divided, its largest products still are. Each thread
keeps to its half of the weights, of their gradient and of the optimizer's moments,
which so stay in the cache of one core.
"""

import numpy as np

from model import layers
from model.layers import FloatArray
from training import gradients
from training.helper import Helper

WIDE = 256  # inputs from which a layer is worth dividing


def dense(helper: Helper, x: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """``layers.dense``, as the sum of two."""
    middle = len(weight) // 2
    out, rest = helper.both(
        lambda: layers.dense(x[:, :middle], weight[:middle], bias),
        lambda: x[:, middle:] @ weight[middle:],
    )
    out += rest
    return out


def dense_backward_parameters(
    helper: Helper, dout: FloatArray, x: FloatArray, dweight: FloatArray, dbias: FloatArray
) -> None:
    """``gradients.dense_backward_parameters``, each half of dweight by one thread."""
    middle = len(dweight) // 2
    helper.both(
        lambda: gradients.dense_backward_parameters(dout, x[:, :middle], dweight[:middle], dbias),
        lambda: np.matmul(x[:, middle:].T, dout, out=dweight[middle:]),
    )
