from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers import synthetic_mnist, table
from training.rows import Digits
from training.scene_kinds import KINDS, Scene, any_scene
from training.scene_paper import Box, Light, Paper, Rules, boxed, grain, lit, ruled, specks
from training.scene_pens import Pen, Picture, written
from training.scenes import decompressed, jpeg, rendered, scenes
from training.thinning import centre_lines

DRAWS = 300  # of each kind


def ring() -> NDArray[np.uint8]:
    y, x = np.indices((28, 28)) - 13.5
    return np.asarray(255 * np.clip(2 - np.abs(np.hypot(y, x) - 8), 0, 1), np.uint8)


RING = ring()
(RING_LINES,) = centre_lines(RING[np.newaxis])
DIGITS = synthetic_mnist(test=150).test
CLEAN = Scene("clean", (120, 150), (0.5, 0.5), 250, 20, Pen(60, 6))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(kind: str) -> list[Scene]:
    return [KINDS[kind](rng(seed)) for seed in range(DRAWS)]


def shown(scene: Scene, seed: int = 0) -> Picture:
    return rendered(scene, RING, RING_LINES, RING, rng(seed))


def ink_box(sheet: Picture, ground: int) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of all that is not ground."""
    rows, columns = np.nonzero(np.abs(sheet.astype(int) - ground) > 60)
    return rows.min(), columns.min(), rows.max(), columns.max()


# -- the generator ----------------------------------------------------------


def test_the_same_seed_gives_the_same_sheets_and_another_gives_others() -> None:
    one, again, other = (list(scenes(DIGITS.part(0, 20), seed)) for seed in (3, 3, 4))
    for (sheet, label, kind), (same, same_label, same_kind) in zip(one, again, strict=True):
        assert np.array_equal(sheet, same)
        assert (label, kind) == (same_label, same_kind)
    assert [sheet.shape for sheet, _, _ in one] != [sheet.shape for sheet, _, _ in other]


def test_a_sheet_does_not_depend_on_how_many_follow() -> None:
    few, many = scenes(DIGITS.part(0, 5), 1), islice(scenes(DIGITS, 1), 5)
    for (sheet, _, _), (same, _, _) in zip(few, many, strict=True):
        assert np.array_equal(sheet, same)


def test_what_shows_through_the_first_sheet_does_not_depend_on_the_last() -> None:
    for seed in range(60):
        (sheet, _, _), (same, _, _) = (
            next(scenes(DIGITS.part(0, count), seed)) for count in (1, 10)
        )
        assert np.array_equal(sheet, same)


def test_scenes_do_not_repeat() -> None:
    """Neither from chunk to chunk nor within one."""
    shapes = [sheet.shape for sheet, _, _ in scenes(DIGITS, 1)]
    assert len(set(shapes)) > 0.9 * len(shapes)


def test_every_digit_has_its_scene_in_order() -> None:
    found = list(scenes(DIGITS, 1))
    assert [label for _, label, _ in found] == DIGITS.labels.tolist()
    for sheet, _, _ in found:
        assert sheet.dtype == np.uint8
        assert min(sheet.shape) >= 28
        assert max(sheet.shape) <= 1000


def test_sheets_are_made_when_they_are_asked_for() -> None:
    """The second chunk's digits are no frames: only who gets there trips over them."""
    images = np.zeros((200, 28, 28), object)
    images[:128] = RING
    first = next(scenes(Digits(images, np.zeros(200, np.uint8)), 1))
    assert first[0].ndim == 2


def test_every_other_sheet_is_what_jpeg_leaves_of_it() -> None:
    pairs = zip(scenes(DIGITS, 1), scenes(DIGITS, 1, compressed=False), strict=True)
    for place, ((sheet, _, _), (raw, _, _)) in enumerate(pairs):
        assert np.array_equal(sheet, decompressed(jpeg(raw)) if place % 2 else raw)


def test_jpeg_spoils_a_sheet_a_little() -> None:
    sheet = shown(CLEAN)
    spoilt = np.abs(decompressed(jpeg(sheet)).astype(int) - sheet)
    assert 0.5 < spoilt.mean() < 8


