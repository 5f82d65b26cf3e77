import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers import idx_bytes, synthetic_mnist, table, write_idx_folder
from training.dataset import (
    DEFAULT_FOLDERS,
    FILES,
    Mnist,
    find_folder,
    load_mnist,
    split,
)
from training.errors import DataError

MNIST = synthetic_mnist(train=100, test=40)
WRITTEN = dataclasses.replace(MNIST, test_writers=np.arange(40) % 3)

TRAIN_IMAGES, TRAIN_LABELS = FILES["train_images"], FILES["train_labels"]
TEST_IMAGES, TEST_LABELS = FILES["test_images"], FILES["test_labels"]


def assert_bad_data(folder: Path, *words: str) -> None:
    """Loading fails with a DataError, in one line that names the file."""
    with pytest.raises(DataError) as caught:
        load_mnist(folder)
    message = str(caught.value)
    assert message.isprintable()
    for word in words:
        assert word in message


# -- reading ----------------------------------------------------------------


@pytest.mark.parametrize("gz", [True, False], ids=["packed", "plain"])
def test_what_was_written_is_read(gz: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    found = load_mnist(write_idx_folder(tmp_path, MNIST, gz=gz))
    np.testing.assert_array_equal(found.train.images, MNIST.train.images, strict=True)
    np.testing.assert_array_equal(found.train.labels, MNIST.train.labels, strict=True)
    np.testing.assert_array_equal(found.test.images, MNIST.test.images, strict=True)
    np.testing.assert_array_equal(found.test.labels, MNIST.test.labels, strict=True)
    np.testing.assert_array_equal(np.array(found.writers), np.array(MNIST.writers))
    assert found.test_writers is None


def test_the_writers_of_the_test_set_are_read_where_they_are_there(tmp_path: Path) -> None:
    found = load_mnist(write_idx_folder(tmp_path, WRITTEN))
    assert found.test_writers is not None
    np.testing.assert_array_equal(found.test_writers, np.arange(40) % 3)
    np.testing.assert_array_equal(np.array(found.writers), np.array(MNIST.writers))


@pytest.mark.parametrize("gz", [True, False], ids=["packed", "plain"])
def test_digests_are_of_the_uncompressed_files(gz: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    digests = load_mnist(write_idx_folder(tmp_path, MNIST, gz=gz)).digests
    images = hashlib.sha256(idx_bytes(MNIST.train.images)).hexdigest()
    assert digests[TRAIN_IMAGES] == images
    assert {name: digests[name] for name in FILES.values()} == MNIST.digests


def test_the_writers_are_among_the_digests(tmp_path: Path) -> None:
    # Who is held out depends on them, and with it every parameter.
    first = load_mnist(write_idx_folder(tmp_path / "a", MNIST)).digests
    others = dataclasses.replace(MNIST, writers=np.arange(100) % 7)
    second = load_mnist(write_idx_folder(tmp_path / "b", others)).digests
    assert first != second


def test_without_writers_the_writers_are_not_known(tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path, dataclasses.replace(MNIST, writers=None))
    found = load_mnist(folder)
    assert (found.writers, found.test_writers) == (None, None)


def test_the_real_mnist_is_what_it_is_known_to_be(mnist: Mnist) -> None:
    assert (len(mnist.train), len(mnist.test)) == (60_000, 10_000)
    assert np.bincount(mnist.test.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert mnist.digests[TEST_LABELS] == (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    )


# -- damaged folders --------------------------------------------------------


@pytest.mark.parametrize("name", FILES.values())
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    (write_idx_folder(tmp_path, MNIST) / f"{name}.gz").unlink()
    assert_bad_data(tmp_path, str(tmp_path / name), "no such file", "fetch")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert_bad_data(tmp_path / "none", str(tmp_path / "none"), "no such file")


@pytest.mark.parametrize("gz", [True, False], ids=["packed", "plain"])
@pytest.mark.parametrize("name", FILES.values())
def test_a_file_that_was_cut_off_is_named(name: str, gz: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    path = write_idx_folder(tmp_path, MNIST, gz=gz) / (f"{name}.gz" if gz else name)
    path.write_bytes(path.read_bytes()[:-1])
    assert_bad_data(tmp_path, name, "fetch it again")


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    path = write_idx_folder(tmp_path, MNIST, gz=False) / TRAIN_IMAGES
    path.unlink()
    path.mkdir()
    assert_bad_data(tmp_path, f"{path}:")


ODD: dict[str, tuple[str, NDArray[np.uint8], list[str]]] = {
    "a label of 10": (TRAIN_LABELS, np.full(100, 10, np.uint8), ["10", "not a digit"]),
    "a label of 10 in the test set": (TEST_LABELS, np.full(40, 10, np.uint8), ["10"]),
    "one label less": (TRAIN_LABELS, MNIST.train.labels[1:], ["(99,)", "100"]),
    "one image less": (TRAIN_IMAGES, MNIST.train.images[1:], ["(100,)", "99"]),
    "other test images": (TEST_IMAGES, MNIST.train.images, ["(40,)", "100"]),
    "images of 27x28": (TEST_IMAGES, MNIST.test.images[:, 1:], ["(40, 27, 28)"]),
    "images in rows": (TRAIN_IMAGES, MNIST.train.images.reshape(100, 784), ["(100, 784)"]),
    "images for labels": (TRAIN_LABELS, MNIST.train.images, ["(100, 28, 28)"]),
    "labels for images": (TRAIN_IMAGES, MNIST.train.labels, ["(100,)"]),
    "a number for images": (TRAIN_IMAGES, np.array(7, np.uint8), ["()"]),
}


@table("name, array, words", ODD)
def test_files_that_do_not_fit_are_named(
    name: str, array: NDArray[np.uint8], words: list[str], tmp_path: Path
) -> None:
    path = write_idx_folder(tmp_path, MNIST, gz=False) / name
    path.write_bytes(idx_bytes(array))
    assert_bad_data(tmp_path, name, *words)


def test_a_data_set_without_images_is_refused(tmp_path: Path) -> None:
    write_idx_folder(tmp_path, MNIST, gz=False)
    (tmp_path / TRAIN_IMAGES).write_bytes(idx_bytes(MNIST.train.images[:0]))
    (tmp_path / TRAIN_LABELS).write_bytes(idx_bytes(MNIST.train.labels[:0]))
    assert_bad_data(tmp_path, TRAIN_LABELS)


def saved(**arrays: Any) -> Callable[[Path], None]:  # noqa: ANN401 - any arrays
    return lambda path: np.savez(path, **arrays)


def saved_plain(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.arange(100))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@table(
    "damage",
    {
        "too few": saved(train_writer=np.arange(99)),
        "too many axes": saved(train_writer=np.zeros((100, 1), int)),
        "no axes": saved(train_writer=np.array(7)),
        "another member": saved(writers=np.arange(100)),
        "pickled": saved(train_writer=np.array([{}] * 100, object)),
        "too few of the test set": saved(train_writer=np.arange(100), test_writer=np.arange(39)),
        "those of the test set pickled": saved(
            train_writer=np.arange(100), test_writer=np.array([{}] * 40, object)
        ),
        "those of the test set alone": saved(test_writer=np.arange(40)),
        "an .npy file": saved_plain,
        "text": lambda path: path.write_text("writers"),
        "empty": lambda path: path.write_bytes(b""),
        "cut off": cut_off,
        "a flipped bit": flip_a_bit,
    },
)
def test_damaged_writers_are_named(damage: Callable[[Path], object], tmp_path: Path) -> None:
    path = write_idx_folder(tmp_path, MNIST) / "writers.npz"
    damage(path)
    assert_bad_data(tmp_path, str(path))


# -- where the data set is --------------------------------------------------


def test_the_named_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITS_DATA", str(tmp_path))
    assert find_folder() == tmp_path


def test_a_named_folder_that_is_not_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    DEFAULT_FOLDERS[0].mkdir()
    monkeypatch.setenv("DIGITS_DATA", str(tmp_path / "none"))
    with pytest.raises(DataError, match=r"none.*DIGITS_DATA"):
        find_folder()


@pytest.mark.parametrize("value", [None, ""])
def test_the_first_default_that_exists_is_used(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("DIGITS_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("DIGITS_DATA", value)
    with pytest.raises(DataError, match=r"not in data or \.\./shared/mnist.*DIGITS_DATA"):
        find_folder()
    for folder in reversed(DEFAULT_FOLDERS):
        folder.mkdir(parents=True)
        assert find_folder() == folder


# -- the split --------------------------------------------------------------


def rows_of(part: NDArray[np.uint8], whole: NDArray[np.uint8]) -> set[int]:
    """Which images of the whole a part consists of; each has its own noise."""
    numbers = {image.tobytes(): number for number, image in enumerate(whole)}
    return {numbers[image.tobytes()] for image in part}


@pytest.mark.parametrize("writers", [20, None], ids=["by writers", "by images"])
@pytest.mark.parametrize("seed", range(5))
def test_every_image_is_on_exactly_one_side(seed: int, writers: int | None) -> None:
    data = synthetic_mnist(train=100, test=10, writers=writers)
    train, validation, _ = split(data, 0.2, np.random.default_rng(seed))
    first, second = (rows_of(part.images, data.train.images) for part in (train, validation))
    assert first | second == set(range(100))
    assert not first & second
    assert len(train) + len(validation) == 100


def test_images_keep_their_labels() -> None:
    train, validation, _ = split(MNIST, 0.2, np.random.default_rng(0))
    for part in (train, validation):
        numbers = [rows_of(image[None], MNIST.train.images).pop() for image in part.images]
        np.testing.assert_array_equal(part.labels, MNIST.train.labels[numbers])


@pytest.mark.parametrize("seed", range(5))
def test_no_writer_is_on_both_sides(seed: int) -> None:
    assert MNIST.writers is not None
    train, validation, kind = split(MNIST, 0.2, np.random.default_rng(seed))
    first, second = (
        {int(MNIST.writers[row]) for row in rows_of(part.images, MNIST.train.images)}
        for part in (train, validation)
    )
    assert kind == "writers"
    assert not first & second
    assert len(second) == 4


def test_without_writers_images_are_drawn() -> None:
    data = dataclasses.replace(MNIST, writers=None)
    train, validation, kind = split(data, 0.2, np.random.default_rng(0))
    assert kind == "images"
    assert (len(train), len(validation)) == (80, 20)


@pytest.mark.parametrize("writers", [20, None], ids=["by writers", "by images"])
def test_the_seed_decides_who_is_held_out(writers: int | None) -> None:
    data = synthetic_mnist(train=100, test=10, writers=writers)

    def held_out(seed: int) -> bytes:
        return split(data, 0.2, np.random.default_rng(seed))[1].images.tobytes()

    assert held_out(0) == held_out(0)
    assert held_out(0) != held_out(1)


@pytest.mark.parametrize("writers", [20, None], ids=["by writers", "by images"])
def test_something_is_held_out_of_the_smallest_share(writers: int | None) -> None:
    data = synthetic_mnist(train=100, test=10, writers=writers)
    assert len(split(data, 1e-9, np.random.default_rng(0))[1]) > 0


@pytest.mark.parametrize("writers", [1, None], ids=["one writer", "no writers"])
def test_something_is_left_to_train_on(writers: int | None) -> None:
    data = synthetic_mnist(train=10, test=10, writers=writers)
    with pytest.raises(DataError, match="validation_fraction"):
        split(data, 0.99, np.random.default_rng(0))


@pytest.mark.parametrize("writers", [20, None], ids=["by writers", "by images"])
def test_a_share_of_0_holds_nothing_out_and_copies_nothing(writers: int | None) -> None:
    data = synthetic_mnist(train=100, test=10, writers=writers)
    train, validation, kind = split(data, 0, np.random.default_rng(0))
    assert train is data.train
    assert (validation.images.shape, validation.labels.shape) == ((0, 28, 28), (0,))
    assert kind == "nothing"


def test_on_mnist_a_tenth_of_its_539_writers_is_held_out(mnist: Mnist) -> None:
    if mnist.writers is None:
        pytest.skip("writers.npz is not beside MNIST")
    train, validation, kind = split(mnist, 0.1, np.random.default_rng(0))
    assert kind == "writers"
    assert len(np.unique(mnist.writers)) == 539
    assert len(train) + len(validation) == 60_000
    assert 0.08 < len(validation) / 60_000 < 0.12
