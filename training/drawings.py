"""Digits drawn with a mouse, as a user may send them, and how well a classifier reads them.

MNIST is scanned handwriting; this set is neither that nor of one pen, and no network is
trained on it. Each drawing is judged in every variant of ``VARIANTS``:

| variant | what it is | size |
|---|---|---|
| as_drawn | the drawing, black on white | 28x28 |
| enlarged | bicubic | 400x400 |
| off_centre | the digit 150 to 250 pixels long, anywhere on a white sheet | 400x400 |
| thin | enlarged, with half of the ink worn off the edges of its strokes | 400x400 |
| inverted | white on black | 28x28 |
| on_grey | dark grey ink (30 to 80) on light grey (170 to 215) | 28x28 |
| jpeg | enlarged and compressed, quality 40 | 400x400 |
"""

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.architecture import CLASSES, FRAME_SIDE
from model.classifier import Prediction
from training import robustness
from training.errors import DataError
from training.robustness import Row
from training.robustness import to_text as to_text  # noqa: PLC0414 - part of this module's interface
from training.rows import Digits

# Where the drawings are looked for when DIGITS_DRAWINGS names no folder.
DEFAULT_FOLDER = Path("../shared/drawings")

LABELS = "labels.csv"
IMAGES = "img"
HEADER = ["image", "label"]

WHITE = 255
MID_GREY = 128

SHEET_SIDE = 400
DIGIT_SIDES = (150, 250)  # the longer side of a digit that is off centre
GROUND_SHADES = (170, 215)
INK_SHADES = (30, 80)
JPEG_QUALITY = 40

Picture: TypeAlias = NDArray[np.uint8]  # (H, W), black on white unless said otherwise
Variant: TypeAlias = Callable[[Picture, np.random.Generator], Picture]
Classify: TypeAlias = Callable[[Sequence[Picture]], Sequence[Prediction]]


# -- reading ----------------------------------------------------------------


def find_drawings() -> Path:
    """The drawings' folder: DIGITS_DRAWINGS, else the default; raises DataError."""
    folder = Path(os.environ.get("DIGITS_DRAWINGS") or DEFAULT_FOLDER)
    if not folder.is_dir():
        raise DataError(f"{folder}: holds no drawings; name their folder in DIGITS_DRAWINGS")
    return folder


def read_drawings(folder: Path) -> Digits:
    """The drawings that FOLDER/labels.csv names, in its order, as they are: black on white.

    The file has the header ``image,label`` and in each row the name of a 28x28 PNG in
    FOLDER/img and its digit. Raises DataError naming the file, and its line from 1.
    """
    rows = read_labels(folder)
    images = [_read_image(path) for path, _ in rows]
    return Digits(np.stack(images), np.array([label for _, label in rows], np.uint8))


def read_labels(folder: Path) -> list[tuple[Path, int]]:
    """The file and the digit of each drawing, as FOLDER/labels.csv has them; raises DataError."""
    path = folder / LABELS
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); mend that") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8; save it as CSV in UTF-8") from None
    header, *rows = csv.reader(lines or [""])
    if header != HEADER:
        raise DataError(f"{path}: line 1 is not {','.join(HEADER)}; begin with that header")
    if not rows:
        raise DataError(f"{path}: names no drawings; give each a row")
    digits = {str(digit): digit for digit in range(CLASSES)}
    for line, row in enumerate(rows, 2):
        if len(row) != len(HEADER) or row[1] not in digits:
            raise DataError(
                f"{path}: line {line} is {','.join(row)[:40]!r}; "
                "give it the name of an image and a digit 0-9"
            )
    return [(folder / IMAGES / name, digits[label]) for name, label in rows]


def _read_image(path: Path) -> Picture:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            picture = np.asarray(image.convert("L"))
    except FileNotFoundError:
        raise DataError(f"{path}: is not there; fetch it, or take it out of {LABELS}") from None
    except Exception:  # noqa: BLE001 - decoders raise whatever they trip over
        raise DataError(f"{path}: is not a whole PNG; fetch it again") from None
    if picture.shape != (FRAME_SIDE, FRAME_SIDE):
        height, width = picture.shape
        raise DataError(f"{path}: is {width}x{height}; make it {FRAME_SIDE}x{FRAME_SIDE}")
    if not picture.min() < MID_GREY <= picture.mean():
        raise DataError(f"{path}: shows no black ink on white; save it so, without transparency")
    return picture


