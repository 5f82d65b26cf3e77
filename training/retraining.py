"""A candidate for the champion's place: its network, taught what people have sent since.

It goes on learning MNIST all the while (rehearsal, Robins 1995): what is new is a small share
of every epoch, or the network would forget the rest.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from model.artifact import Artifact
from training import tables
from training.config import MNIST, Cosine, Distillation, Recipe, SoftmaxCrossEntropy
from training.dataset import Mnist
from training.errors import DataError, RecipeError
from training.feedback import Feedback, Limits, Screened, screened, unseen
from training.release import Continuation, build, divided
from training.rows import Digits
from training.run_folder import RunFolder
from training.tables import require

Start: TypeAlias = Literal["champion", "scratch"]
STARTS: tuple[Start, ...] = get_args(Start)


@dataclass(frozen=True)
class Retraining:
    """All that decides how a candidate is made of a champion and what was sent.

    start: with the champion's parameters, or from scratch by its recipe as it stands. epochs,
    learning_rate (a share of the recipe's) and average_decay take the place of the recipe's
    where it goes on from the champion. new_share: of the images of an epoch that are new, which
    are repeated for it, at most ``repeats`` times. outliers: pictures without a digit to every
    digit, at least: a network that sees only digits for a while forgets what to refuse.
    """

    start: str = "champion"
    epochs: int = 6
    learning_rate: float = 0.15
    average_decay: float = 0.999
    new_share: float = 0.05
    repeats: int = 20
    outliers: float = 0.01
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        require(self.start in STARTS, "start", " or ".join(STARTS))
        require(self.epochs >= 1, "epochs", "1 or more")
        require(0 < self.learning_rate <= 1, "learning_rate", "above 0, at most 1")
        require(0 <= self.average_decay < 1, "average_decay", "from 0 to below 1")
        require(0 < self.new_share < 1, "new_share", "between 0 and 1")
        require(self.repeats >= 1, "repeats", "1 or more")
        require(0 <= self.outliers <= 1, "outliers", "from 0 to 1")


def retrained(  # noqa: PLR0913 - the last three may be left out
    champion: Artifact,
    data: Mnist,
    sent: Feedback,
    config: Retraining,
    *,
    teachers: Sequence[Artifact] = (),
    folder: RunFolder | None = None,
    resume: bool = False,
) -> tuple[Artifact, Screened]:
    """Train, calibrate and evaluate a candidate; returns it with what of ``sent`` it learned.

    teachers, folder, resume: as for ``release.build``. Raises TrainingError.
    """
    recipe = recipe_of(champion, config)
    found = chosen(recipe, data, sent, config)
    continuation = Continuation(
        first=champion if config.start == "champion" else None,
        digits=_repeated(found.train, len(data.train), config),
        digests=_digests(champion, sent, config),
        record={"retraining": _record(champion, sent, config, found)},
    )
    artifact = build(
        recipe, data, continuation=continuation, teachers=teachers, folder=folder, resume=resume
    )
    return artifact, found


def recipe_of(champion: Artifact, config: Retraining) -> Recipe:
    """The champion's recipe, on MNIST, and where it is gone on from gentler; raises DataError."""
    try:
        recipe = Recipe.from_json(champion.training.get("recipe"))
    except RecipeError as error:
        raise DataError(
            f"the champion does not say how it was trained ({error}); name one with its recipe"
        ) from None
    held_out = recipe.data.validation_fraction or 0.1
    data = dataclasses.replace(
        recipe.data, source=MNIST, shuffle=False, test_rows=0, validation_fraction=held_out
    )
    recipe = dataclasses.replace(recipe, version=champion.version + 1, data=data)
    if config.start == "scratch":
        return recipe
    optimizer = dataclasses.replace(
        recipe.optimizer, learning_rate=config.learning_rate * recipe.optimizer.learning_rate
    )
    # Teachers are no longer needed: what they taught is in the parameters.
    loss = SoftmaxCrossEntropy() if isinstance(recipe.loss, Distillation) else recipe.loss
    return dataclasses.replace(
        recipe,
        epochs=config.epochs,
        optimizer=optimizer,
        schedule=Cosine(),
        warm_up=0.0,
        patience=None,
        average_decay=config.average_decay,
        loss=loss,
        data=dataclasses.replace(data, outliers=max(data.outliers, config.outliers)),
    )


def chosen(recipe: Recipe, data: Mnist, sent: Feedback, config: Retraining) -> Screened:
    """What of ``sent`` is learned and what is held out: the same for the same arguments."""
    _, validation, _ = divided(recipe, data)
    judged_on = Digits(
        np.concatenate([data.test.images, validation.images]),
        np.concatenate([data.test.labels, validation.labels]),
    )
    return screened(sent, judged_on, config.limits)


def not_learned(candidate: Artifact, data: Mnist, sent: Feedback) -> Digits:
    """What ``candidate`` may be judged on of ``sent``; raises TrainingError where that is nothing.

    Of the images it was retrained with, those that were held out; of others, all that are no
    image of the test set.
    """
    record = candidate.training.get("retraining")
    if not isinstance(record, dict) or record.get("data") != sent.digests:
        return unseen(sent, data.test)
    config = tables.build(Retraining, record.get("config"))
    recipe = Recipe.from_json(candidate.training.get("recipe"))
    return chosen(recipe, data, sent, config).held_out


def _repeated(new: Digits, replayed: int, config: Retraining) -> Digits:
    """The new images as often as makes them ``new_share`` of all, a whole number of times."""
    wanted = config.new_share / (1 - config.new_share) * replayed / len(new)
    times = min(max(1, round(wanted)), config.repeats)
    return new.take(np.tile(np.arange(len(new)), times))


def _digests(champion: Artifact, sent: Feedback, config: Retraining) -> dict[str, str]:
    """What makes the run another one: a checkpoint of it is of no use to any other."""
    text = json.dumps(tables.to_json(config), sort_keys=True)
    return {
        "champion": champion.digest().removeprefix("sha256:"),
        "retraining": hashlib.sha256(text.encode()).hexdigest(),
        **{f"new: {name}": digest for name, digest in sent.digests.items()},
    }


def _record(
    champion: Artifact, sent: Feedback, config: Retraining, found: Screened
) -> dict[str, Any]:
    """What the artifact says of it; nobody's name is in it."""
    return {
        "config": tables.to_json(config),
        "champion": {"version": champion.version, "digest": champion.digest()},
        "data": sent.digests,
        **found.to_json(),
    }
