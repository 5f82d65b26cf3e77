"""Pictures made of digits that are not one digit: several, or the pieces of some.

Digits are frames (N, 28, 28) uint8. What might still be read as one digit is drawn again.
"""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.architecture import FRAME_SIDE
from training.strokes import Ink, as_ink, chance

Frames: TypeAlias = NDArray[np.uint8]

INK = 64  # of 255: what counts as a stroke, as in model.normalizer
REACH = 12  # pixels by which a digit is shifted at most
MIDDLE = REACH + FRAME_SIDE // 2  # of a frame with so much ground around it
LEAST_SHARE = 0.35  # of the ink that each of two parts has to hold
MOST_COVERED = 0.2  # of the fainter of two digits on each other
MARGIN = 4  # pixels around what is put together, as in MNIST
LEAST_GAP = 4  # pixels between strokes that end at a cut and those that begin there
TRIES = 100  # then the last one is taken


def several(digits: Frames, side: int, rng: np.random.Generator) -> Ink:
    """Two or three digits beside or below each other, or two on each other: ink (side, side)."""
    way = ("on each other", "below", "beside", "beside")[rng.integers(4)]
    if way == "on each other":
        return _fitted(_on_each_other(digits, rng), side)
    pieces = [_cropped(digit) for digit in _drawn(digits, int(rng.choice([2, 2, 3])), rng)]
    if way == "beside":
        return _fitted(_row(pieces, rng.integers(-3, 4, 3), rng.integers(-2, 8, 3)), side)
    # Far apart and to the left and right in turn: one 0 right on another would be an 8.
    steps = rng.integers(3, 8, 3) * np.array([1, -1, 1])
    return _fitted(_row([piece.T for piece in pieces], steps, rng.integers(3, 9, 3)).T, side)


def broken(digits: Frames, side: int, rng: np.random.Generator) -> Ink:
    """A digit whose tiles are mixed up, or parts of two digits that do not fit."""
    build = BREAKAGES[rng.integers(len(BREAKAGES))]
    return _fitted(build(digits, rng), side)


def _drawn(digits: Frames, count: int, rng: np.random.Generator) -> Frames:
    return digits[rng.integers(0, len(digits), count)]