# -- variants ---------------------------------------------------------------


def as_drawn(drawing: Picture, _: np.random.Generator) -> Picture:
    """The drawing itself."""
    return drawing


def enlarged(drawing: Picture, _: np.random.Generator) -> Picture:
    """400x400, bicubic."""
    return _resized(drawing, SHEET_SIDE, SHEET_SIDE)


def off_centre(drawing: Picture, rng: np.random.Generator) -> Picture:
    """The digit, its longer side 150 to 250 pixels, wholly on a white sheet of 400x400."""
    inked = drawing < WHITE
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    digit = drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = rng.integers(*DIGIT_SIDES, endpoint=True) / max(digit.shape)
    height, width = (round(side * scale) for side in digit.shape)
    top, left = (int(rng.integers(SHEET_SIDE - side, endpoint=True)) for side in (height, width))
    sheet = np.full((SHEET_SIDE, SHEET_SIDE), WHITE, np.uint8)
    sheet[top : top + height, left : left + width] = _resized(digit, height, width)
    return sheet


def thin(drawing: Picture, rng: np.random.Generator) -> Picture:
    """Enlarged, then eroded by 3x3 (Serra 1982) until at most half of the ink is left.

    What is left is 40 % at least, for the thinnest pens are some 15 pixels wide by now.
    """
    sheet = enlarged(drawing, rng)
    half = _ink(sheet) // 2
    while _ink(sheet) > half:
        sheet = _eroded(sheet)
    return sheet


def inverted(drawing: Picture, _: np.random.Generator) -> Picture:
    """White on black."""
    return WHITE - drawing


def on_grey(drawing: Picture, rng: np.random.Generator) -> Picture:
    """Ink of a dark grey on paper of a light one."""
    ground = rng.integers(*GROUND_SHADES, endpoint=True)
    ink = rng.integers(*INK_SHADES, endpoint=True)
    return np.rint(ink + drawing * ((ground - ink) / WHITE)).astype(np.uint8)


def jpeg(drawing: Picture, rng: np.random.Generator) -> Picture:
    """Enlarged, and what JPEG of quality 40 leaves of that."""
    file = io.BytesIO()
    Image.fromarray(enlarged(drawing, rng)).save(file, "JPEG", quality=JPEG_QUALITY)
    with Image.open(file) as image:
        return np.asarray(image)


VARIANTS: Mapping[str, Variant] = {
    variant.__name__: variant
    for variant in (as_drawn, enlarged, off_centre, thin, inverted, on_grey, jpeg)
}


def _resized(picture: Picture, height: int, width: int) -> Picture:
    image = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image)


def _ink(picture: Picture) -> int:
    return WHITE * picture.size - int(picture.sum(dtype=np.int64))


def _eroded(picture: Picture) -> Picture:
    """Every pixel as light as the lightest of the nine around it; outside it is white."""
    padded = np.pad(picture, 1, constant_values=WHITE)
    rows = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    return np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])


# -- judging ----------------------------------------------------------------


def drawings(classify: Classify, digits: Digits, seed: int) -> list[Row]:
    """Classify every variant of ``digits``, drawn black on white: a row for each, in order.

    classify takes pictures of any size, as ``model.classifier.Classifier.classify`` does.
    What a variant draws depends on ``seed`` and its place in ``VARIANTS`` alone. Raises
    DataError when there are no digits.
    """
    rows = []
    for place, (name, variant) in enumerate(VARIANTS.items()):
        shown = _through(variant, np.random.default_rng([seed, place]), classify)
        (row,) = robustness.robustness(shown, digits, seed, names=[], progress=False)
        rows.append(replace(row, name=name))
    return rows


def _through(variant: Variant, rng: np.random.Generator, classify: Classify) -> robustness.Classify:
    """What classifies a batch of drawings by one variant of each."""
    return lambda batch: classify([variant(drawing, rng) for drawing in batch])


def to_json(rows: Sequence[Row]) -> dict[str, Any]:
    """``robustness.to_json`` of the rows, which are all under ``variants``."""
    document = robustness.to_json(rows)
    return {"variants": document.pop("corruptions"), **document}
