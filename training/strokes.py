"""Pens: strokes drawn as ink, and scribbles that are no digit.

Points are x, y in the unit square, y downwards. A single fairly straight stroke,
a closed loop or a short simple curve may be a digit, so no scribble is one of these.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.network import PIXEL_MAX

Ink: TypeAlias = NDArray[np.float32]  # (H, W), 0 for ground to 1 for ink
Points: TypeAlias = NDArray[np.float64]  # (n, 2)

# What draws the lines of a scribble, and its broadest pen.
Scribble: TypeAlias = tuple[Callable[[np.random.Generator], list[Points]], float]

# Strokes and letters are drawn at least this large and then shrunk, which smooths edges.
DRAWING_SIDE = 96

# Pens, as shares of the side of the picture. Where broad lines would run into one blob
# or a plain ring, pens are finer.
FINEST, FINE, BROAD = 0.015, 0.04, 0.13


@dataclass(frozen=True)
class Stroke:
    """A line through points (n, 2), n >= 1, by a round pen of the given widths (n,)."""

    points: Points
    widths: NDArray[np.float64]


def draw(strokes: Sequence[Stroke], side: int) -> Ink:
    """Strokes in the unit square as ink (side, side)."""
    reduction = -(-DRAWING_SIDE // side)
    canvas = Image.new("L", (side * reduction, side * reduction))
    pen = ImageDraw.Draw(canvas)
    for stroke in strokes:
        points = (stroke.points * canvas.width).tolist()
        widths = np.maximum(stroke.widths * canvas.width, 1).tolist()
        for (x, y), width in zip(points, widths, strict=True):
            radius = (width - 1) / 2
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=PIXEL_MAX)
        for start, end, width in zip(points, points[1:], widths, strict=False):
            pen.line((*start, *end), fill=PIXEL_MAX, width=round(width))
    return as_ink(canvas.reduce(reduction))


def as_ink(picture: Image.Image) -> Ink:
    """A greyscale picture as ink of the same size."""
    return np.asarray(picture, np.float32) / np.float32(PIXEL_MAX)


def cut_corners(points: Points, times: int) -> Points:
    """Chaikin's (1974) corner cutting: towards a quadratic B-spline, the ends kept.

    A point that stands twice stays almost a corner.
    """
    for _ in range(times):
        start, end = points[:-1], points[1:]
        cuts = np.stack([0.75 * start + 0.25 * end, 0.25 * start + 0.75 * end], axis=1)
        points = np.concatenate([points[:1], cuts.reshape(-1, 2), points[-1:]])
    return points


def placed(lines: Sequence[Points], rng: np.random.Generator) -> list[Points]:
    """Lines scaled as one, keeping their aspect, to a random place and size in the unit square."""
    every = np.concatenate(lines)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = rng.uniform(0.55, 0.8) / max(float((high - low).max()), 1e-6)
    centre = rng.uniform(0.46, 0.54, 2)
    return [(line - (low + high) / 2) * scale + centre for line in lines]


def penned(lines: Sequence[Points], width: float, rng: np.random.Generator) -> list[Stroke]:
    """Lines drawn by one pen, ``width`` wide, at times with a pressure that changes."""
    depth = rng.uniform(0, 0.5) if chance(0.4, rng) else 0.0
    strokes = []
    for line in lines:
        along = np.linspace(0, rng.uniform(2, 8), len(line)) + rng.uniform(0, 2 * np.pi)
        strokes.append(Stroke(line, width * (1 + depth * np.sin(along))))
    return strokes


def log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """As likely to lie between 1 and 2 as between 2 and 4."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def chance(share: float, rng: np.random.Generator) -> bool:
    """True in this share of all cases."""
    return bool(rng.random() < share)


