"""Digits written anew, by pens of any width, at any size.

Tone (H, W) float32 is 0 for bare paper and 1 for full ink.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.architecture import FRAME_SIDE
from model.network import PIXEL_MAX
from training.scene_paper import Tone, wandering
from training.thinning import CentreLines

TRACE = 0.05  # tone below which nobody sees ink
EDGE = 0.6  # by how much ink changes over a pixel of a frame, at the edge of a stroke
FINEST_DRAWING = 240  # pixels; smaller digits are drawn four times as fine, larger ones twice

Picture: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True)
class Pen:
    """How a digit is written.

    height: of the digit in pixels. width: of the stroke in pixels, None for MNIST's own strokes
    enlarged. level: 0-1, where these end: the higher, the thinner. rotation: degrees.
    aspect: by what the digit is wider than written. fading: 0-1, by how much the ink's darkness
    varies along the strokes.
    """

    height: float
    width: float | None = None
    level: float = 0.45
    rotation: float = 0.0
    aspect: float = 1.0
    fading: float = 0.0


def written(pen: Pen, frame: Picture, lines: CentreLines | None, rng: np.random.Generator) -> Tone:
    """The digit (H, W) alone, without margins."""
    box = np.nonzero(frame > PIXEL_MAX // 4)
    tall = int(np.ptp(box[0])) + 1 if len(box[0]) else FRAME_SIDE
    matrix = _matrix(pen, pen.height / tall)
    if pen.width is not None and lines is not None and lines.are_faithful:
        ink = _drawn(lines, matrix, pen.width, pen.height)
    else:
        ink = _enlarged(frame, matrix, pen.level)
    ink = _cropped(ink)
    if pen.fading:
        ink = ink * (1 - pen.fading * wandering(ink.shape, rng, 5))
    return ink


def _matrix(pen: Pen, scale: float) -> NDArray[np.float64]:
    """From pixels of the frame to pixels of the sheet, about the centre: x and y."""
    cos, sin = np.cos(np.deg2rad(pen.rotation)), np.sin(np.deg2rad(pen.rotation))
    return scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([pen.aspect, 1.0])


def _drawn(lines: CentreLines, matrix: NDArray[np.float64], width: float, height: float) -> Tone:
    """Strokes of one width along the lines, round at their ends and joints."""
    finer = 4 if height < FINEST_DRAWING else 2
    points = (lines.points @ matrix.T - (lines.points @ matrix.T).min(axis=0) + width) * finer
    size = np.ceil((points.max(axis=0) + width * finer) / finer).astype(int)
    image = Image.new("L", (int(size[0]) * finer, int(size[1]) * finer))
    brush, radius = ImageDraw.Draw(image), width * finer / 2
    for start, end in points[lines.joints].tolist():
        brush.line((*start, *end), PIXEL_MAX, max(1, round(2 * radius)))
    for x, y in points.tolist():
        brush.ellipse((x - radius, y - radius, x + radius, y + radius), PIXEL_MAX)
    return np.asarray(image.reduce(finer), np.float32) / np.float32(PIXEL_MAX)


def _enlarged(frame: Picture, matrix: NDArray[np.float64], level: float) -> Tone:
    """MNIST's own strokes, bicubic, and sharpened to an edge a pixel wide at ``level``."""
    soft = np.pad(frame.astype(np.float32) / np.float32(PIXEL_MAX), 1)
    soft = (soft[:-2] + 4 * soft[1:-1] + soft[2:]) / 6  # as a cubic B-spline: no ripples
    soft = (soft[:, :-2] + 4 * soft[:, 1:-1] + soft[:, 2:]) / 6
    reach = np.ceil(np.abs(matrix).sum(axis=1) * FRAME_SIDE).astype(int)
    back = np.linalg.inv(matrix)
    start = FRAME_SIDE / 2 - back @ (reach / 2)
    data = (*back[0], start[0], *back[1], start[1])
    image = Image.fromarray(soft).transform(
        (int(reach[0]), int(reach[1])), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC
    )
    scale = float(np.sqrt(np.abs(np.linalg.det(matrix))))
    half = min(level, EDGE / max(scale, 1.0))
    rise: Tone = np.clip(
        (np.asarray(image) - np.float32(level - half)) / np.float32(2 * half), 0, 1
    )
    return rise * rise * (3 - 2 * rise)


def _cropped(ink: Tone) -> Tone:
    rows, columns = (np.flatnonzero((ink > TRACE).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return ink
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
