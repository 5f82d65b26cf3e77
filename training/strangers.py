"""Images that are not one digit, and how often a classifier refuses them.

These are for evaluation only. What a network is trained against (``outliers``) is made by
other code, so that a refusal here is not of an image, or a way of drawing it, seen before.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters
from typing import Any, NoReturn, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from model.architecture import FRAME_SIDE
from training import stranger_textures as textures
from training.errors import DataError
from training.statistics import wilson_interval
from training.stranger_drawing import (
    CANVAS,
    LARGEST,
    cropped,
    loosely_placed,
    placed,
    random_shape,
    random_side,
    shaded,
    stroked,
    turned,
)
from training.stranger_glyphs import Face, font_names, load_faces, render, repertoire
from training.stranger_textures import chance

Picture: TypeAlias = NDArray[np.uint8]

# Letters that alone, without a line of text to show height or language, are shapes that people
# write for a digit: O o for 0, I l | for 1, Z z for 2, S s for 5, b for 6, B for 8, g q for 9;
# in a frame, a small letter is as large as its capital. Not i and j, whose dot no digit has, nor
# D and Q. To read these as digits is no mistake, so they are counted apart.
AMBIGUOUS = "OoIl|ZzSsbBgq"
LETTERS = "".join(letter for letter in ascii_letters if letter not in AMBIGUOUS)

# Without those that are shapes of digits by the same rule: slashes and round brackets (1), rings
# and frames (0), sigma (6), beta and delta (8), the flat sign (b), not sign (7) and the like.
SYMBOLS = (
    "&%#@$?!*+=<>{}[]~^€£¥§±×÷≈≠≤≥√∑∏∞∩∪∇←→↑↓↔⇒ΓΔΛΞΠΣΦΨΩαγεηκλμπφχψω"  # noqa: RUF001 - Greek
    "♩♪♫♬♮♯♠♣♥♦♡★☆▲△☺☀☎✓✗"
)

GRAIN = 2  # levels by which JPEG and cameras make one shade uneven
MOST_TURNED = 12.0  # degrees; a Z turned by a right angle is an N
BATCH = 500  # images to a call of ``classify``


class Judgement(Protocol):
    """What is read of a ``model.classifier.Prediction``."""

    @property
    def accepted(self) -> bool:
        """Whether the model stands by its answer."""

    @property
    def reason(self) -> str | None:
        """Why it does not."""


Classify: TypeAlias = Callable[[Sequence[Picture] | NDArray[np.uint8]], Sequence[Judgement]]


@dataclass(frozen=True)
class Material:
    """What images are made from: faces by the characters they have, digits (N, 28, 28) uint8."""

    letters: Mapping[str, list[Face]]
    ambiguous: Mapping[str, list[Face]]
    symbols: Mapping[str, list[Face]]
    digits: NDArray[np.uint8]

    @classmethod
    def of(cls, fonts: Sequence[Path], digits: NDArray[np.uint8]) -> "Material":
        """Open the fonts, or Pillow's own where there are none; raises TrainingError."""
        if digits.shape[1:] != (FRAME_SIDE, FRAME_SIDE) or len(digits) == 0:
            raise DataError(
                f"digits: have shape {digits.shape}, not (N, 28, 28); give frames of single digits"
            )
        faces = load_faces(fonts)
        return cls(
            letters=repertoire(faces, LETTERS),
            ambiguous=repertoire(faces, AMBIGUOUS),
            symbols=repertoire(faces, SYMBOLS),
            digits=digits,
        )


def strangers(
    name: str, count: int, seed: int, fonts: Sequence[Path], digits: NDArray[np.uint8]
) -> list[Picture]:
    """``count`` greyscale images (H, W) uint8 of the set ``name`` of ``SETS``.

    Half are 28x28, the others have sides of 28 to 300 pixels; bright on dark and dark on
    bright are as many. fonts: files, as from ``find_fonts``; none for the one in Pillow.
    digits: (N, 28, 28) frames to put several of into one image. The same arguments give the
    same images, of which the first do not depend on the count. Raises TrainingError.
    """
    return _drawn(name, count, seed, Material.of(fonts, digits))


