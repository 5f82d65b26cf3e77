"""Letters and symbols that are no digit: Pillow's own font, and a table of pen strokes.

What can be read as a digit is left out: i I j J l | as 1; o O D Q as 0; S s $ as 5;
Z z as 2; B & as 8; b G as 6; q g y and a small written a as 9; ? and > as 2 or 7.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from model.network import PIXEL_MAX
from training.strokes import (
    DRAWING_SIDE,
    Ink,
    Points,
    as_ink,
    chance,
    cut_corners,
    draw,
    log_uniform,
    penned,
    placed,
)

# Not what people write for digits: I O S Z B b g l o q s z, lines, dots and a turned 7.
PRINTED = "ACDEFGHJKLMNPQRTUVWXYacdefhijkmnprtuvwxy" + '#%&$?!*+=<{}^"~@©«±»™…'

FONT_SIZE = 64  # pixels, at which letters are set before they are stretched and turned
WORDS = 0.12  # share of pictures with two to four letters instead of one

# Pens, as shares of the side of the picture.
FINEST, BROADEST, BROADEST_OF_WORDS = 0.02, 0.12, 0.05

# Each glyph is lines of points "xy" on a grid of 7 columns and 10 rows, y downwards.
# The points after "~" are those of a curve, which cuts corners; a point that
# stands twice is turned at more sharply.
WRITTEN = {
    "A": "08-30-68 15-55",
    "round A": "~08-03-00-30-60-63-68 04-64",
    "C": "~62-50-30-00-04-08-38-58-66",
    "E": "60-00-08-68 04-44",
    "round E": "~61-50-00-03-34 ~34-04-08-58-67",
    "F": "60-00-08 04-44",
    "H": "00-08 60-68 04-64",
    "K": "00-08 60-04-68",
    "L": "00-08-68",
    "M": "08-00-34-60-68",
    "leaning M": "08-10-35-50-68",
    "N": "08-00-68-60",
    "P": "00-08 ~00-30-60-62-64-30-04",
    "R": "00-08 ~00-30-60-62-64-34-04 24-68",
    "T": "00-60 30-38",
    "U": "~00-00-04-08-38-68-64-60-60",
    "V": "00-38-60",
    "W": "00-18-33-58-60",
    "X": "00-68 60-08",
    "Y": "00-34-60 34-38",
    "c": "~62-52-22-03-05-08-38-58-66",
    "d": "60-68 ~64-33-03-06-08-38-66",
    "e": "~05-65-65-62-02-01-08-48-67",
    "f": "~60-40-20-24-28 04-54",
    "h": "00-08 ~05-23-63-65-68",
    "k": "00-08 52-05-58",
    "m": "02-08 ~04-22-32-35-38 ~34-52-62-65-68",
    "n": "02-08 ~04-32-62-65-68",
    "p": "02-09 ~03-32-62-65-37-07",
    "r": "02-08 ~06-12-42-54",
    "t": "~20-25-28-48-57 02-52",
    "u": "~02-02-05-08-38-66-62 62-68",
    "w": "~02-02-08-38-36-32 ~32-38-68-65-62",
    "hash": "20-18 50-48 02-62 06-66",
    "asterisk": "30-38 02-66 62-06",
    "plus": "31-37 04-64",
    "equals": "03-63 05-65",
    "per cent": "60-08 ~11-01-03-23-21-11 ~57-47-45-65-67-57",
    "at": "~43-23-24-26-46-43 ~43-47-67-60-20-00-08-28-58",
    "circumflex": "06-31-66",
    "tilde": "~06-13-23-45-55-62",
    "less": "60-04-68",
    "heart": "~48-04-00-30-42 ~42-50-80-84-48",
    "arrow": "04-64 42-64-46",
    "double arrow": "04-64 22-04-26 42-64-46",
    "star": "18-30-58-03-63-18",
    "triangle": "40-88-08-40",
    "tick": "05-28-60",
    "infinity": "~34-12-02-06-16-52-62-66-56-34",
    "pi": "00-60 20-18 50-58",
    "Pi": "08-00-60-68",
    "Gamma": "08-00-60",
    "Lambda": "08-30-68",
    "Psi": "30-38 ~00-05-36-65-60",
    "Zhe": "30-38 00-34-08 60-34-68",
    "Sha": "00-08-68-60 30-38",
    "great": "02-62 ~30-33-08 34-68",
    "tree": "02-62 30-38 32-07 32-67",
    "king": "00-60 04-64 08-68 30-38",
    "smile": "10-12 50-52 ~05-18-58-65",
}


@dataclass(frozen=True)
class Hand:
    """How someone writes: jitter in columns of the grid, a slant, a turn and proportions."""

    jitter: float
    slant: float
    degrees: float
    stretch: float  # of the width
    rounding: int  # how often the corners of straight lines are cut


def printed(side: int, rng: np.random.Generator) -> Ink:
    """Letters or symbols of the embedded font (Aileron), distorted, as ink (side, side)."""
    text = "".join(rng.choice(list(PRINTED), _letters(rng)).tolist())
    reduction = -(-DRAWING_SIDE // side)
    sheet, canvas = _typeset(text, rng), side * reduction
    reach = rng.uniform(0.6, 0.85) * canvas / max(sheet.size)
    stretch = np.exp(rng.uniform(-0.2, 0.2, 2)) * reach
    inverse = np.linalg.inv(_map(rng.uniform(-15, 15), rng.uniform(-0.25, 0.25)) * stretch)
    centre = canvas * rng.uniform(0.46, 0.54, 2)
    offset = np.array(sheet.size) / 2 - inverse @ centre
    coefficients = np.column_stack([inverse, offset]).ravel().tolist()
    letters = sheet.transform(
        (canvas, canvas), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    return as_ink(letters.reduce(reduction))


def written(side: int, rng: np.random.Generator) -> Ink:
    """Letters or symbols written by a random hand, as ink (side, side)."""
    hand = Hand(
        jitter=rng.uniform(0.1, 0.5),
        slant=rng.uniform(-0.35, 0.35),
        degrees=rng.uniform(-12, 12),
        stretch=float(np.exp(rng.uniform(-0.3, 0.3))),
        rounding=int(rng.integers(0, 3)),
    )
    names, letters = list(WRITTEN), _letters(rng)
    lines: list[Points] = []
    right = 0.0
    for _ in range(letters):
        glyph = write(WRITTEN[names[rng.integers(len(names))]], hand, rng)
        columns = np.concatenate(glyph)[:, 0]
        lines += [line + np.array([right - columns.min(), 0]) for line in glyph]
        right += float(np.ptp(columns)) + rng.uniform(0.5, 3)
    broadest = BROADEST if letters == 1 else BROADEST_OF_WORDS
    return draw(penned(placed(lines, rng), log_uniform(FINEST, broadest, rng), rng), side)


def write(strokes: str, hand: Hand, rng: np.random.Generator) -> list[Points]:
    """The lines of one entry of WRITTEN by a hand, in columns of its grid."""
    distortion = _map(hand.degrees, hand.slant) * [hand.stretch, 1]
    lines = []
    for stroke in strokes.split():
        grid = stroke.removeprefix("~").split("-")
        points = np.array([[int(point[0]), int(point[1])] for point in grid], np.float64)
        points += rng.normal(0, hand.jitter, points.shape)
        closed = grid[0] == grid[-1]  # a rounded triangle would be a 0
        times = 3 if stroke[0] == "~" else 0 if closed else hand.rounding
        lines.append(cut_corners(points, times) @ distortion.T)
    return lines


def _letters(rng: np.random.Generator) -> int:
    return int(rng.integers(2, 5)) if chance(WORDS, rng) else 1


def _map(degrees: float, shear: float) -> Points:
    """The matrix (2, 2) that shears columns x, y and then turns them."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear], [0, 1]]))


def _typeset(text: str, rng: np.random.Generator) -> Image.Image:
    """The text, lighter or bolder than the font, on a sheet that just holds it."""
    weight = int(rng.integers(-2, 4))
    font = ImageFont.load_default(FONT_SIZE)
    bold = max(weight, 0)
    left, top, right, bottom = font.getbbox(text, stroke_width=bold)
    sheet = Image.new("L", (round(right - left) + 2, round(bottom - top) + 2))
    pen = ImageDraw.Draw(sheet)
    pen.text((1 - left, 1 - top), text, fill=PIXEL_MAX, font=font, stroke_width=bold)
    return sheet.filter(ImageFilter.MinFilter(3)) if weight < 0 else sheet
