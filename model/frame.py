"""What the normalizer hands on: the frame, and what was found and done on the way to it."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from model.architecture import FRAME_SIDE

Manner: TypeAlias = Literal["auto", "always", "never"]
Unreadable: TypeAlias = Literal["blank", "too_much_ink", "several_digits"]
Finding: TypeAlias = Literal["inverted", "low_contrast", "touches_border", "very_small"]

MANNERS: tuple[Manner, ...] = get_args(Manner)

LOW_CONTRAST = 96  # grey levels between paper and ink, below which the caller is warned
INVERTED = "ink darker than its ground, inverted"


@dataclass(frozen=True)
class Step:
    """One step of the normalizer that changed the image, and what it did, in a few words."""

    name: str
    did: str


class Frame(NamedTuple):  # one is made of each image: in a third of the time of a dataclass
    """What the network sees, and how it came about.

    pixels: (28, 28) uint8, bright ink on dark ground. reason: why no digit can be
    read off them, whatever the network says. warnings: what the caller may want to
    know. steps: what was done, in order; none for an image that was left as it is.
    """

    pixels: NDArray[np.uint8]
    reason: Unreadable | None = None
    warnings: tuple[Finding, ...] = ()
    steps: tuple[Step, ...] = ()


def blank() -> Frame:
    """The frame of a sheet without ink."""
    return Frame(np.zeros((FRAME_SIDE, FRAME_SIDE), np.uint8), reason="blank")
