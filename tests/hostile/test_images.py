"""Pictures that are bombs, that break off, that are damaged, or that are something else as well."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers import table
from tests.hostile.assault import Hostile, withstand
from tests.hostile.costs import Cost
from tests.hostile.mutations import SOUND
from tests.server import Server
from tests.service.cases import NOISE_PNG, encode, huge_png
from tests.service.hostile import (
    HOSTILE,
    PNG_HEAD,
    TOO_LARGE,
    WHOLE,
    animation,
    bmp_of_runs,
    hostile,
    jpeg_segment,
    jpeg_with,
    png_chunk,
)
from tests.wire import answers, code_of, raw, whole

FRAMES = 10_000
SIDE = 4_000  # squared it is as many pixels as a picture may have

A_LARGE_PICTURE = Cost(1.5, 350)  # of 16 megapixels, as RGB or RGBA once or several times

CODES = {200: None, 422: "unreadable_image", 413: "image_too_large"}


def picture(kind: str, body: Callable[[], bytes], status: int, cost: Cost | None = None) -> Hostile:
    """A file that is said to be of a kind."""
    return Hostile(
        lambda: whole(body(), content_type=f"image/{kind}"), status, CODES[status], cost or Cost()
    )


def plain(mode: str, kind: str, side: int = SIDE, **options: object) -> Callable[[], bytes]:
    return lambda: encode(Image.new(mode, (side, side)), kind, **options)


def png_of(width: int, height: int, depth: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    """The noise under another header, whose checksum is right."""
    header = struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return WHOLE["PNG"][:8] + png_chunk(b"IHDR", header) + WHOLE["PNG"][33:]


def gif_of_frames() -> bytes:
    """The noise, and then frames of one pixel, each with its time."""
    pixel = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0"
    return WHOLE["GIF"][:-1] + (b"!\xf9\4\4\1\0\0\0" + pixel) * FRAMES + b";"


def png_of_frames() -> bytes:
    """An APNG whose frames are all alike."""
    data = WHOLE["PNG"][33:]
    (length,) = struct.unpack_from(">L", data)
    pixels = data[8 : 8 + length]
    frames = [png_chunk(b"acTL", struct.pack(">LL", FRAMES, 0))]
    for number in range(FRAMES):
        control = struct.pack(">LLLLLHHBB", number, 28, 28, 0, 0, 1, 10, 0, 0)
        frames.append(png_chunk(b"fcTL", control))
        frames.append(png_chunk(b"fdAT", struct.pack(">L", number) + pixels[:20]))
    return WHOLE["PNG"][:-12] + b"".join(frames) + WHOLE["PNG"][-12:]


def webp_of_frames() -> bytes:
    """An animation whose last frame is there again and again."""
    body = animation("WEBP", 2)
    last = body[body.rindex(b"ANMF") :]
    return (
        b"RIFF" + struct.pack("<L", len(body) - 8 + len(last) * FRAMES) + body[8:] + last * FRAMES
    )


BOMBS = {
    "50 000 squared, by its header": picture("png", huge_png, TOO_LARGE),
    "2**31 squared, by its header": picture("png", lambda: png_of(2**31 - 1, 2**31 - 1), TOO_LARGE),
    "9 000 squared in 10 kB": picture("png", plain("1", "PNG", 9_000), TOO_LARGE),
    "9 000 squared, jpeg": picture("jpeg", plain("L", "JPEG", 9_000), TOO_LARGE),
    "9 000 squared, webp": picture("webp", plain("RGB", "WEBP", 9_000, lossless=True), TOO_LARGE),
    "65 535 squared, gif": picture(
        "gif", lambda: WHOLE["GIF"][:6] + b"\xff" * 4 + WHOLE["GIF"][10:], TOO_LARGE
    ),
    "2**31 squared, bmp": picture("bmp", lambda: bmp_of_runs(2**31 - 1, 2**31 - 1, b""), 422),
    "0 x 0": picture("png", lambda: png_of(0, 0), 422),
    "0 x 28": picture("png", lambda: png_of(0, 28), 422),
    "28 x 0": picture("png", lambda: png_of(28, 0), 422),
    "of 3 bits": picture("png", lambda: png_of(28, 28, 3), 422),
    "of no known colours": picture("png", lambda: png_of(28, 28, 8, 5), 422),
    "of no known order": picture("png", lambda: png_of(28, 28, 8, 0, 9), 422),
    "larger than its pixels": picture("png", lambda: png_of(280, 280), 422),
    "10 000 frames, gif": picture("gif", gif_of_frames, 200),
    "10 000 frames, webp": picture("webp", webp_of_frames, 200),
    "10 000 frames, png: too many parts": picture("png", png_of_frames, 422),
    "the largest in one bit": picture("png", plain("1", "PNG"), 200, A_LARGE_PICTURE),
    "the largest in RGBA": picture("png", plain("RGBA", "PNG"), 200, A_LARGE_PICTURE),
    "the largest in 16 bits": picture("png", plain("I;16", "PNG"), 200, A_LARGE_PICTURE),
    "the largest jpeg": picture("jpeg", plain("CMYK", "JPEG"), 200, A_LARGE_PICTURE),
    "the largest in passes": picture(
        "jpeg", plain("RGB", "JPEG", progressive=True), 200, A_LARGE_PICTURE
    ),
    "the largest webp": picture("webp", plain("RGBA", "WEBP"), 200, A_LARGE_PICTURE),
    "the largest without loss": picture(
        "webp", plain("RGB", "WEBP", lossless=True), 200, A_LARGE_PICTURE
    ),
    "the largest gif": picture("gif", plain("P", "GIF"), 200, A_LARGE_PICTURE),
    "one row of 16 megapixels": picture(
        "png", lambda: encode(Image.new("L", (SIDE**2, 1)), "PNG"), 200, A_LARGE_PICTURE
    ),
    "one column of 16 megapixels": picture(
        "png", lambda: encode(Image.new("L", (1, SIDE**2)), "PNG"), 200, A_LARGE_PICTURE
    ),
    "dots": picture("png", lambda: encode(dotted(), "PNG"), 200, A_LARGE_PICTURE),
    "noise": picture("png", lambda: encode(noisy(), "PNG"), 200, A_LARGE_PICTURE),
}


def dotted() -> Image.Image:
    """Specks without number."""
    pixels = np.full((SIDE, SIDE), 255, np.uint8)
    pixels[::6, ::6] = 0
    return Image.fromarray(pixels)


def noisy() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).random((SIDE, SIDE)) < 1 / 2)


@table("case", BOMBS)
def test_a_bomb_does_not_go_off(server: Server, case: Hostile) -> None:
    withstand(server, case)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_dear_to_read_is_read_cheaply(server: Server, name: str) -> None:
    """Texts, profiles and other parts beside the pixels that expand or have no end."""
    file, status = hostile(name)
    code = CODES[status]
    case = Hostile(lambda: whole(file.body, content_type=file.content_type), status, code)
    withstand(server, case)


# -- what breaks off or is damaged -------------------------------------------

BEHIND_PIXELS = 20  # bytes of a PNG: two checksums and the chunk that is its end
TOGETHER = 50  # requests on one connection


def ask(
    server: Server, bodies: list[bytes], content_type: str
) -> list[tuple[int, str | None, Any]]:
    """Status, code and predictions of each body's answer."""
    said = []
    for start in range(0, len(bodies), TOGETHER):
        some = bodies[start : start + TOGETHER]
        sent = b"".join(whole(body, content_type=content_type) for body in some)
        said += answers(raw(server.port, sent))
    return [(one.status, code_of(one), one.json.get("predictions")) for one in said]


