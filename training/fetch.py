"""What is fetched: MNIST's four IDX files, and who wrote each of its digits."""

import hashlib
import io
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from model.artifact import write_whole
from training.dataset import FILES, WRITERS
from training.download import LIMITS, Limits, Original, disk_errors_told, download
from training.errors import DataError


@dataclass(frozen=True)
class Mirrors:
    """Folders on the web that hold MNIST, and those that hold QMNIST's labels, asked in turn."""

    mnist: Sequence[str]
    qmnist: Sequence[str]


MIRRORS = Mirrors(
    mnist=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",  # PyTorch's
        "https://storage.googleapis.com/cvdf-datasets/mnist/",  # TensorFlow's
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
    qmnist=(
        "https://raw.githubusercontent.com/facebookresearch/qmnist/master/",  # its authors'
        "https://cdn.jsdelivr.net/gh/facebookresearch/qmnist@master/",
    ),
)

# QMNIST's extended labels: rows of eight numbers, of which two are used.
IDX_INT = 0x0C
COLUMNS = 8
SERIES, WRITER = 1, 2  # NIST's form series (0, 1 or 4) and its number of the writer (0-2599)


@dataclass(frozen=True)
class ExtendedLabels:
    """One of QMNIST's two files of extended labels, as IDX an (rows, 8) array of int32.

    Its first ``used`` rows belong to the images of one half of MNIST, in order. What they
    say of the writers becomes two arrays of ``writers.npz``; ``digest`` is the SHA-256 of
    their bytes, one after the other. Source: Yadav and Bottou, Cold Case: The Lost MNIST
    Digits (2019), and the README of its data.
    """

    name: str
    half: str  # "train" or "test", with which the names of the arrays begin
    rows: int
    used: int
    digest: str

    @property
    def header(self) -> bytes:
        """How the file begins."""
        return bytes([0, 0, IDX_INT, 2]) + np.array([self.rows, COLUMNS], ">u4").tobytes()

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return len(self.header) + self.rows * COLUMNS * np.dtype(">i4").itemsize

    @property
    def original(self) -> Original:
        """The file, right when the arrays that it gives are."""
        return Original(self.digest, self.size, lambda data: _joined(self.arrays(data)))

    @property
    def dtypes(self) -> dict[str, np.dtype[Any]]:
        """The arrays in ``writers.npz``, each (used,), by name and in order."""
        return {f"{self.half}_writer": np.dtype("<i2"), f"{self.half}_series": np.dtype("u1")}

    def arrays(self, data: bytes) -> dict[str, NDArray[Any]]:
        """The arrays that the unpacked file gives; none where it is of another form."""
        if not data.startswith(self.header) or len(data) != self.size:
            return {}
        table = np.frombuffer(data, ">i4", offset=len(self.header)).reshape(self.rows, COLUMNS)
        columns = zip(self.dtypes.items(), (WRITER, SERIES), strict=True)
        return {name: table[: self.used, column].astype(dtype) for (name, dtype), column in columns}


@dataclass(frozen=True)
class Published:
    """MNIST's files by name, and QMNIST's labels of them."""

    mnist: Mapping[str, Original]
    qmnist: Sequence[ExtendedLabels]


PUBLISHED = Published(
    mnist={
        FILES["train_images"]: Original(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 47_040_016
        ),
        FILES["train_labels"]: Original(
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60_008
        ),
        FILES["test_images"]: Original(
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 7_840_016
        ),
        FILES["test_labels"]: Original(
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10_008
        ),
    },
    qmnist=(
        ExtendedLabels(
            name="qmnist-train-labels-idx2-int",
            half="train",
            rows=60_000,
            used=60_000,
            digest="4b1201d580a3d2c537b8589a86779daaa907bd9dce8e50dfb6fcaf12e5e529d6",
        ),
        ExtendedLabels(
            name="qmnist-test-labels-idx2-int",
            half="test",
            rows=60_000,
            used=10_000,  # then come the digits that MNIST's test set lost
            digest="7c29405692214961332fd80d2529ace09b935758a617882bd688db29f505b95e",
        ),
    ),
)


def fetch(
    folder: Path,
    mirrors: Mirrors | Sequence[str] = MIRRORS,
    *,
    published: Published = PUBLISHED,
    limits: Limits = LIMITS,
    stream: TextIO | None = None,
) -> None:
    """Put MNIST's files into ``folder`` as .gz, then ``writers.npz`` and the labels it is made of.

    Mirrors without a word on what they hold are asked for all of it. Each file is fetched as
    ``training.download.download`` says. A ``writers.npz`` that is there and right is left
    alone; a wrong one stands until all that its successor is made of is verified.
    Raises DataError for what no mirror gives, a mirror that is no HTTP address, and a folder
    that cannot be written. If it is about ``writers.npz``, MNIST is there by then.
    """
    if not isinstance(mirrors, Mirrors):
        mirrors = Mirrors(mirrors, mirrors)
    stream = stream or sys.stderr
    for name, original in published.mnist.items():
        download(folder / name, original, mirrors.mnist, limits=limits, stream=stream)
    path = folder / WRITERS
    if _holds(path, published.qmnist):
        print(f"{path}: is there and right", file=stream, flush=True)
        return
    arrays: dict[str, NDArray[Any]] = {}
    try:
        for part in published.qmnist:
            file = folder / part.name
            data = download(file, part.original, mirrors.qmnist, limits=limits, stream=stream)
            arrays |= part.arrays(data)
        with disk_errors_told(folder):
            write_whole(path, _npz(arrays))
    except DataError as error:
        way = "remove it and train without it" if path.exists() else "train without it"
        raise DataError(
            f"{path}: could not be made: {error}; or {way}: MNIST is there, and images are "
            "then held out at random instead of writers"
        ) from None
    print(f"{path}: made and verified", file=stream, flush=True)


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """NumPy dates no member, so the same arrays give the same bytes."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # any name might be allow_pickle
    return file.getvalue()


def _joined(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """What the digest of one half is of."""
    return b"".join(array.tobytes() for array in arrays.values())


def _holds(path: Path, labels: Sequence[ExtendedLabels]) -> bool:
    """Whether a writers.npz has the arrays of ``labels``, however it is packed."""
    try:
        with zipfile.ZipFile(path) as archive:
            for part in labels:
                members = (_member(archive, name, part) for name in part.dtypes)
                if hashlib.sha256(b"".join(members)).hexdigest() != part.digest:
                    return False
    except Exception:  # noqa: BLE001 - numpy and zipfile raise whatever damage makes them trip over
        return False
    return True


def _member(archive: zipfile.ZipFile, name: str, part: ExtendedLabels) -> bytes:
    """The bytes of one array; none of another type or length. No more is unpacked than it has."""
    dtype = part.dtypes[name]
    with archive.open(f"{name}.npy") as member:
        np.lib.format.read_magic(member)
        shape, _, found = np.lib.format.read_array_header_1_0(member)
        if shape != (part.used,) or found != dtype:
            return b""
        return member.read(part.used * dtype.itemsize + 1)
