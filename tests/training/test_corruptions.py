"""What each corruption must do to frames of which the outcome can be worked out."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers import table
from training.corruptions import (
    CHUNK,
    CORRUPTIONS,
    _blur,
    _height_maps,
    _swap,
    corrupted,
)
from training.errors import DataError

Frames = NDArray[np.uint8]
Images = NDArray[np.float64]

# MNIST-C's order, which tables keep.
NAMES = [
    "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "shear", "scale", "rotate",
    "brightness", "translate", "stripe", "fog", "spatter", "dotted_line", "zigzag", "canny_edges",
]  # fmt: skip
CERTAIN = {"scale", "brightness", "stripe", "canny_edges"}  # nothing in them is drawn
STEPS = np.arange(28) - 13.5


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def plain(level: int, count: int = 200) -> Frames:
    """Frames of one level."""
    return np.full((count, 28, 28), level, np.uint8)


def dot(row: int, column: int, count: int = 200) -> Frames:
    """Black frames with one white pixel."""
    frames = plain(0, count)
    frames[:, row, column] = 255
    return frames


def bar(count: int = 200) -> Frames:
    """Upright bars 4 wide and 14 high in the middle of their frames."""
    frames = plain(0, count)
    frames[:, 7:21, 12:16] = 255
    return frames


def digits(count: int) -> Frames:
    """A stroke in each frame, of its own place and level."""
    frames = plain(0, count)
    for number, frame in enumerate(frames):
        frame[5:22, 5 + number % 17 : 9 + number % 17] = 100 + number % 156
    frames.flags.writeable = False  # as those of a file that was read
    return frames


def share(chosen: NDArray[np.bool_] | np.bool_) -> float:
    return float(np.mean(chosen))


def moments(frames: Frames) -> dict[str, Images]:
    """Of every frame: mass, centre and spread, about the middle of the frame."""
    ink = frames.astype(np.float64)
    mass = ink.sum(axis=(1, 2))
    y, x = (ink.sum(axis=2) @ STEPS) / mass, (ink.sum(axis=1) @ STEPS) / mass
    return {
        "mass": mass,
        "y": y,
        "x": x,
        "yy": (ink.sum(axis=2) @ STEPS**2) / mass - y**2,
        "xx": (ink.sum(axis=1) @ STEPS**2) / mass - x**2,
        "xy": np.einsum("nyx,y,x->n", ink, STEPS, STEPS) / mass - x * y,
    }


def assert_either_way(amounts: Images, size: float, *, within: float) -> None:
    """Every amount is plus or minus ``size``, and both are about as frequent."""
    assert np.abs(np.abs(amounts) - size).max() < within
    assert 0.35 < share(amounts > 0) < 0.65


# -- all of them ------------------------------------------------------------


def test_there_are_the_fifteen_of_the_paper() -> None:
    assert list(CORRUPTIONS) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_frames_are_new_ones_of_the_same_shape(name: str, count: int) -> None:
    frames = digits(count)
    before = frames.copy()
    found = corrupted(name, frames, rng())
    assert found.shape == frames.shape
    assert found.dtype == np.uint8
    assert not np.shares_memory(found, frames)
    assert np.array_equal(frames, before)
    assert (found != frames).any(axis=(1, 2)).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_decides_on_everything(name: str) -> None:
    frames = digits(20)
    found = corrupted(name, frames, rng())
    assert np.array_equal(found, corrupted(name, frames, rng()))
    assert np.array_equal(found, corrupted(name, frames, rng(1))) == (name in CERTAIN)


@pytest.mark.parametrize("name", sorted(set(NAMES) - CERTAIN))
def test_every_frame_has_a_draw_of_its_own(name: str) -> None:
    frames = np.repeat(digits(10)[9:], CHUNK + 20, axis=0)
    found = corrupted(name, frames, rng())
    assert len(np.unique(found[:20], axis=0)) > 1
    assert not np.array_equal(found[:20], found[CHUNK:])


@pytest.mark.parametrize("name", NAMES)
def test_a_chunk_does_not_depend_on_those_after_it(name: str) -> None:
    frames = digits(CHUNK + 5)
    found = corrupted(name, frames, rng())
    assert np.array_equal(found[:CHUNK], corrupted(name, frames[:CHUNK], rng()))


def test_a_corruption_that_is_none_is_named() -> None:
    with pytest.raises(DataError, match=r"^'snow' is not a corruption; name one of: shot_noise, "):
        corrupted("snow", digits(1), rng())


# -- noise ------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 17, 51, 255])
def test_shots_are_poisson_counts_of_three_for_white(level: int) -> None:
    found = corrupted("shot_noise", plain(level), rng())
    mean = 3 * level / 255
    for count in range(3):
        expected = math.exp(-mean) * mean**count / math.factorial(count)
        assert share(found == 85 * count) == pytest.approx(expected, abs=0.005)
    assert set(np.unique(found)) <= {0, 85, 170, 255}  # three and more are white


def test_impulses_are_half_salt_and_half_pepper() -> None:
    found = corrupted("impulse_noise", plain(100), rng())
    assert share(found == 0) == pytest.approx(0.085, abs=0.004)
    assert share(found == 255) == pytest.approx(0.085, abs=0.004)
    assert share(found == 100) == pytest.approx(0.83, abs=0.005)


# -- blur -------------------------------------------------------------------


@pytest.mark.parametrize(("sigma", "reach"), [(0.7, 3), (1.0, 4), (1.5, 6)])
def test_a_blurred_dot_is_a_gaussian_cut_off_at_four_deviations(sigma: float, reach: int) -> None:
    (found,) = _blur(dot(13, 14, 1).astype(np.float64), sigma)
    weights = np.exp(-((np.arange(28) - 14) ** 2) / (2 * sigma**2))
    assert np.allclose(found[13] / found[13, 14], weights * (abs(np.arange(28) - 14) <= reach))
    assert found.sum() == pytest.approx(255)


def test_edge_pixels_go_on_outside_a_blurred_frame() -> None:
    frame = np.zeros((1, 28, 28))
    frame[:, :, 0] = 90
    weights = np.exp(-(np.arange(-6, 7) ** 2) / (2 * 1.5**2))
    (found,) = _blur(frame, 1.5)
    assert np.allclose(found[:, 0], 90 * weights[:7].sum() / weights.sum())
    assert not found[:, 7:].any()


def test_pixels_are_swapped_one_after_another_from_the_last_to_the_third() -> None:
    """With all swapped up and left, each takes that one's place, and the last line moves on."""
    frame = np.arange(784.0).reshape(28, 28)
    pixels = frame.reshape(784, 1).copy()
    _swap(pixels, np.full((784, 1), 29))
    found = pixels.reshape(28, 28)
    assert np.array_equal(found[2:, 2:], frame[1:-1, 1:-1])
    assert found[1, 1] == frame[27, 27]  # carried along its diagonal
    assert np.array_equal(found[0], frame[0])


