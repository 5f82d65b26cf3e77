"""Digits as people send them: written by some pen on some sheet, lit, scanned, compressed.

A scene is drawn for each digit: its kind is one of ``scene_kinds.KINDS``, all else is random
within what the kind allows. It is for evaluation only; the digits are MNIST's.
"""

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.network import PIXEL_MAX
from training.rows import Digits
from training.scene_kinds import Scene, any_scene
from training.scene_paper import Tone, boxed, grain, lit, ruled, specks, uneven
from training.scene_pens import Pen, Picture, written
from training.thinning import CentreLines, centre_lines

CHUNK = 128  # digits thinned at once
JPEG_QUALITY = 30
MARGIN = 2  # pixels at least between the digit and the edge of its sheet


def scenes(
    digits: Digits, seed: int, *, compressed: bool = True
) -> Iterator[tuple[Picture, int, str]]:
    """A sheet (H, W) uint8 for each of ``digits``, with its label and the name of its kind.

    Made one by one as they are asked for. What the sheet of a digit shows depends on ``seed``
    and the digit's place alone. compressed: every other sheet, from the second, is what JPEG
    at quality 30 leaves of it.
    """
    for start in range(0, len(digits), CHUNK):
        part = digits.part(start, start + CHUNK)
        lines = centre_lines(part.images)
        for place, (frame, label) in enumerate(zip(part.images, part.labels.tolist(), strict=True)):
            rng = np.random.default_rng([seed, start + place])
            scene = any_scene(rng)
            sheet = rendered(scene, frame, lines[place], part.images[max(place - 1, 0)], rng)
            if compressed and (start + place) % 2:
                sheet = decompressed(jpeg(sheet))
            yield sheet, label, scene.kind


def jpeg(sheet: Picture) -> bytes:
    """A sheet as a JPEG file of quality 30."""
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def decompressed(file: bytes) -> Picture:
    """The sheet that is in a JPEG file."""
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image)


def rendered(
    scene: Scene,
    frame: NDArray[np.uint8],
    lines: CentreLines,
    behind: NDArray[np.uint8],
    rng: np.random.Generator,
) -> Picture:
    """The sheet (H, W) uint8 of a scene with one digit, given as its frame and its lines.

    behind: the frame of what is written on the other side, for paper that it shows through.
    """
    ink = written(scene.pen, frame, lines, rng)
    shape = (
        max(scene.size[0], ink.shape[0] + 2 * MARGIN),
        max(scene.size[1], ink.shape[1] + 2 * MARGIN),
    )
    top, left = (
        MARGIN + round(share * (whole - part - 2 * MARGIN))
        for share, whole, part in zip(scene.place, shape, ink.shape, strict=True)
    )
    paper = scene.paper
    tone = specks(shape, paper.specks, rng)
    if scene.rules is not None:
        np.maximum(tone, ruled(shape, scene.rules), out=tone)
    if scene.box is not None:
        np.maximum(tone, boxed(shape, scene.box, (top, left), ink.shape), out=tone)
    if paper.bleeding:
        _show_through(tone, behind, scene, rng)
    area = tone[top : top + ink.shape[0], left : left + ink.shape[1]]
    np.maximum(area, ink, out=area)
    return _exposed(scene, tone, rng)


def _show_through(
    tone: Tone, behind: NDArray[np.uint8], scene: Scene, rng: np.random.Generator
) -> None:
    """Mirrored and faint, what is written on the other side."""
    pen = Pen(scene.pen.height, level=0.3, fading=0.5)
    other = written(pen, behind[:, ::-1], None, rng)
    height, width = (min(a, b) for a, b in zip(other.shape, tone.shape, strict=True))
    top, left = rng.integers(tone.shape[0] - height + 1), rng.integers(tone.shape[1] - width + 1)
    area = tone[top : top + height, left : left + width]
    np.maximum(area, other[:height, :width] * np.float32(scene.paper.bleeding), out=area)


def _exposed(scene: Scene, tone: Tone, rng: np.random.Generator) -> Picture:
    """Tone as shades: of paper and ink, in their light, through the scanner."""
    paper = scene.paper
    levels = tone * np.float32(scene.ink - scene.ground)
    levels += np.float32(scene.ground)
    if paper.mottling:
        levels += uneven(tone.shape, paper, rng)
    if scene.light is not None:
        levels *= lit(tone.shape, scene.light)
    if paper.noise:
        levels += grain(tone.shape, paper.noise, rng)
    if paper.binary:
        levels = np.where(levels < (scene.ink + scene.ground) / 2, np.float32(0), PIXEL_MAX)
    np.rint(levels, out=levels)
    sheet: Picture = np.clip(levels, 0, PIXEL_MAX).astype(np.uint8)
    return np.asarray(PIXEL_MAX - sheet, np.uint8) if scene.inverted else sheet
