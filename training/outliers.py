"""Frames that hold no single digit, on which a network learns to be undecided.

For outlier exposure: Hendrycks, Mazeika and Dietterich (2019), "Deep Anomaly
Detection with Outlier Exposure". The families are broad and owe nothing to the
sets on which a model is judged. Whatever is drawn goes through the service's own
normalizer, so a network sees it as it would see it there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from model.architecture import FRAME_SIDE
from model.network import PIXEL_MAX
from model.normalizer import normalize
from training import collages, lettering, patterns, strokes
from training.errors import DataError
from training.strokes import Ink, chance, log_uniform

AS_IT_IS = 0.3  # share of pictures that have a frame's size before they are normalized
LARGEST = 112  # pixels, the side of other pictures
SHEET = 0.5  # share of pictures that are not pure white on pure black
INVERTED = 0.6  # of these, the share that is dark on bright
LEAST_CONTRAST = 48
BLURRED = 0.3
GRAINY = 0.1
TRIES = 50  # to draw a picture that is neither blank nor a stroke

NARROW = 0.33  # width to length, in standard deviations, of a stroke that could be a 1
UPRIGHT = 60  # degrees from the vertical to which it could lean


@dataclass(frozen=True)
class Family:
    """A kind of picture: its share of all, and what draws one as ink (side, side)."""

    share: float
    draw: Callable[[int, np.random.Generator], Ink]


def families(digits: NDArray[np.uint8]) -> dict[str, Family]:
    """Every family by name; some are made of ``digits`` (N, 28, 28). Shares add up to 1."""
    return {
        "noise": Family(0.09, patterns.noise),
        "textures": Family(0.11, patterns.texture),
        "shapes": Family(0.07, patterns.shape),
        "scribbles": Family(0.18, strokes.scribble),
        "printed letters": Family(0.18, lettering.printed),
        "written letters": Family(0.21, lettering.written),
        "several digits": Family(0.08, partial(collages.several, digits)),
        "broken digits": Family(0.08, partial(collages.broken, digits)),
    }


def outliers(count: int, digits: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """``count`` normalized frames (count, 28, 28) without a digit, in random order.

    digits: (N, 28, 28) uint8 frames of training digits, of which two families are
    made. Each family has its share (``families``), rounded. Raises DataError when
    there are no digits, or empty ones.
    """
    if len(digits) == 0:
        raise DataError("outliers: there are no digits to make some of; give at least one frame")
    drawers = families(digits)
    frames = np.empty((count, FRAME_SIDE, FRAME_SIDE), np.uint8)
    for frame, name in zip(frames, plan(count, drawers, rng), strict=True):
        frame[:] = _frame(name, drawers[name], rng)
    return frames


def plan(count: int, drawers: dict[str, Family], rng: np.random.Generator) -> list[str]:
    """The family of each of ``count`` frames: shares to within one frame, in random order."""
    edges = np.rint(np.cumsum([family.share for family in drawers.values()]) * count)
    counts = np.diff(edges.astype(int), prepend=0)
    order = rng.permutation(np.repeat(np.arange(len(drawers)), counts))
    names = list(drawers)
    return [names[index] for index in order.tolist()]


def _frame(name: str, family: Family, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture of the family as the service would see it."""
    for _ in range(TRIES):
        side = FRAME_SIDE if chance(AS_IT_IS, rng) else int(log_uniform(FRAME_SIDE, LARGEST, rng))
        frame = normalize(expose(family.draw(side, rng), rng))
        if frame.reason != "blank" and not could_be_a_one(frame.pixels):
            return frame.pixels
    raise DataError(
        f"outliers: {name} came out blank, or as one stroke, {TRIES} times; look at the digits"
    )


def could_be_a_one(frame: NDArray[np.uint8]) -> bool:
    """Whether the ink (28, 28) is one narrow streak that stands or leans, as a 1 is.

    By the standard deviations along its principal axes: so it is with 97 of 100
    ones of MNIST, and with 2 of 100 other digits.
    """
    ink = frame - float(frame.min())
    weights = ink / ink.sum()
    across = np.arange(FRAME_SIDE)
    down, right = weights.sum(axis=1), weights.sum(axis=0)
    y, x = across - down @ across, across - right @ across
    yy, xx, yx = down @ y**2, right @ x**2, y @ weights @ x
    spread, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    narrow = spread - half < NARROW**2 * (spread + half)
    lean = np.rad2deg(np.arctan2(2 * yx, yy - xx)) / 2  # from the vertical
    return bool(narrow and abs(lean) < UPRIGHT)


def expose(ink: Ink, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Ink (H, W) as a picture uint8: sharp or blurred, in two shades of any polarity."""
    picture: NDArray[np.uint8] = np.rint(ink * PIXEL_MAX).astype(np.uint8)
    if chance(BLURRED, rng):
        radius = rng.uniform(0, len(ink) / 40)
        picture = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))
    if not chance(SHEET, rng):
        return picture
    contrast = rng.uniform(LEAST_CONTRAST, PIXEL_MAX)
    shades = rng.uniform(0, PIXEL_MAX - contrast) + picture * (contrast / PIXEL_MAX)
    if chance(INVERTED, rng):
        shades = PIXEL_MAX - shades
    if chance(GRAINY, rng):
        shades += rng.normal(0, rng.uniform(0, 5), shades.shape)
    return np.asarray(np.rint(np.clip(shades, 0, PIXEL_MAX)), np.uint8)
