import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.normalizer import normalize
from tests.helpers import idx_bytes, synthetic_mnist, table
from training import readers
from training.errors import DataError
from training.readers import parse_idx, read, read_npz, read_packed
from training.rows import Digits

DIGITS = synthetic_mnist(train=20, test=10).train


def assert_same(found: Digits, expected: Digits) -> None:
    np.testing.assert_array_equal(found.images, expected.images, strict=True)
    np.testing.assert_array_equal(found.labels, expected.labels, strict=True)


def assert_refused(action: Callable[[], object], path: Path | str, *words: str) -> None:
    """A DataError, in one line that begins with the file and ends with what to do."""
    with pytest.raises(DataError) as caught:
        action()
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(f"{path}: ")
    assert "; " in message
    for word in words:
        assert word in message


# -- .npz -------------------------------------------------------------------

IMAGES, LABELS = DIGITS.images, DIGITS.labels


@table(
    "arrays",
    {
        "images and labels": {"images": IMAGES, "labels": LABELS},
        "x and y": {"x": IMAGES, "y": LABELS, "more": LABELS},
        "Keras": {"x_train": IMAGES, "y_train": LABELS, "x_test": LABELS, "y_test": LABELS},
        "images in rows": {"x": IMAGES.reshape(20, 784), "y": LABELS},
        "wide integers": {"x": IMAGES.astype(np.int64), "y": LABELS.astype(">i2")},
        "columns first": {"x": np.asfortranarray(IMAGES), "y": LABELS},
    },
)
def test_npz_arrays_are_read_by_name(arrays: dict[str, Any], tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "rows.npz", **arrays)
    found = read(tmp_path / "rows.npz")
    assert_same(found, DIGITS)
    assert found.images.flags.c_contiguous


def with_value(array: NDArray[np.uint8], place: tuple[int, ...], value: int) -> NDArray[np.int64]:
    wide = array.astype(np.int64)
    wide[place] = value
    return wide


@table(
    "arrays, words",
    {
        "other names": ({"data": IMAGES, "target": LABELS}, ["data, target", "x and y"]),
        "no arrays": ({}, ["nothing"]),
        "floats": ({"x": IMAGES / 255, "y": LABELS}, ["x: is of float64"]),
        "truth values": ({"x": IMAGES > 0, "y": LABELS}, ["x: is of bool"]),
        "pickled": ({"x": IMAGES, "y": LABELS.astype(object)}, ["plain arrays"]),
        "a pixel of 256": ({"x": with_value(IMAGES, (7, 1, 2), 256), "y": LABELS}, ["[7, 1, 2]"]),
        "a label of -1": ({"x": IMAGES, "y": with_value(LABELS, (5,), -1)}, ["y: at [5] is -1"]),
        "a label of 10": ({"x": IMAGES, "y": with_value(LABELS, (5,), 10)}, ["y: row 5 is 10"]),
        "one label less": ({"x": IMAGES, "y": LABELS[1:]}, ["(19,)", "20"]),
        "one-hot labels": ({"x": IMAGES, "y": np.eye(10, dtype=np.uint8)[LABELS]}, ["(20, 10)"]),
        "no rows": ({"x": IMAGES[:0], "y": LABELS[:0]}, ["(0,)"]),
        "images of 27x28": ({"x": IMAGES[:, 1:], "y": LABELS}, ["x: has shape (20, 27, 28)"]),
        "numbers": ({"x": np.uint8(1), "y": np.uint8(1)}, ["x: has shape ()"]),
    },
)  # fmt: skip
def test_npz_arrays_that_do_not_fit_are_named(
    arrays: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)
    assert_refused(lambda: read_npz(path), path, *words)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"rows"])
