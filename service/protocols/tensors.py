"""Tensors of the Open Inference Protocol: values to JSON and to bytes, and back.

In JSON a tensor is a list, flat or nested as its shape is, row-major. In bytes it is
little-endian and row-major without gaps; an element of BYTES has its length in front,
in 4 bytes (Triton's binary tensor data extension).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service import errors
from service.batches import place
from service.documents import kind
from service.pixels import PIXELS, fault_of, to_uint8

DTYPES: Mapping[str, np.dtype[Any]] = {
    "UINT8": np.dtype("u1"),
    "FP32": np.dtype("<f4"),
    "INT64": np.dtype("<i8"),
    "BOOL": np.dtype("?"),
}

LENGTH_BYTES = 4  # in front of each element of BYTES

Values: TypeAlias = NDArray[Any] | Sequence[bytes]


@dataclass(frozen=True)
class Tensor:
    """A tensor to be sent: an array of one of ``DTYPES``, or BYTES as a list of elements."""

    name: str
    datatype: str
    shape: Sequence[int]
    values: Values

    def to_json(self) -> NDArray[Any] | list[str]:
        """The flat values, as ``orjson`` writes them; BYTES have to be UTF-8."""
        if isinstance(self.values, np.ndarray):
            return self.values.ravel()
        return [element.decode() for element in self.values]

    def to_bytes(self) -> bytes:
        """The values as they stand behind the JSON."""
        if isinstance(self.values, np.ndarray):
            return self.values.astype(DTYPES[self.datatype], copy=False).tobytes()
        return b"".join(
            len(element).to_bytes(LENGTH_BYTES, "little") + element for element in self.values
        )


def flatten(data: list[Any], shape: Sequence[int], field: str) -> list[Any]:
    """The values of a tensor in JSON, flat or nested as its shape is.

    Raises WrongDataSize, which names the list that is too short or too long.
    """
    nested = bool(data) and isinstance(data[0], list)
    return _join(data, tuple(shape) if nested else (math.prod(shape),), field)


def numbers_from_json(
    data: list[Any], shape: Sequence[int], datatype: str, field: str, *, several: bool
) -> NDArray[Any]:
    """Pixels in JSON as an array of ``shape``, of the datatype UINT8 or FP32.

    several: whether the first axis is that of images, by which a bad value is named.
    FP32 may be out of range, or infinite where a number has no place in 32 bits.
    Raises PixelError, WrongDataSize or WrongDatatype.
    """
    flat = flatten(data, shape, field)
    array = _to_uint8(flat) if datatype == "UINT8" else _to_float32(flat)
    if array is None:
        raise _fault(flat, datatype, field, several=several)
    return array.reshape(shape)


def numbers_from_bytes(
    data: bytes | memoryview, shape: Sequence[int], datatype: str, field: str
) -> NDArray[Any]:
    """An array over ``data`` itself; raises WrongDataSize unless it is as large as ``shape``."""
    dtype = DTYPES[datatype]
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise errors.WrongDataSize(
            field, f"{field} has {len(data)} bytes; {datatype} of this shape has {expected}"
        )
    array: NDArray[Any] = np.frombuffer(data, dtype)
    return array.reshape(shape)


def elements_from_bytes(data: memoryview, count: int, field: str) -> list[bytes]:
    """The elements of a BYTES tensor; raises WrongDataSize unless they are ``data``, exactly."""
    elements: list[bytes] = []
    start = 0
    for index in range(count):
        begin = start + LENGTH_BYTES
        end = begin + int.from_bytes(data[start:begin], "little")
        if begin > len(data) or end > len(data):
            here = place(field, index)
            raise errors.WrongDataSize(
                here, f"{here} goes beyond the bytes of its tensor; send all of them"
            )
        elements.append(bytes(data[begin:end]))
        start = end
    if start != len(data):
        raise errors.WrongDataSize(
            field, f"{field} has {len(data) - start} bytes behind its last element; remove them"
        )
    return elements


def _join(data: object, shape: tuple[int, ...], here: str) -> list[Any]:
    if not isinstance(data, list) or len(data) != shape[0]:
        found = f"has {len(data)} values" if isinstance(data, list) else f"is {kind(data)}"
        raise errors.WrongDataSize(here, f"{here} {found}; by its shape it is a list of {shape[0]}")
    if len(shape) == 1:
        return data
    return [
        value
        for index, row in enumerate(data)
        for value in _join(row, shape[1:], place(here, index))
    ]


def _to_uint8(flat: list[Any]) -> NDArray[np.uint8] | None:
    """Whole numbers of 0-255, or None where one is not such a number."""
    whole = to_uint8(flat)
    if whole is not None or not set(map(type, flat)) <= {int, float}:
        return whole
    try:
        values = np.array(flat, np.float64)
    except OverflowError:
        return None
    is_whole = np.rint(np.clip(values, 0, 255)) == values  # false for NaN too
    return values.astype(np.uint8) if is_whole.all() else None


def _to_float32(flat: list[Any]) -> NDArray[np.float32] | None:
    """Numbers of whatever size, or None where one is no number, or beyond all floats."""
    if not set(map(type, flat)) <= {int, float}:
        return None
    try:
        with np.errstate(over="ignore"):
            return np.array(flat, np.float32)
    except OverflowError:
        return None


def _fault(
    flat: list[Any], datatype: str, field: str, *, several: bool
) -> errors.PixelError | errors.WrongDatatype:
    """What is wrong with the first value that is not of its datatype."""
    for index, value in enumerate(flat):
        image, pixel = divmod(index, PIXELS)
        here = place(place(field, image) if several else field, pixel)
        fault = fault_of(value, here)
        if fault:
            return fault
        if datatype == "UINT8" and value != int(value):
            return errors.WrongDatatype(
                here, f"{here} is {value}, which UINT8 does not have; send whole numbers, or FP32"
            )
    raise AssertionError("every value is of its datatype")
