import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from model.frame import LOW_CONTRAST
from model.framing import DARK, FAINT, MIN_CONTRAST, reframe
from model.placement import BOX_SIDE
from tests.helpers import PROPERTY, table
from tests.model.drawing import Image
from tests.model.frames import EXPECTED, SHAPE, box, enlarged, inked, on_sheet

# One pixel in each corner of a square of 26.
DOTS: Image = np.zeros((26, 26), np.uint8)
DOTS[::25, ::25] = 255


# -- what is a frame already ------------------------------------------------


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
    found = reframe(frame)
    np.testing.assert_array_equal(found.pixels, frame)
    assert found.reason is None
    assert found.warnings == ()
    assert found.steps == ()


@table(
    "shift",
    {"up": (-2, 0), "down": (2, 0), "left": (0, -5), "right": (0, 3), "slantwise": (-2, 4)},
)
def test_a_digit_that_stands_free_but_off_centre_is_centred(shift: tuple[int, int]) -> None:
    moved = np.roll(EXPECTED, shift, (0, 1))
    np.testing.assert_array_equal(reframe(moved).pixels, EXPECTED)


@table("length, grown", {"a pixel less than any of MNIST": (13, True), "as the least": (14, False)})
def test_a_digit_smaller_than_any_of_mnist_grows(length: int, *, grown: bool) -> None:
    stroke = on_sheet(np.full((length, 3), 255, np.uint8), (28, 28), (14 - length // 2, 13))
    assert (box(reframe(stroke).pixels)[2] == BOX_SIDE) is grown


@table("ground, dark", {"at the limit": (DARK, True), "over it": (DARK + 1, False)})
def test_a_frame_has_a_dark_border(ground: int, *, dark: bool) -> None:
    image = np.maximum(EXPECTED, ground).astype(np.uint8)
    assert np.array_equal(reframe(image).pixels, image) is dark
    assert np.array_equal(reframe(image).pixels, EXPECTED) is not dark


@table(
    "off, uneven",
    {"no more than strokes over the border": (16, False), "more than those": (17, True)},
)
def test_a_border_of_many_shades_is_uneven_ground(off: int, *, uneven: bool) -> None:
    image = EXPECTED.copy()
    image[0, 1 : 1 + off] = 60  # of the 112 pixels of the border
    steps = reframe(image).steps
    assert any("uneven" in step.did for step in steps) is uneven


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
    found = reframe(drawn).pixels.astype(int)
    np.testing.assert_allclose(found, EXPECTED, atol=20)
    dark_ink = reframe(255 - drawn).pixels.astype(int)
    np.testing.assert_allclose(dark_ink, EXPECTED, atol=20)


@table("ground", UNEVEN_GROUNDS)
def test_uneven_ground_without_ink_is_blank(ground: NDArray[np.float64]) -> None:
    assert reframe(np.rint(ground).astype(np.uint8)).reason == "blank"


def test_columns_in_the_negative_are_turned_back() -> None:
    striped = EXPECTED.copy()
    striped[:, :7] = 255 - striped[:, :7]
    striped[:, 21:] = 255 - striped[:, 21:]
    np.testing.assert_array_equal(reframe(striped).pixels, EXPECTED)


def test_a_stroke_over_the_border_is_not_ground() -> None:
    frame = np.rint(np.tile(np.linspace(60, 180, 28), (28, 1))).astype(np.uint8)
    frame[:, 13:15] = 255  # a long 1 from top to bottom
    *_, height, width = box(inked(reframe(frame).pixels))
    assert (height, width) == (28, 2)


# -- ink and ground ---------------------------------------------------------


def test_a_white_frame_is_inverted() -> None:
    found = reframe(255 - EXPECTED)
    np.testing.assert_array_equal(found.pixels, EXPECTED)
    assert found.warnings == ("inverted",)
    assert [step.name for step in found.steps] == ["ground", "polarity"]


@pytest.mark.parametrize("shade", [0, 1, 64, 65, 128, 254, 255])
def test_an_even_frame_is_blank(shade: int) -> None:
    found = reframe(np.full((28, 28), shade, np.uint8))
    assert found.reason == "blank"
    assert found.warnings == ()
    assert not found.pixels.any()


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
    found = reframe(on_sheet(ink, (28, 28), (4, 8), ground=128))
    assert (found.reason == "blank") is blank
    assert ("low_contrast" in found.warnings) is low


@table("frame, kept", {"as MNIST has it": (255, True), "faint": (FAINT - 1, False)})
def test_a_faint_frame_is_brought_to_full_contrast(frame: int, *, kept: bool) -> None:
    image = (EXPECTED * (frame / 255)).astype(np.uint8)
    np.testing.assert_array_equal(reframe(image).pixels, EXPECTED)
    assert np.array_equal(reframe(image).pixels, image) is kept


@PROPERTY
@given(st.integers(0, 255), arrays(np.uint8, (26, 26)))
def test_a_frame_and_its_negative_become_the_same_frame(ground: int, inside: Image) -> None:
    drawing = np.pad(inside, 1, constant_values=ground)
    assume(drawing.max() - ground != ground - drawing.min())  # else both are the negative
    assume(ground > DARK or ground + FAINT > drawing.max())  # else one is a frame already
    assume(ground < 255 - DARK or ground - FAINT < drawing.min())
    np.testing.assert_array_equal(reframe(drawing).pixels, reframe(255 - drawing).pixels)


def test_a_negative_becomes_the_same_frame_on_uneven_paper_too() -> None:
    drawing = np.random.default_rng(0).integers(30, 130, (28, 28), np.uint8)
    drawing[[0, -1]] = DARK + 1
    drawing[:, [0, -1]] = DARK + 2  # the median of the border is between the two
    drawing[15, 10:20] = 250
    np.testing.assert_array_equal(reframe(drawing).pixels, reframe(255 - drawing).pixels)