def _fitted(picture: Frames, side: int) -> Ink:
    """A picture (H, W) on a square sheet, at the size asked for."""
    height, width = picture.shape
    sheet = Image.new("L", (max(height, width),) * 2)
    sheet.paste(Image.fromarray(picture), ((sheet.width - width) // 2, (sheet.width - height) // 2))
    if sheet.width != side:
        sheet = sheet.resize((side, side), Image.Resampling.BILINEAR)
    return as_ink(sheet)


def _cropped(digit: Frames) -> Frames:
    """The bounding box of a digit's strokes; of an empty frame, all of it."""
    strokes = digit > INK
    rows, columns = np.flatnonzero(strokes.any(axis=1)), np.flatnonzero(strokes.any(axis=0))
    if len(rows) == 0:
        return digit
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _row(pieces: list[Frames], steps: NDArray[np.integer], gaps: NDArray[np.integer]) -> Frames:
    """Pieces from left to right, each so many pixels lower and so far from the next."""
    tallest = max(len(piece) for piece in pieces)
    width = sum(piece.shape[1] + FRAME_SIDE // 2 for piece in pieces)
    sheet = np.zeros((tallest + FRAME_SIDE, width), np.uint8)
    left = MARGIN
    for piece, step, gap in zip(pieces, steps.tolist(), gaps.tolist(), strict=False):
        top = (len(sheet) - len(piece)) // 2 + step
        place = sheet[top : top + len(piece), left : left + piece.shape[1]]
        np.maximum(place, piece, out=place)
        left += piece.shape[1] + gap
    return sheet[:, : left + MARGIN]


def _on_each_other(digits: Frames, rng: np.random.Generator) -> Frames:
    """Two digits, the second shifted, neither of which covers much of the other.

    It goes rather sideways than up or down: one 0 over another would be an 8.
    """
    for _ in range(TRIES):
        first, second = (np.pad(digit, REACH) for digit in _drawn(digits, 2, rng))
        angle = rng.uniform(-np.pi / 5, np.pi / 5)
        distance = rng.uniform(REACH / 2, REACH) * rng.choice([-1, 1])
        second = np.roll(second, np.rint(distance * np.sin(angle)).astype(int), axis=0)
        second = np.roll(second, np.rint(distance * np.cos(angle)).astype(int), axis=1)
        fainter = min(_inked(first), _inked(second))
        if _inked(np.minimum(first, second)) <= MOST_COVERED * fainter:
            break
    return np.pad(_cropped(np.maximum(first, second)), MARGIN)


def _jigsaw(digits: Frames, rng: np.random.Generator) -> Frames:
    """Two by two or three by three tiles of one digit, each in another column, some turned.

    Tiles that only change rows would leave an 8 an 8 and a 1 a 1.
    """
    parts = int(rng.integers(2, 4))
    tile = 10 if parts == 2 else 7  # noqa: PLR2004 - of a box of 20 or 21 pixels
    (digit,) = _drawn(digits, 1, rng)
    tiles = _tiles(digit, parts, tile)
    order = np.arange(parts * parts)
    columns = order % parts
    while ((order % parts == columns).sum() > parts - 2) or (order == np.arange(parts**2)).any():
        order = rng.permutation(order)
    turns = rng.integers(0, 4, len(tiles)) * chance(0.5, rng)
    return _laid([np.rot90(tiles[index], turn) for index, turn in zip(order, turns, strict=True)])


def _quarters(digits: Frames, rng: np.random.Generator) -> Frames:
    """A quarter each of four digits, turned anyhow."""
    tiles = []
    for digit in _drawn(digits, 4, rng):
        turn, quarter = rng.integers(0, 4, 2)
        tiles.append(np.rot90(_tiles(digit, 2, 10)[quarter], turn))
    return _laid(tiles)


def _tiles(digit: Frames, parts: int, tile: int) -> Frames:
    """The middle of a frame as tiles (parts * parts, tile, tile), row by row."""
    start = (FRAME_SIDE - parts * tile) // 2
    box = digit[start : start + parts * tile, start : start + parts * tile]
    return box.reshape(parts, tile, parts, tile).swapaxes(1, 2).reshape(-1, tile, tile)


def _laid(tiles: list[Frames]) -> Frames:
    """Square tiles, as many a row as rows, as one picture."""
    parts = math.isqrt(len(tiles))
    rows = [tiles[row * parts : (row + 1) * parts] for row in range(parts)]
    return np.pad(np.block(rows), MARGIN)


def _misfit(digits: Frames, rng: np.random.Generator) -> Frames:
    """The upper or left half of one digit and the other half of another, shifted apart.

    Both halves hold a good part of the ink, and no stroke goes on across the cut.
    """
    for _ in range(TRIES):
        first, second = _drawn(digits, 2, rng)
        if sideways := chance(0.5, rng):
            first, second = first.T, second.T
        offset = int(rng.integers(REACH // 2, REACH + 1) * rng.choice([-1, 1]))
        upper, lower = np.pad(first, REACH)[:MIDDLE], np.pad(second, REACH)[MIDDLE:]
        lower = np.roll(lower, offset, axis=1)
        whole = _inked(upper) + _inked(lower)
        balanced = min(_inked(upper), _inked(lower)) >= LEAST_SHARE * whole
        ends, starts = np.flatnonzero(upper[-1] > INK), np.flatnonzero(lower[0] > INK)
        gaps = np.abs(ends[:, None] - starts)
        if balanced and gaps.size and gaps.min() >= LEAST_GAP:
            break
    joined = np.pad(_cropped(np.concatenate([upper, lower])), MARGIN)
    return joined.T if sideways else joined


def _inked(picture: Frames) -> int:
    """The ink of a picture, in shades."""
    return int(picture.sum(dtype=np.int64))


BREAKAGES = (_jigsaw, _jigsaw, _quarters, _quarters, _misfit)
