import dataclasses
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from numpy.typing import NDArray

from tests.helpers import PROPERTY, TINY_RECIPE, table
from training import checkpoint as checkpoints
from training.checkpoint import Checkpoint, load, save
from training.config import AugmentationConfig, Recipe
from training.errors import CheckpointError
from training.progress import Epoch

DATA = {"train-images-idx3-ubyte": "ab" * 32, "writers.npz": "cd" * 32}
HISTORY = (Epoch(1, 0.1 + 0.2, 1 / 3, None, 1e-5), Epoch(2, 1e-17, 1.0, 0.987, 0.0))
NUMBERS = np.random.default_rng(0).normal(0, 1, 500).astype(np.float32)
CHECKPOINT = Checkpoint(
    {"parameters": NUMBERS, "moments": np.stack([NUMBERS, NUMBERS**2])}, 17, HISTORY
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound checkpoint."""
    path = tmp_path / "checkpoint.npz"
    save(path, CHECKPOINT, TINY_RECIPE, DATA)
    return path


def assert_same(found: Checkpoint | None, expected: Checkpoint) -> None:
    assert found is not None
    assert (found.step, found.history) == (expected.step, expected.history)
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)


# -- there and back -----------------------------------------------------------


def test_what_is_saved_is_loaded_to_the_bit(path: Path) -> None:
    assert_same(load(path, TINY_RECIPE, DATA), CHECKPOINT)


FLOATS = st.floats(width=32, allow_nan=False)
VECTORS: st.SearchStrategy[NDArray[np.float32]] = st_numpy.arrays(
    np.float32, st_numpy.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=9)
)
EPOCHS = st.builds(
    Epoch,
    st.integers(1, 10**6),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(0, 1),
    st.none() | st.floats(0, 1),
    st.floats(0, 1e30),
)


@PROPERTY
@given(
    st.dictionaries(st.sampled_from(["parameters", "moments", "running", "best"]), VECTORS),
    st.integers(0, 2**40),
    st.lists(EPOCHS, max_size=3),
)
def test_any_checkpoint_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    arrays: dict[str, NDArray[np.float32]],
    step: int,
    history: list[Epoch],
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.npz"
    checkpoint = Checkpoint(arrays, step, tuple(history))
    save(path, checkpoint, TINY_RECIPE, DATA)
    assert_same(load(path, TINY_RECIPE, DATA), checkpoint)


def test_the_next_one_takes_the_place_of_the_last_and_leaves_nothing_beside_it(path: Path) -> None:
    later = dataclasses.replace(CHECKPOINT, step=18)
    save(path, later, TINY_RECIPE, DATA)
    assert_same(load(path, TINY_RECIPE, DATA), later)
    assert list(path.parent.iterdir()) == [path]


def test_where_there_is_none_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    assert load(tmp_path / "checkpoint.npz", TINY_RECIPE, DATA) is None


def test_one_that_cannot_be_written_leaves_the_last(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        save(path, dataclasses.replace(CHECKPOINT, step=18), TINY_RECIPE, DATA)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# -- damage -------------------------------------------------------------------


def assert_refused(path: Path, *words: str, recipe: Recipe = TINY_RECIPE) -> None:
    with pytest.raises(CheckpointError) as caught:
        load(path, recipe, DATA)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith("train without --resume")
    for word in words:
        assert word in message


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(share: float, path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert_refused(path, "damaged")


@PROPERTY
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 64), st.integers(1, 255))
def test_bytes_that_were_changed_are_refused_or_carry_nothing(
    tmp_path_factory: pytest.TempPathFactory, place: float, count: int, change: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    save(path, CHECKPOINT, TINY_RECIPE, DATA)
    content = bytearray(path.read_bytes())
    start = int(place * len(content))
    region = slice(start, start + count)
    content[region] = bytes(byte ^ change for byte in content[region])
    path.write_bytes(content)
    try:
        found = load(path, TINY_RECIPE, DATA)  # a date in a zip header is nobody's business
    except CheckpointError:
        assert_refused(path, "damaged")
    else:
        assert_same(found, CHECKPOINT)


def test_every_byte_of_every_array_is_watched(path: Path) -> None:
    content = path.read_bytes()
    for array in CHECKPOINT.arrays.values():
        start = content.index(array.tobytes())
        for place in (start, start + array.nbytes // 2, start + array.nbytes - 1):
            changed = bytearray(content)
            changed[place] ^= 1
            path.write_bytes(changed)
            assert_refused(path, "damaged")


def npy(array: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def rewritten(path: Path, **changes: bytes | None) -> None:
    """The zip with other members: its own checksums are right again."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members |= {f"{name}.npy": data for name, data in changes.items() if data is not None}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            if changes.get(name.removesuffix(".npy"), b"") is not None:
                file.writestr(name, data)


@table(
    "changes",
    {
        "without its document": {"document": None},
        "without an array": {"moments": None},
        "with an array of another": {"parameters": npy(NUMBERS[::-1])},
        "with an array of another shape": {"parameters": npy(NUMBERS.reshape(2, -1))},
        "with an array too many": {"surplus": npy(NUMBERS)},
    },
)
def test_a_zip_of_other_members_is_refused(changes: dict[str, bytes | None], path: Path) -> None:
    rewritten(path, **changes)
    assert_refused(path, "damaged or no checkpoint")


def test_another_format_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "FORMAT", "digits-checkpoint-2")
    assert_refused(path, "no checkpoint")


@table(
    "content",
    {
        "no zip": b"a text",
        "an array": npy(NUMBERS),
    },
)
def test_a_file_of_another_kind_is_refused(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    assert_refused(path, "no checkpoint")


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.npz").mkdir()
    assert_refused(tmp_path / "checkpoint.npz", "cannot be read")


@dataclass
class Trap:
    """Makes a file when it is unpickled."""

    file: Path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.file,)


def test_pickles_are_not_unpacked(path: Path) -> None:
    trap = Trap(path.with_name("sprung"))
    np.savez(path, document=np.array([trap], dtype=object))
    assert_refused(path, "no checkpoint")
    assert not trap.file.exists()


# -- of another run -----------------------------------------------------------


@table(
    "recipe, words",
    {
        "one field": (dataclasses.replace(TINY_RECIPE, seed=8), "another recipe (seed)"),
        "two fields": (
            dataclasses.replace(TINY_RECIPE, epochs=9, batch_size=None),
            "another recipe (batch_size, epochs)",
        ),
        "a field within a field": (
            dataclasses.replace(TINY_RECIPE, augmentation=AugmentationConfig(shift=1)),
            "another recipe (augmentation)",
        ),
    },
)
def test_a_checkpoint_of_another_recipe_is_refused_by_what_differs(
    recipe: Recipe, words: str, path: Path
) -> None:
    assert_refused(path, words, recipe=recipe)


@table(
    "data, words",
    {
        "another file": (DATA | {"writers.npz": "0"}, "another data (writers.npz)"),
        "one less": ({"writers.npz": "cd" * 32}, "another data (train-images-idx3-ubyte)"),
        "one more": (DATA | {"teacher": "1"}, "another data (teacher)"),
    },
)
def test_a_checkpoint_of_other_data_is_refused_by_what_differs(
    data: dict[str, str], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.npz"
    save(path, CHECKPOINT, TINY_RECIPE, data)
    assert_refused(path, words)
