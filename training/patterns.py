"""Noise, textures and shapes that fill a picture, or a window of it, and are no digit."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.network import PIXEL_MAX
from training.strokes import Ink, Points, as_ink, chance, cut_corners, log_uniform, turned

Outline: TypeAlias = Callable[[np.random.Generator], Points]  # in the unit square
Pattern: TypeAlias = Callable[[Ink, Ink, np.random.Generator], Ink]  # of coordinates

WINDOWED = 0.35  # share of noise and textures that is seen through a window


def noise(side: int, rng: np.random.Generator) -> Ink:
    """Random numbers on cells of any size, everywhere or in a window, as ink (side, side)."""
    return _windowed(_grains(side, rng), rng)


def texture(side: int, rng: np.random.Generator) -> Ink:
    """A pattern, everywhere or in a window, as ink (side, side)."""
    return _windowed(_pattern(side, rng), rng)


def shape(side: int, rng: np.random.Generator) -> Ink:
    """A filled shape, plain or patterned, or many on each other, as ink (side, side)."""
    if chance(0.2, rng):
        return _leaves(side, rng)
    mask = _filled(OUTLINES[rng.integers(len(OUTLINES))](rng), side)
    if chance(0.4, rng):
        return mask
    depth = np.float32(rng.uniform(0.1, 0.9))
    return mask * (1 - depth + depth * _pattern(side, rng))


# -- noise ------------------------------------------------------------------


def _grains(side: int, rng: np.random.Generator) -> Ink:
    """Noise (side, side) of square or oblong grains, from five to a picture up to one a pixel."""
    down = log_uniform(5, side, rng)
    across = down if chance(0.7, rng) else log_uniform(5, side, rng)
    pixels = np.arange(side) / side
    rows, columns = (pixels * down).astype(np.intp), (pixels * across).astype(np.intp)
    grains = _levels((int(rows[-1]) + 1, int(columns[-1]) + 1), rng)
    return grains[rows[:, None], columns].astype(np.float32)


def _levels(cells: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    kind = ("uniform", "normal", "salt and pepper", "half", "sparse")[rng.integers(5)]
    if kind == "uniform":
        return rng.random(cells)
    if kind == "normal":
        return np.clip(rng.normal(rng.uniform(0, 1), rng.uniform(0.1, 0.6), cells), 0, 1)
    if kind == "salt and pepper":
        return rng.choice([0.0, 0.5, 1.0], cells)
    share = rng.uniform(0.2, 0.8) if kind == "half" else log_uniform(0.01, 0.2, rng)
    levels = (rng.random(cells) < share) * rng.uniform(0.3, 1, cells)
    levels.flat[rng.integers(0, levels.size, 3)] = 1  # some at least
    return levels


# -- windows and shapes -----------------------------------------------------


def _windowed(ink: Ink, rng: np.random.Generator) -> Ink:
    if not chance(WINDOWED, rng):
        return ink
    outline = (_blob, _strip, _polygon)[rng.integers(3)]
    return ink * _filled(outline(rng), len(ink))


def _filled(outline: Points, side: int) -> Ink:
    """1 within an outline, points of the unit square, with edges of a pixel."""
    canvas = Image.new("L", (2 * side, 2 * side))
    corners = [(x, y) for x, y in (outline * canvas.width).tolist()]
    ImageDraw.Draw(canvas).polygon(corners, fill=PIXEL_MAX)
    return as_ink(canvas.reduce(2))


def _blob(rng: np.random.Generator) -> Points:
    """A circle whose radius goes up and down."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones_like(angle)
    for waves in range(1, 6):
        radius += rng.normal(0, 0.3 / waves) * np.sin(waves * angle + rng.uniform(0, 2 * np.pi))
    radius = np.maximum(radius, 0.15)
    line = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None]
    return _boxed(line * [rng.uniform(0.7, 1.4), 1], rng)


def _strip(rng: np.random.Generator) -> Points:
    """A broad rectangle that lies, or leans by up to 35 degrees."""
    height = rng.uniform(0.15, 0.8)
    corners = np.array([[-1, -height], [1, -height], [1, height], [-1, height]])
    return _boxed(turned(corners, rng.uniform(-35, 35)), rng)


