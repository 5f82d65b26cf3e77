"""Simple frames, and what can be measured in them."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Images: TypeAlias = NDArray[np.float32]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def bar(count: int = 200) -> NDArray[np.uint8]:
    """Upright bars 4 wide and 14 high in the middle of their frames."""
    frames: NDArray[np.uint8] = np.zeros((count, 28, 28), np.uint8)
    frames[:, 7:21, 12:16] = 255
    return frames


def dot(y: int, x: int, count: int = 1) -> Images:
    """Rows of pixels of frames, one of them inked."""
    frames: Images = np.zeros((count, 28, 28), np.float32)
    frames[0, y, x] = 200
    return frames.reshape(count, -1)


def column(*amounts: float) -> Images:
    return np.array(amounts, np.float32)[:, None]


def moments(frames: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Of every frame: mass, centre, spread up and across, and lean."""
    ink = frames.astype(np.float64)
    mass = ink.sum(axis=(1, 2))
    steps = np.arange(28) - 13.5
    y, x = (ink.sum(axis=2) @ steps) / mass, (ink.sum(axis=1) @ steps) / mass
    yy, xx = (ink.sum(axis=2) @ steps**2) / mass, (ink.sum(axis=1) @ steps**2) / mass
    xy = np.einsum("nyx,y,x->n", ink, steps, steps) / mass
    return {
        "mass": mass,
        "y": y,
        "x": x,
        "height": np.sqrt(yy - y**2),
        "width": np.sqrt(xx - x**2),
        "lean": (xy - x * y) / (yy - y**2),
    }


def fills(found: NDArray[np.float64], low: float, high: float) -> bool:
    """Whether amounts stay within their bounds, but for rounding, and come near to both."""
    tenth = (high - low) / 10
    within = found.min() >= low - 0.02 and found.max() <= high + 0.02
    return bool(within and found.min() < low + tenth and found.max() > high - tenth)
