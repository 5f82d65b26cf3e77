"""Any picture to shades of grey in which its ink can be seen."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.greyscale import _ground, grey
from tests.helpers import table
from tests.service.encodings import BLACK, DIGITS, WHITE, draw, painted, transparent

Colour = tuple[int, int, int]

READABLE = 32  # the normalizer takes less for a blank

INK = draw(DIGITS[7])
STROKE, PAPER = (50, 120), (200, 30)  # a pixel of each, row and column


def shades(image: Image.Image) -> NDArray[np.int64]:
    result = grey(image)
    assert (result.mode, result.size) == ("L", image.size)
    return np.asarray(result).astype(np.int64)


def contrast(image: Image.Image) -> int:
    """How much lighter the ink is than its ground."""
    pixels = shades(image)
    return int(pixels[STROKE] - pixels[PAPER])


def noise(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (1, 300), (300, 280)])
def test_greys_are_left_as_they_are(shape: tuple[int, int]) -> None:
    greys = noise(1, *shape)
    for mode in ("L", "RGB", "RGBA", "LA"):
        assert np.array_equal(shades(Image.fromarray(greys).convert(mode)), greys), mode


@table(
    "image",
    {
        "a photograph by lamplight": Image.fromarray(
            (noise(2, 40, 50)[..., np.newaxis] * (1.0, 0.9, 0.7)).astype(np.uint8)
        ),
        "red on white": painted(INK, (200, 0, 0)),
        "blue on white": painted(INK, (0, 0, 255)),
        "green on white": painted(INK, (0, 255, 0)),
        "black on cream": painted(INK, BLACK, (255, 250, 220)),
        "one colour": Image.new("RGB", (50, 40), (200, 30, 90)),
    },
)
def test_luminance_is_what_is_taken_where_it_carries_the_contrast(image: Image.Image) -> None:
    assert np.array_equal(shades(image), np.asarray(image.convert("L")))


def test_coloured_lines_beside_dark_ink_are_no_darker_than_their_luminance() -> None:
    ruled = np.asarray(painted(INK)).copy()
    ruled[::40] = np.minimum(ruled[::40], (160, 210, 255))
    image = Image.fromarray(ruled)
    assert np.array_equal(shades(image), np.asarray(image.convert("L")))


def test_noise_in_colour_is_not_made_stronger() -> None:
    sheet = 250 + np.random.default_rng(3).integers(-5, 6, (60, 60, 3))
    assert np.ptp(shades(Image.fromarray(sheet.astype(np.uint8)))) < READABLE


@table(
    "colour, ground, least",
    {
        "yellow on white": ((255, 255, 0), WHITE, 250),
        "cyan on white": ((0, 255, 255), WHITE, 250),
        "light blue on white": ((173, 216, 230), WHITE, 40),
        "pale pink on white": ((255, 192, 203), WHITE, 40),
        "60 less red": ((195, 255, 255), WHITE, 59),
        "60 less green": ((255, 195, 255), WHITE, 59),
        "60 less blue": ((255, 255, 195), WHITE, 59),
        "red on green as bright": ((230, 0, 0), (0, 117, 0), 225),
        "green on red as bright": ((0, 117, 0), (230, 0, 0), 225),
        "orange on grey as bright": ((230, 120, 60), (146, 146, 146), 80),
        "blue on black": ((0, 0, 255), BLACK, 250),
        "yellow on blue": ((255, 255, 0), (0, 0, 255), 150),
    },
)
def test_a_coloured_pen_is_seen_against_its_ground(
    colour: Colour, ground: Colour, least: int
) -> None:
    most = max(abs(one - other) for one, other in zip(colour, ground, strict=True))
    assert least <= abs(contrast(painted(INK, colour, ground))) <= most


@table(
    "colour, ground, lighter",
    {
        "yellow on white": ((255, 255, 0), WHITE, False),
        "blue on black": ((0, 0, 255), BLACK, True),
        "pale green on pink": ((160, 255, 160), (255, 150, 255), True),
    },
)
def test_what_is_lighter_stays_lighter(colour: Colour, ground: Colour, *, lighter: bool) -> None:
    assert (contrast(painted(INK, colour, ground)) > 0) == lighter


def test_soft_edges_stay_as_soft() -> None:
    """A projection is linear: shares of a colour are shares of its shade."""
    yellow = shades(painted(INK, (255, 255, 0)))
    assert np.abs(yellow - (255 - INK.astype(int))).max() <= 1


def test_inks_on_both_sides_of_the_ground_have_room() -> None:
    """Red and green on a ground between them, all of one luminance."""
    sheet = np.full((60, 60, 3), (115, 58, 58), np.uint8)
    sheet[10:50, 15:20], sheet[10:50, 40:45] = (230, 0, 58), (0, 117, 58)
    pixels = shades(Image.fromarray(sheet))
    red, green, ground = pixels[30, 17], pixels[30, 42], pixels[30, 30]
    assert min(abs(red - ground), abs(green - ground), abs(red - green) // 2) > 2 * READABLE
    assert (red - ground) * (green - ground) < 0


def test_colours_are_judged_alike_in_a_large_picture() -> None:
    yellow = painted(INK, (255, 255, 0)).resize((2400, 2800), Image.Resampling.NEAREST)
    assert np.array_equal(shades(yellow)[::10, ::10], shades(painted(INK, (255, 255, 0))))


@pytest.mark.parametrize("opacity", [1.0, 0.5])
@pytest.mark.parametrize(
    "colour", [BLACK, WHITE, (128, 128, 128), (220, 20, 20), (255, 240, 0), (0, 0, 255)]
)
def test_ink_on_nothing_is_laid_on_what_it_stands_out_from(colour: Colour, opacity: float) -> None:
    assert abs(contrast(transparent(INK, colour, opacity))) >= 127 * opacity - 1


def test_the_ground_is_what_most_of_the_border_is() -> None:
    """Not what it is on average: a stroke or a table's edge may run over it."""
    sheet = painted(INK)
    sheet.paste((90, 10, 10), (0, 0, 240, 60))
    assert _ground(sheet).tolist() == list(WHITE)