def _polygon(rng: np.random.Generator) -> Points:
    """Three to eight corners around a middle."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
    radius = rng.uniform(0.4, 1, len(angle))
    return _boxed(np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None], rng)


def _silhouette(rng: np.random.Generator) -> Points:
    """As wide left as right at every height: a garment, a vessel, a tree."""
    heights = np.repeat(np.sort(rng.random(rng.integers(3, 9))), rng.integers(1, 3))
    widths = rng.uniform(0.15, 0.7, len(heights))
    right = np.stack([widths, heights], axis=1)
    right = cut_corners(right, 2) if chance(0.5, rng) else right
    return _boxed(np.concatenate([right, right[::-1] * [-1, 1]]), rng)


def _skyline(rng: np.random.Generator) -> Points:
    """A flat foot and any top: a shoe, a car, a roof."""
    along = np.linspace(0, 1, int(rng.integers(4, 9)))
    top = np.stack([along, -rng.uniform(0.1, 0.7, len(along))], axis=1)
    top = cut_corners(top, 2) if chance(0.6, rng) else top
    return _boxed(np.concatenate([[[0.0, 0.0]], top, [[1.0, 0.0]]]), rng)


OUTLINES: tuple[Outline, ...] = (_blob, _polygon, _silhouette, _silhouette, _skyline, _strip)


def _boxed(outline: Points, rng: np.random.Generator) -> Points:
    """An outline scaled into the unit square, at least half as wide as high: no 1."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    width, height = np.maximum(high - low, 1e-3)
    stretch = np.array([max(1.0, rng.uniform(0.5, 1) * height / width), 1.0])
    scale = rng.uniform(0.6, 0.95) / max(width * stretch[0], height)
    boxed: Points = (outline - (low + high) / 2) * stretch * scale + 0.5
    return boxed


def _leaves(side: int, rng: np.random.Generator) -> Ink:
    """Dead leaves: shapes of all shades that fall on each other, like things in a photograph.

    After Lee, Mumford and Huang (2001), "Occlusion models for natural images".
    """
    canvas = Image.new("L", (side, side), int(rng.integers(PIXEL_MAX + 1)))
    pen = ImageDraw.Draw(canvas)
    for _ in range(rng.integers(8, 60)):
        x, y = (rng.uniform(-0.1, 1.1, 2) * side).tolist()
        half = log_uniform(0.04, 0.5, rng) * side
        low = rng.uniform(0.4, 1) * half
        fill = pen.rectangle if chance(0.4, rng) else pen.ellipse
        fill((x - half, y - low, x + half, y + low), fill=int(rng.integers(PIXEL_MAX + 1)))
    return as_ink(canvas)


# -- patterns ---------------------------------------------------------------


def _pattern(side: int, rng: np.random.Generator) -> Ink:
    """A pattern (side, side) from 0 to 1 on turned and often warped coordinates."""
    across = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    angle = np.float32(rng.uniform(0, 2 * np.pi))
    cos, sin = np.cos(angle), np.sin(angle)
    u = across * cos + across[:, None] * sin
    v = across[:, None] * cos - across * sin
    if chance(0.4, rng):
        depth = np.float32(rng.uniform(0.02, 0.3))
        u = u + depth * _smooth(side, 4, rng)
        v = v + depth * _smooth(side, 4, rng)
    pattern = PATTERNS[rng.integers(len(PATTERNS))](u, v, rng)
    low, high = float(pattern.min()), float(pattern.max())
    scaled: Ink = (pattern - np.float32(low)) * np.float32(1 / max(high - low, 1e-6))
    return scaled


def _smooth(side: int, hills: float, rng: np.random.Generator) -> Ink:
    """Noise (side, side) around 0 of about so many hills across."""
    knots = round(hills) + 1
    lattice = Image.fromarray(rng.random((knots, knots), np.float32) - np.float32(0.5))
    return np.asarray(lattice.resize((side, side), Image.Resampling.BICUBIC))


