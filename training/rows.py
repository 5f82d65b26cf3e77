"""Labelled images, and CSV files that hold one a row."""

import gzip
import uuid
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.architecture import CLASSES, FRAME_SIDE
from training.errors import DataError

PIXELS = FRAME_SIDE * FRAME_SIDE
BYTE_MAX = 255

NO_DIGIT = CLASSES  # the label of an image that holds none: for training only

CSV_COLUMNS = 1 + PIXELS
CSV_BLOCK = 1 << 20  # bytes read and parsed at once


@dataclass(frozen=True)
class Digits:
    """Labelled images: images (N, 28, 28) uint8, labels (N,) uint8 of 0-9, or ``NO_DIGIT``.

    plain: the images before they were spoilt, where they were and somebody has to see both.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    plain: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.intp]) -> "Digits":
        """The chosen rows, copied."""
        plain = None if self.plain is None else self.plain[indices]
        return Digits(self.images[indices], self.labels[indices], plain)

    def part(self, start: int, stop: int) -> "Digits":
        """Rows ``start`` up to ``stop`` without a copy: a view of the same memory."""
        plain = None if self.plain is None else self.plain[start:stop]
        return Digits(self.images[start:stop], self.labels[start:stop], plain)


def checked(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], images_name: str, labels_name: str
) -> Digits:
    """The two arrays as Digits; raises DataError naming the one that does not fit.

    There must be at least one row, and every label must be a digit 0-9. Rows
    are counted from 0.
    """
    if images.shape[1:] != (FRAME_SIDE, FRAME_SIDE):
        raise DataError(
            f"{images_name}: has shape {images.shape}, not (N, 28, 28); give it images of 28x28"
        )
    if labels.shape != images.shape[:1] or len(labels) == 0:
        raise DataError(
            f"{labels_name}: has shape {labels.shape}, which does not fit the "
            f"{len(images)} images of {images_name}; give every image one label"
        )
    wrong = np.flatnonzero(labels >= CLASSES)
    if len(wrong):
        row = wrong[0]
        raise DataError(f"{labels_name}: row {row} is {labels[row]}, not a digit 0-9; correct it")
    return Digits(images, labels)


def read_csv(path: Path, label: str | int | None = None) -> Digits:
    """Rows of a label 0-9 and 784 pixels 0-255, row by row of the image, as Kaggle has them.

    label: the name of its column or its number from 0; without one it is the
    column called "label", else the first. Whether there is a header is seen from
    the first line: its names all differ, which 785 numbers 0-255 cannot. Blank
    lines are passed over, and a .gz is unpacked. The file is parsed in blocks:
    little more memory is in use than the images take, 33 MB for 42 000 rows.
    Raises DataError naming the line, from 1, and the column, from 1.
    """
    pixels, labels = bytearray(), bytearray()
    with opened(path) as file:
        first = file.readline(CSV_BLOCK).removeprefix(BOM_UTF8)
        if not first:
            raise DataError(f"{path}: is empty; give it rows of a label and {PIXELS} pixels")
        names = _header(path, first)
        column = _label_column(path, names, label)
        line = 2 if names else 1
        for block in _blocks(file, b"" if names else first):
            try:
                rows = _parse(block, column)
            except ValueError:
                raise next(_faults(path, block, line, column)) from None
            labels += rows[:, column].tobytes()
            pixels += np.delete(rows, column, axis=1).tobytes()
            line += block.count(b"\n")
    if not labels:
        raise DataError(f"{path}: has no rows; give it rows of a label and {PIXELS} pixels")
    # A bytearray grows in place, where arrays would all be held twice to be joined.
    images = np.frombuffer(pixels, np.uint8).reshape(-1, FRAME_SIDE, FRAME_SIDE)
    return Digits(images, np.frombuffer(labels, np.uint8))


def write_csv(path: Path, digits: Digits) -> None:
    """Write ``digits`` as ``read_csv`` reads them: label,pixel0,...,pixel783 and a row an image.

    The file is whole or not there. Raises DataError when it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("w", encoding="ascii", newline="\n") as file:
                file.writelines(_csv_lines(digits))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); mend that") from None


