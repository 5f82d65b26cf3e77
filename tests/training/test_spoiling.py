"""What augmentation does to some images and spares the others."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers import table
from tests.training.frames import Images, bar, column, dot, fills, rng
from training.augmentation import CHUNK, _erase, _hollow, augment, augment_both
from training.config import AugmentationConfig

# -- hollow strokes -----------------------------------------------------------


@table(
    "share, inside, around",
    {
        "all of it": (1, 0, 200),
        "half of it": (0.5, 100, 200),
        "a little": (0.1, 180, 200),
        "nothing": (0, 200, 0),
    },
)
def test_ink_leaves_a_stroke_and_a_contour_around_it_stays(
    share: float, inside: float, around: float
) -> None:
    square: Images = np.zeros((1, 28, 28), np.float32)
    square[0, 9:14, 11:17] = 200
    found = _hollow(square.reshape(1, 784), column(share)).reshape(28, 28)
    expected: Images = np.zeros((28, 28), np.float32)
    expected[8:15, 10:18] = around
    expected[9:14, 11:17] = inside
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_each_stroke_is_as_hollow_as_its_own_amount_says() -> None:
    found = augment(bar(), AugmentationConfig(hollow=0.6), rng())
    assert fills(1 - found[:, 14, 13] / 255, 0, 0.6)


# -- rectangles ---------------------------------------------------------------


def erased(count: int, bounds: AugmentationConfig) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Frames of one grey after it, (N, 28, 28), and where they are of another."""
    found = augment(np.full((count, 28, 28), 128, np.uint8), bounds, rng())
    return found, found != 128


def extent(hidden: NDArray[np.bool_], axis: int) -> NDArray[np.intp]:
    """In how many rows or columns of each frame something is hidden: (N,)."""
    counts: NDArray[np.intp] = hidden.any(axis=axis).sum(axis=1)
    return counts


def test_what_is_erased_is_a_rectangle_of_one_shade() -> None:
    found, hidden = erased(300, AugmentationConfig(erase=0.3))
    high, wide = extent(hidden, 2), extent(hidden, 1)
    np.testing.assert_array_equal(np.count_nonzero(hidden, axis=(1, 2)), high * wide)
    shades = [np.unique(frame[mask]) for frame, mask in zip(found, hidden, strict=True)]
    assert {len(shade) for shade in shades} <= {0, 1}
    assert fills(np.concatenate(shades).astype(float), 0, 255)


def test_rectangles_are_as_large_as_their_share_and_up_to_three_times_as_long_as_wide() -> None:
    shares = np.linspace(0, 0.2, 2000, dtype=np.float32)[:, None]
    hidden = (_erase(np.full((2000, 784), -1, np.float32), shares, rng()) >= 0).reshape(-1, 28, 28)
    inside = ~(hidden[:, [0, -1]].any(axis=(1, 2)) | hidden[:, :, [0, -1]].any(axis=(1, 2)))
    high, wide = extent(hidden, 2)[inside], extent(hidden, 1)[inside]
    # A pixel is hidden where its middle is: a side is as long as it is only on average.
    expected = shares[inside].sum() * 784
    assert np.count_nonzero(hidden[inside]) == pytest.approx(expected, rel=0.03)
    for one, other in ((high, wide), (wide, high)):
        assert (one - 1 <= 3 * (other + 1)).all()
        assert (one > 2.5 * other).any()


def test_a_rectangle_may_be_anywhere() -> None:
    _, hidden = erased(3000, AugmentationConfig(erase=0.1))
    share = hidden.mean(axis=0)
    assert share.min() > share.max() / 10  # there is less at the corners, where a part is outside
    assert share[10:18, 10:18].mean() == pytest.approx(0.05, rel=0.3)


def test_a_share_of_0_hides_nothing() -> None:
    images = dot(3, 4, count=50)
    np.testing.assert_array_equal(_erase(images, column(*[0] * 50), rng()), images)


# -- before and after ---------------------------------------------------------

MOVED = AugmentationConfig(rotation=10, shift=2, stroke=0.5)


def test_frames_are_had_before_and_after_they_are_spoilt() -> None:
    bounds = replace(MOVED, hollow=1, erase=0.3, blur=1, noise=0.1, spared=0.2)
    plain, spoilt = augment_both(bar(CHUNK), bounds, rng())
    np.testing.assert_array_equal(plain, augment(bar(CHUNK), MOVED, rng()))
    np.testing.assert_array_equal(spoilt, augment(bar(CHUNK), bounds, rng()))
    assert (spoilt != plain).any()


def test_where_nothing_spoils_both_are_one_array() -> None:
    plain, spoilt = augment_both(bar(), MOVED, rng())
    assert plain is spoilt


# -- who is spared ------------------------------------------------------------


@table(
    "bounds",
    {
        "hollow": AugmentationConfig(hollow=1),
        "erase": AugmentationConfig(erase=0.5),
        "blur": AugmentationConfig(blur=3),
        "noise": AugmentationConfig(noise=0.5),
        "all four": AugmentationConfig(hollow=1, erase=0.5, blur=3, noise=0.5),
    },
)
def test_a_share_of_the_images_is_spared_all_of_it(bounds: AugmentationConfig) -> None:
    def untouched(bounds: AugmentationConfig) -> float:
        found = augment(bar(2000), bounds, rng())
        return float((found == bar(2000)).all(axis=(1, 2)).mean())

    by_chance = untouched(bounds)  # by an amount too small to be seen
    assert by_chance < 0.2
    expected = 0.4 + 0.6 * by_chance
    assert untouched(replace(bounds, spared=0.4)) == pytest.approx(expected, abs=0.03)


def test_nobody_is_spared_the_other_changes() -> None:
    found = augment(bar(), AugmentationConfig(shift=3, stroke=0.7, blur=1, spared=0.99), rng())
    assert (found != bar()).any(axis=(1, 2)).all()
