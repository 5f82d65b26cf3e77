"""The quick way to read a PNG finds what the careful one finds, or leaves the file to it."""

import io
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from service import images, small_png
from service.errors import ImageError
from tests.helpers import table
from tests.service.cases import encode, png
from tests.service.encodings import DIGITS, draw, painted
from tests.service.hostile import PNG_HEAD, png_chunk

MAX_PIXELS = 1_000_000
INK = np.ascontiguousarray(draw(DIGITS[5])[::4, ::4])
NOISE = np.random.default_rng(7).integers(0, 256, (31, 17)).astype(np.uint8)  # of all filters
GREY = Image.fromarray(INK)
FILE = png(INK)

HEADER_END = PNG_HEAD


def behind_header(*chunks: bytes) -> bytes:
    return FILE[:HEADER_END] + b"".join(chunks) + FILE[HEADER_END:]


def carefully(file: bytes) -> NDArray[np.uint8] | None:
    """What Pillow makes of a file by itself, None where it is refused."""
    with patch.object(images, "SMALL_BYTES", -1):
        try:
            return images.decode(file, MAX_PIXELS, content_type="image/png")
        except ImageError:
            return None


def assert_same_as_careful(file: bytes) -> None:
    found, expected = small_png.decode(file, MAX_PIXELS), carefully(file)
    if found is not None:
        assert expected is not None
        assert found.dtype == np.uint8
        assert np.array_equal(found, expected)


@table(
    "file",
    {
        "a frame": png(INK[:28, :28]),
        "a drawing": FILE,
        "noise": png(NOISE),
        "one pixel": png(NOISE[:1, :1]),
        "little compressed": encode(GREY, "PNG", compress_level=0),
    },
)
def test_what_most_send_is_read(file: bytes) -> None:
    assert small_png.decode(file, MAX_PIXELS) is not None
    assert_same_as_careful(file)


def interlaced() -> bytes:
    header = bytearray(FILE[16:29])
    header[-1] = 1
    return FILE[:8] + png_chunk(b"IHDR", bytes(header)) + FILE[HEADER_END:]


def in_two_pieces() -> bytes:
    end = FILE.index(b"IEND") - 4
    pixels = FILE[HEADER_END + 8 : end - 4]
    pieces = png_chunk(b"IDAT", pixels[:50]), png_chunk(b"IDAT", pixels[50:])
    return FILE[:HEADER_END] + b"".join(pieces) + FILE[end:]


def with_words() -> bytes:
    words = PngInfo()
    words.add_text("Comment", "a five")
    return encode(GREY, "PNG", pnginfo=words)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(GREY, "PNG", exif=exif)


@table(
    "file",
    {
        "nothing": b"",
        "its resolution": encode(GREY, "PNG", dpi=(96, 96)),
        "something behind its end": FILE + b"more",
        "its beginning and its end": small_png.BEGINNING + small_png.END,
        "its beginning alone": small_png.SIGNATURE,
        "another kind of file": encode(GREY, "BMP"),
        "colours": encode(painted(INK), "PNG"),
        "a palette": encode(GREY.convert("P"), "PNG"),
        "two shades": encode(GREY.convert("1"), "PNG"),
        "16 bits": encode(Image.fromarray(INK.astype(np.uint16) << 8), "PNG"),
        "transparency": encode(GREY.convert("LA"), "PNG"),
        "one transparent shade": encode(GREY, "PNG", transparency=0),
        "an orientation": turned(),
        "words": with_words(),
        "pixels in two pieces": in_two_pieces(),
        "interlacing, by its header": interlaced(),
        "two headers": behind_header(FILE[8:HEADER_END]),
        "an unknown part": behind_header(png_chunk(b"teST", b"?")),
        "many parts": behind_header(*[png_chunk(b"gAMA", bytes(4)), png_chunk(b"tIME", bytes(7))]),
        "more pixels than are allowed": png(np.zeros((1_001, 1_000), np.uint8)),
        "no pixels": FILE[:HEADER_END] + FILE[FILE.index(b"IEND") - 4 :],
    },
)
def test_all_else_is_left_to_the_careful_way(file: bytes) -> None:
    assert small_png.decode(file, MAX_PIXELS) is None


@pytest.mark.parametrize("image", [INK, NOISE])
def test_a_file_that_breaks_off_is_never_read_otherwise(image: NDArray[np.uint8]) -> None:
    file = png(image)
    for length in range(len(file)):
        assert_same_as_careful(file[:length])


def test_a_file_with_a_flipped_bit_is_never_read_otherwise() -> None:
    file = png(NOISE)
    for place in range(len(file)):
        for bit in (0, 3, 7):
            spoilt = bytearray(file)
            spoilt[place] ^= 1 << bit
            assert_same_as_careful(bytes(spoilt))


@pytest.mark.parametrize("place", [3, 7])  # the last byte of the width, of the height
@pytest.mark.parametrize("change", [-1, 1])
def test_pixels_that_do_not_fit_the_picture_are_read_alike(place: int, change: int) -> None:
    header = bytearray(FILE[16:29])
    header[place] += change
    assert_same_as_careful(FILE[:8] + png_chunk(b"IHDR", bytes(header)) + FILE[HEADER_END:])


def test_pillow_is_asked_only_once_for_what_most_send() -> None:
    with patch.object(Image, "open", side_effect=AssertionError):
        found = images.decode(FILE, MAX_PIXELS, content_type="image/png")
    assert np.array_equal(found, np.asarray(Image.open(io.BytesIO(FILE))))
