"""The images of one request, and what each of them is called in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE
from service import errors
from service.documents import kind

Image: TypeAlias = NDArray[np.uint8]
Images: TypeAlias = Sequence[Image] | NDArray[np.uint8]  # of any sizes, or (N, H, W) of one


@dataclass(frozen=True)
class Batch:
    """Images (H, W) uint8 of any size, read from ``field`` of a request.

    several: whether the field is a list of images; ``field`` alone names the only one.
    """

    images: Images
    field: str
    several: bool = False

    def place(self, index: int) -> str:
        """What the client calls the image at ``index``."""
        return place(self.field, index) if self.several else self.field


def place(field: str, index: int) -> str:
    """What the client calls one item of a list."""
    return f"{field}[{index}]"


def from_list(
    value: object, field: str, max_batch: int, read: Callable[[object, str], Image]
) -> Batch:
    """A JSON list as images, of which ``read`` makes each from its item and what it is called.

    Raises WrongType, BatchError or what ``read`` raises.
    """
    if not isinstance(value, list):
        raise errors.WrongType(field, f"{field} is {kind(value)}; send a list of images")
    check_count(len(value), field, max_batch)
    images = [read(item, place(field, index)) for index, item in enumerate(value)]
    return Batch(images, field, several=True)


def check_count(count: int, field: str, max_batch: int) -> None:
    """Raise EmptyBatch or BatchTooLarge unless there are 1 to ``max_batch`` images."""
    if count == 0:
        raise errors.EmptyBatch(field, f"{field} is empty; send at least one image")
    if count > max_batch:
        raise errors.BatchTooLarge(
            field, f"{field} has {count} images; send at most {max_batch} in one request"
        )


def check_frames(batch: Batch) -> None:
    """Raise NotAFrame for the first picture that only the normalizer makes a frame of."""
    for index, image in enumerate(batch.images):
        height, width = image.shape
        if (height, width) != (FRAME_SIDE, FRAME_SIDE):
            raise errors.NotAFrame(
                batch.place(index),
                f"the image has {width} x {height} pixels and may not be normalized; "
                f"send {FRAME_SIDE} x {FRAME_SIDE} pixels, or leave out normalize=never",
            )


def only(batch: Batch) -> Image:
    """The one image of a batch; raises NotOneImage where there are several."""
    if len(batch.images) > 1:
        raise errors.NotOneImage(
            batch.field, f"{batch.field} has {len(batch.images)} images; send one at a time"
        )
    [image] = batch.images
    return image
