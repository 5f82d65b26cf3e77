"""The training loop: batches in, a trained network out."""

import math

import numpy as np

from model.network import Network, scale_pixels
from training.augmentation import random_affine
from training.backprop import loss_and_gradients
from training.config import Recipe
from training.dataset import Digits
from training.errors import DivergedError
from training.evaluation import accuracy, all_logits
from training.initializers import he_normal, named_views
from training.optimizers import AdamW, cosine
from training.progress import Epoch, Progress


def train(
    recipe: Recipe,
    digits: Digits,
    validation: Digits,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> tuple[Network, list[Epoch]]:
    """Train a network as ``recipe`` says; returns it with the record of its epochs.

    All randomness comes from ``rng``: the same recipe, data, seed and kind of
    machine give the same parameters, bit for bit. Raises DivergedError.
    """
    initial, shuffle, augment = rng.spawn(3)
    architecture = recipe.architecture
    vector = he_normal(architecture, initial)
    gradient = np.empty_like(vector)
    network = Network(architecture, named_views(architecture, vector))
    gradients = named_views(architecture, gradient)
    optimizer = AdamW(len(vector), recipe.optimizer)
    steps = steps_per_epoch(recipe, digits)
    history = []
    for number in range(1, recipe.epochs + 1):
        order = shuffle.permutation(len(digits))
        losses = []
        for start in range(0, len(digits), recipe.batch_size):
            batch = digits.take(order[start : start + recipe.batch_size])
            frames = batch.images
            if recipe.augmentation.enabled:
                frames = random_affine(frames, recipe.augmentation, augment)
            loss, _ = loss_and_gradients(network, scale_pixels(frames), batch.labels, gradients)
            if not math.isfinite(loss):
                raise DivergedError(
                    f"the loss is {loss} in epoch {number}; lower optimizer.learning_rate"
                )
            rate = cosine(optimizer.step, recipe.epochs * steps, recipe.optimizer.learning_rate)
            optimizer.update(vector, gradient, rate)
            losses.append(loss)
            if progress:
                progress.step()
        score = accuracy(all_logits(network, validation.images), validation.labels)
        history.append(Epoch(number, float(np.mean(losses)), score))
        if progress:
            progress.epoch(history[-1])
    return network, history


def steps_per_epoch(recipe: Recipe, digits: Digits) -> int:
    """Batches in one pass over the data, the last one perhaps short."""
    return -(-len(digits) // recipe.batch_size)
