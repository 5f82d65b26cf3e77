"""Numbers to images: lists as JSON has them, and arrays. One rule of scale for both.

Pixels are 0-255, bright ink on dark ground as in MNIST. An image whose largest
value is at most 1 is read as shares of full ink.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from model.network import PIXEL_MAX
from service import errors
from service.batches import Image, place
from service.documents import kind

PIXELS = FRAME_SIDE * FRAME_SIDE

EXPECTED_PIXELS = f"send {PIXELS} numbers, or {FRAME_SIDE} rows of {FRAME_SIDE}"
EXPECTED_SHAPE = f"send (N, {FRAME_SIDE}, {FRAME_SIDE}) or (N, {PIXELS})"

# What one image may look like behind the axis of images; the last two are how channels
# are written first (PyTorch) and last (TensorFlow).
IMAGE_SHAPES = (
    (FRAME_SIDE, FRAME_SIDE),
    (PIXELS,),
    (1, FRAME_SIDE, FRAME_SIDE),
    (FRAME_SIDE, FRAME_SIDE, 1),
)


def from_list(value: object, field: str, *, booleans: bool = True) -> Image:
    """784 numbers, or 28 rows of 28, as an image (28, 28) uint8; raises JSONError, PixelError.

    booleans: whether there may be any; it is quicker where there cannot.
    """
    if not isinstance(value, list):
        raise errors.WrongType(field, f"{field} is {kind(value)}; {EXPECTED_PIXELS}")
    rows = bool(value) and isinstance(value[0], list)
    flat = _join_rows(value, field) if rows else value
    if len(flat) != PIXELS:
        raise errors.WrongPixelCount(field, f"{field} has {len(flat)} numbers; {EXPECTED_PIXELS}")
    pixels = _to_pixels(flat, booleans=booleans)
    if pixels is None:
        raise _fault(flat, field, rows=rows)
    return pixels.reshape(FRAME_SIDE, FRAME_SIDE)


def split(shape: Sequence[int], field: str) -> int | None:
    """How many images an array of ``shape`` is, None for one without an axis of images.

    Raises WrongShape.
    """
    shape = tuple(shape)
    if shape in IMAGE_SHAPES[:2]:
        return None
    if shape[1:] in IMAGE_SHAPES:
        return shape[0]
    sides = ", ".join(map(str, shape))
    raise errors.WrongShape(field, f"{field} has the shape ({sides}); {EXPECTED_SHAPE}")


def from_array(array: NDArray[Any], field: str) -> list[Image]:
    """An array (uint8 or float, of a shape that ``split`` takes) as images (28, 28) uint8.

    Raises WrongShape, PixelNotFinite or PixelOutOfRange.
    """
    several = split(array.shape, field) is not None
    rows = array.reshape(-1, PIXELS)
    if rows.dtype == np.uint8:
        shares = rows.max(axis=1, initial=0) <= 1
        scaled = rows * np.where(shares, PIXEL_MAX, 1).astype(np.uint8)[:, np.newaxis]
    else:
        largest = rows.max(axis=1, initial=0)
        if not (rows.min(initial=0) >= 0 and largest.max(initial=0) <= PIXEL_MAX):  # or NaN
            raise _fault_in_rows(rows, field, several=several)
        scales = np.where(largest <= 1, PIXEL_MAX, 1)[:, np.newaxis]
        scaled = np.rint(rows * scales).astype(np.uint8)
    return list(scaled.reshape(-1, FRAME_SIDE, FRAME_SIDE))


def fault_of(value: object, here: str) -> errors.PixelError | None:
    """What is wrong with a pixel that the client calls ``here``, None for a number of 0-255."""
    if type(value) is not int and type(value) is not float:
        return errors.PixelNotANumber(here, f"{here} is {kind(value)}; send a number of 0-255")
    if isinstance(value, float) and not math.isfinite(value):
        found = "NaN" if math.isnan(value) else "infinite"
        return errors.PixelNotFinite(here, f"{here} is {found}; send a number of 0-255")
    if not 0 <= value <= PIXEL_MAX:
        shown = value if abs(value) < 10**9 else "far out of range"
        return errors.PixelOutOfRange(here, f"{here} is {shown}; send a number of 0-255")
    return None


def _to_pixels(flat: list[Any], *, booleans: bool) -> Image | None:
    """784 JSON values as pixels of 0-255, or None where one is not such a number."""
    whole = to_uint8(flat, booleans=booleans)
    if whole is not None:
        return whole if whole.max() > 1 else whole * np.uint8(PIXEL_MAX)
    try:
        if set(map(type, flat)) <= {int, float}:
            values = np.array(flat, np.float64)
            if values.min() >= 0 and values.max() <= PIXEL_MAX:  # false for NaN too
                scale = 1 if values.max() > 1 else PIXEL_MAX
                return np.rint(values * scale).astype(np.uint8)
    except (ValueError, OverflowError):
        pass
    return None


def to_uint8(flat: list[Any], *, booleans: bool = True) -> Image | None:
    """JSON values as an array (N,) uint8, or None where one is no whole number of 0-255.

    ``bytearray`` converts and checks in one pass, but takes booleans for numbers. Written as
    JSON only they have an e, which is found sooner than each value is asked for its type.
    """
    try:
        whole = bytearray(flat)  # in half the time of bytes, which does not know the length
    except (TypeError, ValueError):
        return None
    if booleans and b"e" in orjson.dumps(flat):
        return None
    return np.frombuffer(whole, np.uint8)


def _join_rows(rows: list[Any], field: str) -> list[Any]:
    flat: list[Any] = []
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != FRAME_SIDE:
            found = f"has {len(row)} numbers" if isinstance(row, list) else "is not a row"
            here = place(field, index)
            raise errors.RaggedRows(here, f"{here} {found}; {EXPECTED_PIXELS}")
        flat += row
    if len(rows) != FRAME_SIDE:
        raise errors.RaggedRows(field, f"{field} has {len(rows)} rows; {EXPECTED_PIXELS}")
    return flat


def _fault(flat: list[Any], field: str, *, rows: bool) -> errors.PixelError:
    """What is wrong with the first of ``flat`` that is not a number of 0-255."""
    for index, value in enumerate(flat):
        row, column = divmod(index, FRAME_SIDE)
        fault = fault_of(value, f"{field}[{row}][{column}]" if rows else place(field, index))
        if fault:
            return fault
    raise AssertionError("every value is a number of 0-255")


def _fault_in_rows(rows: NDArray[np.floating], field: str, *, several: bool) -> errors.PixelError:
    """What is wrong with the first number of an array (N, 784) that is not of 0-255."""
    image, pixel = np.argwhere(~((rows >= 0) & (rows <= PIXEL_MAX)))[0].tolist()
    here = place(field, image) if several else field
    fault = fault_of(float(rows[image, pixel]), place(here, pixel))
    if fault is None:
        raise AssertionError("every value is a number of 0-255")
    return fault
