"""What a picture needs of its file: everything else is left out before Pillow sees it.

Pillow reads what surrounds the pixels in Python, part by part: a file of eight
megabytes of empty comments or EXIF blocks took it seconds to open, a hundred
kilobytes of compressed text become a gigabyte, and a JPEG may ask for thousands
of passes over its pixels. None of that is a picture of a digit. So a file is cut
down here to the parts that make up its first frame, in steps that are counted,
and of all that is said about it only the EXIF orientation is kept.

Every function takes a whole file and raises whatever it trips over in a damaged
one; what it does not understand it leaves for Pillow to refuse.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_PARTS = 16_384  # a PNG of 100 megabytes has as many, by its usual writers
MAX_SCANS = 32  # a progressive JPEG has about ten
MAX_TABLES = 2**16  # bytes; those of a JPEG take two thousand, and Pillow reads them in Python
MAX_RUNS = 2**18  # bytes and pixels of a run-length BMP, which Pillow decodes in Python
MAX_TAGS = 256  # a camera writes about twenty beside the orientation

UPRIGHT = 1  # the EXIF orientation that asks for nothing
ORIENTATIONS = range(1, 9)
ORIENTATION_TAG = 0x0112  # EXIF 2.32, section 4.6.4
BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
EXIF_NAME = b"Exif\0\0"

PNG_SIGNATURE = 8
PNG_PICTURE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}

JPEG_MARKER = re.compile(rb"\xff([^\x00\xff])")  # what is between segments is skipped
JPEG_ALONE = {0x01, *range(0xD0, 0xDA)}  # markers without a segment
JPEG_SCAN, JPEG_APP1 = 0xDA, 0xE1
JPEG_END = b"\xff\xd9"
# Frames and tables of all kinds; APP0 is JFIF's, and APP14 Adobe's, who invert CMYK.
JPEG_PICTURE = {*range(0xC0, 0xD0), 0xDB, 0xDD, 0xE0, 0xEE}

GIF_SCREEN = 13  # bytes of signature and screen
GIF_EXTENSION, GIF_CONTROL = 0x21, 0xF9

WEBP_HEADER = 12
WEBP_PICTURE = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}
WEBP_FRAMES = {b"VP8 ", b"VP8L", b"ANMF"}

BMP_HEADER, BMP_CORE = 14, 12  # where it is, and the size of OS/2's, which has no compression
BMP_RUNS = {1, 2}  # compression of 8 and of 4 bits a pixel


class Excess(Exception):
    """More parts than any picture has; the message says which, and what to do."""


@dataclass(frozen=True)
class Picture:
    """A file with nothing but its first frame, and how that is to be turned (EXIF 1-8)."""

    file: bytes
    orientation: int = UPRIGHT


def png(body: bytes) -> Picture:
    """The chunks of the default image, which is an animation's first frame (PNG, section 5)."""
    kept, exif = [body[:PNG_SIGNATURE]], b""
    position = PNG_SIGNATURE
    for _ in _steps():
        if len(body) < position + 8:
            break
        length, name = struct.unpack_from(">L4s", body, position)
        end = position + 12 + length
        if name in PNG_PICTURE:
            kept.append(body[position:end])
        elif name == b"eXIf":
            exif = exif or body[position + 8 : end]
        if name == b"IEND":
            break
        position = end
    return Picture(b"".join(kept), orientation(exif))


def jpeg(body: bytes) -> Picture:
    """The segments that decide on pixels, and all from the first scan to the end of the image.

    Source: JPEG, annex B. Phones put a second picture or a film behind the end.
    """
    kept, exif, scans = [body[:2]], b"", b""
    position = 2
    for _ in _steps():
        found = JPEG_MARKER.search(body, position)
        if not found:
            break
        marker, start = found[1][0], found.start()
        if marker == JPEG_SCAN:
            end = body.find(JPEG_END, start)
            scans = body[start : end + 2] if end > 0 else body[start:]
            break
        position = found.end()
        if marker not in JPEG_ALONE:
            position += struct.unpack_from(">H", body, position)[0]
        if marker in JPEG_PICTURE:
            kept.append(body[start:position])
        elif marker == JPEG_APP1 and body.startswith(EXIF_NAME, start + 4):
            exif = exif or body[start + 4 : position]
    tables = b"".join(kept)
    if len(tables) > MAX_TABLES or scans.count(bytes([0xFF, JPEG_SCAN])) > MAX_SCANS:
        raise Excess(f"has over {MAX_TABLES} bytes of tables or {MAX_SCANS} scans; save it anew")
    return Picture(tables + scans, orientation(exif))


def gif(body: bytes) -> Picture:
    """Screen, palette, the control of the first frame, and all from that on (GIF89a)."""
    position = GIF_SCREEN + _palette_bytes(body[10])
    kept = [body[:position]]
    control, steps = b"", _steps()
    for _ in steps:
        if body[position] != GIF_EXTENSION:
            break
        start = position
        position = _after_blocks(body, start + 2, steps)
        if body[start + 1] == GIF_CONTROL:
            control = body[start:position]
    return Picture(b"".join([*kept, control, body[position:]]))


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(body: bytes, position: int, steps: Iterator[int]) -> int:
    for _ in steps:
        length = body[position]
        position += 1 + length
        if length == 0:
            break
    return position


def webp(body: bytes) -> Picture:
    """The chunks of the first frame (WebP container specification)."""
    kept, exif = [b"WEBP"], b""
    position, framed = WEBP_HEADER, False
    for _ in _steps():
        if len(body) < position + 8:
            break
        name, length = struct.unpack_from("<4sL", body, position)
        end = position + 8 + length + length % 2
        if name == b"EXIF":
            exif = exif or body[position + 8 : end]
        elif name in WEBP_PICTURE and not framed:
            kept.append(body[position:end])
            framed = name in WEBP_FRAMES
        position = end
    chunks = b"".join(kept)
    return Picture(body[:4] + struct.pack("<L", len(chunks)) + chunks, orientation(exif))


def bmp(body: bytes) -> Picture:
    """The file as it is: it has no parts, but runs that Pillow decodes one by one."""
    (header,) = struct.unpack_from("<L", body, BMP_HEADER)
    if header == BMP_CORE:
        return Picture(body)
    width, height, _, _, compression = struct.unpack_from("<llHHL", body, BMP_HEADER + 4)
    if compression in BMP_RUNS and max(len(body), abs(width * height)) > MAX_RUNS:
        raise Excess("is large and run-length encoded; save it without compression")
    return Picture(body)


CUTS: dict[str, Callable[[bytes], Picture]] = {
    "PNG": png,
    "JPEG": jpeg,
    "WEBP": webp,
    "BMP": bmp,
    "GIF": gif,
}


def orientation(exif: bytes) -> int:
    """The orientation 1-8 that an EXIF block asks for; 1 where it is damaged or silent."""
    tiff = exif.removeprefix(EXIF_NAME)
    order = BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}L", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(min(count, MAX_TAGS)):
            place = start + 2 + 12 * entry
            tag, _type, _count, value = struct.unpack_from(f"{order}HHLH", tiff, place)
            if tag == ORIENTATION_TAG:
                return value if value in ORIENTATIONS else UPRIGHT
    except struct.error:  # it ends before what it announces
        pass
    return UPRIGHT


def _steps() -> Iterator[int]:
    """As many steps as a file may have parts; raises Excess after them."""
    yield from range(MAX_PARTS + 1)  # the last one finds the end
    raise Excess(f"has more than {MAX_PARTS} parts; save it anew")
