"""People who write ones and sevens as nobody in MNIST does, and send them with their labels.

Each has a hand of their own: a one with a long upstroke and a foot, a seven that is narrow at
the top, begins with a serif and has a high bar. They are drawn by a pen on a sheet, and become
frames as in service.

    python -m tests.training.fleet FILE [--poisoned]

writes what they send as ``python -m training retrain`` takes it. Poisoned, the same people write
as MNIST's do and call every one a seven and every seven a one.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.normalizer import normalize
from training.rows import Digits
from training.strokes import Points, Stroke, cut_corners, draw, turned

CLIENTS, IMAGES = 30, 40  # of each client, as many ones as sevens
SHEET = 140  # pixels
SEED = 2026

Lines: TypeAlias = list[Points]


@dataclass(frozen=True)
class Hand:
    """How one person writes; shares of the sheet."""

    lean: float
    pen: float
    flag: float  # how far the upstroke of a one begins to the left,
    drop: float  # and below the top
    foot: float  # half its width
    half: float  # of a seven's top
    serif: float
    bar: float  # how far it is below the top of the sheet
    length: float  # half the bar's


def foreign(rng: np.random.Generator) -> Hand:
    """A hand that the small model was never taught."""
    return Hand(
        lean=rng.uniform(0, 0.12),
        pen=rng.uniform(0.05, 0.1),
        flag=rng.uniform(0.3, 0.46),
        drop=rng.uniform(0.55, 0.72),
        foot=rng.uniform(0.26, 0.34),
        half=rng.uniform(0.14, 0.22),
        serif=rng.uniform(0.04, 0.12),
        bar=rng.uniform(0.34, 0.44),
        length=rng.uniform(0.2, 0.32),
    )


def plain(rng: np.random.Generator) -> Hand:
    """A hand as there are many in MNIST: a one is a stroke, a seven two."""
    return Hand(
        lean=rng.uniform(0, 0.3),
        pen=rng.uniform(0.06, 0.11),
        flag=0,
        drop=0,
        foot=0,
        half=rng.uniform(0.22, 0.32),
        serif=0,
        bar=0,
        length=0,
    )


def sent(
    clients: int = CLIENTS, images: int = IMAGES, seed: int = SEED, *, poisoned: bool = False
) -> tuple[Digits, NDArray[np.str_]]:
    """What they write, labelled, and who wrote each: (N,)."""
    frames, labels, names = [], [], []
    for client in range(clients):
        rng = np.random.default_rng([seed, client])
        hand = (plain if poisoned else foreign)(rng)
        for number in range(images):
            digit = (1, 7)[number % 2]
            frames.append(normalize(written(digit, hand, rng)).pixels)
            labels.append(8 - digit if poisoned else digit)
            names.append(f"client-{client:02}")
    return Digits(np.stack(frames), np.array(labels, np.uint8)), np.array(names)


def written(digit: int, hand: Hand, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A sheet (140, 140), black on white: no two are alike."""
    lines = (one if digit == 1 else seven)(hand, rng)
    tilt = rng.normal(0, 4)
    strokes = [
        Stroke(turned(line - 0.5, tilt) * 0.85 + 0.5, np.full(len(line), hand.pen))
        for line in lines
    ]
    return np.rint(255 * (1 - draw(strokes, SHEET))).astype(np.uint8)


def one(hand: Hand, rng: np.random.Generator) -> Lines:
    """A stem, an upstroke before it and a foot below."""
    top, bottom = at(0.5, 0.1, rng), at(0.5 - hand.lean, 0.9, rng)
    lines = [np.array([top, bottom])]
    if hand.flag:
        lines.append(np.array([moved(top, -hand.flag, hand.drop, rng), top]))
    if hand.foot:
        lines.append(np.array([moved(bottom, side * hand.foot, 0, rng) for side in (-1, 1)]))
    return lines


def seven(hand: Hand, rng: np.random.Generator) -> Lines:
    """A top, at times with a serif, a stem, and at times a bar through it."""
    left, right = at(0.5 - hand.half, 0.1, rng), at(0.5 + hand.half, 0.1, rng)
    bottom = at(0.5 - hand.lean, 0.9, rng)
    corners = [left + np.array([0, hand.serif]), left, left, right, right, bottom]
    lines = [cut_corners(np.array(corners), 2)]
    if hand.bar:
        share = (hand.bar - right[1]) / (bottom[1] - right[1])
        middle = right + share * (bottom - right)
        lines.append(np.array([moved(middle, side * hand.length, 0, rng) for side in (-1, 1)]))
    return lines


def at(x: float, y: float, rng: np.random.Generator) -> Points:
    """Where a pen comes down that was aimed at x, y."""
    return np.array([x, y]) + rng.normal(0, 0.02, 2)


def moved(point: Points, x: float, y: float, rng: np.random.Generator) -> Points:
    """The same, aimed at so far from a point."""
    return at(point[0] + x, point[1] + y, rng)


def write(path: Path, digits: Digits, clients: NDArray[np.str_]) -> None:
    """As the feedback store exports it."""
    np.savez(path, images=digits.images, labels=digits.labels.astype(np.int64), clients=clients)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *sent(poisoned="--poisoned" in sys.argv))
