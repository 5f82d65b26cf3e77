"""Encoded pictures to arrays: exactly their pixels, or an error that names the body."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from service.errors import ImageError, ImageTooLarge, UnreadableImage
from service.images import FORMATS, decode
from tests.helpers import PROPERTY
from tests.service.cases import encode
from tests.service.encodings import DIGITS, animated, cmyk, draw, painted, turned
from tests.service.hostile import SIDE, WHOLE, png_chunk, png_with

PIXELS = 1_000_000

TYPES = {name: content_type for content_type, name in FORMATS.items()}
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "GIF": {}}

INK = draw(DIGITS[5])


def decoded(body: bytes, kind: str, max_pixels: int = PIXELS) -> NDArray[np.uint8]:
    image = decode(body, max_pixels, content_type=TYPES[kind])
    assert image.dtype == np.uint8
    assert image.ndim == 2
    return image


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (3, 200)])
def test_greys_come_out_as_they_went_in(kind: str, shape: tuple[int, int]) -> None:
    greys = np.random.default_rng(6).integers(0, 256, shape).astype(np.uint8)
    body = encode(Image.fromarray(greys), kind, **LOSSLESS[kind])
    assert np.array_equal(decoded(body, kind), greys)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_put_upright(kind: str, orientation: int) -> None:
    upright = decoded(turned(painted(INK), kind, 1).body, kind).astype(int)
    found = decoded(turned(painted(INK), kind, orientation).body, kind).astype(int)
    assert found.shape == INK.shape
    assert np.abs(found - upright).mean() < 2


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_of_an_animation_the_first_frame_is_read(kind: str) -> None:
    image = painted(INK).convert("L").convert("L" if kind != "WEBP" else "RGB")
    assert np.array_equal(decoded(animated(image, kind).body, kind), np.asarray(image.convert("L")))


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_is_inverted_where_adobe_says_so(adobe: bool) -> None:  # noqa: FBT001 - a case
    image = decoded(cmyk(painted(INK), adobe=adobe).body, "JPEG").astype(int)
    assert np.abs(image - (255 - INK.astype(int))).mean() < 2


@pytest.mark.parametrize("said", FORMATS)
@pytest.mark.parametrize("sent", WHOLE)
def test_a_type_holds_its_own_format_only(said: str, sent: str) -> None:
    if FORMATS[said] == sent:
        assert decode(WHOLE[sent], PIXELS, content_type=said).shape == (SIDE, SIDE)
    else:
        with pytest.raises(UnreadableImage, match=f"not a whole {FORMATS[said]} image"):
            decode(WHOLE[sent], PIXELS, content_type=said)


@pytest.mark.parametrize("kind", WHOLE)
def test_the_size_is_known_before_a_pixel_is_decoded(kind: str) -> None:
    """Half of the file has all of the header."""
    half = WHOLE[kind][: 2 * len(WHOLE[kind]) // 3]
    if kind == "WEBP":  # which is opened as a whole, or not
        half = WHOLE[kind]
    with pytest.raises(ImageTooLarge, match="at most 783 pixels") as refusal:
        decoded(half, kind, SIDE * SIDE - 1)
    assert f"{SIDE} x {SIDE}" in refusal.value.detail
    assert refusal.value.field == "body"


@pytest.mark.parametrize("kind", WHOLE)
def test_what_pillow_would_warn_of_is_too_large(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageTooLarge, match="at most 100 pixels"):
        decoded(WHOLE[kind], kind)


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.9])
def test_a_truncated_file_is_refused(kind: str, share: float) -> None:
    with pytest.raises(UnreadableImage, match="not a whole"):
        decoded(WHOLE[kind][: int(len(WHOLE[kind]) * share)], kind)


def test_a_refusal_says_nothing_of_the_decoder() -> None:
    bad = png_with(png_chunk(b"IHDR", b"\0"))
    with pytest.raises(UnreadableImage) as refusal:
        decoded(bad, "PNG")
    assert refusal.value.__cause__ is None
    assert (
        refusal.value.detail == "the body is not a whole PNG image; send one, or correct its type"
    )


@PROPERTY
@given(
    kind=st.sampled_from(sorted(WHOLE)),
    changes=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 255)), max_size=12),
    end=st.integers(0, 3_000),
)
def test_damage_gives_pixels_or_an_error_of_ours(
    kind: str, changes: list[tuple[int, int]], end: int
) -> None:
    body = bytearray(WHOLE[kind])
    for place, value in changes:
        body[place % len(body)] = value
    with suppress(ImageError):
        decoded(bytes(body[:end]), kind)
