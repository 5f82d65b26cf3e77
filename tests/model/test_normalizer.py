from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from model.errors import InputError
from model.frame import Manner
from model.framing import MIN_CONTRAST, reframe
from model.normalizer import normalize, normalize_all
from model.sheet import frame_sheet
from tests.helpers import PROPERTY, synthetic_mnist, table
from tests.model.drawing import Image, rendered
from tests.model.frames import EXPECTED, SHAPE, centre_of_mass, difference, enlarged, on_sheet
from training.dataset import Digits, Mnist

# Grey levels in the mean over a frame, by which frames of one digit may differ, of some 33 that
# its ink amounts to; and that in the middle of all such pairs.
LARGE_AGAIN = 7.0  # what rescaling blurs
SHIFTED, USUALLY_SHIFTED = 17.0, 2.0
SCALED, USUALLY_SCALED = 15.0, 2.5
PADDED, USUALLY_PADDED = 17.0, 3.0
MOVED = 1.05  # pixels of the centre of mass: it is rounded to a whole one

SMALL_FRAME = on_sheet(SHAPE[:12], (28, 28), (1, 1))


# -- which way an image goes ------------------------------------------------


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
    "image, manner, sheet",
    {
        "a frame's size": (np.maximum(EXPECTED, 90), "auto", False),
        "always": (np.maximum(EXPECTED, 90), "always", True),
        "one column more": (np.pad(EXPECTED, ((0, 0), (0, 1))), "auto", True),
        "one row less": (EXPECTED[1:], "auto", True),
        "a sheet, always": (np.pad(EXPECTED, 20), "always", True),
    },
)
def test_an_image_of_a_frames_size_is_set_right_and_any_other_is_a_sheet(
    image: Image, manner: Manner, *, sheet: bool
) -> None:
    found, expected = normalize(image, manner), (frame_sheet if sheet else reframe)(image)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert found.steps == expected.steps
    assert any(step.name == "ground" for step in found.steps) is not sheet


@table("image", {"what no frame looks like": SMALL_FRAME, "white": 255 - EXPECTED})
def test_never_takes_any_frame_as_it_is(image: Image) -> None:
    found = normalize(image, "never")
    np.testing.assert_array_equal(found.pixels, image)
    assert (found.reason, found.warnings, found.steps) == (None, (), ())


@table("shape", {"larger": (29, 28), "flat": (28, 27), "a sheet": (100, 60)})
def test_never_refuses_what_is_no_frame(shape: tuple[int, int]) -> None:
    height, width = shape
    with pytest.raises(InputError, match=f"{width} x {height} pixels is no frame of 28 x 28"):
        normalize(np.zeros(shape, np.uint8), "never")


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
@pytest.mark.parametrize("manner", ["auto", "always", "never"])
def test_what_is_no_greyscale_image_is_refused(image: Image, manner: Manner) -> None:
    with pytest.raises(InputError, match="non-empty"):
        normalize(image, manner)


# -- what holds for any image -----------------------------------------------

SHAPES = st.one_of(
    array_shapes(min_dims=2, max_dims=2, max_side=60),
    st.tuples(st.integers(1, 3), st.integers(1, 2000)),
    st.tuples(st.integers(1, 2000), st.integers(1, 3)),
    st.tuples(st.integers(20, 30), st.integers(250, 600)),
)
MANNERS_OF_ANY_SIZE = st.sampled_from(["auto", "always"])


def becomes_a_frame(image: Image, manner: Manner) -> None:
    before = image.copy()
    found = normalize(image, manner)
    assert found.pixels.shape == (28, 28)
    assert found.pixels.dtype == np.uint8
    assert (found.reason == "blank") is not bool(found.pixels.any())
    if found.reason == "blank":
        assert (found.warnings, found.steps) == ((), ())
    np.testing.assert_array_equal(image, before)


@PROPERTY
@given(arrays(np.uint8, SHAPES), MANNERS_OF_ANY_SIZE)
def test_any_image_becomes_a_frame_or_is_blank(image: Image, manner: Manner) -> None:
    becomes_a_frame(image, manner)


