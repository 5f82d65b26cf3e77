import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model import artifact as artifacts
from model.artifact import Artifact
from model.network import scale_pixels
from tests.helpers import TINY_RECIPE, synthetic_mnist
from training.config import Distillation, Recipe
from training.dataset import Mnist
from training.errors import RecipeError
from training.losses import objective
from training.parts import BatchGradient
from training.release import build
from training.teachers import teachers
from training.trainer import Run

MNIST = synthetic_mnist()

TEACHER = """
name = "tutor"
version = 1
seed = 5
epochs = 1
batch_size = 64
architecture = [{ type = "dense", outputs = 10 }]
optimizer = { type = "adam", learning_rate = 0.01 }
"""

Ask = Callable[..., tuple[list[Artifact], list[str]]]


@pytest.fixture
def student(tmp_path: Path) -> Recipe:
    """A recipe that learns from two models of another."""
    (tmp_path / "tutor.toml").write_text(TEACHER)
    return dataclasses.replace(
        TINY_RECIPE, loss=Distillation(str(tmp_path / "tutor.toml"), teachers=2)
    )


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """The teachers of a recipe, and what was said while they were found."""

    def found(recipe: Recipe, data: Mnist = MNIST) -> tuple[list[Artifact], list[str]]:
        said: list[str] = []
        runs = tmp_path / "runs"
        return teachers(recipe, data, runs, resume=False, announce=said.append), said

    return found


def test_a_recipe_without_distillation_has_no_teachers(ask: Ask) -> None:
    assert ask(TINY_RECIPE) == ([], [])


def test_a_teacher_that_is_an_artifact_is_read(
    ask: Ask, tiny_artifact: Artifact, tiny_artifact_path: Path
) -> None:
    recipe = dataclasses.replace(TINY_RECIPE, loss=Distillation(str(tiny_artifact_path)))
    (found,), said = ask(recipe)
    assert found.digest() == tiny_artifact.digest()
    assert said == []


def test_teachers_of_a_recipe_are_trained_with_seeds_from_1_on(ask: Ask, student: Recipe) -> None:
    found, said = ask(student)
    assert [one.training["recipe"]["seed"] for one in found] == [1, 2]
    assert said == ["teacher 1 of 2: tutor, seed 1", "teacher 2 of 2: tutor, seed 2"]
    assert all("test" not in one.evaluation for one in found)


def test_teachers_that_are_there_are_taken_as_they_are(ask: Ask, student: Recipe) -> None:
    first, _ = ask(student)
    again, said = ask(student)
    assert [one.digest() for one in again] == [one.digest() for one in first]
    assert said == []


def test_teachers_of_other_data_or_another_recipe_are_trained_again(
    ask: Ask, student: Recipe, tmp_path: Path
) -> None:
    ask(student)
    assert len(ask(student, synthetic_mnist(seed=3))[1]) == 2
    assert len(ask(student)[1]) == 2
    (tmp_path / "tutor.toml").write_text(TEACHER.replace("epochs = 1", "epochs = 2"))
    assert len(ask(student)[1]) == 2


def test_a_damaged_teacher_is_trained_again(ask: Ask, student: Recipe, tmp_path: Path) -> None:
    first, _ = ask(student)
    path = tmp_path / "runs" / "tutor-2" / "teacher.npz"
    path.write_bytes(path.read_bytes()[:-1])
    again, said = ask(student)
    assert said == ["teacher 2 of 2: tutor, seed 2"]
    assert artifacts.encode(again[1]) == artifacts.encode(first[1])


def test_a_teacher_with_a_teacher_is_refused(ask: Ask, student: Recipe, tmp_path: Path) -> None:
    more = TEACHER + '[loss]\ntype = "distillation"\nteacher = "mlp"\n'
    (tmp_path / "tutor.toml").write_text(more)
    with pytest.raises(RecipeError, match=r"^loss\.teacher: tutor has a teacher itself"):
        ask(student)


def test_the_student_hears_the_mean_of_its_teachers_logits(ask: Ask, student: Recipe) -> None:
    networks = [one.network for one in ask(student)[0]]
    batch = MNIST.train.part(0, 40)
    x = scale_pixels(batch.images)
    mean = (networks[0].logits(x) + networks[1].logits(x)) / 2
    run = Run(student, teachers=networks)
    expected, _ = objective(student.loss, batch.labels, mean)(run.network().logits(x))
    dropout = [np.random.default_rng(0)] * 2
    _, loss, _ = BatchGradient(student, run.checkpoint().arrays["parameters"], None, networks)(
        batch, dropout
    )
    assert loss == pytest.approx(expected, rel=1e-5)


def test_teachers_are_part_of_the_data(ask: Ask, student: Recipe) -> None:
    found, _ = ask(student)
    artifact = build(student, MNIST, teachers=found, show_progress=False)
    digests = {f"teacher {n}": one.digest()[7:] for n, one in enumerate(found, start=1)}
    assert artifact.training["data"] == MNIST.digests | digests
