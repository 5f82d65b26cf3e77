"""MNIST from IDX files, and the split of its writers."""

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.architecture import CLASSES, FRAME_SIDE
from training.errors import DataError

# Where the data set is looked for when DIGITS_DATA names no folder.
DEFAULT_FOLDERS = (Path("data"), Path("../shared/mnist"))

FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
WRITERS = "writers.npz"

IDX_UNSIGNED_BYTE = 0x08
IDX_LENGTH_BYTES = 4


@dataclass(frozen=True)
class Digits:
    """Labelled images: images (N, 28, 28) uint8, labels (N,) uint8 of 0-9."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.intp]) -> "Digits":
        """The chosen rows, copied."""
        return Digits(self.images[indices], self.labels[indices])


@dataclass(frozen=True)
class Mnist:
    """The two halves of MNIST as published.

    writers: (N,) the writer of each training image, None where not known.
    digests: SHA-256 of every file, by name, the IDX files uncompressed.
    """

    train: Digits
    test: Digits
    writers: NDArray[np.integer] | None
    digests: dict[str, str]


def find_folder() -> Path:
    """The data set's folder: DIGITS_DATA, else the first default that exists."""
    named = os.environ.get("DIGITS_DATA")
    candidates = (Path(named),) if named else DEFAULT_FOLDERS
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise DataError(
        f"MNIST is not in {' or '.join(map(str, candidates))}; run `make data`, "
        "or name its folder in DIGITS_DATA"
    )


def load_mnist(folder: Path) -> Mnist:
    """Read the four IDX files (plain or .gz) and, where it is there, ``writers.npz``.

    Raises DataError naming the file that is missing, damaged or odd.
    """
    arrays, digests = {}, {}
    for part, name in FILES.items():
        data = _read_file(folder, name)
        digests[name] = hashlib.sha256(data).hexdigest()
        arrays[part] = parse_idx(data, name)
    train = _digits(arrays, "train_images", "train_labels")
    test = _digits(arrays, "test_images", "test_labels")
    writers = folder / WRITERS
    if not writers.exists():
        return Mnist(train, test, None, digests)
    digests[WRITERS] = hashlib.sha256(writers.read_bytes()).hexdigest()
    return Mnist(train, test, _read_writers(writers, len(train)), digests)


def parse_idx(data: bytes, name: str) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes (format: the MNIST page of LeCun, Cortes and Burges)."""
    if len(data) < IDX_LENGTH_BYTES or data[:2] != b"\0\0" or data[2] != IDX_UNSIGNED_BYTE:
        raise DataError(f"{name}: is not an IDX file of unsigned bytes; fetch it again")
    start = IDX_LENGTH_BYTES * (1 + data[3])
    if len(data) < start:
        raise DataError(f"{name}: its header is cut off; fetch it again")
    shape = tuple(np.frombuffer(data[IDX_LENGTH_BYTES:start], ">u4").tolist())
    if len(data) - start != math.prod(shape):
        raise DataError(
            f"{name}: {len(data) - start} bytes follow a header that claims {shape}; fetch it again"
        )
    try:
        return np.frombuffer(data[start:], np.uint8).reshape(shape)
    except ValueError:  # more axes, or longer ones, than an array can have
        raise DataError(f"{name}: no array has {len(shape)} such axes; fetch it again") from None


def split(mnist: Mnist, fraction: float, rng: np.random.Generator) -> tuple[Digits, Digits, str]:
    """Training and validation digits, and the word for how they were told apart.

    About ``fraction`` of the writers is held out with all of their images; where
    the writers are not known, ``fraction`` of the images.
    """
    total = len(mnist.train)
    if mnist.writers is None:
        held_out = np.zeros(total, bool)
        held_out[rng.permutation(total)[: max(1, round(total * fraction))]] = True
        kind = "images"
    else:
        writers = np.unique(mnist.writers)
        chosen = rng.permutation(writers)[: max(1, round(len(writers) * fraction))]
        held_out = np.isin(mnist.writers, chosen)
        kind = "writers"
    train, validation = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if len(train) == 0:
        raise DataError("the held-out writers wrote all images; use a smaller validation_fraction")
    return mnist.train.take(train), mnist.train.take(validation), kind


def _read_file(folder: Path, name: str) -> bytes:
    plain, packed = folder / name, folder / f"{name}.gz"
    path = plain if plain.exists() else packed
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path is packed else data
    except FileNotFoundError:
        raise DataError(f"{plain}[.gz]: there is no such file; fetch MNIST's IDX files") from None
    except (OSError, EOFError, zlib.error):
        raise DataError(f"{path}: is damaged or no file; fetch it again") from None


def _digits(arrays: Mapping[str, NDArray[np.uint8]], images_of: str, labels_of: str) -> Digits:
    images, labels = arrays[images_of], arrays[labels_of]
    if images.shape[1:] != (FRAME_SIDE, FRAME_SIDE):
        raise DataError(f"{FILES[images_of]}: has shape {images.shape}, not (N, 28, 28)")
    if labels.shape != images.shape[:1] or len(labels) == 0:
        raise DataError(
            f"{FILES[labels_of]}: has shape {labels.shape}, which does not fit the "
            f"{len(images)} images of {FILES[images_of]}"
        )
    wrong = np.flatnonzero(labels >= CLASSES)
    if len(wrong):
        row = wrong[0]
        raise DataError(f"{FILES[labels_of]}: row {row} is {labels[row]}, not a digit 0-9")
    return Digits(images, labels)


def _read_writers(path: Path, images: int) -> NDArray[np.integer]:
    try:
        with path.open("rb") as file:
            writers: NDArray[np.integer] = np.load(file, allow_pickle=False)["train_writer"]
    except Exception:  # noqa: BLE001 - numpy and zipfile raise whatever damage makes them trip over
        raise DataError(f"{path}: has no readable train_writer; fetch it again") from None
    if writers.shape != (images,):
        raise DataError(f"{path}: {writers.shape} writers do not fit {images} training images")
    return writers
