import numpy as np
import pytest
from numpy.typing import NDArray

from model.architecture import mlp
from model.network import Network, scale_pixels
from tests.helpers import table


def small_network(dtype: type[np.floating] = np.float32) -> Network:
    """Hidden units x0 + 2 and 1 - x0; the logits of 0 and 1 are one of them each, plus 5."""
    parameters = {
        name: np.zeros(shape, dtype) for name, shape in mlp(784, 2, 10).parameter_shapes().items()
    }
    parameters["dense1.weight"][0] = [1, -1]
    parameters["dense1.bias"][:] = [2, 1]
    parameters["dense2.weight"][0, 0] = parameters["dense2.weight"][1, 1] = 1
    parameters["dense2.bias"][:2] = 5
    return Network(mlp(784, 2, 10), parameters)


def row(first: float) -> NDArray[np.float32]:
    return np.array([[first, *[0.0] * 783]], np.float32)


@pytest.mark.parametrize(
    ("first", "zero", "one"), [(0.0, 7, 6), (1.0, 8, 5), (3.0, 10, 5), (-4.0, 5, 10)]
)
def test_logits_are_those_worked_by_hand(first: float, zero: float, one: float) -> None:
    assert small_network().logits(row(first)).tolist() == [[zero, one, *[0.0] * 8]]


def test_every_row_is_computed_for_itself() -> None:
    rows = np.concatenate([row(0), row(1), row(3)])
    assert small_network().logits(rows)[:, 0].tolist() == [7, 8, 10]


def test_the_record_has_the_input_of_every_layer() -> None:
    record: list[NDArray[np.floating]] = []
    logits = small_network().logits(row(3), record)
    assert [array.shape for array in record] == [(1, 784), (1, 2), (1, 2)]
    assert [array[0, :2].tolist() for array in record] == [[3, 0], [5, -2], [5, 0]]
    assert logits.shape == (1, 10)


def test_the_input_is_left_as_it_was() -> None:
    rows = row(-4)
    small_network().logits(rows)
    np.testing.assert_array_equal(rows, row(-4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_have_the_dtype_of_parameters_and_rows(dtype: type[np.floating]) -> None:
    assert small_network(dtype).logits(row(1).astype(dtype)).dtype == dtype


def test_a_change_of_the_parameters_is_seen() -> None:
    network = small_network()
    network.parameters["dense2.bias"][0] += 1
    assert network.logits(row(0))[0, 0] == 8


@table(
    "changes",
    {
        "missing": {"dense2.bias": None},
        "unknown": {"dense3.bias": np.zeros(10)},
        "transposed": {"dense1.weight": np.zeros((2, 784))},
        "another length": {"dense2.bias": np.zeros(9)},
        "another number of axes": {"dense2.bias": np.zeros((1, 10))},
    },
)
def test_other_parameters_than_the_architectures_are_refused(
    changes: dict[str, NDArray[np.float64] | None],
) -> None:
    parameters = {**small_network().parameters, **changes}
    given = {name: array for name, array in parameters.items() if array is not None}
    with pytest.raises(ValueError, match=r"are not the architecture's"):
        Network(mlp(784, 2, 10), given)


def test_pixels_are_scaled_to_0_to_1_in_rows() -> None:
    frames = np.zeros((2, 28, 28), np.uint8)
    frames[0, 0, :3] = [255, 51, 1]
    frames[1, 27, 27] = 255
    rows = scale_pixels(frames)
    assert rows.shape == (2, 784)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[0, :4], [1, 0.2, 1 / 255, 0], rtol=1e-6)
    assert rows[1].nonzero()[0].tolist() == [783]
