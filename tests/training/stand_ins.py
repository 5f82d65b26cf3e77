"""What stands in for MNIST and QMNIST on the mirrors of this machine: small and random."""

import gzip
import hashlib
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.training.mirrors import BODY, NAME, ORIGINAL, Behaviour, by_name, contents, ranged, whole
from training.dataset import WRITERS
from training.fetch import ExtendedLabels, Published

ROWS, USED = 300, 50  # of the stand-ins' files, and of those MNIST's test set
RANDOM = np.random.default_rng(7)

Table = NDArray[np.int32]


def labels(series: Iterable[int], writers: Iterable[int]) -> Table:
    """Extended labels, (N, 8): what is not said is 0."""
    array = np.zeros((ROWS, 8), np.int32)
    array[:, 1], array[:, 2] = list(series), list(writers)
    return array


def random_labels() -> Table:
    array = labels(RANDOM.choice([0, 1, 4], ROWS), RANDOM.integers(0, 2600, ROWS))
    array[:, 0] = RANDOM.integers(0, 10, ROWS)
    array[:, 3:6] = RANDOM.integers(0, 281_770, (ROWS, 3))
    return array


def idx_int(array: NDArray[np.integer], dtype: str = ">i4", code: int = 0x0C) -> bytes:
    """An array as an IDX file of integers."""
    lengths = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, code, array.ndim]) + lengths + array.astype(dtype).tobytes()


def digest(writers: NDArray[np.integer], series: NDArray[np.integer]) -> str:
    return hashlib.sha256(
        writers.astype("<i2").tobytes() + series.astype("u1").tobytes()
    ).hexdigest()


TRAIN, TEST = random_labels(), random_labels()
ARRAYS: dict[str, NDArray[Any]] = {
    "train_writer": TRAIN[:, 2].astype(np.int16),
    "train_series": TRAIN[:, 1].astype(np.uint8),
    "test_writer": TEST[:USED, 2].astype(np.int16),
    "test_series": TEST[:USED, 1].astype(np.uint8),
}
STAND_IN = Published(
    mnist={NAME: ORIGINAL},
    qmnist=(
        ExtendedLabels("train", "train", ROWS, ROWS, digest(TRAIN[:, 2], TRAIN[:, 1])),
        ExtendedLabels("test", "test", ROWS, USED, digest(TEST[:USED, 2], TEST[:USED, 1])),
    ),
)
SERVED = {
    f"{NAME}.gz": BODY,
    "train.gz": gzip.compress(idx_int(TRAIN), mtime=0),
    "test.gz": gzip.compress(idx_int(TEST), mtime=0),
}


def serving(**changes: Behaviour) -> Behaviour:
    """All files, sent well, save those that are named."""
    behaviours = {name: ranged(body) for name, body in SERVED.items()}
    return by_name(behaviours | {f"{name}.gz": behaviour for name, behaviour in changes.items()})


def packed(array: NDArray[np.integer], dtype: str = ">i4", code: int = 0x0C) -> Behaviour:
    return whole(gzip.compress(idx_int(array, dtype, code)))


def changed(row: int, column: int) -> Table:
    array = TRAIN.copy()
    array[row, column] ^= 1
    return array


def npz(*, save: Callable[..., None] = np.savez, **changes: NDArray[Any] | None) -> bytes:
    """A writers.npz in which some arrays are others, or none."""
    file = io.BytesIO()
    save(file, **{key: array for key, array in (ARRAYS | changes).items() if array is not None})
    return file.getvalue()


def assert_all_fetched(folder: Path) -> None:
    """Everything is there and right, and nothing else."""
    found = contents(folder)
    writers = found.pop(WRITERS)
    assert found == SERVED
    assert_writers(writers)


def assert_writers(file: bytes) -> None:
    with np.load(io.BytesIO(file)) as arrays:
        assert list(arrays) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert arrays[name].dtype == array.dtype
            assert np.array_equal(arrays[name], array)
