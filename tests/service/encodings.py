"""Digits drawn as strokes, and the many ways in which one drawing may be saved."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from tests.service.cases import encode

WIDTH, HEIGHT = 240, 280
SMOOTH = 4  # drawn so many times as large, and scaled down: soft edges, as a pen has them
PEN = 22  # of 240

BLACK, WHITE = (0, 0, 0), (255, 255, 255)

# How to turn an upright picture so that the EXIF orientation puts it upright again.
LYING = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

Strokes = list[list[tuple[int, int]]]

# Points of 240 x 280 that a pen goes through, stroke by stroke.
DIGITS: dict[int, Strokes] = {
    1: [[(140, 40), (112, 240)]],
    2: [[(70, 85), (90, 50), (135, 42), (165, 75), (150, 125), (70, 235), (180, 232)]],
    4: [[(95, 45), (65, 150), (175, 145)], [(155, 60), (140, 240)]],
    5: [[(170, 45), (90, 45), (80, 125), (130, 120), (170, 165), (140, 225), (70, 230)]],
    7: [[(60, 50), (180, 48), (110, 240)]],
}


@dataclass(frozen=True)
class File:
    """An encoded picture and what it is said to be."""

    content_type: str
    body: bytes


def draw(strokes: Strokes) -> NDArray[np.uint8]:
    """Where there is ink, and how much of it: (280, 240) uint8."""
    sheet = Image.new("L", (WIDTH * SMOOTH, HEIGHT * SMOOTH))
    pen = ImageDraw.Draw(sheet)
    for stroke in strokes:
        points = [(x * SMOOTH, y * SMOOTH) for x, y in stroke]
        pen.line(points, fill=255, width=PEN * SMOOTH, joint="curve")
        for x, y in points:
            reach = PEN * SMOOTH // 2
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=255)
    return np.asarray(sheet.resize((WIDTH, HEIGHT), Image.Resampling.BOX))


def painted(
    ink: NDArray[np.uint8],
    colour: tuple[int, int, int] = BLACK,
    ground: tuple[int, int, int] = WHITE,
) -> Image.Image:
    """Ink of one colour on ground of another, as RGB."""
    share = ink[..., np.newaxis] / 255
    return Image.fromarray(
        np.rint(share * np.array(colour) + (1 - share) * np.array(ground)).astype(np.uint8)
    )


def transparent(
    ink: NDArray[np.uint8], colour: tuple[int, int, int] = BLACK, opacity: float = 1.0
) -> Image.Image:
    """Ink of one colour on nothing, as RGBA."""
    sheet = Image.new("RGBA", ink.shape[::-1], colour)
    sheet.putalpha(Image.fromarray(np.rint(ink * opacity).astype(np.uint8)))
    return sheet


def file(image: Image.Image, kind: str, **options: object) -> File:
    return File(f"image/{kind.lower()}", encode(image, kind, **options))


def turned(image: Image.Image, kind: str, orientation: int) -> File:
    """A picture that lies, and the EXIF orientation that puts it upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = image.transpose(LYING[orientation]) if orientation in LYING else image
    return file(lying, kind, exif=exif, quality=95)


def without_segment(jpeg: bytes, marker: int) -> bytes:
    """A JPEG without its first segment of this kind."""
    start = jpeg.index(bytes([0xFF, marker]))
    (length,) = struct.unpack_from(">H", jpeg, start + 2)
    return jpeg[:start] + jpeg[start + 2 + length :]


def cmyk(image: Image.Image, *, adobe: bool) -> File:
    """Black ink in all four plates, inverted and marked as Adobe's or neither."""
    plates = image.convert("CMYK")
    key = ImageChops.invert(image.convert("L"))
    plates = Image.merge("CMYK", (*plates.split()[:3], key))
    if adobe:
        return file(plates, "JPEG", quality=95)
    body = encode(ImageChops.invert(plates), "JPEG", quality=95)
    return File("image/jpeg", without_segment(body, 0xEE))


def animated(image: Image.Image, kind: str) -> File:
    """The picture, and then others that say nothing."""
    frames = [Image.new(image.mode, image.size, shade) for shade in (90, 200)]
    return file(image, kind, save_all=True, append_images=frames, lossless=True)