@pytest.mark.parametrize("name", ["png", "jpeg", "progressive jpeg"])
def test_a_picture_that_breaks_off_anywhere_is_whole_or_refused(server: Server, name: str) -> None:
    """Where it breaks off behind its last pixel, it is answered as a whole one is."""
    sound = SOUND[name]
    [whole_one] = ask(server, [sound.body], sound.content_type)
    cut = [sound.body[:length] for length in range(1, len(sound.body))]
    found = ask(server, cut, sound.content_type)
    assert len(found) == len(cut)
    refused = (422, "unreadable_image", None)
    assert [one for one in found if one not in (refused, whole_one)] == []
    assert found.count(refused) >= len(cut) - BEHIND_PIXELS


def chunks_of(body: bytes) -> dict[str, int]:
    """Where the checksum of each chunk of a PNG stands."""
    places, position = {}, 8
    while position < len(body):
        length, name = struct.unpack_from(">L4s", body, position)
        places[f"{name.decode()} at {position}"] = position + 8 + length
        position += 12 + length
    return places


@pytest.mark.parametrize("name", ["png", "png of a palette"])
def test_a_flipped_bit_in_any_checksum_is_found_or_changes_nothing(
    server: Server, name: str
) -> None:
    """Pixels have a checksum of their own, and what is said beside them is not looked at."""
    text = png_chunk(b"tEXt", b"Title\0seven")
    body = SOUND[name].body[:PNG_HEAD] + text + SOUND[name].body[PNG_HEAD:]
    [whole_one] = ask(server, [body], "image/png")
    for chunk, place in chunks_of(body).items():
        found = ask(server, [with_flip(body, place, bit) for bit in range(32)], "image/png")
        matters = chunk.startswith(("IHDR", "PLTE", "tRNS"))
        expected = (422, "unreadable_image", None) if matters else whole_one
        assert found == [expected] * 32, chunk


