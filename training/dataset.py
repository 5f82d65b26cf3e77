"""The data a recipe names, in two halves, and what is held out of the first."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import readers
from training.config import MNIST, DataConfig
from training.errors import DataError
from training.rows import Digits as Digits  # noqa: PLC0414 - part of this module's interface
from training.rows import checked

# Where the data set is looked for when DIGITS_DATA names no folder.
DEFAULT_FOLDERS = (Path("data"), Path("../shared/mnist"))

FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
WRITERS = "writers.npz"

# What recipes call the CSV of ``kaggle_rows``, which a user writes.
KAGGLE_LIKE = "mnist-42000.csv"


@dataclass(frozen=True)
class Mnist:
    """MNIST as published, or another data set divided as it is.

    writers, test_writers: (N,) the writer of each image, None where not known.
    digests: SHA-256 of every file or folder read, by name, a .gz unpacked.
    """

    train: Digits
    test: Digits
    writers: NDArray[np.integer] | None
    digests: dict[str, str]
    test_writers: NDArray[np.integer] | None = None


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


def load(config: DataConfig, folder: Path, rng: np.random.Generator) -> Mnist:
    """The data that ``config`` names, divided into training and test images.

    "mnist" is the four IDX files in ``folder``. Any other source is a CSV file,
    an .npz or a folder of images by class (``training.readers``), found under
    its name as it stands or else in ``folder``; its last ``test_rows`` rows, once
    shuffled by ``rng`` where ``config`` says so, are the test set. Halves are
    views of one array. Raises DataError.
    """
    if config.source == MNIST:
        return load_mnist(folder)
    path = _find(config.source, folder)
    if path.is_dir() and not config.shuffle:
        raise DataError(
            f"{path}: is read class by class, so its last rows are all of one; "
            "set data.shuffle to true"
        )
    digits = readers.read(path)
    edge = len(digits) - config.test_rows
    if edge < 1:
        raise DataError(
            f"{path}: has {len(digits)} rows, which leaves none to train on; "
            f"set data.test_rows below that, not to {config.test_rows}"
        )
    if config.shuffle:
        digits = digits.take(rng.permutation(len(digits)))
    name, digest = readers.digest(path)
    return Mnist(digits.part(0, edge), digits.part(edge, len(digits)), None, {name: digest})


def load_mnist(folder: Path) -> Mnist:
    """Read the four IDX files (plain or .gz) and, where it is there, ``writers.npz``.

    Raises DataError naming the file that is missing, damaged or odd.
    """
    arrays, digests = {}, {}
    for part, name in FILES.items():
        data = readers.read_packed(folder, name)
        digests[name] = hashlib.sha256(data).hexdigest()
        arrays[part] = readers.parse_idx(data, name)
    train, test = (
        checked(arrays[images], arrays[labels], FILES[images], FILES[labels])
        for images, labels in (("train_images", "train_labels"), ("test_images", "test_labels"))
    )
    writers = folder / WRITERS
    if not writers.exists():
        return Mnist(train, test, None, digests)
    digests[WRITERS] = hashlib.sha256(writers.read_bytes()).hexdigest()
    of_train, of_test = _read_writers(writers, len(train), len(test))
    return Mnist(train, test, of_train, digests, of_test)


def split(mnist: Mnist, fraction: float, rng: np.random.Generator) -> tuple[Digits, Digits, str]:
    """Training and validation digits, and the word for how they were told apart.

    About ``fraction`` of the writers is held out with all of their images; where
    the writers are not known, ``fraction`` of the images. With a fraction of 0
    the training images are those of ``mnist`` itself, and the word is "nothing".
    """
    total = len(mnist.train)
    if fraction == 0:
        return mnist.train, mnist.train.part(total, total), "nothing"
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
        raise DataError(
            f"all {total} images are held out, which leaves none to train on; "
            "use a smaller data.validation_fraction"
        )
    return mnist.train.take(train), mnist.train.take(validation), kind


def kaggle_rows(mnist: Mnist, rows: int, seed: int) -> Digits:
    """``rows`` images of all, drawn without replacement and in random order by ``seed``.

    What train.csv of Kaggle's digit-recognizer competition is like: 42 000 of
    MNIST's 70 000 images, its halves mixed. Which ones, Kaggle does not say.
    Raises DataError when there are not that many.
    """
    total = len(mnist.train) + len(mnist.test)
    if not 1 <= rows <= total:
        raise DataError(f"{rows} of {total} images cannot be drawn; ask for 1 to {total} rows")
    everything = Digits(
        np.concatenate([mnist.train.images, mnist.test.images]),
        np.concatenate([mnist.train.labels, mnist.test.labels]),
    )
    return everything.take(np.random.default_rng(seed).choice(total, rows, replace=False))


def _find(source: str, folder: Path) -> Path:
    candidates = (Path(source), folder / source)
    for path in candidates:
        if path.exists():
            return path
    remedy = "name a CSV file, an .npz or a folder of images by class"
    if Path(source).name == KAGGLE_LIKE:
        remedy = f"write it with `python -m training rows {source}`"
    raise DataError(f"data.source: there is neither {candidates[0]} nor {candidates[1]}; {remedy}")


def _read_writers(
    path: Path, train: int, test: int
) -> tuple[NDArray[np.integer], NDArray[np.integer] | None]:
    """Who wrote the training images and, where the file says so, the test images."""
    try:
        with path.open("rb") as file:
            arrays = dict(np.load(file, allow_pickle=False))
        of_train, of_test = arrays["train_writer"], arrays.get("test_writer")
    except Exception:  # noqa: BLE001 - numpy and zipfile raise whatever damage makes them trip over
        raise DataError(f"{path}: has no readable train_writer; fetch it again") from None
    for writers, images in ((of_train, train), (of_test, test)):
        if writers is not None and writers.shape != (images,):
            raise DataError(
                f"{path}: {writers.shape} writers do not fit {images} images; fetch it again"
            )
    return of_train, of_test
