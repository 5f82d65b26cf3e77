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
HEADER = struct.Struct(">II5B")  # IHDR (ISO/IEC 15948, section 11.2.2)
GREY = (8, 0, 0, 0, 0)  # bits, and what kinds of colour, compression, filters and interlacing
CHUNK = struct.Struct(">I4s")  # length and name, before its data and a checksum of name and data
LENGTH_BYTES, CHECKSUM_BYTES = 4, 4

MAX_CHUNKS = 4  # header, pixels, end, and one that does not matter
IGNORED = frozenset({b"tIME", b"pHYs", b"gAMA", b"sRGB"})


def decode(file: bytes, max_pixels: int) -> NDArray[np.uint8] | None:
    """The shades (H, W) uint8 of such a file, at most ``max_pixels``; None for any other."""
    chunks = _chunks(file)
    if list(chunks) != [b"IHDR", b"IDAT", b"IEND"] or len(chunks[b"IHDR"]) != HEADER.size:
        return None
    width, height, *kind = HEADER.unpack(chunks[b"IHDR"])
    if tuple(kind) != GREY or not 0 < width * height <= max_pixels:
        return None
    try:
        picture = Image.frombytes("L", (width, height), chunks[b"IDAT"], "zip", "L")
    except Exception:  # noqa: BLE001 - decoders raise whatever they trip over in hostile bytes
        return None
    return np.frombuffer(picture.tobytes(), np.uint8).reshape(height, width)


def _chunks(file: bytes) -> dict[bytes, bytes]:
    """The chunks that matter, by their names; none where one is broken, or there are too many."""
    chunks: dict[bytes, bytes] = {}
    position = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if not file.startswith(SIGNATURE) or len(file) < position + CHUNK.size:
            return {}
        length, name = CHUNK.unpack_from(file, position)
        end = position + CHUNK.size + length
        named, checksum = file[position + LENGTH_BYTES : end], file[end : end + CHECKSUM_BYTES]
        if name in chunks or checksum != zlib.crc32(named).to_bytes(CHECKSUM_BYTES, "big"):
            return {}
        if name not in IGNORED:
            chunks[name] = named[len(name) :]
        if name == b"IEND":
            return chunks
        position = end + CHECKSUM_BYTES
    return {}
