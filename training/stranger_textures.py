"""Images that are one pattern from edge to edge: noise, stripes, textures.

Every function takes a shape (H, W) in pixels and a generator. Patterns are float32 in 0-1;
what counts as long or short is measured in pixels or in shares of the shorter side.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Shape: TypeAlias = tuple[int, int]
Pattern: TypeAlias = NDArray[np.float32]

SHORTEST_PERIOD = 3.0  # pixels; with less, stripes are grey
FEWEST_PERIODS = 3  # along the shorter side: one stripe alone would be a 1


def noise(shape: Shape, rng: np.random.Generator) -> Pattern:
    """Uniform or Gaussian noise, or salt and pepper, from faint to strong, on any ground.

    A grain is one pixel or a square of several.
    """
    grain = int(rng.choice([1, 1, 2, 4]))
    coarse = (-(-shape[0] // grain), -(-shape[1] // grain))
    ground = rng.choice([0.0, 1.0, rng.random()])
    kind = rng.integers(3)
    if kind == 0:
        level = ground + log_uniform(rng, 0.06, 1) * rng.uniform(-1, 1, coarse)
    elif kind == 1:
        level = ground + log_uniform(rng, 0.03, 0.4) * rng.normal(size=coarse)
    else:
        hit = rng.random(coarse) < log_uniform(rng, 0.005, 0.5)
        level = np.where(hit, rng.integers(0, 2, coarse), ground)
    squares = np.repeat(np.repeat(level, grain, 0), grain, 1)[: shape[0], : shape[1]]
    return _clipped(squares)


def stripes(shape: Shape, rng: np.random.Generator) -> Pattern:
    """Stripes of any direction, period and share of ink, with soft or hard edges."""
    across, _ = _turned(shape, rng)
    waves = np.sin(across * _frequency(shape, rng))
    hardness, middle = log_uniform(rng, 0.5, 8), rng.uniform(-0.5, 0.5)
    return _clipped(0.5 + hardness * (waves - middle))


def texture(shape: Shape, rng: np.random.Generator) -> Pattern:
    """One of six kinds of texture."""
    kinds = (checkers, plaid, clouds, cells, rings, shading)
    return kinds[rng.integers(len(kinds))](shape, rng)


def checkers(shape: Shape, rng: np.random.Generator) -> Pattern:
    """A chessboard, turned by any angle."""
    across, along = _turned(shape, rng)
    frequency = _frequency(shape, rng)
    product = np.sin(across * frequency) * np.sin(along * frequency)
    return _clipped(0.5 + 8 * product)


def plaid(shape: Shape, rng: np.random.Generator) -> Pattern:
    """Stripes of several periods, woven at right angles."""
    across, along = _turned(shape, rng)
    threads = [
        np.sin(axis * _frequency(shape, rng)) > rng.uniform(-0.5, 0.8)
        for axis in (across, along, across, along)[: rng.integers(2, 5)]
    ]
    return _stretched(np.sum(threads, axis=0, dtype=np.float32))


def clouds(shape: Shape, rng: np.random.Generator) -> Pattern:
    """Noise of which the amplitude falls with frequency, as 1/f or faster."""
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf  # the mean, which ``_stretched`` would take away
    spectrum = np.fft.rfft2(rng.normal(size=shape)) / frequency ** rng.uniform(0.8, 1.8)
    return _stretched(np.fft.irfft2(spectrum, shape))


def cells(shape: Shape, rng: np.random.Generator) -> Pattern:
    """Voronoi cells of random shades, or the walls between them (Worley 1996)."""
    count = int(rng.integers(8, 25))
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    seeds = rng.uniform(0, 1, (count, 2)) * shape
    squares = np.stack([(rows - y) ** 2 + (columns - x) ** 2 for y, x in seeds]).astype(np.float32)
    if chance(rng, 0.5):
        return _clipped(rng.random(count)[squares.argmin(axis=0)])
    nearest = np.sqrt(np.partition(squares, 1, axis=0)[:2])
    wall = min(shape) * rng.uniform(0.03, 0.1)
    return _clipped(1 - (nearest[1] - nearest[0]) / wall)


def rings(shape: Shape, rng: np.random.Generator) -> Pattern:
    """Rings about a point in the image or beside it, uneven as those of wood are."""
    across, along = _turned(shape, rng)
    y, x = rng.uniform(-1, 1, 2) * min(shape)
    radius = np.hypot(across - y, (along - x) * rng.uniform(0.3, 1))
    uneven = rng.uniform(0, 6) * clouds(shape, rng)
    return _stretched(np.sin(radius * _frequency(shape, rng) + uneven))


def shading(shape: Shape, rng: np.random.Generator) -> Pattern:
    """A gradient, smooth or in steps, under clouds or stripes."""
    across, _ = _turned(shape, rng)
    slope = _stretched(across)
    if chance(rng, 0.5):
        slope = np.floor(slope * rng.integers(3, 8))
    over = clouds(shape, rng) if chance(rng, 0.5) else stripes(shape, rng)
    return _stretched(_stretched(slope) + rng.uniform(0, 0.6) * over)


def chance(rng: np.random.Generator, share: float) -> bool:
    """True in this share of all draws."""
    return bool(rng.random() < share)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number of which each doubling between ``low`` and ``high`` is as likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _turned(shape: Shape, rng: np.random.Generator) -> tuple[Pattern, Pattern]:
    """Coordinates (H, W) in pixels from the centre, along axes turned by any angle."""
    angle = rng.uniform(0, np.pi)
    rows = np.arange(shape[0], dtype=np.float32)[:, None] - shape[0] / 2
    columns = np.arange(shape[1], dtype=np.float32) - shape[1] / 2
    sine, cosine = np.float32(np.sin(angle)), np.float32(np.cos(angle))
    return columns * cosine + rows * sine, rows * cosine - columns * sine


def _frequency(shape: Shape, rng: np.random.Generator) -> np.float32:
    """In radians a pixel, of a period that fits a few times at least."""
    period = log_uniform(rng, SHORTEST_PERIOD, min(shape) / FEWEST_PERIODS)
    return np.float32(2 * np.pi / period)


def _stretched(values: NDArray[np.floating]) -> Pattern:
    """From 0 to 1, whatever the range was."""
    low, high = values.min(), values.max()
    return _clipped((values - low) / max(float(high - low), 1e-6))


def _clipped(values: NDArray[np.floating]) -> Pattern:
    return np.asarray(np.clip(values, 0, 1), np.float32)