def test_pixels_are_swapped_in_their_own_frames() -> None:
    pixels = np.tile(np.arange(784.0)[:, None], 2)
    back = np.zeros((784, 2), np.intp)
    back[10 * 28 + 10, 1] = 28
    _swap(pixels, back)
    assert np.array_equal(pixels[:, 0], np.arange(784))
    assert np.flatnonzero(pixels[:, 1] != np.arange(784)).tolist() == [9 * 28 + 10, 10 * 28 + 10]


def test_glass_swaps_half_of_the_pixels_and_blurs_before_and_after() -> None:
    """On average a swap of one chance in eight mixes two pixels by an eighth."""
    blocks = np.kron(rng().integers(0, 2, (7, 7)) * 255, np.ones((4, 4)))
    frame = np.roll(blocks, 1, axis=(0, 1)).astype(np.uint8)  # the first line differs from the next
    expected = _blur(frame[None].astype(np.float64), 0.7)[0].ravel()
    for _ in range(2):
        for row in range(27, 1, -1):
            for here in range(28 * row + 27, 28 * row + 1, -1):
                mixed = expected[[here, here - 1, here - 28, here - 29]]
                expected[[here - 1, here - 28, here - 29]] += (mixed[0] - mixed[1:]) / 8
                expected[here] += (mixed[1:] - mixed[0]).sum() / 8
    expected = _blur(expected.reshape(1, 28, 28), 0.7)[0]
    found = corrupted("glass_blur", np.repeat(frame[None], 2000, axis=0), rng())
    assert np.abs(found.mean(axis=0) - expected).max() < 4
    assert np.abs(found.mean(axis=0) - expected).mean() < 1


