from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tests.helpers import synthetic_mnist, table
from tests.training.frames import bar, column, dot, fills, moments, rng
from training.augmentation import CHUNK, _blur, _displacements, _sample, _thicken, augment
from training.config import AugmentationConfig

FRAMES = synthetic_mnist().test.images[:50]
FRAMES.flags.writeable = False  # as those of a file that was read

SPOILT = AugmentationConfig(hollow=1, erase=0.3, blur=0.8, noise=0.1, spared=0.2)
ALL = replace(SPOILT, rotation=15, scale=0.15, shear=0.2, shift=3, elastic=2, stroke=0.7)

ONE_BY_ONE = {
    "rotation": AugmentationConfig(rotation=15),
    "scale": AugmentationConfig(scale=0.2),
    "shear": AugmentationConfig(shear=0.3),
    "shift": AugmentationConfig(shift=3),
    "elastic": AugmentationConfig(elastic=2),
    "stroke": AugmentationConfig(stroke=0.7),
    "hollow": AugmentationConfig(hollow=1),
    "erase": AugmentationConfig(erase=0.3),
    "blur": AugmentationConfig(blur=1),
    "noise": AugmentationConfig(noise=0.1),
    "all together": ALL,
}


# -- all changes --------------------------------------------------------------


def test_bounds_of_0_change_nothing_and_draw_nothing() -> None:
    generator = rng()
    np.testing.assert_array_equal(augment(FRAMES, AugmentationConfig(), generator), FRAMES)
    assert generator.bit_generator.state == rng().bit_generator.state


@pytest.mark.parametrize("bounds", ONE_BY_ONE.values(), ids=ONE_BY_ONE)
def test_every_frame_is_changed_by_its_own_amounts(bounds: AugmentationConfig) -> None:
    found = augment(FRAMES[:1].repeat(200, axis=0), bounds, rng())
    assert found.dtype == np.uint8
    assert len(np.unique(found, axis=0)) > 0.7 * len(found)  # the least blur changes nothing


@pytest.mark.parametrize("bounds", ONE_BY_ONE.values(), ids=ONE_BY_ONE)
def test_the_originals_stay_as_they_were(bounds: AugmentationConfig) -> None:
    before = FRAMES.copy()
    assert (augment(FRAMES, bounds, rng()) != FRAMES).any()
    np.testing.assert_array_equal(FRAMES, before)


def test_no_frames_are_no_frames() -> None:
    assert augment(FRAMES[:0], ALL, rng()).shape == (0, 28, 28)


