"""The PNG that most digits come as: 8 bits of grey, nothing about them, whole and sound.

Pillow takes twice as long to find out what a file is as to decode one so small. Here only
the first is left out: the pixels are decoded by Pillow all the same, and a file that is in
any way not as expected is left to the careful way in ``images.py``, which says what is wrong.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BEGINNING = SIGNATURE + b"\0\0\0\rIHDR"
END = b"\0\0\0\0IEND\xaeB`\x82"

HEADER = struct.Struct(">II5B")  # of IHDR (ISO/IEC 15948, section 11.2.2)
GREY = (8, 0, 0, 0, 0)  # bits, and what kinds of colour, compression, filters and interlacing

NAME = len(SIGNATURE) + 4  # of the first chunk, behind its length; its checksum begins with it
HEADER_END = len(BEGINNING) + HEADER.size
CHUNK = struct.Struct(">I4s")  # length and name, before the data and the checksum
CHECKSUM = 4
DATA = HEADER_END + CHECKSUM + CHUNK.size

AROUND = DATA + CHECKSUM + len(END)  # all but the pixels


def decode(file: bytes, max_pixels: int) -> NDArray[np.uint8] | None:
    """The shades (H, W) uint8 of such a file, at most ``max_pixels``; None for any other."""
    if len(file) < AROUND or not (file.startswith(BEGINNING) and file.endswith(END)):
        return None
    width, height, *kind = HEADER.unpack_from(file, len(BEGINNING))
    length, name = CHUNK.unpack_from(file, HEADER_END + CHECKSUM)
    if tuple(kind) != GREY or name != b"IDAT" or length != len(file) - AROUND:
        return None
    if not 0 < width * height <= max_pixels:
        return None
    data_end = DATA + length
    if not (_is_sound(file, NAME, HEADER_END) and _is_sound(file, DATA - len(name), data_end)):
        return None
    try:
        picture = Image.frombytes("L", (width, height), file[DATA:data_end], "zip", "L")
    except Exception:  # noqa: BLE001 - decoders raise whatever they trip over in hostile bytes
        return None
    return np.frombuffer(picture.tobytes(), np.uint8).reshape(height, width)


def _is_sound(file: bytes, start: int, end: int) -> bool:
    """Whether name and data of a chunk have the checksum that stands behind them."""
    return zlib.crc32(file[start:end]) == int.from_bytes(file[end : end + CHECKSUM])
