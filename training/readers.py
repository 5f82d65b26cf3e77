"""Labelled images from files: .npz, a folder for each class, IDX; CSV is in ``rows``.

Every reader raises DataError naming the file, the row and what to do. An
image that is not yet an MNIST frame becomes one as in service, by
``model.normalizer``; rows of numbers are taken as they are.
"""

import gzip
import hashlib
import math
import os
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from model.architecture import CLASSES, FRAME_SIDE
from model.normalizer import normalize
from training.errors import DataError
from training.rows import BYTE_MAX, PIXELS, Digits, checked, opened, read_csv

# What the arrays of an .npz may be called; the first pair that is there is read.
NPZ_NAMES = (("images", "labels"), ("x", "y"), ("x_train", "y_train"))

IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
CLASS_NAMES = frozenset(map(str, range(CLASSES)))

IDX_UNSIGNED_BYTE = 0x08
IDX_LENGTH_BYTES = 4


def read(path: Path) -> Digits:
    """A folder of images by class, or a .csv, .csv.gz or .npz file; raises DataError."""
    name = path.name.lower()
    if path.is_dir():
        return read_folder(path)
    if name.endswith((".csv", ".csv.gz")):
        return read_csv(path)
    if name.endswith(".npz"):
        return read_npz(path)
    raise DataError(f"{path}: is no folder, .csv, .csv.gz or .npz; name one of these")


def digest(path: Path) -> tuple[str, str]:
    """Name and SHA-256 of what ``read`` reads.

    A .gz counts as what it unpacks to, and goes without its suffix. A folder's
    digest is that of the lines ``sha256sum`` prints for its images, in order,
    named relative to it.
    """
    if not path.is_dir():
        with opened(path) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return (path.stem if path.suffix.lower() == ".gz" else path.name), found
    total = hashlib.sha256()
    for image in _image_paths(path):
        with opened(image, unpack=False) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{found}  ".encode() + os.fsencode(image.relative_to(path)) + b"\n")
    return path.name or path.resolve().name, total.hexdigest()


# -- .npz ---------------------------------------------------------------------


def read_npz(path: Path) -> Digits:
    """Arrays called images and labels, x and y, or x_train and y_train.

    Images are (N, 28, 28) or (N, 784), labels (N,), both of integers, uint8 to
    spare memory. Other arrays, x_test and y_test among them, are not read:
    which rows test is for the recipe to say. Raises DataError; rows are counted
    from 0.
    """
    arrays = npz_arrays(path, NPZ_NAMES)
    (images_name, images), (labels_name, labels) = arrays.items()
    return checked_arrays(images, labels, f"{path}: {images_name}", f"{path}: {labels_name}")


def checked_arrays(
    images: NDArray[np.generic], labels: NDArray[np.generic], images_name: str, labels_name: str
) -> Digits:
    """Arrays as ``read_npz`` takes them, as Digits; raises DataError naming what does not fit."""
    if images.ndim == 2 and images.shape[1] == PIXELS:  # noqa: PLR2004 - images in rows
        images = images.reshape(-1, FRAME_SIDE, FRAME_SIDE)
    return checked(
        _bytes(images, images_name), _bytes(labels, labels_name), images_name, labels_name
    )


def npz_arrays(path: Path, choices: Sequence[tuple[str, ...]]) -> dict[str, NDArray[np.generic]]:
    """The arrays of the first of ``choices`` whose names are all there; raises DataError."""
    with opened(path) as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                for names in choices:
                    if set(names) <= set(archive.files):
                        return {name: archive[name] for name in names}
                found = ", ".join(archive.files)
        except Exception:  # noqa: BLE001 - numpy and zipfile raise whatever damage makes them trip over
            raise DataError(
                f"{path}: is damaged or no .npz of plain arrays; write it again with numpy.savez"
            ) from None
    wanted = ", or ".join(" and ".join(names) for names in choices)
    raise DataError(f"{path}: holds {found or 'nothing'}; call its arrays {wanted}")