def test_a_damaged_npz_is_named(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    path.write_bytes(data)
    assert_refused(lambda: read_npz(path), path, "damaged")


# -- folders ----------------------------------------------------------------


def saved(path: Path, image: Image.Image, **options: Any) -> Path:  # noqa: ANN401 - a format's
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def drawing(side: int = 100) -> NDArray[np.uint8]:
    """A dark stroke on white."""
    sheet = np.full((side, side), 255, np.uint8)
    sheet[side // 5 : -side // 5, side // 2 : side // 2 + side // 10] = 0
    return sheet


def test_images_are_read_class_by_class_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number, image in reversed(list(enumerate(DIGITS.images))):
        saved(tmp_path / str(number % 3 * 4) / f"{number:02}.png", Image.fromarray(image))
    (tmp_path / "7").mkdir()  # nobody wrote a 7
    (tmp_path / "0" / ".DS_Store").touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / "README").touch()
    order = [*range(0, 20, 3), *range(1, 20, 3), *range(2, 20, 3)]
    labels = np.array([number % 3 * 4 for number in order], np.uint8)
    frames = np.stack([normalize(DIGITS.images[number]).pixels for number in order])
    assert_same(read(tmp_path), Digits(frames, labels))


CLEAR_INK = Image.merge("LA", [Image.new("L", (100, 100)), Image.fromarray(255 - drawing())])


@table(
    "name, image, options",
    {
        "PNG": ("a.png", Image.fromarray(drawing()), {}),
        "colour": ("a.png", Image.fromarray(drawing()).convert("RGB"), {}),
        "palette": ("a.PNG", Image.fromarray(drawing()).convert("P"), {}),
        "one bit": ("a.png", Image.fromarray(drawing()).convert("1"), {}),
        "16 bits": ("a.png", Image.fromarray(drawing() * np.uint16(128) + np.uint16(8192)), {}),
        "ink on a transparent sheet": ("a.png", CLEAR_INK, {}),
        "JPEG": ("a.jpg", Image.fromarray(drawing()), {"quality": 100}),
        "BMP": ("a.bmp", Image.fromarray(drawing()), {}),
        "GIF": ("a.gif", Image.fromarray(drawing()), {}),
        "WebP": ("a.webp", Image.fromarray(drawing()).convert("RGB"), {"lossless": True}),
        "light on dark": ("a.png", Image.fromarray(255 - drawing()), {}),
    },
)
def test_images_of_any_kind_become_frames(
    name: str, image: Image.Image, options: dict[str, Any], tmp_path: Path
) -> None:
    saved(tmp_path / "1" / name, image, **options)
    expected = normalize(drawing()).pixels
    assert_same(read(tmp_path), Digits(expected[None], np.array([1], np.uint8)))


def test_only_frames_on_dark_ground_stay_as_they_are(tmp_path: Path) -> None:
    small = drawing(28)
    for number, image in enumerate([255 - small, small]):
        saved(tmp_path / str(number) / "a.png", Image.fromarray(image))
    expected = np.stack([255 - small, normalize(small).pixels])
    assert_same(read(tmp_path), Digits(expected, np.array([0, 1], np.uint8)))


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    turned = Image.fromarray(np.rot90(drawing()).copy())
    saved(tmp_path / "1" / "a.png", turned, exif=exif)
    assert_same(read(tmp_path), Digits(normalize(drawing()).pixels[None], np.array([1], np.uint8)))


BLANK = Image.new("L", (50, 50), 200)


@table(
    "name, content, words",
    {
        "text": ("3/notes.txt", b"notes", ["whole image"]),
        "empty": ("3/a.png", b"", ["whole image"]),
        "a folder": ("3/a/b.png", b"", ["whole image"]),
        "another format": ("3/a.ppm", b"P5 1 1 255 \0", ["PNG, JPEG"]),
        "a class of two digits": ("10/a.png", b"", ["0 to 9"]),
        "a class of another alphabet": ("\u0663/a.png", b"", ["0 to 9"]),
    },
)
def test_what_is_no_labelled_image_is_named(
    name: str, content: bytes, words: list[str], tmp_path: Path
) -> None:
    saved(tmp_path / "1" / "a.png", Image.fromarray(drawing()))
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(content)
    named = Path(*Path(name).parts[: 1 if "0 to 9" in words else 2])
    assert_refused(lambda: read(tmp_path), tmp_path / named, *words)


def test_a_broken_blank_or_huge_image_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "1" / "a.png", Image.fromarray(drawing()))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert_refused(lambda: read(tmp_path), path, "whole image")
    saved(path, BLANK)
    assert_refused(lambda: read(tmp_path), path, "no ink")
    for most in (2499, 1249):  # Pillow warns of the one and refuses the other
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        assert_refused(lambda: read(tmp_path), path, f"more than {most} pixels")


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "a.png").touch()
    assert_refused(lambda: read(tmp_path), tmp_path, "folders 0 to 9")