@PROPERTY
@given(
    SHAPES,
    st.integers(0, 2**32 - 1),
    st.floats(0, 1),
    st.floats(0, 90),
    MANNERS_OF_ANY_SIZE,
)
@example((3, 2000), 0, 0.5, 0.0, "auto")
@example((2000, 3), 0, 0.02, 30.0, "auto")
@example((1, 1), 0, 1.0, 0.0, "always")
def test_any_blots_in_any_noise_become_a_frame_or_are_blank(
    shape: tuple[int, int], seed: int, share: float, noise: float, manner: Manner
) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.random((-(-shape[0] // 7), -(-shape[1] // 7))) < share
    ink = np.kron(coarse, np.ones((7, 7)))[: shape[0], : shape[1]]
    sheet = rng.normal(rng.integers(0, 256), noise, shape) + ink * rng.integers(-255, 256)
    becomes_a_frame(np.clip(sheet, 0, 255).astype(np.uint8), manner)


@pytest.mark.parametrize("shade", [0, 1, 64, 65, 128, 254, 255])
@pytest.mark.parametrize(
    "shape", [(28, 28), (1, 1), (1, 40), (40, 1), (100, 60), (3, 2000), (700, 600)]
)
def test_an_even_image_is_blank(shade: int, shape: tuple[int, int]) -> None:
    found = normalize(np.full(shape, shade, np.uint8))
    assert found.reason == "blank"
    assert found.warnings == ()
    assert not found.pixels.any()


def test_normalizing_twice_is_normalizing_once() -> None:
    once = normalize(on_sheet(enlarged(SHAPE, 7), (200, 150), (3, 60))).pixels
    np.testing.assert_array_equal(normalize(once).pixels, once)


def test_a_digit_of_mnist_drawn_large_in_black_on_white_comes_back(mnist: Mnist) -> None:
    """But for a pixel of place, and of size where an edge of the digit is faint."""
    found = [
        normalize(np.pad(255 - enlarged(image, 10), ((30, 400), (300, 120)), constant_values=255))
        for image in mnist.train.images[:200]
    ]
    distances = [
        apart(frame.pixels, image) for frame, image in zip(found, mnist.train.images, strict=False)
    ]
    assert {frame.reason for frame in found} == {None}
    assert np.quantile(distances, 0.9) < LARGE_AGAIN


# -- one digit, wherever and however large it is drawn ----------------------


def apart(one: Image, other: Image) -> float:
    """How far frames differ, but for a pixel of place: their middles are rounded."""
    return min(
        difference(np.roll(one, (down - 1, across - 1), (0, 1)), other)
        for down, across in np.ndindex(3, 3)
    )


def like(one: Image, other: Image) -> float:
    """How far the frames of two drawings of one digit differ; both can be read."""
    first, second = normalize(one), normalize(other)
    assert first.reason is None
    assert second.reason is None
    moved = np.subtract(centre_of_mass(first.pixels), centre_of_mass(second.pixels))
    assert np.abs(moved).max() <= MOVED
    return apart(first.pixels, second.pixels)


Place: TypeAlias = tuple[float, float]

NUMBERS = st.integers(0, 9)
PENS = st.floats(0.06, 0.16)  # of the digit's height
PLACES = st.tuples(st.floats(0, 1), st.floats(0, 1))


def at_place(number: int, side: int, height: float, pen: float, place: Place) -> Image:
    """A digit on a square sheet, from its upper left corner to its lower right one."""
    room = [side - height - 2 * pen - 8, side - 0.8 * height - 2 * pen - 8]
    at = [pen + 4 + np.floor(share * free) for share, free in zip(place, room, strict=True)]
    return rendered(number, height=height, pen=pen, size=(side, side), at=(at[0], at[1]))


@PROPERTY
@given(NUMBERS, st.floats(20, 40), PENS, PLACES, PLACES)
def test_a_digit_on_a_small_sheet_has_one_frame_wherever_it_stands(
    number: int, height: float, pen: float, one: Place, other: Place
) -> None:
    first, second = (at_place(number, 72, height, height * pen, place) for place in (one, other))
    np.testing.assert_array_equal(normalize(first).pixels, normalize(second).pixels)


@PROPERTY
@given(NUMBERS, st.integers(90, 600), st.floats(0.2, 0.6), PENS, st.tuples(PLACES, PLACES))
def test_shifting_a_digit_hardly_changes_its_frame(
    number: int, side: int, share: float, pen: float, places: tuple[Place, Place]
) -> None:
    height = share * side
    first, second = (at_place(number, side, height, height * pen, at) for at in places)
    assert like(first, second) <= SHIFTED


@PROPERTY
@given(NUMBERS, PENS, st.floats(30, 200), st.floats(30, 200))
def test_scaling_a_digit_hardly_changes_its_frame(
    number: int, pen: float, one: float, other: float
) -> None:
    first, second = (rendered(number, height=size, pen=size * pen) for size in (one, other))
    assert like(first, second) <= SCALED


@PROPERTY
@given(NUMBERS, st.floats(30, 200), PENS, st.integers(0, 255), st.integers(0, 255))
def test_a_drawing_and_its_negative_become_the_same_frame(
    number: int, height: float, pen: float, paper: int, ink: int
) -> None:
    assume(abs(paper - ink) > MIN_CONTRAST)
    levels = rendered(number, height=height, pen=height * pen) / 255
    drawing = np.rint(ink + (paper - ink) * levels).astype(np.uint8)
    found, negative = normalize(drawing), normalize(255 - drawing)
    np.testing.assert_array_equal(found.pixels, negative.pixels)
    assert ("inverted" in found.warnings) is (ink < paper)
    assert ("inverted" in negative.warnings) is (ink > paper)


@PROPERTY
@given(NUMBERS, st.floats(40, 120), PENS, st.lists(st.integers(0, 150), min_size=4, max_size=4))
def test_padding_a_sheet_hardly_changes_the_frame(
    number: int, height: float, pen: float, margins: list[int]
) -> None:
    sheet = rendered(number, height=height, pen=height * pen, size=(160, 150))
    around = (margins[:2], margins[2:])
    assert like(sheet, np.pad(sheet, around, constant_values=255)) <= PADDED


def test_frames_of_one_digit_are_usually_much_closer() -> None:
    rng = np.random.default_rng(0)
    shifted, scaled, padded = [], [], []
    for number in [*range(10)] * 6:
        pen, side = rng.uniform(0.06, 0.16), int(rng.integers(90, 600))
        places = [tuple(rng.random(2)) for _ in range(2)]
        height = side * rng.uniform(0.2, 0.6)
        shifted.append(like(*(at_place(number, side, height, height * pen, at) for at in places)))
        sizes = rng.uniform(30, 200, 2)
        scaled.append(like(*(rendered(number, height=size, pen=size * pen) for size in sizes)))
        sheet = rendered(number, height=80, pen=80 * pen, size=(160, 150))
        wider = np.pad(sheet, rng.integers(0, 150, (2, 2)), constant_values=255)
        padded.append(like(sheet, wider))
    assert np.median(shifted) <= USUALLY_SHIFTED
    assert np.median(scaled) <= USUALLY_SCALED
    assert np.median(padded) <= USUALLY_PADDED


@PROPERTY
@given(st.integers(0, 2**32 - 1))
def test_many_frames_at_once_are_judged_as_each_alone(seed: int) -> None:
    """Digits where MNIST has them, moved, faint, small, on grounds of all shades, and noise."""
    rng = np.random.default_rng(seed)
    digits = synthetic_mnist(seed % 7, train=20, test=1).train.images
    clean = np.where(digits > 120, digits, 0)  # without its noise: on black
    clean[::2, : rng.integers(4, 16)] = 0  # smaller
    images = np.stack([np.roll(digit, rng.integers(-3, 4, 2), (0, 1)) for digit in clean])
    images[::3] = (images[::3] * rng.random((len(images[::3]), 1, 1))).astype(np.uint8)
    images[1::5] |= rng.integers(0, 120, (len(images[1::5]), 1, 1), dtype=np.uint8)
    images[4] = np.roll(clean[4], 8, 0)  # over the border, as large as the frame
    images[5, 3:25, 3:25] = 200  # larger than any digit of MNIST
    images[6] = 0
    images[6, 9:19, 9:19] = 200  # in the middle, and smaller than any of MNIST
    images[2] = rng.integers(0, 256, (28, 28))
    images[3] = 0
    together = normalize_all(images)
    for frame, image in zip(together, images, strict=True):
        alone = normalize(image)
        assert np.array_equal(frame.pixels, alone.pixels)
        assert (frame.reason, frame.warnings, frame.steps) == (
            alone.reason,
            alone.warnings,
            alone.steps,
        )
