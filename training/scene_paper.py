"""What digits are written on: lines, fields, light, stains and noise.

Tone (H, W) float32 is 0 for bare paper and 1 for full ink.
"""

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BLOBS = 6  # cells of uneven paper along a sheet

Tone: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Rules:
    """Ruled paper: spacing, thickness and offset in pixels, tone 0-1, angle in degrees.

    crossed: squares. margin: a vertical line, as a share of the width, None for no such line.
    """

    spacing: float
    thickness: float
    tone: float
    offset: float = 0.0
    angle: float = 0.0
    crossed: bool = False
    margin: float | None = None


@dataclass(frozen=True)
class Box:
    """A field of a form around the digit: thickness in pixels, tone 0-1.

    gaps: from the digit to the left, upper, right and lower border as shares of its height; a
    negative one lets the digit stand over the border. neighbours: fields to either side.
    """

    thickness: float
    tone: float
    gaps: tuple[float, float, float, float]
    neighbours: bool = False


@dataclass(frozen=True)
class Light:
    """Brightness that falls from 1 to ``darkest``, along ``angle`` (radians) or from the centre."""

    darkest: float
    angle: float = 0.0
    radial: bool = False


@dataclass(frozen=True)
class Paper:
    """What is on a sheet besides: levels of 0-255 where not said otherwise.

    mottling: how far the ground's shade wanders. stains: their number. bleeding: tone 0-1 of
    writing that shows through. noise: standard deviation, of every pixel. specks: their number.
    binary: whether a scanner made black and white of it.
    """

    mottling: float = 0.0
    stains: int = 0
    bleeding: float = 0.0
    noise: float = 0.0
    specks: int = 0
    binary: bool = False


def ruled(shape: tuple[int, int], rules: Rules) -> Tone:
    """The lines of ruled or squared paper."""
    down, across = _lengths(shape)
    slope = np.float32(np.tan(np.deg2rad(rules.angle)))
    slanted = rules.angle != 0
    tone = _lines(down + slope * across if slanted else down, rules)
    if rules.crossed:
        tone = np.maximum(tone, _lines(across - slope * down if slanted else across, rules))
    if rules.margin is not None:
        distance = np.abs(across - slope * down - np.float32(rules.margin * shape[1]))
        tone = np.maximum(tone, _stroke(distance, rules.thickness))
    return np.broadcast_to(tone * np.float32(rules.tone), shape)


def _lines(places: Tone, rules: Rules) -> Tone:
    phase = (places - np.float32(rules.offset)) % np.float32(rules.spacing)
    return _stroke(np.minimum(phase, np.float32(rules.spacing) - phase), rules.thickness)


def _stroke(distance: Tone, thickness: float) -> Tone:
    """Tone of a line at a distance from its middle, its edges anti-aliased."""
    return np.clip(np.float32(thickness / 2 + 0.5) - distance, 0, 1)


def _lengths(shape: tuple[int, int]) -> tuple[Tone, Tone]:
    down, across = (np.arange(length, dtype=np.float32) for length in shape)
    return down[:, None], across[None, :]


def boxed(shape: tuple[int, int], box: Box, corner: tuple[int, int], ink: tuple[int, int]) -> Tone:
    """A field's borders around a digit of shape ``ink`` with its upper left at ``corner``."""
    left, upper, right, lower = (gap * ink[0] for gap in box.gaps)
    x0, x1 = corner[1] - left, corner[1] + ink[1] + right
    y0, y1 = corner[0] - upper, corner[0] + ink[0] + lower
    down, across = _lengths(shape)
    reach = box.thickness / 2
    within_y = _stroke(np.maximum(np.maximum(y0 - down, down - y1), 0), 2 * reach)
    rows = np.maximum(_stroke(np.abs(down - y0), 2 * reach), _stroke(np.abs(down - y1), 2 * reach))
    sides = [x0, x1]
    if box.neighbours:
        sides += [x0 - (x1 - x0), x1 + (x1 - x0)]
        within_x = np.ones_like(across)
    else:
        within_x = _stroke(np.maximum(np.maximum(x0 - across, across - x1), 0), 2 * reach)
    columns = np.max([_stroke(np.abs(across - x), 2 * reach) for x in sides], axis=0)
    return np.maximum(rows * within_x, columns * within_y) * np.float32(box.tone)


def lit(shape: tuple[int, int], light: Light) -> Tone:
    """What the light leaves of every shade, from 1 where it is brightest."""
    down, across = _lengths(shape)
    down, across = down / shape[0] - 0.5, across / shape[1] - 0.5
    if light.radial:
        far = 2 * (down**2 + across**2)
    else:
        cos, sin = np.float32(np.cos(light.angle)), np.float32(np.sin(light.angle))
        far = 0.5 + (down * sin + across * cos) / (np.abs(sin) + np.abs(cos))
    return 1 - np.float32(1 - light.darkest) * far


def uneven(shape: tuple[int, int], paper: Paper, rng: np.random.Generator) -> Tone:
    """Levels by which paper differs from its shade: mottled, and darker where stained."""
    levels = np.float32(2 * paper.mottling) * (wandering(shape, rng, BLOBS) - np.float32(0.5))
    down, across = _lengths(shape)
    for _ in range(paper.stains):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        radius = rng.uniform(0.1, 0.4) * min(shape)
        near = np.hypot(down - np.float32(y), across - np.float32(x)) / np.float32(radius)
        edge = np.clip((1.15 - near) / 0.3, 0, 1) * np.clip(0.4 + 0.6 * near, 0, 1)
        levels -= np.float32(paper.mottling * rng.uniform(0.8, 1.6)) * edge
    return levels


def specks(shape: tuple[int, int], count: int, rng: np.random.Generator) -> Tone:
    """Dust: dots of one to three pixels."""
    tone = np.zeros(shape, np.float32)
    for _ in range(count):
        side = int(rng.integers(1, 4)) if min(shape) > 100 else 1  # noqa: PLR2004
        y, x = (int(rng.integers(0, max(1, length - side))) for length in shape)
        tone[y : y + side, x : x + side] = rng.uniform(0.3, 0.9)
    return tone


def grain(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> Tone:
    """Normal noise of a standard deviation, in steps that are faster to draw than exact."""
    draws = rng.integers(0, 256, shape, np.uint8)
    return (_normal_quantiles() * np.float32(sigma))[draws]


@cache
def _normal_quantiles() -> Tone:
    inverse = NormalDist().inv_cdf
    return np.array([inverse((step + 0.5) / 256) for step in range(256)], np.float32)


def wandering(shape: tuple[int, int], rng: np.random.Generator, cells: int) -> Tone:
    """A smooth random field in about 0-1."""
    coarse = Image.fromarray(rng.random((cells, cells), np.float32))
    field = coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(field), 0, 1)