def test_an_empty_canvas_is_blank() -> None:
    assert np.ptp(shades(Image.new("RGBA", (30, 30), (0, 0, 0, 0)))) == 0


@pytest.mark.parametrize("colour", [BLACK, (0, 0, 200)])
def test_a_sheet_goes_on_behind_its_transparent_corners(colour: Colour) -> None:
    sheet = painted(INK, colour).convert("RGBA")
    sheet.paste((0, 0, 0, 0), (0, 0, 40, 40))
    assert shades(sheet)[:40, :40].min() == 255


def test_a_stencil_is_seen() -> None:
    """Where the digit is what was cut out of a sheet."""
    sheet = Image.new("RGBA", INK.shape[::-1], WHITE)
    sheet.putalpha(Image.fromarray(255 - INK))
    assert abs(contrast(sheet)) >= 250


def test_opaque_ink_on_a_coloured_ground_is_as_without_alpha() -> None:
    image = painted(INK, (230, 0, 0), (0, 117, 0))
    assert np.array_equal(shades(image.convert("RGBA")), shades(image))


@pytest.mark.parametrize("bits", [16, 14, 12, 10, 8])
def test_16_bits_a_pixel_keep_the_upper_eight_of_those_in_use(bits: int) -> None:
    values = (INK.astype(np.uint16) << (bits - 8)) + (1 << (bits - 8)) - 1
    assert np.array_equal(shades(Image.fromarray(values.astype(np.uint16))), INK)


def test_16_bits_are_not_stretched_beyond_their_bits() -> None:
    """A blank sheet is not made to have contrast."""
    sheet = 60_000 + np.random.default_rng(4).integers(0, 300, (30, 30))
    assert np.ptp(shades(Image.fromarray(sheet.astype(np.uint16)))) <= 2


def test_a_transparent_shade_of_16_bits_is_no_ground() -> None:
    image = Image.fromarray(np.where(INK > 128, 60_000, 65_535).astype(np.uint16))
    image.info["transparency"] = 65_535
    assert contrast(image) == 60_000 >> 8


@pytest.mark.parametrize("mode", ["1", "P", "PA", "CMYK", "YCbCr"])
def test_other_modes_are_read(mode: str) -> None:
    image = painted(INK).convert("L").convert("RGBA" if mode == "PA" else "RGB").convert(mode)
    assert contrast(image) < -200
