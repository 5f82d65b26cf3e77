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
Shape: TypeAlias = tuple[int, int]


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


def ruled(shape: Shape, rules: Rules) -> Tone:
    """The lines of ruled or squared paper."""
    down, across = _places(shape)
    if rules.angle:
        slope = np.float32(np.tan(np.deg2rad(rules.angle)))
        down, across = down + slope * across, across - slope * down
    tone = _line(_from_nearest(down, rules), rules.thickness)
    if rules.crossed:
        tone = np.maximum(tone, _line(_from_nearest(across, rules), rules.thickness))
    if rules.margin is not None:
        margin = np.float32(rules.margin * shape[1])
        tone = np.maximum(tone, _line(across - margin, rules.thickness))
    return np.broadcast_to(tone * np.float32(rules.tone), shape)


def _from_nearest(places: Tone, rules: Rules) -> Tone:
    spacing = np.float32(rules.spacing)
    return (places - np.float32(rules.offset) + spacing / 2) % spacing - spacing / 2


def _line(distance: Tone, thickness: float) -> Tone:
    """Tone at a distance from the middle of a line whose edges are anti-aliased."""
    return np.asarray(np.clip(np.float32(thickness / 2 + 0.5) - np.abs(distance), 0, 1), np.float32)


def _places(shape: Shape) -> tuple[Tone, Tone]:
    """Rows as a column, columns as a row."""
    down, across = (np.arange(length, dtype=np.float32) for length in shape)
    return down[:, None], across[None, :]


def boxed(shape: Shape, box: Box, corner: Shape, ink: Shape) -> Tone:
    """A field's borders around a digit of shape ``ink`` with its upper left at ``corner``."""
    left, upper, right, lower = (gap * ink[0] for gap in box.gaps)
    sides = [corner[1] - left, corner[1] + ink[1] + right]
    ends = [corner[0] - upper, corner[0] + ink[0] + lower]
    down, across = _places(shape)
    width = sides[1] - sides[0]
    if box.neighbours:
        sides = [sides[0] - width, *sides, sides[1] + width]
    rows = _bars(down, ends, box.thickness) * _span(across, sides, box.thickness)
    columns = _bars(across, sides, box.thickness) * _span(down, ends, box.thickness)
    return np.asarray(np.maximum(rows, columns) * np.float32(box.tone), np.float32)


def _bars(places: Tone, middles: list[float], thickness: float) -> Tone:
    bars: Tone = np.max([_line(places - np.float32(m), thickness) for m in middles], axis=0)
    return bars


def _span(places: Tone, middles: list[float], thickness: float) -> Tone:
    """All that is between the outer ones, and half of their thickness."""
    middle, half = (middles[0] + middles[-1]) / 2, (middles[-1] - middles[0]) / 2
    return _line(places - np.float32(middle), 2 * half + thickness)


def lit(shape: Shape, light: Light) -> Tone:
    """What the light leaves of every shade, from 1 where it is brightest."""
    down, across = _places(shape)
    down = down / np.float32(shape[0]) - np.float32(0.5)
    across = across / np.float32(shape[1]) - np.float32(0.5)
    if light.radial:
        far = 2 * (down**2 + across**2)
    else:
        sin, cos = np.float32(np.sin(light.angle)), np.float32(np.cos(light.angle))
        far = np.float32(0.5) + (down * sin + across * cos) / (abs(sin) + abs(cos))
    return np.asarray(1 - np.float32(1 - light.darkest) * far, np.float32)


def uneven(shape: Shape, paper: Paper, rng: np.random.Generator) -> Tone:
    """Levels by which paper differs from its shade: mottled, and darker where stained."""
    levels = np.float32(2 * paper.mottling) * (wandering(shape, rng, BLOBS) - np.float32(0.5))
    down, across = _places(shape)
    for _ in range(paper.stains):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        radius = rng.uniform(0.1, 0.4) * min(shape)
        near = np.hypot(down - np.float32(y), across - np.float32(x)) / np.float32(radius)
        edge = np.clip((1.15 - near) / 0.3, 0, 1) * np.clip(0.4 + 0.6 * near, 0, 1)
        levels -= np.float32(paper.mottling * rng.uniform(0.8, 1.6)) * edge
    return levels


def specks(shape: Shape, count: int, rng: np.random.Generator) -> Tone:
    """Dust: dots of one to three pixels."""
    tone = np.zeros(shape, np.float32)
    for _ in range(count):
        side = int(rng.integers(1, 4)) if min(shape) > 100 else 1  # noqa: PLR2004
        y, x = (int(rng.integers(0, max(1, length - side))) for length in shape)
        tone[y : y + side, x : x + side] = rng.uniform(0.3, 0.9)
    return tone


def grain(shape: Shape, sigma: float, rng: np.random.Generator) -> Tone:
    """Normal noise of a standard deviation, in steps that are faster to draw than exact."""
    draws = rng.integers(0, 256, shape, np.uint8)
    noise: Tone = (_normal_quantiles() * np.float32(sigma))[draws]
    return noise


@cache
def _normal_quantiles() -> Tone:
    inverse = NormalDist().inv_cdf
    return np.array([inverse((step + 0.5) / 256) for step in range(256)], np.float32)


def wandering(shape: Shape, rng: np.random.Generator, cells: int) -> Tone:
    """A smooth random field in about 0-1."""
    coarse = Image.fromarray(rng.random((cells, cells), np.float32))
    field = coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    smooth: Tone = np.clip(np.asarray(field), 0, 1)
    return smooth
