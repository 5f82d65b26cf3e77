"""From any greyscale image to the frame the networks know.

An image of 28x28 is taken for a frame and set right only where that is safe (``framing.py``);
any other is a sheet on which the digit is looked for (``sheet.py``). What all rules of both
amount to is ``VERSION``, which the artifact records, so that a model is never served with
other eyes than it was evaluated with.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from model.errors import InputError
from model.frame import Frame, Manner
from model.framing import reframe, settled
from model.sheet import frame_sheet

VERSION = 3

FRAME = (FRAME_SIDE, FRAME_SIDE)

TOGETHER = 8  # from so many on frames are looked at faster together than one by one


def normalize(image: NDArray[np.uint8], manner: Manner = "auto") -> Frame:
    """Bring one greyscale image (H, W) uint8 of any size into an MNIST frame.

    ``auto`` leaves what already is such a frame as it is, ``always`` looks for the digit all
    the same, ``never`` takes the image for a frame. Raises InputError when the array is not a
    non-empty (H, W) uint8 array, and of another size than (28, 28) where it is never to be
    normalized.
    """
    if image.ndim != 2 or image.dtype != np.uint8 or image.size == 0:  # noqa: PLR2004 - H and W
        raise InputError(
            f"an image is a non-empty (H, W) uint8 array, not {image.dtype} {image.shape}"
        )
    framed = image.shape == FRAME
    if manner == "never" and not framed:
        height, width = image.shape
        raise InputError(
            f"an image of {width} x {height} pixels is no frame of {FRAME_SIDE} x {FRAME_SIDE}; "
            "let it be normalized"
        )
    if manner == "never":
        return Frame(image)
    return reframe(image) if framed and manner == "auto" else frame_sheet(image)


def normalize_all(
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], manner: Manner = "auto"
) -> list[Frame]:
    """What ``normalize`` makes of each of the images, in order; raises InputError.

    Of many frames at once, those that are left as they are are found together.
    """
    if manner != "auto" or len(images) < TOGETHER or not _are_frames(images):
        return [normalize(image, manner) for image in images]
    as_they_are = settled(np.asarray(images)).tolist()
    return [
        Frame(image) if as_it_is else reframe(image)
        for image, as_it_is in zip(images, as_they_are, strict=True)
    ]


def _are_frames(images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> bool:
    if isinstance(images, np.ndarray):
        return images.shape[1:] == FRAME and images.dtype == np.uint8
    return all(image.shape == FRAME and image.dtype == np.uint8 for image in images)