def test_motion_leaves_a_tail_along_a_line() -> None:
    found = corrupted("motion_blur", dot(13, 20), rng())
    tail = np.exp(-(np.arange(21) ** 2) / 18)
    assert (found[:, 13, 20] == round(255 / tail.sum())).all()  # its head stays where it was
    assert np.allclose(found.sum(axis=(1, 2)), 255, atol=4)  # but for rounding
    centre = moments(found)
    y, x = centre["y"] - STEPS[13], centre["x"] - STEPS[20]
    angles = np.rad2deg(np.arctan2(y, -x))
    assert -47 < angles.min() < -38  # pixels are whole, so angles are not exact
    assert 38 < angles.max() < 47
    lengths = np.hypot(y, x)
    assert np.abs(lengths - (tail @ np.arange(21)) / tail.sum()).max() < 0.3


def test_motion_draws_edge_pixels_into_the_frame() -> None:
    assert np.array_equal(corrupted("motion_blur", plain(90), rng()), plain(90))
    top, left = plain(0), plain(0)
    top[:, 0], left[:, :, 0] = 255, 255
    assert not corrupted("motion_blur", top, rng())[:, 20:].any()  # and not those of the other side
    assert not corrupted("motion_blur", left, rng())[:, :, 1:].any()


# -- geometry ---------------------------------------------------------------


def test_shear_leans_either_way_and_stretches() -> None:
    found, clean = moments(corrupted("shear", bar(), rng())), moments(bar())
    assert_either_way(found["xy"] / found["yy"], math.sin(0.4), within=0.02)
    assert np.allclose(np.sqrt(found["yy"] / clean["yy"]), 1 / math.cos(0.4), rtol=0.01)


def test_scale_shrinks_about_the_centre() -> None:
    found, clean = moments(corrupted("scale", bar(), rng())), moments(bar())
    assert np.allclose(np.sqrt(found["yy"] / clean["yy"]), 0.7, rtol=0.02)
    assert np.allclose(found["mass"] / clean["mass"], 0.7**2, rtol=0.02)
    assert np.allclose([found["y"], found["x"]], 0, atol=1e-9)


def test_rotation_is_about_the_centre_either_way() -> None:
    found, clean = moments(corrupted("rotate", bar(), rng())), moments(bar())
    axis = np.arctan2(2 * found["xy"], found["yy"] - found["xx"]) / 2
    assert_either_way(axis, 0.4, within=0.01)
    assert np.allclose(found["mass"], clean["mass"], rtol=0.01)
    assert np.allclose([found["y"], found["x"]], 0, atol=1e-9)


@table("name", {"rotated": "rotate", "sheared": "shear", "shrunk": "scale"})
def test_what_comes_from_outside_is_black(name: str) -> None:
    found = corrupted(name, plain(200), rng())
    assert (found[:, 12:16, 12:16] == 200).all()
    assert (found == 0).any(axis=(1, 2)).all()


def test_translation_is_by_three_pixels_along_both_axes() -> None:
    found = corrupted("translate", dot(14, 10), rng())
    _, rows, columns = np.nonzero(found)
    assert len(rows) == 200
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {
        (11, 7), (11, 13), (17, 7), (17, 13)
    }  # fmt: skip
    assert (found[found > 0] == 255).all()


def test_what_is_moved_out_is_gone() -> None:
    found = corrupted("translate", dot(0, 0), rng())
    stay = found.any(axis=(1, 2))
    assert 0.15 < share(stay) < 0.35
    assert np.array_equal(found[stay], dot(3, 3, int(stay.sum())))


# -- light and weather ------------------------------------------------------


@table(
    "level, brighter",
    {
        "black": (0, 128),
        "dark": (9, 136),
        "grey": (100, 228),
        "up": (128, 255),
        "white": (255, 255),
    },
)
def test_brightness_adds_half_and_is_clipped(level: int, brighter: int) -> None:
    assert np.array_equal(corrupted("brightness", plain(level), rng()), plain(brighter))


