"""Tensors to JSON and bytes, and back: nothing is lost on the way."""

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from service.errors import PixelError, RequestError, WrongDataSize, WrongDatatype
from service.protocols import tensors
from service.protocols.tensors import Tensor
from tests.helpers import PROPERTY, table

SHAPES = st.sampled_from([(784,), (28, 28), (2, 784), (1, 28, 28), (2, 1, 28, 28), (1, 28, 28, 1)])

UINT8 = arrays.arrays(np.uint8, SHAPES)
FP32 = arrays.arrays("<f4", SHAPES, elements=st.floats(width=32))
ANY = st.sampled_from(["UINT8", "FP32", "INT64", "BOOL"]).flatmap(
    lambda datatype: st.tuples(
        st.just(datatype), arrays.arrays(tensors.DTYPES[datatype], arrays.array_shapes())
    )
)


def from_json(values: list[Any], shape: Sequence[int], datatype: str) -> NDArray[Any]:
    return tensors.numbers_from_json(values, shape, datatype, "data", several=True)


@PROPERTY
@given(UINT8, st.booleans())
def test_bytes_in_json_are_read_as_they_were(array: NDArray[np.uint8], nested: bool) -> None:  # noqa: FBT001 - drawn
    values = array.tolist() if nested else array.ravel().tolist()
    read = from_json(values, array.shape, "UINT8")
    assert (read.dtype, read.shape) == (np.dtype(np.uint8), array.shape)
    assert (read == array).all()


@PROPERTY
@given(FP32, st.booleans())
def test_floats_in_json_are_read_to_the_last_bit(array: NDArray[Any], nested: bool) -> None:  # noqa: FBT001 - drawn
    values = array.tolist() if nested else array.ravel().tolist()
    read = from_json(values, array.shape, "FP32")
    assert (read.dtype, read.shape) == (np.dtype(np.float32), array.shape)
    np.testing.assert_array_equal(read, array)


@PROPERTY
@given(ANY)
def test_an_array_behind_the_json_is_read_as_it_was(drawn: tuple[str, NDArray[Any]]) -> None:
    datatype, array = drawn
    sent = Tensor("a", datatype, array.shape, array).to_bytes()
    read = tensors.numbers_from_bytes(sent, array.shape, datatype, "data")
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    assert read.tobytes() == array.tobytes()  # NaN too


@PROPERTY
@given(ANY)
def test_an_array_is_the_same_in_json_as_behind_it(drawn: tuple[str, NDArray[Any]]) -> None:
    datatype, array = drawn
    array = np.where(np.isfinite(array), array, 0).astype(array.dtype)  # JSON has no others
    sent = orjson.dumps(
        Tensor("a", datatype, array.shape, array).to_json(), option=orjson.OPT_SERIALIZE_NUMPY
    )
    np.testing.assert_array_equal(np.array(json.loads(sent), array.dtype), array.ravel())


@PROPERTY
@given(st.lists(st.binary(max_size=40), max_size=9))
def test_elements_behind_the_json_are_read_as_they_were(elements: list[bytes]) -> None:
    sent = Tensor("a", "BYTES", [len(elements)], elements).to_bytes()
    assert tensors.elements_from_bytes(memoryview(sent), len(elements), "data") == elements


@PROPERTY
@given(st.lists(st.binary(max_size=9), min_size=1, max_size=5), st.data())
def test_elements_cut_anywhere_are_refused(elements: list[bytes], data: st.DataObject) -> None:
    sent = Tensor("a", "BYTES", [len(elements)], elements).to_bytes()
    cut = data.draw(st.integers(0, len(sent) - 1))
    with pytest.raises(WrongDataSize):
        tensors.elements_from_bytes(memoryview(sent)[:cut], len(elements), "data")


@PROPERTY
@given(st.binary(max_size=60), st.integers(1, 5))
def test_hostile_elements_are_read_or_refused(sent: bytes, count: int) -> None:
    try:
        elements = tensors.elements_from_bytes(memoryview(sent), count, "data")
    except WrongDataSize:
        return
    assert Tensor("a", "BYTES", [count], elements).to_bytes() == sent


@table(
    "tensor, sent",
    {
        "INT64": (Tensor("a", "INT64", [2], np.array([1, -2])), struct.pack("<qq", 1, -2)),
        "FP32": (Tensor("a", "FP32", [1], np.array([0.1])), struct.pack("<f", 0.1)),
        "FP32 of the other order": (
            Tensor("a", "FP32", [1], np.array([0.5], ">f4")),
            struct.pack("<f", 0.5),
        ),
        "BOOL": (Tensor("a", "BOOL", [2], np.array([True, False])), b"\1\0"),
        "BYTES": (Tensor("a", "BYTES", [2], [b"ab", b""]), b"\2\0\0\0ab\0\0\0\0"),
        "columns": (Tensor("a", "BOOL", [2, 2], np.array([[0, 1], [0, 1]], bool).T), b"\0\0\1\1"),
    },
)
def test_bytes_are_little_endian_row_major_and_without_gaps(tensor: Tensor, sent: bytes) -> None:
    assert tensor.to_bytes() == sent


@table(
    "values, shape, expected",
    {
        "whole numbers": ([0, 255, 7], [3], [0, 255, 7]),
        "whole numbers written as floats": ([0.0, 255.0, 7], [3], [0, 255, 7]),
        "rows": ([[1, 2], [3, 4]], [2, 2], [[1, 2], [3, 4]]),
        "flat rows": ([1, 2, 3, 4], [2, 2], [[1, 2], [3, 4]]),
        "deep": ([[[[1]], [[2]]]], [1, 2, 1, 1], [[[[1]], [[2]]]]),
    },
)
def test_values_of_uint8(values: list[Any], shape: list[int], expected: list[Any]) -> None:
    assert from_json(values, shape, "UINT8").tolist() == expected


@table(
    "values, shape, datatype, error, field",
    {
        "256": ([0, 256], [2], "UINT8", PixelError, "data[0][1]"),
        "256.0": ([0, 256.0], [2], "UINT8", PixelError, "data[0][1]"),
        "a half": ([0.5], [1], "UINT8", WrongDatatype, "data[0][0]"),
        "infinity": ([float("inf")], [1], "UINT8", PixelError, "data[0][0]"),
        "a boolean among floats": ([0.5, True], [2], "FP32", PixelError, "data[0][1]"),
        "too few": ([1, 2, 3], [2, 2], "UINT8", WrongDataSize, "data"),
        "a short row": ([[1, 2], [3]], [2, 2], "UINT8", WrongDataSize, "data[1]"),
        "rows and a number": ([[1, 2], 3], [2, 2], "UINT8", WrongDataSize, "data[1]"),
        "numbers and a row": ([1, 2, 3, [4]], [2, 2], "UINT8", PixelError, "data[0][3]"),
        "rows that are too deep": ([[1, [2]], [3, 4]], [2, 2], "FP32", PixelError, "data[0][1]"),
        "rows for a flat shape": ([[1], [2]], [2], "UINT8", PixelError, "data[0][0]"),
    },
)
def test_values_that_are_refused(
    values: list[Any], shape: list[int], datatype: str, error: type[RequestError], field: str
) -> None:
    with pytest.raises(error) as refusal:
        from_json(values, shape, datatype)
    assert refusal.value.field == field


def test_an_array_behind_the_json_is_not_copied() -> None:
    body = bytes(10)
    read = tensors.numbers_from_bytes(memoryview(body)[2:], [2, 4], "UINT8", "data")
    assert np.shares_memory(read, np.frombuffer(body, np.uint8))
