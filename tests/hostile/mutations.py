"""Sound bodies of every kind, and what is left of them after an accident.

An accident has a number: the same number is the same accident, wherever it is repeated.
"""

import random
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tests.service.cases import FORM_AB, NOISE, NOISE_PNG, encode, form, npy
from tests.service.cases_v2 import INFER, behind, elements
from tests.service.encodings import DIGITS, draw, painted, transparent
from tests.service.hostile import COLOURS, PNG_HEAD, WHOLE, animation
from tests.wire import whole

FLIPS = 8
SPAN = 64  # bytes that are lost, doubled or replaced at most

# What lengths and counts are turned into.
EXTREMES = [
    pack(value)
    for value in (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
    for pack in (struct.Struct("<L").pack, struct.Struct(">L").pack)
]


@dataclass(frozen=True)
class Sound:
    """A body that is answered with 200, and how it is sent.

    mend: what makes checksums right again, so that damage gets past them.
    """

    body: bytes
    content_type: str
    path: str = "/predict"
    headers: tuple[str, ...] = ()
    mend: Callable[[bytes], bytes] | None = None

    def request(self, body: bytes) -> bytes:
        """The bytes on the socket."""
        return whole(body, *self.headers, content_type=self.content_type, path=self.path)


def with_mended_checksums(body: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what is in them, as far as it is made of chunks."""
    mended, position = body[:8], 8
    while position + 12 <= len(body):
        (length,) = struct.unpack_from(">L", body, position)
        end = position + 8 + length
        if end + 4 > len(body):
            break
        mended += body[position:end] + struct.pack(">L", zlib.crc32(body[position + 4 : end]))
        position = end + 4
    return mended + body[position:]


INK = draw(DIGITS[2])[::4, ::4]
BINARY, BINARY_HEADERS = behind(
    elements(NOISE_PNG, WHOLE["JPEG"]), name="image_bytes", datatype="BYTES", shape=[2]
)

SOUND: Mapping[str, Sound] = {
    "png": Sound(NOISE_PNG, "image/png", mend=with_mended_checksums),
    "png of a palette": Sound(
        encode(transparent(INK).quantize(32), "PNG"), "image/png", mend=with_mended_checksums
    ),
    "animated png": Sound(animation("PNG", 3), "image/png", mend=with_mended_checksums),
    "jpeg": Sound(encode(painted(INK), "JPEG"), "image/jpeg"),
    "progressive jpeg": Sound(encode(COLOURS, "JPEG", progressive=True), "image/jpeg"),
    "webp": Sound(WHOLE["WEBP"], "image/webp"),
    "lossy webp": Sound(encode(transparent(INK), "WEBP", quality=50), "image/webp"),
    "animated webp": Sound(animation("WEBP", 3), "image/webp"),
    "bmp": Sound(WHOLE["BMP"], "image/bmp"),
    "bmp of one bit": Sound(encode(NOISE.convert("1"), "BMP"), "image/bmp"),
    "gif": Sound(WHOLE["GIF"], "image/gif"),
    "animated gif": Sound(animation("GIF", 3), "image/gif"),
    "npy": Sound(npy(np.zeros((2, 28, 28), np.float32)), "application/x-npy"),
    "form": Sound(form(NOISE_PNG, WHOLE["PNG"]), FORM_AB["Content-Type"]),
    "v2 in bytes": Sound(
        BINARY,
        "application/octet-stream",
        INFER,
        tuple(f"{name}: {value}" for name, value in BINARY_HEADERS.items()),
    ),
}


def accident(name: str, number: int) -> bytes:
    """What a sound body becomes by the accident of this number."""
    chance = random.Random(f"{name} {number}")
    sound = SOUND[name]
    body = bytearray(sound.body)
    for _ in range(chance.choice([1, 1, 2, 4])):
        chance.choice(ACCIDENTS)(body, chance)
    damaged = bytes(body)
    return sound.mend(damaged) if sound.mend and chance.random() < 2 / 3 else damaged


Accident = Callable[[bytearray, random.Random], None]


def _place(body: bytearray, chance: random.Random) -> int:
    """Anywhere, in every second case where lengths and kinds are told."""
    limit = PNG_HEAD if chance.random() < 1 / 2 else len(body)
    return chance.randrange(max(1, min(limit, len(body))))


def flip(body: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, FLIPS)):
        place = _place(body, chance)
        body[place : place + 1] = bytes(
            byte ^ 1 << chance.randrange(8) for byte in body[place : place + 1]
        )


def truncate(body: bytearray, chance: random.Random) -> None:
    del body[chance.randrange(len(body) + 1) :]


def lose(body: bytearray, chance: random.Random) -> None:
    place = _place(body, chance)
    del body[place : place + chance.randint(1, SPAN)]


def double(body: bytearray, chance: random.Random) -> None:
    place = _place(body, chance)
    body[place:place] = body[place : place + chance.randint(1, SPAN)] * chance.choice([1, 2, 50])


def exaggerate(body: bytearray, chance: random.Random) -> None:
    place = _place(body, chance)
    body[place : place + 4] = chance.choice(EXTREMES)


def scribble(body: bytearray, chance: random.Random) -> None:
    place = _place(body, chance)
    body[place : place + chance.randint(0, SPAN)] = chance.randbytes(chance.randint(0, SPAN))


def splice(body: bytearray, chance: random.Random) -> None:
    """Go on as another body does."""
    other = chance.choice([*SOUND.values()]).body
    body[chance.randrange(len(body) + 1) :] = other[chance.randrange(len(other)) :]


ACCIDENTS: list[Accident] = [flip, truncate, lose, double, exaggerate, scribble, splice]
