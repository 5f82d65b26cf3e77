"""Random affine maps of frames, vectorized over the batch."""

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from training.config import AugmentationConfig


def random_affine(
    frames: NDArray[np.uint8], bounds: AugmentationConfig, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Rotate, scale, shear and shift each frame (N, 28, 28) by its own random amounts.

    Output pixels are sampled bilinearly from the input through the inverse
    map; what lies outside is ground (Simard et al. 2003).
    """
    angle, scale_y, scale_x, shear, shift_y, shift_x = rng.uniform(-1, 1, (6, len(frames)))
    cos, sin = (
        np.cos(np.deg2rad(bounds.rotation * angle)),
        np.sin(np.deg2rad(bounds.rotation * angle)),
    )
    lean = bounds.shear * shear
    maps = np.array([[cos, sin], [lean * cos - sin, lean * sin + cos]])  # (2, 2, N)
    maps *= 1 + bounds.scale * np.array([scale_y, scale_x])[:, None]
    centre = (FRAME_SIDE - 1) / 2
    offsets = centre + bounds.shift * np.array([shift_y, shift_x])  # (2, N)
    steps = np.arange(FRAME_SIDE) - centre
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij")).reshape(2, -1)  # (2, 784)
    points = maps.transpose(2, 0, 1).astype(np.float32) @ grid.astype(np.float32)  # (N, 2, 784)
    points += offsets.T[:, :, None]
    return _sample(frames, points)


def _sample(frames: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Bilinear samples of each frame (N, 28, 28) at points (N, 2, 784) of (y, x) in pixels."""
    side = FRAME_SIDE + 2  # a pixel of ground around, to which points outside are moved
    padded = np.zeros((len(frames), side, side), np.float32)
    padded[:, 1:-1, 1:-1] = frames
    points = np.clip(points + 1, 0, side - 1.001)
    corners = points.astype(np.intp)
    below, right = (points - corners).transpose(1, 0, 2)  # each (N, 784)
    start = corners[:, 0] * side + corners[:, 1]
    start += np.arange(len(frames))[:, None] * side * side
    pixels = padded.ravel()
    upper = pixels[start] * (1 - right) + pixels[start + 1] * right
    lower = pixels[start + side] * (1 - right) + pixels[start + side + 1] * right
    samples: NDArray[np.uint8] = np.rint(upper + (lower - upper) * below).astype(np.uint8)
    return samples.reshape(frames.shape)
