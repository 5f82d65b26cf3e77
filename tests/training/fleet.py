"""People who write ones and sevens as nobody in MNIST does, and say what they were.

Each has a hand of their own: a one with a long upstroke and a foot, a seven that is narrow at
the top, begins with a serif and has a high bar. They are drawn by a pen on a sheet.

    python -m tests.training.fleet --port 8000 --keys FILE [--poisoned] [--without-labels]

sends them to a service as PNG, each person with a key of their own, and then what each was.
Poisoned, the same people write as MNIST's do and call every one a seven and every seven a one.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tests.client import Client
from tests.service.cases import png
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


@dataclass(frozen=True)
class Drawing:
    """A sheet (140, 140), black on white, and what its writer says it is."""

    sheet: NDArray[np.uint8]
    label: int


def drawings(person: int, *, poisoned: bool = False) -> Iterator[Drawing]:
    """What one of them writes: always the same."""
    rng = np.random.default_rng([SEED, person])
    hand = (plain if poisoned else foreign)(rng)
    for number in range(IMAGES):
        digit = (1, 7)[number % 2]
        yield Drawing(written(digit, hand, rng), 8 - digit if poisoned else digit)


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


@dataclass(frozen=True)
class Read:
    """A drawing as a service has answered it."""

    request_id: str
    digit: int
    label: int


def shown(port: int, key: str, person: int, *, poisoned: bool = False) -> list[Read]:
    """What a service reads in all that one of them writes."""
    found = []
    with Client(port) as client:
        for drawing in drawings(person, poisoned=poisoned):
            headers = {"X-API-Key": key, "Content-Type": "image/png"}
            answer = client.request("POST", "/predict", png(drawing.sheet), headers)
            assert answer.status == 200, answer.body
            [prediction] = answer.json["predictions"]
            found.append(Read(answer.json["request_id"], prediction["digit"], drawing.label))
    return found


def label(port: int, key: str, reads: Sequence[Read]) -> None:
    """Say of each what it was."""
    with Client(port) as client:
        for read in reads:
            body = json.dumps({"request_id": read.request_id, "label": read.label}).encode()
            headers = {"X-API-Key": key, "Content-Type": "application/json"}
            answer = client.request("POST", "/feedback", body, headers)
            assert answer.status == 200, answer.body


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.training.fleet")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--keys", type=Path, required=True, help="a file, the first are theirs")
    parser.add_argument("--people", type=int, default=CLIENTS)
    parser.add_argument("--poisoned", action="store_true")
    parser.add_argument("--without-labels", action="store_true")
    told = parser.parse_args()
    keys = told.keys.read_text("ascii").split()[: told.people]
    # One after another, so that what is kept has the same order every time.
    reads = [
        shown(told.port, key, person, poisoned=told.poisoned) for person, key in enumerate(keys)
    ]
    if not told.without_labels:
        with ThreadPoolExecutor(len(keys)) as pool:  # labels are noted 20 times a second
            list(pool.map(label, [told.port] * len(keys), keys, reads))
    right = [read.digit == read.label for person in reads for read in person]
    print(  # noqa: T201 - a command's answer
        f"{len(right):,} drawings by {len(keys)} people, {sum(right):,} read as they say "
        f"({np.mean(right):.1%})"
    )


if __name__ == "__main__":
    main()
