import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from model.errors import InputError
from model.frame import Manner
from model.framing import reframe
from model.normalizer import normalize
from model.sheet import frame_sheet
from tests.helpers import PROPERTY, table
from tests.model.drawing import Image
from tests.model.frames import EXPECTED, SHAPE, difference, enlarged, on_sheet
from training.dataset import Digits, Mnist

LARGE_AGAIN = 7.0  # grey levels in the mean over a frame: what rescaling blurs

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
        min(difference(np.roll(frame.pixels, shift, (0, 1)), image) for shift in np.ndindex(3, 3))
        for frame, image in zip(
            found, np.roll(mnist.train.images[:200], (1, 1), (1, 2)), strict=True
        )
    ]
    assert {frame.reason for frame in found} == {None}
    assert np.quantile(distances, 0.9) < LARGE_AGAIN
