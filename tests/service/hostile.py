"""Files made to cost a decoder more than a picture is worth."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from service.containers import MAX_PARTS, MAX_SCANS
from tests.service.cases import encode
from tests.service.encodings import File

SIDE = 28
GREYS = Image.fromarray(np.random.default_rng(5).integers(0, 256, (SIDE, SIDE)).astype(np.uint8))
COLOURS = Image.merge("RGB", [GREYS, GREYS.rotate(90), GREYS.rotate(180)])

# One small picture in each format, in the mode that the format is mostly used in.
WHOLE = {
    "PNG": encode(GREYS, "PNG"),
    "JPEG": encode(COLOURS, "JPEG"),
    "WEBP": encode(COLOURS, "WEBP", lossless=True),
    "BMP": encode(COLOURS, "BMP"),
    "GIF": encode(COLOURS.quantize(256), "GIF"),
}

FLOOD = MAX_PARTS + 1  # one part more than a file may have
SOME = 100

PNG_HEAD = 33  # signature and IHDR
GIF_HEAD = 13 + 768  # screen and a palette of 256 colours
EXIF_ENTRY = struct.pack("<HHLL", 0x0110, 4, 1, 0)


# One pixel of 24 bits under the short header of OS/2, in 30 bytes.
BMP_OF_OS2 = b"BM" + struct.pack("<LHHL", 30, 0, 0, 26) + struct.pack("<LHHHH", 12, 1, 1, 1, 24)
BMP_OF_OS2 += bytes([1, 2, 3, 0])


def png_chunk(name: bytes, data: bytes = b"") -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", checksum)


def png_with(*chunks: bytes, before_end: bool = False) -> bytes:
    """The PNG with more chunks behind its header, or before its end."""
    at = -12 if before_end else PNG_HEAD
    return WHOLE["PNG"][:at] + b"".join(chunks) + WHOLE["PNG"][at:]


def jpeg_segment(marker: int, data: bytes = b"") -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg_with(*segments: bytes) -> bytes:
    return WHOLE["JPEG"][:2] + b"".join(segments) + WHOLE["JPEG"][2:]


def webp_with(*chunks: bytes) -> bytes:
    data = WHOLE["WEBP"][8:] + b"".join(chunks)
    return b"RIFF" + struct.pack("<L", len(data)) + data


def gif_with(*extensions: bytes) -> bytes:
    return WHOLE["GIF"][:GIF_HEAD] + b"".join(extensions) + WHOLE["GIF"][GIF_HEAD:]


def tiff(entries: bytes, count: int) -> bytes:
    """An EXIF block that announces so many entries."""
    return b"II*\0" + struct.pack("<LH", 8, count) + entries


def many_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan, of a few bytes, stands there so many times."""
    blank = encode(Image.new("L", (SIDE, SIDE), 128), "JPEG", progressive=True)
    start = blank.rindex(b"\xff\xda")
    before = blank[:start].count(b"\xff\xda")
    return blank[:start] + blank[start:-2] * (scans - before) + blank[-2:]


def bmp_of_runs(width: int, height: int, runs: bytes) -> bytes:
    """A BMP of 8 bits a pixel, run-length encoded."""
    header = struct.pack("<LllHHLLllLL", 40, width, height, 1, 8, 1, 0, 0, 0, 256, 0)
    palette = bytes(value for shade in range(256) for value in (shade, 0, 0, 0))
    return b"BM" + struct.pack("<LHHL", 0, 0, 0, 54 + len(palette)) + header + palette + runs


def gif_of_frame(screen: int, frame: int) -> bytes:
    """A GIF whose header claims other sides than its pixels have."""
    body = bytearray(WHOLE["GIF"])
    struct.pack_into("<HH", body, 6, screen, screen)
    struct.pack_into("<HH", body, body.index(b",", GIF_HEAD) + 5, frame, frame)
    return bytes(body)


