"""``make bench-normalizer``: what an image costs on its way to the frame, on one thread.

The images are a stroke of the champion's golden set, enlarged, on sheets of several sizes and
papers; on those that need more steps, more of them are taken.
"""

import argparse
import time
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from model import artifact as artifacts
from model import locate
from model.normalizer import normalize, normalize_all
from tests.bench.report import figure, publish
from tests.bench.turns import middle, take_turns

ROUNDS = 30
FRAMES = 1_024
TOGETHER = f"28x28, each of {FRAMES} frames at once"
SMALL = 150  # microseconds that one of 28x28 may take
MICRO = 1e6

Sheet = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.normalizer", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each (30)")
    arguments = parser.parse_args()
    stroke = artifacts.read(locate()).golden_images[0]
    sheets = cases(stroke)
    turns = {name: partial(repeat, sheet) for name, (sheet, _) in sheets.items()}
    with threadpool_limits(1, user_api="blas"):
        seconds = take_turns(turns | {TOGETHER: partial(repeat_together, stroke)}, arguments.rounds)
    seconds[TOGETHER] /= FRAMES
    bars = {name: must for name, (_, must) in sheets.items()} | {TOGETHER: SMALL}
    publish(
        "normalizer",
        [
            figure(
                name,
                [MICRO * value for value in middle(seconds[name])],
                "us",
                reference="one image to its frame, middle 80 % of the rounds",
                must=must,
            )
            for name, must in bars.items()
        ],
    )


def cases(stroke: Sheet) -> dict[str, tuple[Sheet, float]]:
    """Sheets, and the microseconds that one may take."""
    small, middling, large = SMALL, 1_500, 15_000
    return {
        "28x28, a frame": (stroke, small),
        "28x28, black on white": (255 - stroke, small),
        "28x28, in uneven light": (lit(255 - stroke), small),
        "400x400, plain": (sheet(stroke, 400), middling),
        "400x400, in uneven light": (lit(sheet(stroke, 400)), middling),
        "400x400, ruled": (ruled(sheet(stroke, 400)), middling),
        "400x400, ruled, in uneven light": (lit(ruled(sheet(stroke, 400))), middling),
        "2000x2000, plain": (sheet(stroke, 2000), large),
        "2000x2000, ruled, in uneven light": (lit(ruled(sheet(stroke, 2000))), large),
        "2000x2000, a small digit": (sheet(stroke, 2000, share=10), large),
    }


def repeat(image: Sheet, calls: int) -> float:
    """Seconds of so many calls."""
    began = time.perf_counter()
    for _ in range(calls):
        normalize(image)
    return time.perf_counter() - began


def repeat_together(image: Sheet, calls: int) -> float:
    """Seconds of so many calls with a batch of it."""
    images = np.repeat(image[np.newaxis], FRAMES, axis=0)
    began = time.perf_counter()
    for _ in range(calls):
        normalize_all(images)
    return time.perf_counter() - began


def sheet(stroke: Sheet, side: int, share: int = 2) -> Sheet:
    """Black on white, the stroke's frame taking one ``share``-th of the side."""
    paper = np.full((side, side), 255, np.uint8)
    ink = np.kron(stroke, np.ones((side // share // 28,) * 2, np.uint8))
    corner = side // 4
    paper[corner : corner + len(ink), corner : corner + len(ink)] -= ink
    return paper


def ruled(paper: Sheet) -> Sheet:
    """Seven grey lines across."""
    lined = paper.copy()
    pitch, thickness = len(paper) // 7, max(2, len(paper) // 200)
    for top in range(pitch // 2, len(paper), pitch):
        np.minimum(lined[top : top + thickness], 120, out=lined[top : top + thickness])
    return lined


def lit(paper: Sheet) -> Sheet:
    """Half as light above as below."""
    light = np.linspace(0.5, 1, len(paper))[:, np.newaxis]
    return np.rint(paper * light).astype(np.uint8)


if __name__ == "__main__":
    main()