# -- digests ----------------------------------------------------------------


def test_a_packed_file_has_the_digest_of_what_it_unpacks_to(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"rows")
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"rows"))
    expected = ("rows.csv", hashlib.sha256(b"rows").hexdigest())
    assert readers.digest(tmp_path / "rows.csv") == expected
    assert readers.digest(tmp_path / "rows.csv.gz") == expected


def test_the_digest_of_a_folder_is_of_names_and_contents(tmp_path: Path) -> None:
    first = saved(tmp_path / "images" / "1" / "a.png", Image.fromarray(drawing()))
    saved(tmp_path / "images" / "0" / "b.png", Image.fromarray(drawing(50)))
    lines = "".join(
        f"{hashlib.sha256((tmp_path / 'images' / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("0/b.png", "1/a.png")
    )
    before = readers.digest(tmp_path / "images")
    assert before == ("images", hashlib.sha256(lines.encode()).hexdigest())
    first.rename(first.with_name("c.png"))
    assert readers.digest(tmp_path / "images") != before


# -- IDX --------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (4, 28, 28), (1, 2, 3, 4)])
def test_idx_arrays_have_the_shape_of_their_header(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    np.testing.assert_array_equal(parse_idx(idx_bytes(array), "name"), array, strict=True)


SOUND = idx_bytes(np.zeros((2, 3), np.uint8))


@table(
    "data, words",
    {
        "empty": (b"", "not an IDX file"),
        "cut in the magic": (SOUND[:3], "not an IDX file"),
        "another magic": (b"\x1f\x8b" + SOUND[2:], "not an IDX file"),
        "floats": (b"\0\0\x0d" + SOUND[3:], "unsigned bytes"),
        "cut in the header": (SOUND[:11], "cut off"),
        "cut in the data": (SOUND[:-1], "5 bytes follow a header that claims (2, 3)"),
        "too long": (SOUND + b"\0", "7 bytes"),
        "claims 16 EB": (b"\0\0\x08\x02" + b"\xff" * 8 + b"\0", "claims (4294967295, 4294967295)"),
        "255 axes": (b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"\0", "name"),
        "no data, huge shape": (b"\0\0\x08\x03" + b"\xff" * 8 + b"\0" * 4, "name"),
    },
)
def test_a_damaged_idx_file_is_refused_by_name(data: bytes, words: str) -> None:
    assert_refused(lambda: parse_idx(data, "name"), "name", words)


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@table(
    "damage",
    {
        "cut off": lambda data: data[:-9],
        "cut short": lambda data: data[:5],
        "empty": lambda _: b"",
        "a flipped bit": flipped,
        "garbled": lambda data: data[:10] + bytes([255] * 100),
        "not packed": lambda _: b"<html>not found</html>",
        "packed twice": gzip.compress,
    },
)
def test_a_damaged_packed_file_is_named(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    packed = gzip.compress(idx_bytes(IMAGES))
    (tmp_path / "images.gz").write_bytes(damage(packed))
    with pytest.raises(DataError, match=r"images.*fetch it again"):
        parse_idx(read_packed(tmp_path, "images"), "images")
