import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers import synthetic_mnist, table
from training.augmentation import _sample, random_affine
from training.config import AugmentationConfig

FRAMES = synthetic_mnist().test.images[:50]
ALL = AugmentationConfig(rotation=15, scale=0.15, shear=0.2, shift=3)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def bar(count: int = 200) -> NDArray[np.uint8]:
    """Upright bars 4 wide and 14 high in the middle of their frames."""
    frames: NDArray[np.uint8] = np.zeros((count, 28, 28), np.uint8)
    frames[:, 7:21, 12:16] = 255
    return frames


def moments(frames: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Of every frame: mass, centre, spread up and across, and lean."""
    ink = frames.astype(np.float64)
    mass = ink.sum(axis=(1, 2))
    steps = np.arange(28) - 13.5
    y, x = (ink.sum(axis=2) @ steps) / mass, (ink.sum(axis=1) @ steps) / mass
    yy, xx = (ink.sum(axis=2) @ steps**2) / mass, (ink.sum(axis=1) @ steps**2) / mass
    xy = np.einsum("nyx,y,x->n", ink, steps, steps) / mass
    return {
        "mass": mass,
        "y": y,
        "x": x,
        "height": np.sqrt(yy - y**2),
        "width": np.sqrt(xx - x**2),
        "lean": (xy - x * y) / (yy - y**2),
    }


def test_bounds_of_0_change_nothing() -> None:
    found = random_affine(FRAMES, AugmentationConfig(), rng())
    np.testing.assert_array_equal(found, FRAMES)


def test_frames_stay_frames_and_the_originals_as_they_were() -> None:
    before = FRAMES.copy()
    found = random_affine(FRAMES, ALL, rng())
    assert found.shape == FRAMES.shape
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(FRAMES, before)
    assert (found != FRAMES).any(axis=(1, 2)).all()


def test_no_frames_are_no_frames() -> None:
    assert random_affine(FRAMES[:0], ALL, rng()).shape == (0, 28, 28)


def test_the_same_seed_gives_the_same_frames() -> None:
    first, again, other = (random_affine(FRAMES, ALL, rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_every_frame_is_changed_by_its_own_amounts() -> None:
    found = random_affine(bar(), ALL, rng())
    assert len(np.unique(found, axis=0)) == len(found)


@table(
    "bounds, changed",
    {
        "shift": (AugmentationConfig(shift=3), {"y", "x"}),
        "rotation": (AugmentationConfig(rotation=15), {"lean", "width"}),
        "shear": (AugmentationConfig(shear=0.3), {"lean", "width"}),
        "scale": (AugmentationConfig(scale=0.2), {"mass", "height", "width"}),
    },
)
def test_a_bound_changes_what_it_is_named_for(
    bounds: AugmentationConfig, changed: set[str]
) -> None:
    before, after = moments(bar()), moments(random_affine(bar(), bounds, rng()))
    spread = {
        "mass": 0.1 * before["mass"][0],
        "y": 1.0,
        "x": 1.0,
        "height": 0.3,
        "width": 0.1,
        "lean": 0.08,
    }
    found = {name for name, least in spread.items() if np.std(after[name]) > least}
    assert found == changed


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_shift_is_within_its_bound_both_ways(shift: float) -> None:
    found = moments(random_affine(bar(), AugmentationConfig(shift=shift), rng()))
    for axis in ("y", "x"):
        assert np.abs(found[axis]).max() <= shift + 0.01
        assert found[axis].min() < -0.8 * shift
        assert found[axis].max() > 0.8 * shift


def test_a_rotation_is_within_its_bound_both_ways() -> None:
    lean = moments(random_affine(bar(), AugmentationConfig(rotation=15), rng()))["lean"]
    # The lean of a bar turned by an angle is its tangent, less what its width makes up for.
    assert np.abs(lean).max() <= np.tan(np.deg2rad(15)) + 0.01
    assert lean.min() < -0.15
    assert lean.max() > 0.15


def test_a_scale_is_within_its_bound_both_ways() -> None:
    height = moments(random_affine(bar(), AugmentationConfig(scale=0.2), rng()))["height"]
    ratio = height / moments(bar())["height"]
    assert 1 / 1.22 < ratio.min() < 0.87
    assert 1.15 < ratio.max() < 1 / 0.78


def test_what_comes_from_outside_is_ground() -> None:
    full = np.full((100, 28, 28), 255, np.uint8)
    found = random_affine(full, AugmentationConfig(shift=5), rng())
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
    frame: NDArray[np.uint8] = np.zeros((1, 28, 28), np.uint8)
    frame[0, 10, 10], frame[0, 10, 11], frame[0, 0, 0], frame[0, 27, 27] = 100, 200, 40, 80
    points = np.empty((1, 2, 784), np.float32)
    points[0, 0], points[0, 1] = y, x
    np.testing.assert_allclose(_sample(frame, points), np.full((1, 28, 28), expected), atol=1)