def _drawn(name: str, count: int, seed: int, material: Material) -> list[Picture]:
    if name not in SETS:
        raise DataError(f"there is no set {name!r}; choose from {', '.join(SETS)}")
    rng = np.random.default_rng([seed, *name.encode()])  # a stream for each set, by its name
    return [SETS[name](material, rng) for _ in range(count)]


# -- the sets ---------------------------------------------------------------


def _blank(_: Material, rng: np.random.Generator) -> Picture:
    """White, black or one shade; in half of the images with grain in squares of 1 to 8 pixels."""
    shade = (0, 255, rng.integers(256))[rng.integers(3)]
    shape = random_shape(rng)
    if chance(rng, 0.5):
        return np.full(shape, shade, np.uint8)
    side = int(rng.choice([1, 2, 4, 8]))
    coarse = rng.integers(-GRAIN, GRAIN + 1, (-(-shape[0] // side), -(-shape[1] // side)))
    grain = np.repeat(np.repeat(coarse, side, 0), side, 1)[: shape[0], : shape[1]]
    return np.asarray(np.clip(shade + grain, 0, 255), np.uint8)


def _constant(_: Material, rng: np.random.Generator) -> Picture:
    return np.full(random_shape(rng), rng.integers(256), np.uint8)


def _noise(_: Material, rng: np.random.Generator) -> Picture:
    return np.rint(textures.noise(random_shape(rng), rng) * 255).astype(np.uint8)


def _stripes(_: Material, rng: np.random.Generator) -> Picture:
    return shaded(textures.stripes(random_shape(rng), rng), rng)


def _textures(_: Material, rng: np.random.Generator) -> Picture:
    return shaded(textures.texture(random_shape(rng), rng), rng)


def _letters(material: Material, rng: np.random.Generator) -> Picture:
    return _written(material.letters, rng)


def _ambiguous_letters(material: Material, rng: np.random.Generator) -> Picture:
    return _written(material.ambiguous, rng)


def _symbols(material: Material, rng: np.random.Generator) -> Picture:
    return _written(material.symbols, rng)


def _several_digits(material: Material, rng: np.random.Generator) -> Picture:
    """Two to four digits side by side, or in quarters of the image."""
    count, height = int(rng.integers(2, 5)), random_side(rng)
    if chance(rng, 0.5):
        width = height if chance(rng, 0.5) else min(LARGEST, round(0.7 * height * count))
        count = min(count, width // 9)  # fewer pixels to a digit are not enough to read it
        places = [(0.0, column / count, 1.0, 1 / count) for column in range(count)]
    else:
        width = height
        quarters = [(row / 2, column / 2, 0.5, 0.5) for row in (0, 1) for column in (0, 1)]
        places = [quarters[chosen] for chosen in rng.permutation(4)[:count]]
    ink = np.zeros((height, width), np.float32)
    gap = max(1, round(0.04 * height))  # a 1 that touches a 3 would be a B
    for top, left, tall, wide in places:
        rows = slice(round(top * height) + gap, round((top + tall) * height))
        columns = slice(round(left * width) + gap, round((left + wide) * width))
        digit = Image.fromarray(material.digits[rng.integers(len(material.digits))])
        cell = ink[rows, columns]
        cell[:] = loosely_placed(cropped(digit), cell.shape, rng.uniform(0.65, 0.9), rng)
    return shaded(ink, rng)


def _scribbles(_: Material, rng: np.random.Generator) -> Picture:
    """A long curve that crosses itself, several short ones, or a zigzag."""
    kind = rng.integers(3)
    if kind == 0:
        curves = [rng.random((rng.integers(14, 26), 2))]
    elif kind == 1:
        curves = [rng.random((rng.integers(2, 5), 2)) for _ in range(rng.integers(5, 9))]
    else:
        turns = int(rng.integers(8, 16))
        along = np.linspace(0, 1, turns) + rng.normal(0, 0.3 / turns, turns)
        across = (np.arange(turns) % 2) * rng.uniform(0.4, 1) + rng.normal(0, 0.08, turns)
        curves = [np.column_stack([along, across])]
    drawing = stroked(curves, rng.uniform(0.03, 0.08) * CANVAS)
    return shaded(placed(turned(drawing, rng.uniform(0, 360)), rng), rng)


def _written(faces_of: Mapping[str, list[Face]], rng: np.random.Generator) -> Picture:
    """One of the characters, each as likely, in one of the faces that have it."""
    characters = list(faces_of)
    character = characters[rng.integers(len(characters))]
    faces = faces_of[character]
    glyph = render(faces[rng.integers(len(faces))], character)
    return shaded(placed(turned(glyph, rng.uniform(-MOST_TURNED, MOST_TURNED)), rng), rng)


SETS: Mapping[str, Callable[[Material, np.random.Generator], Picture]] = {
    "blank": _blank,
    "constant": _constant,
    "noise": _noise,
    "stripes": _stripes,
    "textures": _textures,
    "scribbles": _scribbles,
    "letters": _letters,
    "ambiguous_letters": _ambiguous_letters,
    "symbols": _symbols,
    "several_digits": _several_digits,
}


# -- the table --------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """How many images of a set were refused, and for which reasons, the most frequent first."""

    name: str
    images: int
    refused: int
    reasons: Mapping[str, int]

    @property
    def share(self) -> float:
        """Share that was refused, 0-1."""
        return self.refused / self.images

    @property
    def interval_95(self) -> tuple[float, float]:
        """Of the share (Wilson 1927)."""
        return wilson_interval(self.refused, self.images)


def refusals(
    classify: Classify,
    digits: NDArray[np.uint8],
    seed: int,
    fonts: Sequence[Path],
    count: int = 1000,
) -> list[Row]:
    """A row for each of ``SETS``, of ``count`` images each; raises TrainingError.

    classify: as of ``model.classifier.Classifier``. digits: frames (N, 28, 28) that the model
    was not trained on. fonts: as for ``strangers``.
    """
    material = Material.of(fonts, digits)
    rows = []
    with tqdm(total=len(SETS) * count, unit=" images", disable=None, leave=False) as bar:
        for name in SETS:
            bar.set_description_str(name)
            rows.append(_judged(name, classify, _drawn(name, count, seed, material), bar))
    return rows


def coverage(
    classify: Classify, images: Sequence[Picture] | NDArray[np.uint8], name: str = "digits"
) -> Row:
    """The other side: how many of real digits, images (H, W) uint8, are refused.

    Raises DataError when there are none.
    """
    with tqdm(desc=name, total=len(images), unit=" images", disable=None, leave=False) as bar:
        return _judged(name, classify, images, bar)


def to_text(rows: Sequence[Row], fonts: Sequence[Path]) -> str:
    """The rows as a Markdown table, and the fonts that letters and symbols were set in."""
    lines = ["| images of | refused | 95% interval | because |", "| --- | --- | --- | --- |"]
    for row in rows:
        low, high = row.interval_95
        reasons = ", ".join(
            f"{reason.replace('_', ' ')} {images:,}" for reason, images in row.reasons.items()
        )
        lines.append(
            f"| {row.name.replace('_', ' ')} | {row.share:.1%} of {row.images:,} "
            f"| {low:.1%} to {high:.1%} | {reasons} |"
        )
    return "\n".join(
        [*lines, "", f"Letters and symbols are set in {', '.join(font_names(fonts))}."]
    )


def to_json(rows: Sequence[Row], fonts: Sequence[Path]) -> dict[str, Any]:
    """The rows by name, and the names of the fonts, for the record of an artifact."""
    return {
        "fonts": font_names(fonts),
        "sets": {
            row.name: {
                "images": row.images,
                "refused": row.refused,
                "share": row.share,
                "interval_95": list(row.interval_95),
                "reasons": dict(row.reasons),
            }
            for row in rows
        },
    }


def _judged(
    name: str,
    classify: Classify,
    images: Sequence[Picture] | NDArray[np.uint8],
    bar: "tqdm[NoReturn]",
) -> Row:
    if len(images) == 0:
        raise DataError(f"{name}: there are no images to judge; ask for one at least")
    reasons: Counter[str] = Counter()
    for start in range(0, len(images), BATCH):
        judgements = classify(images[start : start + BATCH])
        reasons.update(str(judgement.reason) for judgement in judgements if not judgement.accepted)
        bar.update(len(judgements))
    return Row(name, len(images), reasons.total(), dict(reasons.most_common()))
