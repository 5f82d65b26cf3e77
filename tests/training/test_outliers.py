from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from model.framing import MIN_CONTRAST
from tests.helpers import synthetic_mnist, table
from training import collages, patterns, strokes
from training.dataset import Mnist
from training.errors import DataError
from training.outliers import LEAST_CONTRAST, could_be_a_one, expose, families, outliers, plan
from training.strokes import Ink, Stroke

DIGITS = synthetic_mnist(train=60, test=10).train.images
FAMILIES = families(DIGITS)
SIDES = (28, 57, 112)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ring() -> NDArray[np.uint8]:
    """One frame (1, 28, 28) with a circle in the middle of it."""
    angle = np.linspace(0, 2 * np.pi, 60)
    line = 0.5 + 0.3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ink = strokes.draw([Stroke(line, np.full(60, 0.08))], 28)
    return np.rint(ink * 255).astype(np.uint8)[None]


def frame_with(*lines: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    """A frame (28, 28) with straight strokes, each from x, y to x, y in the unit square."""
    drawn = [Stroke(np.array(line).reshape(2, 2), np.full(2, 0.08)) for line in lines]
    return np.rint(strokes.draw(drawn, 28) * 255).astype(np.uint8)


# -- the pool ---------------------------------------------------------------


@table("count", {"none": 0, "one": 1, "many": 60})
def test_there_are_as_many_frames_as_asked_for(count: int) -> None:
    frames = outliers(count, DIGITS, generator())
    assert frames.shape == (count, 28, 28)
    assert frames.dtype == np.uint8


def test_a_seed_gives_the_same_bytes_again_and_another_seed_others() -> None:
    first, again, other = (outliers(40, DIGITS, generator(seed)) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert not (first == other).all(axis=(1, 2)).any()


def test_no_frame_is_blank_or_one_standing_stroke_or_there_twice() -> None:
    frames = outliers(300, DIGITS, generator())
    assert (np.ptp(frames, axis=(1, 2)) >= MIN_CONTRAST).all()
    assert not any(could_be_a_one(frame) for frame in frames)
    assert len(np.unique(frames.reshape(300, -1), axis=0)) == 300


@table("count", {"few": 7, "some": 333, "a pool": 12_000})
def test_every_family_has_its_share(count: int) -> None:
    counts = Counter(plan(count, FAMILIES, generator()))
    assert sum(counts.values()) == count
    for name, family in FAMILIES.items():
        assert abs(counts[name] - family.share * count) <= 1


def test_families_come_in_random_order() -> None:
    half = Counter(plan(2000, FAMILIES, generator())[:1000])
    for name, family in FAMILIES.items():
        assert half[name] == pytest.approx(1000 * family.share, rel=0.3)


def test_shares_add_up_to_all() -> None:
    assert sum(family.share for family in FAMILIES.values()) == pytest.approx(1)


@table(
    "digits",
    {"no digits": DIGITS[:0], "empty ones": np.zeros_like(DIGITS)},
)
def test_without_digits_to_take_apart_the_error_says_so(digits: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError, match=r"^outliers: .*digits"):
        outliers(20, digits, generator())


# -- families ---------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_draws_ink_at_every_size(name: str) -> None:
    rng = generator()
    for side in SIDES * 5:
        ink = FAMILIES[name].draw(side, rng)
        assert ink.shape == (side, side)
        assert ink.dtype == np.float32
        assert ink.min() >= 0
        assert ink.max() <= 1.001  # bicubic waves are scaled to 1 in float32
        assert np.ptp(ink) > 0.1


@pytest.mark.parametrize("name", FAMILIES)
def test_only_families_of_digits_depend_on_the_digits(name: str) -> None:
    other = families(DIGITS[:, ::-1])[name].draw(28, generator(3))
    same = np.array_equal(FAMILIES[name].draw(28, generator(3)), other)
    assert same != name.endswith("digits")


@pytest.mark.parametrize("kind", strokes.SCRIBBLES, ids=lambda kind: kind[0].__name__)
def test_a_scribble_is_within_its_picture(kind: strokes.Scribble) -> None:
    draw, broadest = kind
    rng = generator()
    for _ in range(10):
        lines = strokes.placed(draw(rng), rng)
        points = np.concatenate(lines)
        assert points.min() > 0
        assert points.max() < 1
        ink = strokes.draw(strokes.penned(lines, broadest, rng), 64)
        assert ink.max() > 0.5


@pytest.mark.parametrize("outline", patterns.OUTLINES, ids=lambda outline: outline.__name__)
def test_a_shape_is_no_narrow_upright_one(outline: patterns.Outline) -> None:
    rng = generator()
    for _ in range(20):
        points = outline(rng)
        width, height = np.ptp(points, axis=0)
        assert width >= 0.499 * height
        assert max(width, height) <= 0.951


def test_a_jigsaw_of_four_leaves_no_tile_on_its_side_of_the_digit() -> None:
    digit = np.full((1, 28, 28), 200, np.uint8)
    digit[:, :, :14] = 100
    rng, fours = generator(), 0
    for _ in range(20):
        tiles = collages._jigsaw(digit, rng)[4:-4, 4:-4]
        if len(tiles) == 20:
            fours += 1
            assert (tiles[:, :10] == 200).all()
            assert (tiles[:, 10:] == 100).all()
        else:
            assert np.isin(tiles, [100, 200]).all()
    assert 0 < fours < 20


def test_two_digits_on_each_other_hide_little_of_each_other() -> None:
    digit, rng = np.zeros((1, 28, 28), np.uint8), generator()
    digit[:, 9:19, 9:19] = 200  # some shifts hide half of it
    for _ in range(20):
        both = collages._on_each_other(digit, rng)
        assert both.sum(dtype=int) >= (2 - collages.MOST_COVERED) * digit.sum(dtype=int)


def test_halves_that_do_not_fit_are_shifted_apart() -> None:
    digit, rng = ring(), generator()
    side = collages._cropped(digit[0]).shape[0]
    for _ in range(20):
        shape = collages._cropped(collages._misfit(digit, rng)).shape
        assert max(shape) >= side + collages.LEAST_GAP


# -- pictures ---------------------------------------------------------------


def test_a_picture_is_of_either_polarity_and_of_some_contrast() -> None:
    ink: Ink = np.zeros((40, 40), np.float32)
    ink[10:30, 10:30] = 1
    rng = generator()
    pictures = [expose(ink, rng) for _ in range(300)]
    middles = np.array([np.median(picture[15:25, 15:25]) for picture in pictures])
    grounds = np.array([np.median(picture[:4]) for picture in pictures])
    assert 0.2 < (middles < grounds).mean() < 0.4
    assert 0.4 < ((middles == 255) & (grounds == 0)).mean() < 0.6
    assert np.abs(middles - grounds).min() >= LEAST_CONTRAST - 5  # grain may move a median


@table(
    "frame, expected",
    {
        "upright": (frame_with((0.5, 0.15, 0.5, 0.85)), True),
        "leaning": (frame_with((0.25, 0.8, 0.75, 0.2)), True),
        "leaning back": (frame_with((0.3, 0.2, 0.7, 0.8)), True),
        "upright on grey": (frame_with((0.5, 0.15, 0.5, 0.85)) // 2 + 60, True),
        "level": (frame_with((0.15, 0.5, 0.85, 0.5)), False),
        "two, side by side": (frame_with((0.3, 0.2, 0.3, 0.8), (0.7, 0.2, 0.7, 0.8)), False),
        "a cross": (frame_with((0.5, 0.2, 0.5, 0.8), (0.2, 0.5, 0.8, 0.5)), False),
        "a ring": (ring()[0], False),
    },
)
def test_one_narrow_standing_stroke_could_be_a_one(
    frame: NDArray[np.uint8], *, expected: bool
) -> None:
    assert could_be_a_one(frame) is expected


def test_ones_of_mnist_could_be_a_one_and_other_digits_could_not(mnist: Mnist) -> None:
    digits = mnist.train.part(0, 1000)
    found = np.array([could_be_a_one(image) for image in digits.images])
    assert found[digits.labels == 1].mean() > 0.93
    assert found[digits.labels != 1].mean() < 0.04


# -- pens -------------------------------------------------------------------


@table("side", {"a frame": 28, "larger": 60, "large": 112})
def test_a_pen_leaves_its_width_in_ink_with_smooth_edges(side: int) -> None:
    line = np.array([[0.2, 0.4], [0.8, 0.4]])
    ink = strokes.draw([Stroke(line, np.full(2, 0.1))], side)
    area = 0.1 * 0.6 + np.pi * 0.05**2  # the ends are round
    assert ink.sum() / side**2 == pytest.approx(area, rel=0.1)
    if side < strokes.DRAWING_SIDE:
        assert np.unique(ink).size > 2


def test_cut_corners_stay_between_the_points_and_keep_the_ends() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    cut = strokes.cut_corners(points, 3)
    assert np.array_equal(cut[[0, -1]], points[[0, -1]])
    assert cut.min() >= 0
    assert cut.max() <= 1
    assert np.hypot(*(cut - points[1]).T).min() > 0.15
    assert np.array_equal(strokes.cut_corners(points, 0), points)