def sixteen_bits(ink: NDArray[np.uint8], bits: int) -> File:
    """Black ink on the brightest white of so many bits, in a PNG of 16."""
    white = 2**bits - 1
    return file(
        Image.fromarray(((255 - ink.astype(np.uint32)) * white // 255).astype(np.uint16)), "PNG"
    )


def scaled(ink: NDArray[np.uint8], factor: float) -> Image.Image:
    size = round(WIDTH * factor), round(HEIGHT * factor)
    return painted(ink).resize(size, Image.Resampling.BOX if factor < 1 else None)


Encoder = Callable[[NDArray[np.uint8]], File]


def lying(kind: str, orientation: int) -> Encoder:
    return lambda ink: turned(painted(ink), kind, orientation)


# Every way to save one drawing; the names say what is peculiar to each.
ENCODINGS: dict[str, Encoder] = {
    "rgb png": lambda ink: file(painted(ink), "PNG"),
    "grey png": lambda ink: file(painted(ink).convert("L"), "PNG"),
    "white on black": lambda ink: file(painted(ink, WHITE, BLACK), "PNG"),
    "twice as large": lambda ink: file(scaled(ink, 2), "PNG"),
    "half as large": lambda ink: file(scaled(ink, 0.5), "PNG"),
    "jpeg": lambda ink: file(painted(ink), "JPEG", quality=90),
    "grey jpeg": lambda ink: file(painted(ink).convert("L"), "JPEG", quality=90),
    "progressive jpeg": lambda ink: file(painted(ink), "JPEG", quality=90, progressive=True),
    "webp": lambda ink: file(painted(ink), "WEBP", quality=90),
    "lossless webp": lambda ink: file(painted(ink), "WEBP", lossless=True),
    "bmp": lambda ink: file(painted(ink), "BMP"),
    "grey bmp": lambda ink: file(painted(ink).convert("L"), "BMP"),
    "gif": lambda ink: file(painted(ink).convert("L"), "GIF", interlace=0),
    "animated gif": lambda ink: animated(painted(ink).convert("L"), "GIF"),
    "animated webp": lambda ink: animated(painted(ink).convert("L").convert("RGB"), "WEBP"),
    "animated png": lambda ink: animated(painted(ink).convert("L"), "PNG"),
    "interlaced gif": lambda ink: file(painted(ink).convert("L"), "GIF", interlace=1),
    "palette": lambda ink: file(painted(ink).quantize(16), "PNG"),
    "transparent palette": lambda ink: file(transparent(ink).quantize(32), "PNG"),
    "one bit": lambda ink: file(painted(ink).convert("1", dither=Image.Dither.NONE), "PNG"),
    "one bit bmp": lambda ink: file(painted(ink).convert("1", dither=Image.Dither.NONE), "BMP"),
    "16 bits": lambda ink: sixteen_bits(ink, 16),
    "12 of 16 bits": lambda ink: sixteen_bits(ink, 12),
    "cmyk by adobe": lambda ink: cmyk(painted(ink), adobe=True),
    "cmyk": lambda ink: cmyk(painted(ink), adobe=False),
    "black on transparent": lambda ink: file(transparent(ink), "PNG"),
    "white on transparent": lambda ink: file(transparent(ink, WHITE), "PNG"),
    "red on transparent": lambda ink: file(transparent(ink, (220, 20, 20)), "PNG"),
    "yellow on transparent": lambda ink: file(transparent(ink, (255, 240, 0)), "WEBP"),
    "half transparent": lambda ink: file(transparent(ink, BLACK, 0.5), "PNG"),
    "grey and alpha": lambda ink: file(transparent(ink).convert("LA"), "PNG"),
    "a transparent shade": lambda ink: file(painted(ink).convert("L"), "PNG", transparency=255),
    "a transparent colour": lambda ink: file(painted(ink), "PNG", transparency=WHITE),
    "red on white": lambda ink: file(painted(ink, (220, 20, 20)), "PNG"),
    "blue jpeg": lambda ink: file(painted(ink, (20, 40, 200)), "JPEG", quality=90),
    "yellow on white": lambda ink: file(painted(ink, (255, 240, 0)), "PNG"),
    "light blue on white": lambda ink: file(painted(ink, (190, 230, 255)), "PNG"),
    "pale pink on white": lambda ink: file(painted(ink, (255, 195, 215)), "PNG"),
    "red on green": lambda ink: file(painted(ink, (230, 0, 0), (0, 117, 0)), "PNG"),
    "blue on black": lambda ink: file(painted(ink, (40, 40, 255), BLACK), "PNG"),
    **{
        f"{kind} with orientation {orientation}": lying(kind, orientation)
        for kind in ("JPEG", "PNG", "WEBP")
        for orientation in range(1, 9)
    },
}