def test_every_kind_is_as_likely() -> None:
    kinds = [any_scene(rng(seed)).kind for seed in range(3000)]
    counts = [kinds.count(kind) for kind in KINDS]
    assert sum(counts) == 3000
    assert min(counts) > 240
    assert max(counts) < 360


# -- kinds ------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_digit_is_wholly_on_its_sheet(kind: str) -> None:
    for seed, scene in enumerate(drawn(kind)[:60]):
        bare = replace(scene, ground=255, ink=0, inverted=False, rules=None, box=None, light=None)
        bare = replace(bare, paper=Paper(), pen=replace(scene.pen, fading=0))
        sheet = shown(bare, seed)
        edge = np.concatenate([sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]])
        assert edge.min() == 255
        assert sheet.min() < 130


@pytest.mark.parametrize("kind", KINDS)
def test_ink_is_darker_than_the_ground_by_60_in_the_weakest_light(kind: str) -> None:
    for scene in drawn(kind):
        assert scene.kind == kind
        assert 0 <= scene.ink < scene.ground <= 255
        weakest = 1 if scene.light is None else scene.light.darkest
        contrast = (scene.ground - scene.ink) * (1 - scene.pen.fading) * weakest
        assert contrast >= 59.9


@pytest.mark.parametrize("kind", KINDS)
def test_digits_are_turned_a_little_both_ways(kind: str) -> None:
    turns = [scene.pen.rotation for scene in drawn(kind)]
    assert -10 <= min(turns) < -8
    assert 8 < max(turns) <= 10


def rules(scene: Scene) -> Rules:
    assert scene.rules is not None
    return scene.rules


def box(scene: Scene) -> Box:
    assert scene.box is not None
    return scene.box


def darkest(scene: Scene) -> float:
    assert scene.light is not None
    return scene.light.darkest


RANGES: dict[str, tuple[str, Callable[[Scene], float], float, float]] = {
    "digits from 20 to 400 pixels": ("plain", lambda s: s.pen.height, 20, 400),
    "places": ("plain", lambda s: s.place[0], 0, 1),
    "light down to under a half": ("light", darkest, 0.45, 0.85),
    "lines every 30 to 140 pixels": ("ruled", lambda s: rules(s).spacing, 30, 140),
    "lines of 1 to 4 pixels": ("ruled", lambda s: rules(s).thickness, 1, 4),
    "lines turned by 2 degrees": ("ruled", lambda s: rules(s).angle, -2, 2),
    "squares": ("squared", lambda s: rules(s).spacing, 20, 100),
    "borders of 1 to 4 pixels": ("boxed", lambda s: box(s).thickness, 1, 4),
    "the digit may stand over": ("boxed", lambda s: min(box(s).gaps), -0.1, 0.45),
    "canvases of 40 to 80 pixels": ("canvas", lambda s: s.size[0], 40, 80),
    "their pens of 1 to 2": ("canvas", lambda s: s.pen.width or 0, 1, 2.2),
    "aspects": ("envelope", lambda s: s.pen.aspect, 0.7, 1.4),
    "inks that fade": ("document", lambda s: s.pen.fading, 0.1, 0.4),
    "sheets of ruled paper": ("ruled", lambda s: s.size[1], 200, 800),
}


@table("kind, amount, low, high", RANGES)
def test_amounts_fill_their_ranges(
    kind: str, amount: Callable[[Scene], float], low: float, high: float
) -> None:
    found = np.array([amount(scene) for scene in drawn(kind)])
    assert found.min() >= low
    assert found.max() <= high
    assert found.min() <= low + (high - low) / 8
    assert found.max() >= high - (high - low) / 8


SHARES: dict[str, tuple[str, Callable[[Scene], object], float]] = {
    "half light on dark": ("plain", lambda s: s.inverted, 0.5),
    "half of canvases": ("canvas", lambda s: s.inverted, 0.5),
    "no scan": ("scan", lambda s: s.inverted, 0),
    "half by a pen": ("plain", lambda s: s.pen.width, 0.5),
    "all on a tablet": ("tablet", lambda s: s.pen.width, 1),
    "squares are crossed": ("squared", lambda s: rules(s).crossed, 1),
    "lines are not": ("ruled", lambda s: rules(s).crossed, 0),
    "a quarter with a margin": ("ruled", lambda s: rules(s).margin, 0.25),
    "binary scans": ("envelope", lambda s: s.paper.binary, 0.6),
    "writing that shows through": ("document", lambda s: s.paper.bleeding, 0.5),
    "stains": ("document", lambda s: s.paper.stains, 2 / 3),
    "neighbouring fields": ("boxed", lambda s: box(s).neighbours, 0.4),
}


