"""The models that a recipe with distillation learns from: read, or trained first."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from model import artifact as artifacts
from model.artifact import Artifact
from model.errors import ArtifactError
from training.config import Distillation, Recipe, load_recipe
from training.dataset import Mnist
from training.errors import RecipeError
from training.release import build
from training.run_folder import RunFolder


def teachers(
    recipe: Recipe, data: Mnist, runs: Path, *, resume: bool, announce: Callable[[str], None]
) -> list[Artifact]:
    """Read the recipe's teachers, or train them into their folders of ``runs``.

    One that is there is taken when it comes from the same recipe, seed and data, and
    is otherwise trained again. None of them sees the test set. Raises RecipeError
    for a teacher that has teachers, and what ``build`` and reading an artifact raise.
    """
    loss = recipe.loss
    if not isinstance(loss, Distillation):
        return []
    if loss.from_artifact:
        return [artifacts.read(Path(loss.teacher))]
    found = []
    for one in recipes_of(loss):
        folder = RunFolder(runs / f"{one.name}-{one.seed}")
        artifact = _made_before(one, data, folder.artifact)
        if artifact is None:
            announce(f"teacher {one.seed} of {loss.teachers}: {one.name}, seed {one.seed}")
            artifact = build(one, data, folder=folder, resume=resume, open_test=False)
            artifacts.write_whole(folder.artifact, artifacts.encode(artifact))
            folder.checkpoint.unlink(missing_ok=True)
        found.append(artifact)
    return found


def recipes_of(loss: Distillation) -> list[Recipe]:
    """The recipes of the teachers that are yet to be trained; raises RecipeError."""
    if loss.from_artifact:
        return []
    taught = load_recipe(loss.teacher)
    if isinstance(taught.loss, Distillation):
        raise RecipeError(
            f"loss.teacher: {taught.name} has a teacher itself; name one that has not"
        )
    return [dataclasses.replace(taught, seed=seed) for seed in range(1, loss.teachers + 1)]


def _made_before(recipe: Recipe, data: Mnist, path: Path) -> Artifact | None:
    try:
        artifact = artifacts.read(path)
    except (ArtifactError, OSError):
        return None
    made = artifact.training
    same = made.get("recipe") == recipe.to_json() and made.get("data") == data.digests
    return artifact if same else None