def with_flip(body: bytes, place: int, bit: int) -> bytes:
    byte = place + bit // 8
    return body[:byte] + bytes([body[byte] ^ 1 << bit % 8]) + body[byte + 1 :]


# -- what is something else, or something else as well -----------------------

FOREIGN = {
    "TIFF": (b"II*\0\10\0\0\0", "image/tiff"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n", "image/eps"),
    "PostScript": (b"%!PS\n(/etc/passwd) (r) file\n", "application/postscript"),
    "SVG": (
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "image/svg+xml",
    ),
    "FITS": (b"SIMPLE  =                    T".ljust(2_880), "image/fits"),
    "PSD": (
        b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\0\x1c\0\0\0\x1c\0\10\0\3",
        "image/vnd.adobe.photoshop",
    ),
    "ICO": (b"\0\0\1\0\1\0", "image/x-icon"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    "AVIF": (b"\0\0\0\x1cftypavif", "image/avif"),
    "PDF": (b"%PDF-1.7\n", "application/pdf"),
}


@table("body, content_type", FOREIGN)
def test_no_other_format_is_read_under_any_name(
    server: Server, body: bytes, content_type: str
) -> None:
    """Pillow would read most of them; some of its readers run programs."""
    withstand(
        server,
        Hostile(lambda: whole(body, content_type=content_type), 415, "unsupported_media_type"),
    )
    for kind in WHOLE:
        withstand(server, picture(kind.lower(), lambda: body, 422))


SCRIPT = b"<script>alert(1)</script><?php system($_GET[0]); ?>"
ZIP = b"PK\3\4" + bytes(26) + b"PK\5\6" + bytes(18)

# Kind, file, and whether it is answered: as the picture that it is, whatever else it is.
POLYGLOTS = {
    "png and an archive": ("png", NOISE_PNG + ZIP, 200),
    "png and a script behind": ("png", NOISE_PNG + SCRIPT, 200),
    "png with a script in a text": (
        "png",
        NOISE_PNG[:33] + png_chunk(b"tEXt", b"a\0" + SCRIPT) + NOISE_PNG[33:],
        200,
    ),
    "png and a png": ("png", NOISE_PNG + WHOLE["PNG"], 200),
    "jpeg with a script in a comment": ("jpeg", jpeg_with(jpeg_segment(0xFE, SCRIPT)), 200),
    "jpeg and an archive": ("jpeg", WHOLE["JPEG"] + ZIP, 200),
    "gif with a script behind": ("gif", WHOLE["GIF"] + SCRIPT, 200),
    "bmp with a script behind": ("bmp", WHOLE["BMP"] + SCRIPT, 200),
    "webp with a script behind": ("webp", WHOLE["WEBP"] + SCRIPT, 200),
    "a PDF before a jpeg": ("jpeg", b"%PDF-1.7\n" + WHOLE["JPEG"], 422),
    "an archive before a png": ("png", ZIP + NOISE_PNG, 422),
    "a script before a gif": ("gif", SCRIPT + WHOLE["GIF"], 422),
    "gif whose size is a script's beginning": ("gif", b"GIF89a/*" + WHOLE["GIF"][8:], 200),
    "a gif by its name, a png by its bytes": ("gif", NOISE_PNG, 422),
    "a png by its first bytes": ("png", NOISE_PNG[:8] + WHOLE["JPEG"], 422),
}


@table("kind, body, status", POLYGLOTS)
def test_what_is_something_else_as_well_is_a_picture_or_nothing(
    server: Server, kind: str, body: bytes, status: int
) -> None:
    [answer] = withstand(server, picture(kind, lambda: body, status))
    assert b"script" not in answer.body