def _csv_lines(digits: Digits) -> Iterator[str]:
    yield ",".join(["label", *(f"pixel{number}" for number in range(PIXELS))]) + "\n"
    numbers = [f",{value}" for value in range(BYTE_MAX + 1)]
    for label, image in zip(digits.labels, digits.images, strict=True):
        yield f"{label}{''.join(map(numbers.__getitem__, image.tobytes()))}\n"


def _blocks(file: BufferedIOBase, start: bytes) -> Iterator[bytes]:
    """``start`` and the rest of the file, in blocks of whole lines."""
    while block := start + file.read(CSV_BLOCK):
        yield block + file.readline(CSV_BLOCK)  # bounded: what has no lines may be of any length
        start = b""


def _header(path: Path, first: bytes) -> list[str]:
    """The names in the first line, none where it is a row."""
    try:
        text = first.decode()
    except UnicodeDecodeError:
        raise _not_utf8(path, 1) from None
    names = [name.strip().strip('"') for name in text.split(",")]
    return names if len(names) == len(set(names)) == CSV_COLUMNS else []


def _label_column(path: Path, names: list[str], label: str | int | None) -> int:
    if label is None:
        return names.index("label") if "label" in names else 0
    if isinstance(label, int) and 0 <= label < CSV_COLUMNS:
        return label
    if isinstance(label, str) and label in names:
        return names.index(label)
    found = f"has the columns {names[0]!r} to {names[-1]!r}" if names else "has no header"
    raise DataError(
        f"{path}: {found}; name the label's column, not {label!r}, or give its number, "
        f"0 to {CSV_COLUMNS - 1}"
    )


def _parse(block: bytes, label: int) -> NDArray[np.uint8]:
    """The rows of a block (N, 785); raises ValueError when any is wrong."""
    if block.translate(None, b"0123456789, \r\n"):  # NumPy 2.2 would read 0.5 as 0
        raise ValueError
    lines = [line for line in block.decode().splitlines() if line.strip()]
    if not lines:
        return np.empty((0, CSV_COLUMNS), np.uint8)
    rows = np.loadtxt(lines, np.uint8, delimiter=",", ndmin=2)
    if rows.shape[1] != CSV_COLUMNS or rows[:, label].max() >= CLASSES:
        raise ValueError
    return rows


def _faults(path: Path, block: bytes, first: int, label: int) -> Iterator[DataError]:
    """What is wrong with a block that begins with line ``first``, line by line."""
    for number, line in enumerate(block.split(b"\n"), first):
        try:
            text = line.decode().removesuffix("\r")
        except UnicodeDecodeError:
            yield _not_utf8(path, number)
            continue
        if not text.strip(" "):
            continue
        fields = [field.strip(" ") for field in text.split(",")]
        if len(fields) != CSV_COLUMNS:
            yield DataError(
                f"{path}: line {number} has {len(fields)} columns, not {CSV_COLUMNS}; "
                f"give it a label and {PIXELS} pixels"
            )
            continue
        for column, field in enumerate(fields):
            most = CLASSES - 1 if column == label else BYTE_MAX
            if not (field.isascii() and field.isdigit()) or float(field) > most:
                kind = "label, a digit 0-9" if column == label else "pixel, an integer 0-255"
                yield DataError(
                    f"{path}: line {number}, column {column + 1} is {field[:20]!r}, "
                    f"not a {kind}; correct it"
                )


def _not_utf8(path: Path, line: int) -> DataError:
    return DataError(f"{path}: line {line} is not UTF-8; save the file as CSV in UTF-8")


@contextmanager
def opened(path: Path, *, unpack: bool = True) -> Iterator[BufferedIOBase]:
    """The bytes of a file, those of a .gz unpacked; raises DataError, also while they are read."""
    packed = unpack and path.suffix.lower() == ".gz"
    try:
        with gzip.GzipFile(path) if packed else path.open("rb") as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path}: is damaged; unpack or fetch it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); mend that") from None
