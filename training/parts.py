"""The gradient of a batch, made of the gradients of its parts."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.layers import FloatArray
from model.network import Network, scale_pixels
from model.specifications import Convolution
from training.backprop import loss_and_gradients
from training.config import Recipe
from training.dataset import Digits
from training.helper import Helper
from training.initializers import learned_count, named_views
from training.losses import objective

# A batch goes through the network in parts of at most this many images, whose
# gradients add up: the images of a full batch are never all in memory as float32.
PART = 1024

# Images that each of two threads is given at least: fewer are not worth handing over.
SHARE_OF_DENSE, SHARE_OF_CONVOLUTIONAL = 192, 16

Answer: TypeAlias = tuple[float, int]  # a part's share of the loss, and how many were right


class Side:
    """What one thread computes with: the network, and a gradient (P,) of its own to fill."""

    def __init__(
        self,
        recipe: Recipe,
        parameters: Mapping[str, NDArray[np.float32]],
        teachers: Sequence[Network],
    ) -> None:
        architecture = recipe.architecture
        self._loss = recipe.loss
        self._network = Network(architecture, parameters)
        self._teachers = teachers
        self.gradient = np.empty(learned_count(architecture), np.float32)
        self._into = named_views(architecture, self.gradient)

    def __call__(
        self,
        part: Digits,
        images: int,
        dropout: np.random.Generator,
        helper: Helper | None = None,
    ) -> Answer:
        """Fill the gradient with the part's share of that of a batch of so many images."""
        share = len(part) / images
        x = scale_pixels(part.images)
        loss_of = objective(self._loss, part.labels, self._taught(part))

        def share_of_loss(logits: FloatArray) -> tuple[float, FloatArray]:
            loss, dlogits = loss_of(logits)
            dlogits *= share
            return loss * share, dlogits

        loss = share_of_loss if share < 1 else loss_of
        value, logits = loss_and_gradients(self._network, x, loss, self._into, dropout, helper)
        return value, int(np.count_nonzero(logits.argmax(axis=1) == part.labels))

    def _taught(self, part: Digits) -> FloatArray | None:
        """The mean of the teachers' logits (N, 10): the geometric mean of what they believe.

        They are shown the plain images; to read the spoilt ones alike is the student's
        task (noisy student, Xie et al. 2020).
        """
        if not self._teachers:
            return None
        x = scale_pixels(part.images if part.plain is None else part.plain)
        first, *others = (teacher.logits(x) for teacher in self._teachers)
        for logits in others:
            first += logits
        first /= len(self._teachers)
        return first


class BatchGradient:
    """Loss and gradient of batches under a network whose numbers are in ``vector`` (P,).

    With a helper, parts are worked on two at a time where they are large enough; where
    they are not, it takes half of each large product (``halves.py``).
    Batch norm takes its statistics from each part (ghost batch norm, Hoffer et al. 2017).
    """

    def __init__(
        self,
        recipe: Recipe,
        vector: NDArray[np.float32],
        helper: Helper | None = None,
        teachers: Sequence[Network] = (),
    ) -> None:
        architecture = recipe.architecture
        parameters = named_views(architecture, vector)
        # What is learned the sides share; what batch norm gathers each has for itself.
        gathered = {name: parameters[name] for name in architecture.statistic_names()}
        apart = {name: array.copy() for name, array in gathered.items()}
        self._statistics = [(gathered[name], apart[name]) for name in gathered]
        self._first = Side(recipe, parameters, teachers)
        self._second = Side(recipe, {**parameters, **apart}, teachers) if helper else self._first
        self._helper = helper
        convolves = any(isinstance(one, Convolution) for one in architecture.layers)
        self._share = SHARE_OF_CONVOLUTIONAL if convolves else SHARE_OF_DENSE

    def __call__(
        self, batch: Digits, dropout: Sequence[np.random.Generator]
    ) -> tuple[NDArray[np.float32], float, int]:
        """The flat gradient of the batch's mean loss, that loss, and how many were right.

        ``dropout`` draws masks: a generator for each of two threads. The gradient's array
        is used again by the next call.
        """
        pairs = self._pairs(batch)
        if len(pairs) == 1:
            return self._first.gradient, *self._pair(*pairs[0], len(batch), dropout)
        total, loss, correct = np.zeros_like(self._first.gradient), 0.0, 0
        for part, other in pairs:
            share, right = self._pair(part, other, len(batch), dropout)
            total += self._first.gradient
            loss += share
            correct += right
        return total, loss, correct

    def _pairs(self, batch: Digits) -> list[tuple[Digits, Digits | None]]:
        """The batch in parts, two at a time where there is a helper and work for it."""
        if self._helper is None or len(batch) < 2 * self._share:
            starts = range(0, len(batch), PART)
            return [(batch.part(start, start + PART), None) for start in starts]
        count = 2 * -(-len(batch) // (2 * PART))
        edges = [len(batch) * number // count for number in range(count + 1)]
        parts = [batch.part(*ends) for ends in pairwise(edges)]
        return list(zip(parts[::2], parts[1::2], strict=True))

    def _pair(
        self,
        part: Digits,
        other: Digits | None,
        images: int,
        dropout: Sequence[np.random.Generator],
    ) -> Answer:
        """Fill the first side's gradient with that of one part, or the sum of two."""
        if self._helper is None or other is None:
            return self._first(part, images, dropout[0], self._helper)
        for here, there in self._statistics:
            there[...] = here
        (loss, correct), (its_loss, its_correct) = self._helper.both(
            lambda: self._first(part, images, dropout[0]),
            lambda: self._second(other, images, dropout[1]),
        )
        self._first.gradient += self._second.gradient
        for here, there in self._statistics:
            here[...] = (here + there) / 2
        return loss + its_loss, correct + its_correct
