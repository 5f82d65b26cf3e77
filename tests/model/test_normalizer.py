import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from model.errors import InputError
from model.normalizer import BOX_SIDE, DARK, FAINT, LOW_CONTRAST, MIN_CONTRAST, normalize
from tests.helpers import PROPERTY, table
from training.dataset import Digits, Mnist

Image = NDArray[np.uint8]

# An L of strokes 4 pixels wide in a box of 20x12: no symmetry hides a wrong axis or direction.
SHAPE: Image = np.zeros((20, 12), np.uint8)
SHAPE[:, :4] = SHAPE[-4:, :] = 255


# One pixel in each corner of a square of 26.
DOTS: Image = np.zeros((26, 26), np.uint8)
DOTS[::25, ::25] = 255


def on_sheet(ink: Image, size: tuple[int, int], at: tuple[int, int], *, ground: int = 0) -> Image:
    """Ink laid on an even sheet at a place."""
    sheet: Image = np.full(size, ground, np.uint8)
    top, left = at
    sheet[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return sheet


def enlarged(image: Image, times: int) -> Image:
    return np.kron(image, np.ones((times, times), np.uint8))


def box(frame: Image) -> tuple[int, int, int, int]:
    """Top, left, height and width of the ink."""
    rows, columns = np.flatnonzero(frame.any(axis=1)), np.flatnonzero(frame.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    return int(rows[0]), int(columns[0]), int(height), int(width)


def centre_of_mass(frame: Image) -> list[float]:
    ink = frame / frame.sum()
    return [float(ink.sum(axis=1) @ np.arange(28)), float(ink.sum(axis=0) @ np.arange(28))]


# Of the L's 112 pixels the mean row is 11.8 and the mean column 3.2, so that
# its corner comes to stand at row 14 - 12 = 2 and column 14 - 3 = 11.
EXPECTED = on_sheet(SHAPE, (28, 28), (2, 11))


# -- what is a frame already ------------------------------------------------


@pytest.mark.parametrize("half", ["train", "test"])
def test_every_image_of_mnist_is_left_as_it_is(half: str, mnist: Mnist) -> None:
    digits: Digits = getattr(mnist, half)
    changed = [
        number
        for number, image in enumerate(digits.images)
        if not np.array_equal(normalize(image).pixels, image)
    ]
    assert changed == []


@table(
    "frame",
    {
        "a digit in its place": EXPECTED,
        "a pixel from it": np.roll(EXPECTED, (1, -1), (0, 1)),
        "a digit larger than the box": on_sheet(enlarged(SHAPE, 2)[:26, :26], (28, 28), (1, 1)),
        "a digit with specks far from it": np.maximum(EXPECTED, on_sheet(DOTS, (28, 28), (1, 1))),
    },
)
def test_a_dark_frame_is_left_as_it_is(frame: Image) -> None:
    found = normalize(frame)
    np.testing.assert_array_equal(found.pixels, frame)
    assert found.reason is None
    assert found.warnings == ()


@table(
    "shift",
    {"up": (-2, 0), "down": (2, 0), "left": (0, -5), "right": (0, 3), "slantwise": (-2, 4)},
)
def test_a_digit_that_stands_free_but_off_centre_is_centred(shift: tuple[int, int]) -> None:
    moved = np.roll(EXPECTED, shift, (0, 1))
    np.testing.assert_array_equal(normalize(moved).pixels, EXPECTED)


@table("length, grown", {"a pixel less than any of MNIST": (13, True), "as the least": (14, False)})
def test_a_digit_smaller_than_any_of_mnist_grows(length: int, *, grown: bool) -> None:
    stroke = on_sheet(np.full((length, 3), 255, np.uint8), (28, 28), (14 - length // 2, 13))
    assert (box(normalize(stroke).pixels)[2] == BOX_SIDE) is grown


@table("ground, dark", {"at the limit": (DARK, True), "over it": (DARK + 1, False)})
def test_a_frame_has_a_dark_border(ground: int, *, dark: bool) -> None:
    image = np.maximum(EXPECTED, ground).astype(np.uint8)
    assert np.array_equal(normalize(image).pixels, image) is dark
    assert np.array_equal(normalize(image).pixels, EXPECTED) is not dark


# -- uneven ground ----------------------------------------------------------

ACROSS = np.linspace(0, 150, 28)

UNEVEN_GROUNDS = {
    "light from the right": np.tile(ACROSS, (28, 1)),
    "light from below": np.tile(ACROSS[:, None], (1, 28)),
    "light from a corner": np.add.outer(ACROSS, ACROSS) / 2,
    "a bright edge on the left": np.tile(np.where(np.arange(28) < 7, 150, 0), (28, 1)),
    "bright edges above and below": np.tile(
        np.where(np.abs(np.arange(28) - 13.5) > 7, 150, 0)[:, None], (1, 28)
    ),
}


@table("ground", UNEVEN_GROUNDS)
def test_a_ground_that_runs_from_side_to_side_is_removed(ground: NDArray[np.float64]) -> None:
    drawn = np.rint(ground + EXPECTED * (100 / 255)).astype(np.uint8)
    found = normalize(drawn).pixels.astype(int)
    np.testing.assert_allclose(found, EXPECTED, atol=20)
    dark_ink = normalize(255 - drawn).pixels.astype(int)
    np.testing.assert_allclose(dark_ink, EXPECTED, atol=20)


@table("ground", UNEVEN_GROUNDS)
def test_uneven_ground_without_ink_is_blank(ground: NDArray[np.float64]) -> None:
    assert normalize(np.rint(ground).astype(np.uint8)).reason == "blank"


def test_columns_in_the_negative_are_turned_back() -> None:
    striped = EXPECTED.copy()
    striped[:, :7] = 255 - striped[:, :7]
    striped[:, 21:] = 255 - striped[:, 21:]
    np.testing.assert_array_equal(normalize(striped).pixels, EXPECTED)


def test_a_stroke_over_the_border_is_not_ground() -> None:
    sheet = np.rint(np.tile(np.linspace(60, 200, 80), (80, 1))).astype(np.uint8)
    sheet[:, 38:42] = 255  # a long 1 from top to bottom
    *_, height, width = box(np.where(normalize(sheet).pixels > 128, 255, 0))
    assert (height, width) == (BOX_SIDE, 1)


def test_normalizing_twice_is_normalizing_once() -> None:
    once = normalize(on_sheet(enlarged(SHAPE, 7), (200, 150), (3, 60))).pixels
    np.testing.assert_array_equal(normalize(once).pixels, once)


# -- what is brought into a frame -------------------------------------------

DRAWINGS = {
    "off-centre": on_sheet(SHAPE, (56, 56), (36, 0)),
    "touching two edges": on_sheet(SHAPE, (30, 30), (0, 18)),
    "the digit alone": np.pad(SHAPE, 1),
    "wide sheet": on_sheet(SHAPE, (28, 300), (4, 200)),
    "tall sheet": on_sheet(SHAPE, (300, 28), (200, 4)),
    "twice as large": on_sheet(enlarged(SHAPE, 2), (100, 100), (10, 30)),
    "fifty times as large": on_sheet(enlarged(SHAPE, 50), (1200, 1300), (100, 30)),
    "on grey ground": on_sheet(np.maximum(SHAPE, 100), (56, 56), (20, 20), ground=100),
    "in grey ink": on_sheet(SHAPE // 255 * 120, (56, 56), (20, 20)),
    "in pale ink": on_sheet(SHAPE // 255 * MIN_CONTRAST, (56, 56), (20, 20)),
}


@table("drawing", DRAWINGS)
def test_a_drawing_becomes_the_frame_of_its_shape(drawing: Image) -> None:
    np.testing.assert_array_equal(normalize(drawing).pixels, EXPECTED)


@table("drawing", DRAWINGS)
def test_dark_ink_on_light_ground_becomes_the_same_frame(drawing: Image) -> None:
    found = normalize(255 - drawing)
    np.testing.assert_array_equal(found.pixels, EXPECTED)
    assert "inverted" in found.warnings
    assert "inverted" not in normalize(drawing).warnings


def test_a_white_frame_of_28x28_is_inverted_too() -> None:
    np.testing.assert_array_equal(normalize(255 - EXPECTED).pixels, EXPECTED)


def test_a_digit_of_mnist_drawn_large_in_black_on_white_comes_back(mnist: Mnist) -> None:
    distances = [
        np.abs(
            normalize(
                np.pad(255 - enlarged(image, 10), ((30, 400), (500, 20)), constant_values=255)
            ).pixels.astype(int)
            - image
        ).mean()
        for image in mnist.test.images[:100]
    ]
    assert np.mean(np.array(distances) < 1) >= 0.95


@table(
    "height, width, expected",
    {
        "square": (40, 40, (20, 20)),
        "tall": (40, 20, (20, 10)),
        "wide": (10, 60, (3, 20)),
        "smaller than the box": (5, 2, (20, 8)),
        "a line": (1, 200, (1, 20)),
        "a dot": (2, 2, (20, 20)),
    },
)
def test_the_longer_side_fills_the_box_and_the_aspect_is_kept(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    ink = np.full((height, width), 255, np.uint8)
    frame = normalize(on_sheet(ink, (height + 50, width + 50), (20, 10))).pixels
    assert box(frame)[2:] == expected
    assert max(expected) == BOX_SIDE


@table(
    "ink",
    {
        "an L": SHAPE,
        "an L on its head": SHAPE[::-1],
        "an L in the mirror": SHAPE[:, ::-1],
        "an L on its side": SHAPE.T,
        "heavy at the bottom": np.tril(np.full((20, 20), 255, np.uint8)),
    },
)
def test_the_centre_of_mass_is_the_centre_of_the_frame(ink: Image) -> None:
    frame = normalize(on_sheet(enlarged(ink, 3), (150, 150), (5, 80))).pixels
    assert centre_of_mass(frame) == pytest.approx([14, 14], abs=0.5)


def test_a_digit_that_would_leave_the_frame_stays_within() -> None:
    flag: Image = np.zeros((20, 20), np.uint8)  # all of the mass is at the top
    flag[:2, :] = flag[:, 9:10] = 255
    frame = normalize(on_sheet(flag, (60, 60), (20, 20))).pixels
    assert box(frame)[2:] == (20, 20)
    np.testing.assert_array_equal(frame.sum(), flag.sum(dtype=np.uint64))


def test_scaling_down_averages_areas() -> None:
    drawing = on_sheet(
        np.tile(np.array([[255, 0], [255, 0]], np.uint8), (20, 20)), (60, 60), (5, 5)
    )
    frame = normalize(drawing).pixels
    top, left, height, width = box(frame)
    assert (height, width) == (20, 20)
    assert frame.max() == 255
    # 39 columns of ink and gaps to 20: the even mixture, stretched to 255 where it is densest.
    assert np.unique(frame[top : top + height, left : left + width]).min() > 80


# -- blank sheets and faint ink ---------------------------------------------


@pytest.mark.parametrize("shade", [0, 1, 64, 65, 128, 254, 255])
@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (1, 40), (40, 1), (100, 60)])
def test_an_even_sheet_is_blank(shade: int, shape: tuple[int, int]) -> None:
    found = normalize(np.full(shape, shade, np.uint8))
    assert found.reason == "blank"
    assert found.warnings == ()
    np.testing.assert_array_equal(found.pixels, np.zeros((28, 28), np.uint8))


@pytest.mark.parametrize("sign", [1, -1], ids=["lighter", "darker"])
@table(
    "contrast, blank, low",
    {
        "none": (0, True, False),
        "just too little": (MIN_CONTRAST - 1, True, False),
        "just enough": (MIN_CONTRAST, False, True),
        "nearly good": (LOW_CONTRAST - 1, False, True),
        "good": (LOW_CONTRAST, False, False),
    },
)
def test_contrast_decides_what_is_blank_and_what_is_faint(
    contrast: int, *, blank: bool, low: bool, sign: int
) -> None:
    ink = np.full((20, 12), 128 + sign * contrast, np.uint8)
    found = normalize(on_sheet(ink, (50, 50), (9, 9), ground=128))
    assert (found.reason == "blank") is blank
    assert ("low_contrast" in found.warnings) is low


def test_a_row_of_pixels_can_be_a_stroke() -> None:
    found = normalize(np.array([[0] * 20 + [255] * 5 + [0] * 20], np.uint8))
    assert found.reason is None
    assert box(found.pixels)[2:] == (4, 20)


@table("share", {"sparse": 0.02, "dense": 0.5})
@pytest.mark.parametrize("shape", [(200, 40), (150, 150)])
def test_a_sheet_of_noise_is_blank(shape: tuple[int, int], share: float) -> None:
    dots = np.random.default_rng(0).random(shape) < share
    assert normalize((dots * 255).astype(np.uint8)).reason == "blank"


@pytest.mark.parametrize("grain", [2, 4])
def test_a_sheet_of_coarse_noise_is_blank(grain: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200 // grain, 60 // grain), np.uint8)
    assert normalize(enlarged(noise, grain)).reason == "blank"


@pytest.mark.parametrize("degrees", [0, 45, 90, 135])
def test_a_line_one_pixel_wide_is_no_noise(degrees: int) -> None:
    line = {
        0: np.eye(1, 90, 45).repeat(80, 0),
        45: np.eye(80),
        90: np.eye(1, 80, 40).T.repeat(90, 1),
    }
    drawn = line.get(degrees, np.eye(80)[::-1])
    found = normalize(np.pad((drawn * 255).astype(np.uint8), 5))
    assert found.reason is None


@table("frame, kept", {"as MNIST has it": (255, True), "faint": (FAINT - 1, False)})
def test_a_faint_frame_is_brought_to_full_contrast(frame: int, *, kept: bool) -> None:
    image = (EXPECTED * (frame / 255)).astype(np.uint8)
    np.testing.assert_array_equal(normalize(image).pixels, EXPECTED)
    assert np.array_equal(normalize(image).pixels, image) is kept


# -- what holds for any image -----------------------------------------------


@PROPERTY
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=60)))
def test_any_image_becomes_a_frame(image: Image) -> None:
    before = image.copy()
    found = normalize(image)
    assert found.pixels.shape == (28, 28)
    assert found.pixels.dtype == np.uint8
    assert (found.reason == "blank") is not bool(found.pixels.any())
    np.testing.assert_array_equal(image, before)


@PROPERTY
@given(
    st.integers(0, 255),
    arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=27, max_side=40)),
)
def test_a_drawing_and_its_negative_become_the_same_frame(ground: int, inside: Image) -> None:
    drawing = np.pad(inside, 1, constant_values=ground)
    assume(drawing.max() - ground != ground - drawing.min())  # else both are the negative
    np.testing.assert_array_equal(normalize(drawing).pixels, normalize(255 - drawing).pixels)


def test_a_negative_becomes_the_same_frame_on_uneven_paper_too() -> None:
    drawing = np.random.default_rng(0).integers(0, 100, (30, 34), np.uint8)
    drawing[[0, -1]] = 40
    drawing[:, [0, -1]] = 41  # the median of the border is between the two
    drawing[15, 10:20] = 250
    np.testing.assert_array_equal(normalize(drawing).pixels, normalize(255 - drawing).pixels)


@table(
    "image",
    {
        "no axes": np.array(7, np.uint8),
        "a row": np.zeros(784, np.uint8),
        "colours": np.zeros((28, 28, 3), np.uint8),
        "no rows": np.zeros((0, 28), np.uint8),
        "no columns": np.zeros((28, 0), np.uint8),
        "floats": np.zeros((28, 28)),
        "booleans": np.zeros((28, 28), bool),
    },
)
def test_what_is_no_greyscale_image_is_refused(image: Image) -> None:
    with pytest.raises(InputError, match="non-empty"):
        normalize(image)
