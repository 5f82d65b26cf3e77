"""NumPy's array format, read without trust: one page of header, then exactly its bytes.

The format is NEP 1 (numpy.org/neps/nep-0001-npy-format.html), versions 1.0 and 2.0.
"""

import io
import math
from typing import Any

import numpy as np
from numpy.lib import format as numpy_format
from numpy.typing import NDArray

from service import errors
from service.batches import check_count
from service.pixels import split

MAX_HEADER_BYTES = 1_024  # NumPy writes 128 for what is read here

READ_HEADER = {
    (1, 0): numpy_format.read_array_header_1_0,
    (2, 0): numpy_format.read_array_header_2_0,
}

DTYPES = frozenset({"u1", "f2", "f4", "f8"})  # of either byte order


def read(body: bytes, max_batch: int) -> NDArray[Any]:
    """The array of a ``.npy`` file: uint8 or float, of a shape that is images.

    It lies in the body itself; nothing is allocated on the header's word, and nothing
    is unpickled. Raises InvalidNpy, WrongDtype, WrongShape or BatchError.
    """
    file = io.BytesIO(body)
    try:
        read_header = READ_HEADER[numpy_format.read_magic(file)]
        shape, by_columns, dtype = read_header(file, max_header_size=MAX_HEADER_BYTES)
    except Exception:  # noqa: BLE001 - a header is a Python literal, which fails in many ways
        raise errors.InvalidNpy(
            "body", "the body is not a .npy file; send what numpy.save writes"
        ) from None
    if dtype.str[1:] not in DTYPES:
        raise errors.WrongDtype("body", "the array is not of uint8 or float; convert it")
    count = split(shape, "body")
    if count is not None:
        check_count(count, "body", max_batch)
    start = file.tell()
    expected = math.prod(shape) * dtype.itemsize
    if len(body) - start != expected:
        raise errors.InvalidNpy(
            "body",
            f"the header promises {expected} bytes of array, and {len(body) - start} are there; "
            "send all of the file",
        )
    array = np.frombuffer(body, dtype, offset=start)
    return array.reshape(shape, order="F" if by_columns else "C")
