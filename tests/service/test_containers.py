"""What is left of a file before Pillow sees it."""

import io
import struct

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from service import containers
from service.containers import CUTS, MAX_PARTS, MAX_RUNS, MAX_SCANS, MAX_TABLES, MAX_TAGS, Excess
from tests.helpers import table
from tests.service import hostile as files
from tests.service.cases import encode
from tests.service.encodings import DIGITS, draw, transparent, turned

ROOM = 2_500  # bytes that any of the small pictures takes; what is more was not cut away


@pytest.mark.parametrize("name", files.HOSTILE)
def test_a_hostile_file_is_answered_or_refused(client: FlaskClient, name: str) -> None:
    sent, status = files.hostile(name)
    response = client.post("/predict", data=sent.body, content_type=sent.content_type)
    assert response.status_code == status, response.data


@pytest.mark.parametrize(
    "name", [name for name, (*_, status) in files.HOSTILE.items() if status == files.ANSWERED]
)
def test_what_an_answered_file_is_flooded_with_never_reaches_pillow(name: str) -> None:
    """Time is not asserted; what there is to spend it on is."""
    kind, body, _ = files.HOSTILE[name]
    cut = CUTS[kind](body())
    behind_the_frame = kind == "GIF"  # which Pillow does not read unless asked to
    assert len(cut.file) < ROOM or behind_the_frame or "fill bytes" in name


INK = draw(DIGITS[2])


@table(
    "kind, whole",
    {
        **{kind: (kind, whole) for kind, whole in files.WHOLE.items()},
        "transparent palette": ("PNG", encode(transparent(INK).quantize(32), "PNG")),
        "a transparent shade": ("PNG", encode(files.GREYS, "PNG", transparency=9)),
        "progressive jpeg": ("JPEG", encode(files.COLOURS, "JPEG", progressive=True)),
        "cmyk": ("JPEG", encode(files.COLOURS.convert("CMYK"), "JPEG")),
        "transparent webp": ("WEBP", encode(transparent(INK), "WEBP", quality=50)),
        "transparent gif": ("GIF", encode(transparent(INK), "GIF")),
        "animated gif": ("GIF", files.animation("GIF", 3)),
        "animated webp": ("WEBP", files.animation("WEBP", 3)),
        "gif of greys": ("GIF", encode(files.GREYS, "GIF")),
        "one bit bmp": ("BMP", encode(files.GREYS.convert("1"), "BMP")),
        "bmp of os/2": ("BMP", files.BMP_OF_OS2),
    },
)
def test_a_cut_changes_no_pixel(kind: str, whole: bytes) -> None:
    cut = CUTS[kind](whole)
    assert cut.orientation == containers.UPRIGHT
    assert np.array_equal(_pixels(cut.file, kind), _pixels(whole, kind))


def _pixels(body: bytes, kind: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(body), formats=[kind]) as image:
        return np.asarray(image.convert("RGBA"))


