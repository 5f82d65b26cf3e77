"""Why a frame was read as it was: what becomes of the answer when parts of it are hidden.

This is the occlusion sensitivity of Zeiler & Fergus 2014, "Visualizing and
Understanding Convolutional Networks" (arXiv 1311.2901), section 4.2.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE

PATCH_SIDE = 6  # wider than a stroke, narrower than the loop of a 6
STRIDE = 2  # every pixel away from the border lies under nine patches
GROUND = 0  # of a frame: what is hidden looks as if nothing had been drawn there

Score: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float64]]


def occlusion(frame: NDArray[np.uint8], score: Score) -> NDArray[np.float32]:
    """By how much the score falls when a pixel is hidden: (28, 28), in the unit of the score.

    frame: (28, 28). score: of frames (N, 28, 28), N numbers; it is called once. A
    patch is laid over the frame in 144 places; each pixel gets the mean fall over the
    patches that cover it, positive where it speaks for what is scored, negative
    where it speaks against it. Where there is no ink under any patch it is 0.
    """
    patches = _patches()
    copies = np.where(patches, np.uint8(GROUND), frame)  # (P, 28, 28)
    changed = (copies != frame).any(axis=(1, 2))  # the others need no forward pass
    scores = score(np.concatenate([frame[np.newaxis], copies[changed]]))
    falls = np.zeros(len(patches))
    falls[changed] = scores[0] - scores[1:]
    total = np.tensordot(falls, patches, axes=1)  # (28, 28)
    return np.asarray(total / patches.sum(axis=0), np.float32)


def _patches() -> NDArray[np.bool_]:
    """Every place of the patch as a mask: (P, 28, 28)."""
    starts = np.arange(0, FRAME_SIDE - PATCH_SIDE + 1, STRIDE)[:, np.newaxis]
    along = np.arange(FRAME_SIDE)
    covers = (along >= starts) & (along < starts + PATCH_SIDE)  # (places, 28)
    masks = covers[:, np.newaxis, :, np.newaxis] & covers[np.newaxis, :, np.newaxis, :]
    return masks.reshape(-1, FRAME_SIDE, FRAME_SIDE)