def _wave(phase: Ink, rng: np.random.Generator) -> Ink:
    """A profile along a phase in periods: smooth, sharp, or a saw's teeth."""
    phase = phase + np.float32(rng.random())
    teeth: Ink = phase - np.floor(phase)
    sharp: Ink = (teeth < rng.uniform(0.15, 0.7)).astype(np.float32)
    smooth: Ink = np.sin(np.float32(2 * np.pi) * phase)
    return (teeth, sharp, smooth)[rng.integers(3)]


def _grating(u: Ink, _: Ink, rng: np.random.Generator) -> Ink:
    return _wave(u * np.float32(log_uniform(2.5, 12, rng)), rng)


def _plaid(u: Ink, v: Ink, rng: np.random.Generator) -> Ink:
    first, second = _grating(u, v, rng), _grating(v, u, rng)
    return (first + second, first * second, np.maximum(first, second))[rng.integers(3)]


def _checks(u: Ink, v: Ink, rng: np.random.Generator) -> Ink:
    count = np.float32(log_uniform(2, 10, rng))
    fields = np.floor(u * count + rng.random()) + np.floor(v * count + rng.random())
    return np.asarray(fields % 2, np.float32)


def _fractal(u: Ink, _: Ink, rng: np.random.Generator) -> Ink:
    """Octaves of smooth noise, each finer and fainter: about 1/f."""
    fading, hills = rng.uniform(0.4, 0.9), rng.uniform(1.5, 4)
    total = np.zeros_like(u)
    for octave in range(5):
        total += np.float32(fading**octave) * _smooth(len(u), hills * 2**octave, rng)
    return total


def _blotches(u: Ink, _: Ink, rng: np.random.Generator) -> Ink:
    """Smooth noise above a threshold."""
    field = _smooth(len(u), log_uniform(3, 14, rng), rng)
    steep, level = np.float32(rng.uniform(8, 60)), np.float32(rng.normal(0, 0.12))
    return np.asarray(np.clip((field - level) * steep, -1, 1))


def _contours(u: Ink, _: Ink, rng: np.random.Generator) -> Ink:
    """Wood and marble: lines of equal height."""
    return _wave(_smooth(len(u), rng.uniform(2, 6), rng) * np.float32(rng.uniform(4, 16)), rng)


def _dots(u: Ink, v: Ink, rng: np.random.Generator) -> Ink:
    count = np.float32(log_uniform(2.5, 9, rng))
    x, y = u * count, v * count
    if chance(0.5, rng):  # every second row is shifted
        x = x + np.floor(y) / 2
    distance = np.hypot(x - np.floor(x) - 0.5, y - np.floor(y) - 0.5)
    radius = np.float32(rng.uniform(0.15, 0.45))
    return np.asarray(np.clip((radius - distance) * 8, 0, 1))


def _gradient(u: Ink, v: Ink, rng: np.random.Generator) -> Ink:
    return u if chance(0.5, rng) else np.hypot(u - np.float32(rng.uniform(-0.5, 0.5)), v)


def _rings(u: Ink, v: Ink, rng: np.random.Generator) -> Ink:
    radius = np.hypot(u - np.float32(rng.uniform(-0.6, 0.6)), v * np.float32(rng.uniform(0.5, 1)))
    return _wave(radius * np.float32(log_uniform(3, 12, rng)), rng)


def _rays(u: Ink, v: Ink, rng: np.random.Generator) -> Ink:
    """Rays from a point, straight or as a pinwheel."""
    angle = np.arctan2(v, u - np.float32(rng.uniform(-0.4, 0.4)))
    twist = np.float32(rng.uniform(-6, 6) if chance(0.5, rng) else 0)
    return _wave(
        angle * np.float32(rng.integers(4, 13) / (2 * np.pi)) + np.hypot(u, v) * twist, rng
    )


def _moire(u: Ink, v: Ink, rng: np.random.Generator) -> Ink:
    """Two sets of rings or lines, nearly alike."""
    lines = (_rings, _grating)[rng.integers(2)]
    return lines(u, v, rng) * lines(u + np.float32(0.3) * v, v, rng)


PATTERNS: tuple[Pattern, ...] = (
    _grating,
    _plaid,
    _checks,
    _fractal,
    _fractal,
    _blotches,
    _blotches,
    _contours,
    _dots,
    _gradient,
    _rings,
    _rays,
    _moire,
)