def turned(line: Points, degrees: float) -> Points:
    """Points turned about the origin."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(line @ np.array([[cos, sin], [-sin, cos]]))


def scribble(side: int, rng: np.random.Generator) -> Ink:
    """One scribble of any kind as ink (side, side)."""
    kind, broadest = SCRIBBLES[rng.integers(len(SCRIBBLES))]
    lines = placed(kind(rng), rng)
    return draw(penned(lines, log_uniform(FINEST, broadest, rng), rng), side)


def _tangle(rng: np.random.Generator) -> list[Points]:
    """One long curve that crosses itself again and again."""
    return [cut_corners(rng.random((rng.integers(9, 26), 2)), 3)]


def _walk(rng: np.random.Generator) -> list[Points]:
    """Two to four random walks."""
    lines = []
    for _ in range(rng.integers(2, 5)):
        steps = rng.normal(0, 1, (rng.integers(25, 60), 2))
        lines.append(cut_corners(np.cumsum(steps, axis=0) / 6, 1))
    return lines


def _curves(rng: np.random.Generator) -> list[Points]:
    """Four to seven separate smooth curves."""
    lines = []
    for _ in range(rng.integers(4, 8)):
        centre, reach = rng.random(2), rng.uniform(0.1, 0.5)
        points = centre + rng.normal(0, reach, (rng.integers(3, 7), 2))
        lines.append(cut_corners(points, 3))
    return lines


def _segments(rng: np.random.Generator) -> list[Points]:
    """Four to nine straight strokes anywhere."""
    return list(rng.random((rng.integers(4, 10), 2, 2)))


def _polyline(rng: np.random.Generator) -> list[Points]:
    """One line with six or more corners, at times closed."""
    points = rng.random((rng.integers(7, 14), 2))
    return [np.concatenate([points, points[:1]]) if chance(0.5, rng) else points]


def _sign(rng: np.random.Generator) -> list[Points]:
    """A character of no alphabet: strokes between points of a small grid, straight or bent."""
    lines = []
    for _ in range(rng.integers(4, 8)):
        points = rng.integers(0, 4, (rng.integers(2, 4), 2)) / 3 + rng.normal(0, 0.04, 2)
        lines.append(cut_corners(points, int(rng.integers(0, 4))))
    return [*lines, np.array([[0, rng.random()], [1, rng.random()]])]  # wide, whatever the rest


def _cross(rng: np.random.Generator) -> list[Points]:
    """Straight strokes through one middle: a plus, a cross, a star of rays."""
    rays = int(rng.choice([2, 2, 3, 4]))
    first, share = rng.choice([0.0, 45.0]) + rng.normal(0, 6), 180 / rays
    lines = []
    for ray in range(rays):
        ends = np.array([[-1.0, 0.0], [1.0, 0.0]]) * rng.uniform(0.75, 1)
        lines.append(turned(ends, first + share * ray + rng.normal(0, 5)) + rng.normal(0, 0.08, 2))
    return lines


def _bars(rng: np.random.Generator) -> list[Points]:
    """Level bars, from one up, or three and more that stand or lean."""
    level = chance(0.5, rng)
    count = int(rng.integers(1, 6) if level else rng.integers(3, 7))
    spread = rng.uniform(0.25, 0.5) * (count - 1)
    angle = rng.uniform(-20, 20) + (0 if level else rng.choice([45, 90, 135]))
    lines = []
    for place in np.linspace(-spread / 2, spread / 2, count):
        ends = np.array([[-1.0, 0.0], [1.0, 0.0]]) * rng.uniform(0.6, 1) + [0, place]
        lines.append(turned(ends + rng.normal(0, 0.05, (2, 2)), angle))
    return lines


def _zigzag(rng: np.random.Generator) -> list[Points]:
    """A zigzag, smooth wave or meander of three periods or more."""
    turns = int(rng.integers(6, 16))
    along = np.linspace(0, 1, turns + 1)
    across = np.where(np.arange(turns + 1) % 2, 0.5, -0.5) * rng.uniform(0.15, 0.8)
    line = np.stack([along, across], axis=1) + rng.normal(0, 0.015, (turns + 1, 2))
    return [turned(cut_corners(line, int(rng.choice([0, 3]))), rng.uniform(0, 360))]


def _spiral(rng: np.random.Generator) -> list[Points]:
    """A spiral of two turns or more, or as many loops in a row."""
    turns = rng.uniform(2.2, 4.5)
    angle = np.linspace(0, turns * 2 * np.pi, int(turns * 16))
    if chance(0.6, rng):
        radius = np.linspace(rng.uniform(0, 0.15), 0.5, len(angle))
        drift = np.zeros_like(angle)
    else:
        radius = np.full_like(angle, 0.5)
        drift = angle * rng.uniform(0.08, 0.2)
    angle = angle * rng.choice([-1, 1]) + rng.uniform(0, 2 * np.pi)
    line = np.stack([radius * np.cos(angle) * rng.uniform(0.7, 1), radius * np.sin(angle)], axis=1)
    line[:, 0] += drift
    return [turned(line, rng.uniform(-30, 30))]


def _rings(rng: np.random.Generator) -> list[Points]:
    """Rings in each other, or five and more rings and arcs anywhere: fewer may be an 8."""
    nested = chance(0.5, rng)
    count = int(rng.integers(2, 5) if nested else rng.integers(5, 9))
    lines = []
    for ring in range(count):
        length = 2 * np.pi if nested else rng.uniform(3, 2 * np.pi)
        angle = np.linspace(0, length, 24) + rng.uniform(0, 2 * np.pi)
        circle = np.stack([np.cos(angle) * rng.uniform(0.8, 1.2), np.sin(angle)], axis=1)
        place = np.zeros(2) if nested else rng.random(2)
        reach = 0.5 * (ring + 1) / count if nested else rng.uniform(0.1, 0.35)
        lines.append(circle * reach + place)
    return lines


def _dots(rng: np.random.Generator) -> list[Points]:
    """Dots: two beside each other, or several anywhere or in a row."""
    count = int(rng.integers(2, 16))
    if count == 2 or chance(0.3, rng):  # noqa: PLR2004 - two, and a share
        across = np.arange(count) / count
        return [np.array([[x, 0.05 * rng.normal()]]) for x in across]
    return [point[None] for point in rng.random((count, 2))]


SCRIBBLES: tuple[Scribble, ...] = (
    (_tangle, BROAD),
    (_walk, 2 * FINE),
    (_curves, BROAD),
    (_segments, BROAD),
    (_polyline, BROAD),
    (_sign, BROAD),
    (_sign, BROAD),
    (_cross, BROAD),
    (_bars, BROAD),
    (_zigzag, BROAD),
    (_spiral, FINE),
    (_rings, FINE),
    (_dots, BROAD),
)