def animation(kind: str, frames: int) -> bytes:
    shades = [Image.new("RGB", (SIDE, SIDE), (i % 250, i // 250, 9)) for i in range(frames)]
    return encode(COLOURS, kind, save_all=True, append_images=shades)


def zeros(count: int) -> bytes:
    return b"name\0\0" + zlib.compress(bytes(count), 9)


ANSWERED, REFUSED, TOO_LARGE = 200, 422, 413

# What is sent, made when it is asked for, and the status it is answered with.
HOSTILE: dict[str, tuple[str, Callable[[], bytes], int]] = {
    "png of text bombs": ("PNG", lambda: png_with(png_chunk(b"zTXt", zeros(10**7)) * SOME), 200),
    "png of a text bomb behind": (
        "PNG",
        lambda: png_with(png_chunk(b"iTXt", zeros(10**7)) * SOME, before_end=True),
        ANSWERED,
    ),
    "png of a huge profile": ("PNG", lambda: png_with(png_chunk(b"iCCP", zeros(10**8))), ANSWERED),
    "png of a huge exif": (
        "PNG",
        lambda: png_with(png_chunk(b"eXIf", tiff(EXIF_ENTRY * 60_000, 60_000))),
        ANSWERED,
    ),
    "png of many exifs": (
        "PNG",
        lambda: png_with(png_chunk(b"eXIf", tiff(EXIF_ENTRY * 200, 200)) * SOME),
        ANSWERED,
    ),
    "png of empty texts": ("PNG", lambda: png_with(png_chunk(b"tEXt") * FLOOD), REFUSED),
    "png of empty pixels": ("PNG", lambda: png_with(png_chunk(b"IDAT") * FLOOD), REFUSED),
    "png of no pixels": ("PNG", lambda: WHOLE["PNG"][:PNG_HEAD] + png_chunk(b"IEND"), REFUSED),
    "png with films": ("PNG", lambda: animation("PNG", 60), ANSWERED),
    "jpeg of many exifs": (
        "JPEG",
        lambda: jpeg_with(jpeg_segment(0xE1, b"Exif\0\0" + tiff(EXIF_ENTRY, 1)) * SOME),
        ANSWERED,
    ),
    "jpeg of huge exifs": (
        "JPEG",
        lambda: jpeg_with(jpeg_segment(0xE1, b"Exif\0\0" + tiff(EXIF_ENTRY * 5_000, 65_535)) * 10),
        ANSWERED,
    ),
    "jpeg of a profile": (
        "JPEG",
        lambda: jpeg_with(jpeg_segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(60_000)) * 10),
        ANSWERED,
    ),
    "jpeg of comments": ("JPEG", lambda: jpeg_with(jpeg_segment(0xFE) * FLOOD), REFUSED),
    "jpeg of tables": (
        "JPEG",
        lambda: jpeg_with(jpeg_segment(0xDB, (b"\0" + b"\1" * 64) * 7) * SOME * 2),
        REFUSED,
    ),
    "jpeg of fill bytes": ("JPEG", lambda: jpeg_with(b"\xff" * 900_000), ANSWERED),
    "jpeg of nothing": ("JPEG", lambda: b"\xff\xd8" + b"\xff" * 900_000, REFUSED),
    "jpeg of many scans": ("JPEG", lambda: many_scans(MAX_SCANS + 1), REFUSED),
    "webp of chunks": ("WEBP", lambda: webp_with(b"ABCD\0\0\0\0" * FLOOD), REFUSED),
    "webp of a huge exif": (
        "WEBP",
        lambda: webp_with(b"EXIF" + struct.pack("<L", 720_000) + EXIF_ENTRY * 60_000),
        ANSWERED,
    ),
    "webp with films": ("WEBP", lambda: animation("WEBP", 300), ANSWERED),
    "gif of comments": ("GIF", lambda: gif_with(b"!\xfe\0" * FLOOD), REFUSED),
    "gif of one comment": ("GIF", lambda: gif_with(b"!\xfe" + b"\1a" * FLOOD + b"\0"), REFUSED),
    "gif with films": ("GIF", lambda: animation("GIF", 300), ANSWERED),
    "gif of a huge screen": ("GIF", lambda: gif_of_frame(65_535, SIDE), TOO_LARGE),
    "gif of a huge frame": ("GIF", lambda: gif_of_frame(SIDE, 65_535), TOO_LARGE),
    "gif of an empty frame": ("GIF", lambda: gif_of_frame(SIDE, 0), REFUSED),
    "bmp of runs": ("BMP", lambda: bmp_of_runs(600, 600, b"\xff\1" * 2_000), REFUSED),
    "bmp of short runs": ("BMP", lambda: bmp_of_runs(500, 500, b"\1\1" * 200_000), REFUSED),
    "bmp of a run": ("BMP", lambda: bmp_of_runs(SIDE, 1, b"\x1c\1\0\1"), ANSWERED),
    "bmp upside down": ("BMP", lambda: bmp_of_runs(SIDE, -(2**31), b"\0\1"), REFUSED),
    "bmp of no width": ("BMP", lambda: bmp_of_runs(0, SIDE, b"\0\1"), REFUSED),
}


def hostile(name: str) -> tuple[File, int]:
    """The file, and the status it is answered with."""
    kind, body, status = HOSTILE[name]
    return File(f"image/{kind.lower()}", body()), status
