import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from model import normalizer
from model.artifact import Artifact, decode, encode
from model.confidence import Confidence
from model.errors import ArtifactNotFound
from model.layers import softmax
from tests.helpers import TINY_RECIPE, synthetic_mnist
from training.config import AugmentationConfig, DataConfig, Distillation, GradientDescent
from training.dataset import Mnist
from training.errors import CheckpointError, DivergedError
from training.evaluation import evaluate
from training.release import build, golden_images
from training.run_folder import RunFolder

MNIST = synthetic_mnist()
RECIPE = dataclasses.replace(TINY_RECIPE, augmentation=AugmentationConfig(shift=1, rotation=5))


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    return build(RECIPE, MNIST, show_progress=False)


# -- the same again ---------------------------------------------------------


def test_the_same_recipe_and_data_give_the_same_file(artifact: Artifact) -> None:
    again = build(RECIPE, synthetic_mnist(), show_progress=False)
    assert encode(again) == encode(artifact)


def test_showing_progress_changes_nothing(
    artifact: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    assert encode(build(RECIPE, MNIST, show_progress=True)) == encode(artifact)
    assert capsys.readouterr().out == ""


def test_another_seed_gives_another_model(artifact: Artifact) -> None:
    other = build(dataclasses.replace(RECIPE, seed=8), MNIST, show_progress=False)
    assert other.digest() != artifact.digest()
    for name, array in artifact.parameters.items():
        assert (array != other.parameters[name]).any()


def test_other_data_give_another_model(artifact: Artifact) -> None:
    other = build(RECIPE, synthetic_mnist(seed=1), show_progress=False)
    assert other.training["data"] != artifact.training["data"]
    assert other.digest() != artifact.digest()


# -- what it records --------------------------------------------------------


def test_the_artifact_is_sound_and_of_the_recipes_version(artifact: Artifact) -> None:
    recipe = dataclasses.replace(RECIPE, version=12)
    numbered = decode(encode(build(recipe, MNIST, show_progress=False)))
    assert numbered.version == 12
    assert numbered.name == "digits"
    assert numbered.normalizer_version == normalizer.VERSION
    assert numbered.architecture == recipe.architecture
    np.testing.assert_array_equal(
        numbered.parameters["dense1.weight"], artifact.parameters["dense1.weight"]
    )


def test_the_record_says_how_to_train_it_again(artifact: Artifact) -> None:
    record = artifact.training
    assert record["recipe"] == RECIPE.to_json()
    assert record["data"] == MNIST.digests
    assert record["source_revision"]
    assert {"cpu", "blas", "numpy", "python", "system"} <= record["machine"].keys()
    assert [epoch["number"] for epoch in record["epochs"]] == [1, 2]
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize(("writers", "word"), [(20, "writers"), (None, "images")])
def test_the_record_says_what_was_held_out(writers: int | None, word: str) -> None:
    artifact = build(RECIPE, synthetic_mnist(writers=writers), show_progress=False)
    assert artifact.training["held_out"] == word
    held_out = artifact.evaluation["validation"]["images"]
    assert 0 < held_out < 200
    assert artifact.training["images"] == 600 - held_out


def test_both_sets_are_evaluated_and_the_test_set_is_the_tests(artifact: Artifact) -> None:
    assert artifact.evaluation.keys() == {"validation", "test"}
    with threadpool_limits(RECIPE.blas_threads, user_api="blas"):
        test = evaluate(artifact.network, MNIST.test, artifact.confidence)
    assert artifact.evaluation["test"] == test
    assert test["accuracy"] > 0.8


def test_the_test_set_decides_nothing(artifact: Artifact) -> None:
    other = synthetic_mnist(seed=1)
    swapped = Mnist(MNIST.train, other.test, MNIST.writers, MNIST.digests)
    built = build(RECIPE, swapped, show_progress=False)
    assert built.evaluation["test"] != artifact.evaluation["test"]
    assert dataclasses.replace(built, evaluation={}).digest() == (
        dataclasses.replace(artifact, evaluation={}).digest()
    )


def test_the_threshold_accepts_about_99_of_100_held_out_digits(artifact: Artifact) -> None:
    record = artifact.evaluation["validation"]
    assert record["images"] - record["accepted"] in {0, 1, 2}
    assert 0 < artifact.confidence.threshold <= 1


def test_a_network_that_held_nothing_out_refuses_nothing() -> None:
    recipe = dataclasses.replace(RECIPE, data=DataConfig(validation_fraction=0))
    artifact = decode(encode(build(recipe, MNIST, show_progress=False)))
    assert artifact.confidence == Confidence(temperature=1.0, threshold=0.0)
    assert artifact.evaluation.keys() == {"test"}
    assert artifact.evaluation["test"]["accepted"] == len(MNIST.test)
    assert artifact.training["held_out"] == "nothing"
    assert artifact.training["images"] == len(MNIST.train)
    assert artifact.training["epochs"][0]["validation_accuracy"] is None


def test_a_teacher_is_part_of_the_data(
    tiny_artifact: Artifact, tiny_artifact_path: Path, tmp_path: Path
) -> None:
    teacher = tmp_path / "teacher.npz"
    teacher.write_bytes(tiny_artifact_path.read_bytes())
    recipe = dataclasses.replace(RECIPE, loss=Distillation(str(teacher)))
    folder = RunFolder(tmp_path / "run")
    artifact = build(recipe, MNIST, folder=folder)
    digest = tiny_artifact.digest().removeprefix("sha256:")
    assert artifact.training["data"] == MNIST.digests | {"teacher": digest}
    teacher.write_bytes(encode(dataclasses.replace(tiny_artifact, version=2)))
    with pytest.raises(CheckpointError, match=r"another data \(teacher\)"):
        build(recipe, MNIST, folder=folder, resume=True)


def test_a_teacher_that_is_not_there_is_named() -> None:
    recipe = dataclasses.replace(RECIPE, loss=Distillation("nobody.npz"))
    with pytest.raises(ArtifactNotFound, match=r"nobody\.npz"):
        build(recipe, MNIST, show_progress=False)


@pytest.mark.parametrize("held_out", [0.0, 0.1])
def test_a_network_whose_last_step_was_too_large_is_no_model(held_out: float) -> None:
    recipe = dataclasses.replace(
        TINY_RECIPE,
        epochs=1,
        batch_size=None,
        optimizer=GradientDescent(1e36),  # of finite parameters, but products beyond float32
        data=DataConfig(validation_fraction=held_out),
    )
    with pytest.raises(DivergedError, match=r"lower optimizer\.learning_rate"):
        build(recipe, MNIST, show_progress=False)


# -- golden images ----------------------------------------------------------


def test_golden_images_are_of_no_data_set(artifact: Artifact) -> None:
    known = {image.tobytes() for half in (MNIST.train, MNIST.test) for image in half.images}
    assert not known & {image.tobytes() for image in artifact.golden_images}


def test_golden_images_depend_on_the_seed_alone(artifact: Artifact) -> None:
    elsewhere = build(RECIPE, synthetic_mnist(seed=1), show_progress=False)
    np.testing.assert_array_equal(elsewhere.golden_images, artifact.golden_images)
    other = build(dataclasses.replace(RECIPE, seed=8), MNIST, show_progress=False)
    assert (other.golden_images != artifact.golden_images).any()


def test_golden_images_are_strokes_of_which_no_two_are_alike() -> None:
    images = golden_images(np.random.default_rng(0), 100)
    assert images.shape == (100, 28, 28)
    assert images.dtype == np.uint8
    assert len(np.unique(images, axis=0)) == 100
    assert (images.max(axis=(1, 2)) == 255).all()
    ink = (images > 127).mean(axis=(1, 2))
    assert ink.min() > 0.01
    assert ink.max() < 0.4


def test_golden_images_are_frames_already() -> None:
    images = golden_images(np.random.default_rng(0), 100)
    for image in images:
        np.testing.assert_array_equal(normalizer.normalize(image).pixels, image)


def test_golden_logits_tell_the_images_apart(artifact: Artifact) -> None:
    assert artifact.golden_logits.shape == (16, 10)
    assert np.ptp(softmax(artifact.golden_logits), axis=0).max() > 0.1
