from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageFont

from tests.helpers import table
from training.lettering import PRINTED, WRITTEN, Hand, printed, write, written
from training.strokes import Ink, Points, draw, penned, placed

STEADY = Hand(jitter=0, slant=0, degrees=0, stretch=1, rounding=0)

# What a reader may take for a digit, in some hand or font.
LIKE_DIGITS = set("0123456789" + "lI|/\\'`,.:;_()[]-" + "oO" + "Ss" + "Zz>" + "Bb" + "qg")


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def lines_of(strokes: str, hand: Hand, seed: int = 0) -> Points:
    return np.concatenate(write(strokes, hand, generator(seed)))


def steady(name: str) -> Ink:
    """A glyph as the table has it, at one place and size."""
    rng = generator()
    return draw(penned(placed(write(WRITTEN[name], STEADY, rng), rng), 0.08, rng), 40)


@table("glyphs", {"printed": PRINTED, "written": [name for name in WRITTEN if len(name) == 1]})
def test_no_letter_looks_like_a_digit(glyphs: str | list[str]) -> None:
    assert not set(glyphs) & LIKE_DIGITS
    assert len(set(glyphs)) == len(glyphs) >= 30


def test_the_font_has_every_letter() -> None:
    font = ImageFont.load_default(32)
    shapes = {bytes(font.getmask(letter)) for letter in PRINTED}
    assert len(shapes) == len(PRINTED)
    assert bytes(font.getmask("\U0010fffe")) not in shapes  # what stands for one it lacks


@pytest.mark.parametrize("name", WRITTEN)
def test_a_glyph_is_lines_of_points_on_the_grid(name: str) -> None:
    for stroke in WRITTEN[name].split():
        points = stroke.removeprefix("~").split("-")
        assert len(points) >= 2
        assert all(len(point) == 2 and point.isdecimal() for point in points)
    drawn = lines_of(WRITTEN[name], STEADY)
    assert drawn.min() >= 0
    assert drawn.max() <= 9


def test_no_two_glyphs_are_the_same() -> None:
    inks = np.stack([steady(name).ravel() for name in WRITTEN])
    alike = np.corrcoef(inks) - np.eye(len(inks))
    assert alike.max() < 0.97


@table(
    "strokes, hand, points",
    {
        "corners stay": ("00-60-68", STEADY, 3),
        "curves cut them": ("~00-60-68", STEADY, 24),
        "a round hand does": ("00-60-68", replace(STEADY, rounding=1), 6),
        "not those of closed lines": ("40-88-08-40", replace(STEADY, rounding=2), 4),
    },
)
def test_curves_and_round_hands_cut_corners(strokes: str, hand: Hand, points: int) -> None:
    assert len(lines_of(strokes, hand)) == points


@table(
    "hand, expected",
    {
        "steady": (STEADY, [[0, 0], [6, 8]]),
        "wide": (replace(STEADY, stretch=1.5), [[0, 0], [9, 8]]),
        "slanted": (replace(STEADY, slant=0.25), [[0, 0], [8, 8]]),
        "turned": (replace(STEADY, degrees=90), [[0, 0], [-8, 6]]),
    },
)
def test_a_hand_bends_what_the_table_says(hand: Hand, expected: list[list[float]]) -> None:
    assert lines_of("00-68", hand) == pytest.approx(np.array(expected, float))


def test_a_shaky_hand_never_writes_the_same_twice() -> None:
    shaky = replace(STEADY, jitter=0.3)
    first, second = (lines_of(WRITTEN["A"], shaky, seed) for seed in (1, 2))
    away = np.abs(first - lines_of(WRITTEN["A"], STEADY))
    assert 0 < away.max() < 2
    assert not np.isclose(first, second).any()


@table("draw_letter", {"printed": printed, "written": written})
def test_letters_stand_in_the_picture_on_empty_ground(
    draw_letter: Callable[[int, np.random.Generator], Ink],
) -> None:
    rng = generator()
    inks = np.stack([draw_letter(48, rng) for _ in range(60)])
    border = np.concatenate([inks[:, 0], inks[:, -1], inks[:, :, 0], inks[:, :, -1]], axis=1)
    assert (np.median(border, axis=1) == 0).all()
    assert (inks.max(axis=(1, 2)) > 0.3).all()
    assert len(np.unique(inks.reshape(60, -1), axis=0)) == 60