@table("kind, has, share", SHARES)
def test_so_many_of_a_kind_have(kind: str, has: Callable[[Scene], object], share: float) -> None:
    assert np.mean([bool(has(scene)) for scene in drawn(kind)]) == pytest.approx(share, abs=0.1)


# -- pens -------------------------------------------------------------------


@table("width", {"of 2": 2.0, "of 6": 6.0, "of 15": 15.0})
def test_a_pen_is_as_wide_as_it_says(width: float) -> None:
    ink = written(Pen(100, width), RING, RING_LINES, rng())
    row = ink[ink.shape[0] // 2]
    assert row[: len(row) // 2].sum() == pytest.approx(width, abs=0.6)
    assert ink.max() == pytest.approx(1, abs=0.01)


@table("height", {"20": 20.0, "100": 100.0, "400": 400.0})
def test_digits_are_as_high_as_they_say(height: float) -> None:
    own = written(Pen(height), RING, RING_LINES, rng())
    assert own.shape[0] == pytest.approx(height, rel=0.1)
    assert own.shape[1] == pytest.approx(height, rel=0.1)


def test_a_digit_smaller_than_most_is_as_high_as_it_says() -> None:
    frame = np.zeros((28, 28), np.uint8)
    frame[8:20, 10:18] = 255
    assert written(Pen(100), frame, None, rng()).shape[0] == pytest.approx(100, abs=6)


def test_higher_levels_are_thinner() -> None:
    ink = [written(Pen(100, level=level), RING, None, rng()).sum() for level in (0.2, 0.35, 0.48)]
    assert ink[0] > 1.1 * ink[1] > 1.2 * ink[2]


def test_enlarged_strokes_have_edges_a_few_pixels_wide() -> None:
    ink = written(Pen(300), RING, None, rng())
    assert ((ink > 0.05) & (ink < 0.95)).mean() < 0.08


def test_a_digit_is_turned_and_stretched() -> None:
    bar = np.zeros((28, 28), np.uint8)
    bar[5:23, 12:16] = 255
    (lines,) = centre_lines(bar[np.newaxis])
    for pen in (Pen(100), Pen(100, 8)):
        upright, turned, wide = (
            written(changed, bar, lines, rng())
            for changed in (pen, replace(pen, rotation=10), replace(pen, aspect=1.4))
        )
        assert turned.shape[1] > upright.shape[1] + 10
        # With y downwards, a positive angle is clockwise: the upper end moves to the right.
        assert turned[0].argmax() > turned.shape[1] / 2
        if pen.width is None:
            assert wide.shape[1] == pytest.approx(1.4 * upright.shape[1], abs=2)


def test_faded_ink_keeps_its_share_at_least() -> None:
    full, faded = (
        written(Pen(100, 10, fading=fading), RING, RING_LINES, rng()) for fading in (0.0, 0.4)
    )
    share = faded[full == 1]
    assert share.min() >= 0.59
    assert np.ptp(share) > 0.15


# -- paper ------------------------------------------------------------------


@table("spacing", {"30": 30.0, "61.5": 61.5, "140": 140.0})
def test_lines_are_at_their_spacing_and_as_thick_and_dark_as_they_say(spacing: float) -> None:
    tone = ruled((700, 50), Rules(spacing, thickness=3, tone=0.6, offset=10))
    assert np.ptp(tone, axis=1).max() == 0
    profile = tone[:, 0]
    middles = np.arange(10, 700, spacing)
    assert profile.max() == pytest.approx(0.6)
    for middle in middles[:-1]:
        near = slice(round(middle) - 5, round(middle) + 6)
        assert profile[near].sum() == pytest.approx(3 * 0.6, abs=0.1)
        assert np.average(np.arange(700)[near], weights=profile[near]) == pytest.approx(middle)
    assert (profile > 0).sum() <= 5 * len(middles)


def test_lines_slant_by_their_angle_and_squares_cross() -> None:
    paper = Rules(100, thickness=2, tone=1, offset=50, angle=2)
    tone = ruled((200, 200), paper)
    fall = tone[:100, 0].argmax() - tone[:100, -1].argmax()
    assert fall == pytest.approx(199 * np.tan(np.deg2rad(2)), abs=1)
    assert tone[0].max() == 0
    crossed = ruled((200, 200), replace(paper, angle=0, crossed=True))
    assert crossed[:, 50].min() == 1
    margin = ruled((200, 200), replace(paper, angle=0, margin=0.1))
    assert margin[:, 20].min() == 1
    assert margin[0].sum() == pytest.approx(2)


def test_a_field_stands_around_its_digit() -> None:
    fields = Box(thickness=2, tone=0.8, gaps=(0.1, 0.2, 0.3, 0.4))
    tone = boxed((200, 200), fields, corner=(60, 70), ink=(50, 30))
    assert tone[:, 100].max() == pytest.approx(0.8)
    assert tone[50, 65:115].min() == pytest.approx(0.8)  # above by 0.2 of 50
    assert tone[130, 65:115].min() == pytest.approx(0.8)
    assert tone[50:130, 65].min() == pytest.approx(0.8)
    assert tone[50:130, 115].min() == pytest.approx(0.8)
    assert tone[54:126, 69:111].max() == 0
    assert tone[:46].max() == tone[:, :61].max() == tone[:, 119:].max() == tone[134:].max() == 0
    beside = boxed((200, 200), replace(fields, neighbours=True), corner=(60, 70), ink=(50, 30))
    assert beside[50:130, 15].min() == beside[50, 15:165].min() == pytest.approx(0.8)


@table(
    "light",
    {
        "from the left": Light(0.5, 0),
        "from below": Light(0.5, -np.pi / 2),
        "aslant": Light(0.5, 1),
        "from the middle": Light(0.5, radial=True),
    },
)
def test_light_falls_from_full_to_its_darkest(light: Light) -> None:
    levels = lit((100, 140), light)
    assert levels.max() == pytest.approx(1, abs=0.02)
    assert levels.min() == pytest.approx(0.5, abs=0.02)
    if light.radial:
        assert np.argwhere(levels == levels.max()).tolist() == [[50, 70]]


def test_noise_and_specks_are_as_many_as_they_say() -> None:
    assert grain((200, 200), 5, rng()).std() == pytest.approx(5, rel=0.03)
    assert not specks((200, 200), 0, rng()).any()
    tone = specks((200, 200), 5, rng())
    assert 5 <= (tone > 0).sum() <= 45


def test_a_negative_is_a_negative() -> None:
    assert np.array_equal(shown(replace(CLEAN, inverted=True)), 255 - shown(CLEAN))


def test_a_binary_scan_is_black_and_white() -> None:
    noisy = replace(CLEAN, paper=Paper(noise=10, mottling=10, binary=True))
    assert np.unique(shown(noisy)).tolist() == [0, 255]


def test_ground_and_ink_have_their_shades() -> None:
    sheet = shown(CLEAN)
    assert (sheet[0, 0], sheet.min()) == (250, 20)


def test_the_digit_is_where_the_scene_says() -> None:
    corner = shown(replace(CLEAN, place=(0, 1)))
    top, left, bottom, right = ink_box(corner, 250)
    assert top == pytest.approx(3, abs=1)
    assert right == pytest.approx(146, abs=1)
    assert bottom < 70
    assert left > 75


def test_a_digit_larger_than_its_sheet_makes_it_larger() -> None:
    sheet = shown(replace(CLEAN, size=(30, 30)))
    assert min(sheet.shape) >= 58


def test_writing_shows_through_faintly() -> None:
    through = shown(replace(CLEAN, paper=Paper(bleeding=0.2)), seed=5).astype(int)
    changed = through[(through != shown(CLEAN, seed=5))]
    assert len(changed) > 300
    assert changed.min() >= 250 - 0.21 * 230


def test_stains_and_mottling_change_the_ground_by_their_levels() -> None:
    paper = Paper(mottling=10, stains=2)
    levels = shown(replace(CLEAN, ink=249, paper=paper), seed=2).astype(int)
    assert 5 < np.ptp(levels) < 60
