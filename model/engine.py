"""The network prepared for serving: folded once, computed in memory that is there already.

This is no second forward pass but the one of ``model/network.py`` with its constants
folded (``model/folding.py``). That both compute the same function is not left to care:
``tests/model/test_engine.py`` compares them on every layer and on random architectures.

What is gained is gained by what is not done. No layer allocates, pads or decides: each is
a step (``model/steps.py``) whose arrays and views were made in advance, and its activations
are written straight into the padded input of the next.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.architecture import CLASSES, FRAME_SIDE
from model.folding import Stage, fold
from model.network import Network
from model.steps import Needs, Scratch, activation, step

Float32: TypeAlias = NDArray[np.float32]
Frames: TypeAlias = NDArray[np.uint8]

# Large batches are computed in chunks: of few images, the copies of a convolution are short
# runs; of many, what it copies has left the cache before it is multiplied.
CHUNK_BYTES = 20 * 2**20
MAX_CHUNK = 64


class Engine:
    """A network that answers: ``Engine(network).logits(frames)``.

    The parameters are copied: later changes of ``network`` are not seen. Threads may call
    at the same time. Each call takes a workspace of its own from those that lie idle, or
    makes one, and puts it back: there are never more than there were calls at once, and no
    call waits for another, as a single image would behind a lock that a batch holds.
    """

    def __init__(self, network: Network) -> None:
        self._stages = fold(network)
        self._idle: list[_Workspace] = []  # its append and pop are atomic

    def logits(self, frames: Frames) -> Float32:
        """Logits (N, 10), an array of the caller's own, of frames (N, 28, 28); N may be 0.

        Raises ValueError when the frames are not uint8 of that shape.
        """
        if frames.dtype != np.uint8 or frames.shape[1:] != (FRAME_SIDE, FRAME_SIDE):
            raise ValueError(f"frames are (N, 28, 28) uint8, not {frames.shape} {frames.dtype}")
        try:
            workspace = self._idle.pop()
        except IndexError:
            workspace = _Workspace(self._stages)
        try:
            return workspace.logits(frames)
        finally:
            self._idle.append(workspace)


class _Workspace:
    """Memory for one call at a time, and plans for chunks of 1, 2, 4, ... images.

    Each plan has inputs of its own, whose padding stays zero; the scratch is of all.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages
        needs = [Needs.of(stage) for stage in stages]
        columns = max(need.columns for need in needs)
        outputs = max(need.outputs for need in needs)
        numbers = columns + outputs + sum(need.inputs for need in needs)
        images = CHUNK_BYTES // (numbers * np.dtype(np.float32).itemsize)
        self._largest = min(_power_of_two(max(images, 1)), MAX_CHUNK)
        self._scratch = Scratch(self._largest * columns, self._largest * outputs)
        self._plans: dict[int, _Plan] = {}

    def logits(self, frames: Frames) -> Float32:
        """Logits (N, 10) of frames (N, 28, 28), chunk by chunk."""
        logits = np.empty((len(frames), CLASSES), np.float32)
        start = 0
        while start < len(frames):
            size = self._chunk(len(frames) - start)
            chunk = frames[start : start + size]
            logits[start : start + size] = self._plan(size).logits(chunk)
            start += size
        return logits

    def _chunk(self, images: int) -> int:
        """The size of the next chunk of so many images: full, or at least three quarters full."""
        size = _power_of_two(images)
        if 4 * images >= 3 * (2 * size):
            size *= 2
        return min(size, self._largest)

    def _plan(self, size: int) -> "_Plan":
        if size not in self._plans:
            self._plans[size] = _Plan(self._stages, size, self._scratch)
        return self._plans[size]


class _Plan:
    """All steps for chunks of one size, each writing into the input of the next."""

    def __init__(self, stages: Sequence[Stage], size: int, scratch: Scratch) -> None:
        first, *others = stages
        steps = [step(first, size, scratch, frames=True)]
        steps += [step(stage, size, scratch) for stage in others]
        pixels = steps[0].input.reshape(FRAME_SIDE, FRAME_SIDE, size, copy=False)
        self._frames = pixels.transpose(2, 0, 1)  # (N, 28, 28)
        self._logits = np.empty((CLASSES, size), np.float32)
        targets = [*(one.input for one in steps[1:]), self._logits]
        self._passes = [
            (one.run, activation(stage.activation), target.reshape(*stage.makes, size, copy=False))
            for one, stage, target in zip(steps, stages, targets, strict=True)
        ]

    def logits(self, frames: Frames) -> Float32:
        """Logits (N, 10) of frames (N, 28, 28), N at most the size; the next call overwrites them.

        What is left over of the chunk keeps older frames, whose logits nobody sees.
        """
        self._frames[: len(frames)] = frames
        for run, activate, target in self._passes:
            activate(run(), target)
        return self._logits[:, : len(frames)].T


def _power_of_two(most: int) -> int:
    """The largest that is not above ``most``."""
    return 1 << (most.bit_length() - 1)