def test_the_same_seed_gives_the_same_frames() -> None:
    first, again, other = (augment(FRAMES, ALL, rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_frames_do_not_depend_on_the_number_of_blas_threads() -> None:
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            found.append(augment(bar(8 * CHUNK), ALL, rng()))
    np.testing.assert_array_equal(found[0], found[1])


def test_chunks_follow_one_another() -> None:
    whole, first = augment(bar(CHUNK + 9), ALL, rng()), augment(bar(CHUNK), ALL, rng())
    np.testing.assert_array_equal(whole[:CHUNK], first)
    assert (whole[CHUNK:] != first[:9]).any(axis=(1, 2)).all()


@table(
    "bounds, draw",
    {
        "rotation": (ONE_BY_ONE["rotation"], lambda rng: rng.random(50)),
        "scale": (ONE_BY_ONE["scale"], lambda rng: rng.random((2, 50))),
        "shear": (ONE_BY_ONE["shear"], lambda rng: rng.random(50)),
        "shift": (ONE_BY_ONE["shift"], lambda rng: rng.random((2, 50))),
        "stroke": (ONE_BY_ONE["stroke"], lambda rng: rng.random(50)),
        "hollow": (ONE_BY_ONE["hollow"], lambda rng: rng.random(50)),
        "erase": (ONE_BY_ONE["erase"], lambda rng: rng.random((5, 50))),
        "blur": (ONE_BY_ONE["blur"], lambda rng: rng.random(50)),
        "some spared of it": (AugmentationConfig(blur=1, spared=0.5), lambda rng: rng.random(100)),
    },
)
def test_only_what_is_bounded_above_0_draws(
    bounds: AugmentationConfig, draw: Callable[[np.random.Generator], object]
) -> None:
    generator, expected = rng(), rng()
    augment(FRAMES, bounds, generator)
    draw(expected)
    assert generator.bit_generator.state == expected.bit_generator.state


@table(
    "bounds, changed",
    {
        "shift": (AugmentationConfig(shift=3), {"y", "x"}),
        "rotation": (AugmentationConfig(rotation=15), {"lean", "width"}),
        "shear": (AugmentationConfig(shear=0.3), {"lean", "width"}),
        "scale": (AugmentationConfig(scale=0.2), {"mass", "height", "width"}),
        "elastic": (AugmentationConfig(elastic=3), {"mass", "height", "width", "lean"}),
        "stroke": (AugmentationConfig(stroke=0.7), {"mass", "height", "width"}),
        "blur": (AugmentationConfig(blur=2), {"width"}),
    },
)
def test_a_bound_changes_what_it_is_named_for(
    bounds: AugmentationConfig, changed: set[str]
) -> None:
    before, after = moments(bar()), moments(augment(bar(), bounds, rng()))
    spread = {
        "mass": 0.1 * before["mass"][0],
        "y": 1.0,
        "x": 1.0,
        "height": 0.18,
        "width": 0.1,
        "lean": 0.08,
    }
    found = {name for name, least in spread.items() if np.std(after[name]) > least}
    assert found == changed


# -- affine maps --------------------------------------------------------------


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_shift_is_within_its_bound_both_ways(shift: float) -> None:
    found = moments(augment(bar(), AugmentationConfig(shift=shift), rng()))
    assert fills(found["y"], -shift, shift)
    assert fills(found["x"], -shift, shift)


def test_a_rotation_is_within_its_bound_both_ways() -> None:
    lean = moments(augment(bar(), AugmentationConfig(rotation=15), rng()))["lean"]
    # The lean of a bar turned by an angle is its tangent, less what its width makes up for.
    assert np.abs(lean).max() <= np.tan(np.deg2rad(15)) + 0.01
    assert lean.min() < -0.15
    assert lean.max() > 0.15


def test_a_scale_is_within_its_bound_both_ways() -> None:
    height = moments(augment(bar(), AugmentationConfig(scale=0.2), rng()))["height"]
    ratio = height / moments(bar())["height"]
    assert 1 / 1.22 < ratio.min() < 0.87
    assert 1.15 < ratio.max() < 1 / 0.78


def test_what_comes_from_outside_is_ground() -> None:
    full = np.full((100, 28, 28), 255, np.uint8)
    found = augment(full, AugmentationConfig(shift=5), rng())
    edges = np.concatenate([found[:, 0], found[:, -1], found[:, :, 0], found[:, :, -1]], axis=1)
    assert (edges == 0).any(axis=1).sum() > 90  # all that were shifted by a pixel or more
    assert (found[:, 6:-6, 6:-6] == 255).all()


@table(
    "y, x, expected",
    {
        "a pixel": (10, 10, 100),
        "its neighbour": (10, 11, 200),
        "between the two": (10, 10.5, 150),
        "a quarter of the way": (10, 10.25, 125),
        "half off the first": (9.5, 10, 50),
        "between four": (10.5, 10.5, 75),
        "between another four": (9.5, 10.5, 75),
        "far outside": (-40, 90, 0),
        "the first pixel": (0, 0, 40),
        "half outside": (-0.5, 0, 20),
        "the last pixel": (27, 27, 80),
        "half outside at the end": (27, 27.5, 40),
    },
)
def test_pixels_are_sampled_bilinearly(y: float, x: float, expected: int) -> None:
    frames = np.zeros((2, 28, 28), np.uint8)
    frames[1, 10, 10], frames[1, 10, 11], frames[1, 0, 0], frames[1, 27, 27] = 100, 200, 40, 80
    found = _sample(frames, np.full((2, 784), y, np.float32), np.full((2, 784), x, np.float32))
    np.testing.assert_allclose(found[1], expected, atol=0.1)
    assert not found[0].any()


# -- elastic distortions ------------------------------------------------------


def test_the_largest_displacement_is_the_amplitude_drawn() -> None:
    across = np.tile(9 * np.arange(28, dtype=np.uint8), (300, 28, 1))
    found = []
    for ramps in (across, across.swapaxes(1, 2)):  # their greys tell where a pixel comes from
        changed = augment(ramps, AugmentationConfig(elastic=3), rng()).astype(float)
        inner = (slice(None), slice(3, -3), slice(3, -3))  # what cannot come from outside
        found.append(np.abs(changed - ramps)[inner].max(axis=(1, 2)) / 9)
    largest = np.maximum(*found)  # along one axis or the other
    assert largest.max() <= 3.1
    assert largest.max() > 2.5
    assert largest.min() < 0.3
    assert (found[0] != found[1]).mean() > 0.8


@pytest.mark.parametrize("smoothness", [1.0, 2.0, 4.0])
def test_displacements_are_as_smooth_as_asked(smoothness: float) -> None:
    dy, _ = _displacements(column(*[1] * 500), smoothness, rng())
    field = dy.reshape(-1, 28, 28)
    lag = int(2 * smoothness)
    # White noise smoothed by a Gaussian is correlated as exp(-lag^2 / 4 sigma^2): by 1/e here.
    for axis in (1, 2):
        near, far = field.take(range(28 - lag), axis), field.take(range(lag, 28), axis)
        assert np.mean(near * far) / np.mean(field**2) == pytest.approx(np.exp(-1), abs=0.05)


def test_displacements_are_as_large_at_the_edges_as_in_the_middle() -> None:
    dy, dx = _displacements(column(*[1] * 2000), 4.0, rng())
    for field in (dy, dx):
        power = (field**2).mean(axis=0).reshape(28, 28)
        assert power[0].mean() == pytest.approx(power[14].mean(), rel=0.15)
        assert power[:, 27].mean() == pytest.approx(power[:, 13].mean(), rel=0.15)


# -- strokes, blur, noise -----------------------------------------------------


@table(
    "radius, expected",
    {
        "a pixel": (1, {0: 200, 1: 200, 2: 0}),
        "half a pixel": (0.5, {0: 200, 1: 100, 2: 0}),
        "two pixels": (2, {0: 200, 1: 200, 2: 200, 3: 0}),
        "one and a half": (1.5, {0: 200, 1: 200, 2: 100, 3: 0}),
        "nothing": (0, {0: 200, 1: 0}),
        "half a pixel less": (-0.5, {0: 100, 1: 0}),
        "a pixel less": (-1, {0: 0, 1: 0}),
    },
)
def test_ink_grows_and_shrinks_by_squares(radius: float, expected: dict[int, float]) -> None:
    found = _thicken(dot(10, 12), column(radius)).reshape(28, 28)
    y, x = np.indices((28, 28))
    ring = np.maximum(np.abs(y - 10), np.abs(x - 12))
    for distance, grey in expected.items():
        np.testing.assert_allclose(found[ring == distance], grey)
    assert not found[ring > max(expected)].any()


@pytest.mark.parametrize(("y", "x"), [(5, 27), (5, 0), (27, 27), (0, 0)])
def test_ink_does_not_grow_round_the_edge(y: int, x: int) -> None:
    found = _thicken(dot(y, x, count=2), column(1, 1)).reshape(2, 28, 28)
    inside = (slice(max(y - 1, 0), y + 2), slice(max(x - 1, 0), x + 2))
    assert (found[0][inside] == 200).all()
    assert np.count_nonzero(found) == found[0][inside].size


def test_nothing_shrinks_from_the_edge() -> None:
    full = np.full((1, 784), 255, np.float32)
    np.testing.assert_array_equal(_thicken(full, column(-1)), full)


def test_a_stroke_is_within_its_bound_both_ways() -> None:
    found = augment(bar(), AugmentationConfig(stroke=0.7), rng())
    assert fills(found[:, 14].sum(axis=1) / 255, 4 - 2 * 0.7, 4 + 2 * 0.7)


@pytest.mark.parametrize("sigma", [0.8, 1.5, 3.0])
def test_a_blur_is_a_gaussian(sigma: float) -> None:
    found = _blur(dot(13, 14), column(sigma)).reshape(28, 28)
    y, x = np.indices((28, 28))
    expected = np.exp(-((y - 13) ** 2 + (x - 14) ** 2) / (2 * sigma**2))
    np.testing.assert_allclose(found, 200 * expected / expected.sum(), atol=0.05)


def test_each_image_has_its_own_blur() -> None:
    images = np.repeat(dot(13, 14), 2, axis=0)
    sharp, blurred = _blur(images, column(0, 2))
    np.testing.assert_array_equal(sharp, images[0])
    assert blurred.max() < 20


def test_a_blur_is_within_its_bound() -> None:
    found = moments(augment(bar(), AugmentationConfig(blur=2), rng()))
    before = moments(bar())
    assert fills(found["width"] ** 2 - before["width"] ** 2, 0, 2**2)
    np.testing.assert_allclose(found["mass"], before["mass"], rtol=0.02)


def test_noise_is_normal_and_within_its_bound() -> None:
    grey = np.full((300, 28, 28), 128, np.uint8)
    noise = augment(grey, AugmentationConfig(noise=0.1), rng()).astype(float) - 128
    levels = noise.std(axis=(1, 2))
    assert fills(levels / 255, 0, 0.1)
    assert abs(noise.mean()) < 0.1
    loud = noise[levels > 5] / levels[levels > 5, None, None]
    assert np.mean(loud**4) == pytest.approx(3, abs=0.05)
    assert np.mean(np.abs(loud) < 1) == pytest.approx(0.683, abs=0.02)


def test_noise_stays_between_black_and_white() -> None:
    for grey in (0, 255):
        frames = np.full((20, 28, 28), grey, np.uint8)
        found = augment(frames, AugmentationConfig(noise=0.1), rng()).astype(float)
        assert np.abs(found - grey).max() < 0.1 * 255 * 5