@table(
    "kind, at_most, one_more",
    {
        "png chunks": (
            "PNG",
            files.png_with(files.png_chunk(b"tEXt") * (MAX_PARTS - 3)),
            files.png_with(files.png_chunk(b"tEXt") * (MAX_PARTS - 1)),
        ),
        "jpeg scans": ("JPEG", files.many_scans(MAX_SCANS), files.many_scans(MAX_SCANS + 1)),
        "jpeg tables": (
            "JPEG",
            files.jpeg_with(files.jpeg_segment(0xDB, bytes(MAX_TABLES // 2 - 1_000)) * 2),
            files.jpeg_with(files.jpeg_segment(0xDB, bytes(MAX_TABLES // 2)) * 2),
        ),
        "gif blocks": (
            "GIF",
            files.gif_with(b"!\xfe" + b"\1a" * (MAX_PARTS - 4) + b"\0"),
            files.gif_with(b"!\xfe" + b"\1a" * MAX_PARTS + b"\0"),
        ),
        "webp chunks": (
            "WEBP",
            files.webp_with(b"ABCD\0\0\0\0" * (MAX_PARTS - 1)),
            files.webp_with(b"ABCD\0\0\0\0" * (MAX_PARTS + 1)),
        ),
        "bmp pixels in runs": (
            "BMP",
            files.bmp_of_runs(MAX_RUNS, 1, b""),
            files.bmp_of_runs(1, MAX_RUNS + 1, b""),
        ),
        "bmp bytes of runs": (
            "BMP",
            files.bmp_of_runs(1, 1, bytes(MAX_RUNS - 2_000)),
            files.bmp_of_runs(1, 1, bytes(MAX_RUNS)),
        ),
    },
)
def test_a_file_has_only_so_many_parts(kind: str, at_most: bytes, one_more: bytes) -> None:
    CUTS[kind](at_most)
    with pytest.raises(Excess, match="save it"):
        CUTS[kind](one_more)


def test_what_follows_the_end_of_a_jpeg_is_left_out() -> None:
    """Phones put a film there, in which any byte may look like a scan."""
    film = b"\xff\xda" * (MAX_SCANS + 1)
    cut = containers.jpeg(files.WHOLE["JPEG"] + film)
    assert cut == containers.jpeg(files.WHOLE["JPEG"])


def test_what_follows_the_end_of_a_png_is_left_out() -> None:
    cut = containers.png(files.WHOLE["PNG"] + files.png_chunk(b"tEXt") * MAX_PARTS)
    assert cut.file == files.WHOLE["PNG"]


def entry(tag: int, value: int, order: str = "<") -> bytes:
    return struct.pack(f"{order}HHLHH", tag, 3, 1, value, 0)


ORIENTED = entry(0x0112, 6)


@table(
    "exif, expected",
    {
        "little-endian": (files.tiff(ORIENTED, 1), 6),
        "big-endian": (b"MM\0*" + struct.pack(">LH", 8, 1) + entry(0x0112, 8, ">"), 8),
        "under its name": (b"Exif\0\0" + files.tiff(ORIENTED, 1), 6),
        "behind other tags": (files.tiff(files.EXIF_ENTRY * 5 + ORIENTED, 6), 6),
        "the last that is read": (
            files.tiff(files.EXIF_ENTRY * (MAX_TAGS - 1) + ORIENTED, MAX_TAGS),
            6,
        ),
        "too far behind": (files.tiff(files.EXIF_ENTRY * MAX_TAGS + ORIENTED, MAX_TAGS + 1), 1),
        "beyond what is announced": (files.tiff(files.EXIF_ENTRY + ORIENTED, 1), 1),
        "no such orientation": (files.tiff(entry(0x0112, 9), 1), 1),
        "orientation 0": (files.tiff(entry(0x0112, 0), 1), 1),
        "no orientation": (files.tiff(files.EXIF_ENTRY, 1), 1),
        "cut short": (files.tiff(ORIENTED, 1)[:-3], 1),
        "somewhere else": (b"II*\0\xff\xff\xff\xff", 1),
        "another byte order": (b"IM*\0" + files.tiff(ORIENTED, 1)[4:], 1),
        "nothing": (b"", 1),
    },
)
def test_an_exif_block_is_read_as_far_as_it_goes(exif: bytes, expected: int) -> None:
    assert containers.orientation(exif) == expected


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", containers.ORIENTATIONS)
def test_the_orientation_is_found_in_the_file(kind: str, orientation: int) -> None:
    assert CUTS[kind](turned(files.COLOURS, kind, orientation).body).orientation == orientation


@table(
    "kind, body",
    {
        "png": (
            "PNG",
            files.png_with(
                files.png_chunk(b"eXIf", files.tiff(ORIENTED, 1)),
                files.png_chunk(b"eXIf", files.tiff(entry(0x0112, 3), 1)),
            ),
        ),
        "png, before the end": (
            "PNG",
            files.png_with(files.png_chunk(b"eXIf", files.tiff(ORIENTED, 1)), before_end=True),
        ),
        "jpeg": (
            "JPEG",
            files.jpeg_with(
                files.jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0"),
                files.jpeg_segment(0xE1, b"Exif\0\0" + files.tiff(ORIENTED, 1)),
                files.jpeg_segment(0xE1, b"Exif\0\0" + files.tiff(entry(0x0112, 3), 1)),
            ),
        ),
        "webp": (
            "WEBP",
            files.webp_with(
                *(
                    b"EXIF" + struct.pack("<L", len(exif)) + exif
                    for exif in (files.tiff(ORIENTED, 1), files.tiff(entry(0x0112, 3), 1))
                )
            ),
        ),
    },
)
def test_of_several_exif_blocks_the_first_counts(kind: str, body: bytes) -> None:
    assert CUTS[kind](body).orientation == 6


@pytest.mark.parametrize("name", ["png of empty texts", "jpeg of many scans", "bmp of runs"])
def test_a_file_of_too_many_parts_is_told_so(client: FlaskClient, name: str) -> None:
    sent, _ = files.hostile(name)
    response = client.post("/predict", data=sent.body, content_type=sent.content_type)
    assert "save it" in response.get_json(force=True)["detail"]