def test_stripe_inverts_seven_columns_at_either_side() -> None:
    frames = digits(20)
    found = corrupted("stripe", frames, rng())
    sides = np.r_[0:7, 21:28]
    assert np.array_equal(found[:, :, sides], 255 - frames[:, :, sides])
    assert np.array_equal(found[:, :, 7:21], frames[:, :, 7:21])


def test_fog_covers_and_darkens() -> None:
    frames = plain(0, 40)
    assert np.array_equal(
        corrupted("fog", frames, rng()), frames
    )  # nothing to make it as bright as
    grey, white = plain(51, 40), plain(255, 40)
    through = corrupted("fog", white, rng())
    assert through.min() >= 64  # 255 / 4 where there is no fog
    clouds = (through * 4.0 - 255) / 765  # within half a level
    expected = (51 + 765 * clouds) * (51 / (51 + 765))
    assert np.abs(corrupted("fog", grey, rng()) - expected).max() <= 1


def test_landscapes_fill_their_range_and_meet_at_their_edges() -> None:
    maps = _height_maps(20, rng())
    assert maps.shape == (20, 256, 256)
    assert (maps.min(axis=(1, 2)) == 0).all()
    assert (maps.max(axis=(1, 2)) == 1).all()
    for axis in (1, 2):
        jumps = np.abs(np.diff(maps, axis=axis)).mean()
        around = np.abs(maps.take(0, axis) - maps.take(-1, axis)).mean()
        assert 0.5 < around / jumps < 2


def test_every_point_of_a_landscape_is_a_step_from_the_mean_of_its_neighbours() -> None:
    """Steps fall by the square of the decay with every halving, and are those of both kinds."""
    maps = _height_maps(20, rng())

    def roughness(step: int, *neighbours: tuple[int, int], at: tuple[int, int]) -> float:
        half = step // 2
        means = sum(np.roll(maps, (-y * half, -x * half), axis=(1, 2)) for y, x in neighbours) / 4
        return float((maps - means)[:, at[0] * half :: step, at[1] * half :: step].std())

    corners, sides = [(1, 1), (1, -1), (-1, 1), (-1, -1)], [(0, 1), (0, -1), (1, 0), (-1, 0)]
    finest = roughness(2, *corners, at=(1, 1))
    for step, decay in ((2, 1), (4, 1.4**2), (8, 1.4**4)):
        for at, neighbours in (((1, 1), corners), ((0, 1), sides), ((1, 0), sides)):
            assert roughness(step, *neighbours, at=at) / finest == pytest.approx(decay, rel=0.05)


def test_mud_hides_what_is_under_it() -> None:
    on_black, on_white = (corrupted("spatter", plain(level), rng()) for level in (0, 255))
    muddy = on_black > 0
    assert 0.1 < share(muddy) < 0.2
    assert (on_white[~muddy] == 255).all()
    assert on_black[muddy].min() == 50  # 63 where a splash is whole, 0.8 of it at its edges
    assert on_black.max() == on_white.min() == 63
    assert on_white[muddy].max() <= 63 + 0.2 * 192 + 1


# -- edges ------------------------------------------------------------------


def test_edges_are_white_lines_around_the_ink() -> None:
    frames = plain(0, 2)
    frames[1, 8:20, 8:20] = 255
    blank, found = corrupted("canny_edges", frames, rng())
    assert not blank.any()
    assert set(np.unique(found)) == {0, 255}
    assert not found[11:17, 11:17].any()
    assert not found[:6].any()
    for side in (found, found.T):
        middle = np.flatnonzero(side[14])  # across two edges, each between two pixels
        assert set(middle) <= {7, 8, 19, 20}
        assert middle.min() <= 8
        assert middle.max() >= 19


@table("level, seen", {"faint": (13, False), "clear": (26, True)})
def test_faint_ink_has_no_edges(level: int, seen: bool) -> None:  # noqa: FBT001 - a row of the table
    """A step has a slope of 2.7 times its height when smoothed: of 0.14 and 0.28."""
    frames = plain(0, 1)
    frames[:, :, 14:] = level
    assert corrupted("canny_edges", frames, rng()).any() == seen
