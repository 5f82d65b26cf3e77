"""MNIST's own definition of a frame: a digit of 20 pixels, its centre of mass in the middle.

LeCun et al. 1998, section III.A: the digit, bright on dark, is scaled into a 20x20 box with
its aspect kept and anti-aliased, and placed so that its centre of mass is the centre of a
28x28 frame.
"""

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from model.frame import Step
from model.ink import Ink, Mask

BOX_SIDE = 20  # the longer side of the digit within the frame
UINT8_MAX = 255


def place(digit: Ink) -> NDArray[np.uint8]:
    """The frame (28, 28) of a digit (H, W) that is cropped to its ink, which is above 0."""
    return _centre(_fit(digit))


def cropped(ink: Ink, strokes: Mask) -> Ink:
    """The bounding box, in ink (H, W), of ``strokes`` (H, W), of which there are some."""
    rows, columns = np.flatnonzero(strokes.any(axis=1)), np.flatnonzero(strokes.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def placed(digit: Ink) -> Step:
    """What ``place`` does with a digit (H, W), in words."""
    height, width = digit.shape
    longer = f"{width} x {height} pixels scaled to {BOX_SIDE} at most"
    return Step("place", f"{longer}, centre of mass in the middle")


def _fit(ink: Ink) -> Ink:
    """Scale the longer side to the box by averaging areas; the aspect is kept."""
    height, width = ink.shape
    scale = BOX_SIDE / max(height, width)
    rows = area_weights(height, max(1, round(height * scale)))
    columns = area_weights(width, max(1, round(width * scale)))
    return np.asarray(rows @ ink @ columns.T, np.float32)


def area_weights(inputs: int, outputs: int) -> Ink:
    """Row i averages the part of the input that output pixel i covers: (outputs, inputs)."""
    edges = np.arange(outputs + 1) * (inputs / outputs)
    starts = np.arange(inputs)
    overlap = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    overlap = np.maximum(overlap, 0)
    return np.asarray(overlap * (outputs / inputs), np.float32)


def _centre(digit: Ink) -> NDArray[np.uint8]:
    """Place a digit of at most 20x20 with its centre of mass at the frame's centre."""
    peak = max(float(digit.max()), 1e-6)
    frame = np.zeros((FRAME_SIDE, FRAME_SIDE), np.uint8)
    total = float(digit.sum())
    corner = []
    for axis, length in enumerate(digit.shape):
        mass = float(digit.sum(axis=1 - axis) @ np.arange(length)) / total
        start = round(FRAME_SIDE / 2 - mass)
        corner.append(min(max(start, 0), FRAME_SIDE - length))
    top, left = corner
    height, width = digit.shape
    frame[top : top + height, left : left + width] = np.rint(digit * (UINT8_MAX / peak))
    return frame