def _bytes(array: NDArray[np.generic], name: str) -> NDArray[np.uint8]:
    """Integers 0-255 as uint8, in C order; the array itself where it is that."""
    if array.dtype.kind not in "iu":
        raise DataError(f"{name}: is of {array.dtype}; store integers, 0-255 a pixel")
    if array.dtype != np.uint8:
        integers = array.astype(np.int64, copy=False)
        wrong = np.argwhere((integers < 0) | (integers > BYTE_MAX))
        if len(wrong):
            place = wrong[0].tolist()
            raise DataError(f"{name}: at {place} is {array[tuple(place)]}, not 0-255; correct it")
    return np.asarray(array, np.uint8, order="C")


# -- folders ------------------------------------------------------------------


def read_folder(folder: Path) -> Digits:
    """Images in FOLDER/0 to FOLDER/9, class by class, each in the order of its file names.

    PNG, JPEG, BMP, GIF (its first frame) and WebP, of any size and colour, become
    frames as in service: a 28x28 image on dark ground stays as it is, all others go
    through ``normalize``. Transparent is white. Files beside the class folders,
    and all whose names begin with a dot, are passed over. Raises DataError.
    """
    paths = _image_paths(folder)
    images = np.empty((len(paths), FRAME_SIDE, FRAME_SIDE), np.uint8)
    for frame, path in zip(images, paths, strict=True):
        frame[:] = _frame(path)
    return Digits(images, np.array([int(path.parent.name) for path in paths], np.uint8))


def _image_paths(folder: Path) -> list[Path]:
    try:
        classes = [path for path in _visible(folder) if path.is_dir()]
        for path in classes:
            if path.name not in CLASS_NAMES:
                raise DataError(f"{path}: is no class; name the folders of images 0 to 9")
        images = [path for name in classes for path in _visible(name)]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}); mend that") from None
    if not images:
        raise DataError(f"{folder}: holds no images; put them in its folders 0 to 9")
    return images


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _frame(path: Path) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=IMAGE_FORMATS) as image:
                frame = normalize(_grey(ImageOps.exif_transpose(image)))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(
            f"{path}: has more than {Image.MAX_IMAGE_PIXELS} pixels; shrink or remove it"
        ) from None
    except Exception:  # noqa: BLE001 - decoders raise whatever they trip over
        known = ", ".join(IMAGE_FORMATS)
        raise DataError(f"{path}: is not a whole image ({known}); mend or remove it") from None
    if frame.reason == "blank":
        raise DataError(f"{path}: shows no ink, transparent being white; mend or remove it")
    return frame.pixels


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    """Luminance (H, W), on white where the image is transparent."""
    if image.mode.startswith("I"):  # 16 bits a pixel: keep the upper eight
        return (np.asarray(image).astype(np.int64) >> 8).clip(0, BYTE_MAX).astype(np.uint8)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("L"))


# -- IDX ----------------------------------------------------------------------


def read_packed(folder: Path, name: str) -> bytes:
    """The bytes of ``name`` in ``folder``, or unpacked those of ``name``.gz; raises DataError."""
    plain, packed = folder / name, folder / f"{name}.gz"
    path = plain if plain.exists() else packed
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path is packed else data
    except FileNotFoundError:
        raise DataError(f"{plain}[.gz]: there is no such file; fetch MNIST's IDX files") from None
    except (OSError, EOFError, zlib.error):
        raise DataError(f"{path}: is damaged or no file; fetch it again") from None


def parse_idx(data: bytes, name: str) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes (format: the MNIST page of LeCun, Cortes and Burges).

    The array shares the memory of ``data``. Raises DataError.
    """
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
        return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
    except ValueError:  # more axes, or longer ones, than an array can have
        raise DataError(f"{name}: no array has {len(shape)} such axes; fetch it again") from None
