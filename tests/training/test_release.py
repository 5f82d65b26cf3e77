import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from model import normalizer
from model.artifact import Artifact, decode, encode
from model.confidence import ANY_ENERGY, Confidence
from model.layers import softmax
from tests.helpers import TINY_RECIPE, synthetic_mnist, table
from training.config import AugmentationConfig, DataConfig, Distillation, GradientDescent
from training.errors import CheckpointError, DivergedError
from training.evaluation import evaluate_test
from training.examination import Examination, examine
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


def test_all_seeds_and_recipes_hold_out_the_same_images(artifact: Artifact) -> None:
    other = build(dataclasses.replace(RECIPE, seed=8, batch_size=64), MNIST, show_progress=False)

    def held_out(artifact: Artifact) -> dict[str, int]:
        by_digit = artifact.evaluation["validation"]["by_digit"]
        return {digit: figures["images"] for digit, figures in by_digit.items()}

    assert len(held_out(artifact)) == 10
    assert held_out(other) == held_out(artifact)


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


# -- what is evaluated --------------------------------------------------------


def reading_of(artifact: Artifact) -> Examination:
    """What the artifact answers to the test set, computed as in the run that made it."""
    with threadpool_limits(RECIPE.blas_threads, user_api="blas"):
        return examine(artifact.network, artifact.confidence, MNIST.test)


def without_evaluation(artifact: Artifact) -> str:
    """The digest of all that an artifact holds but its evaluation."""
    return dataclasses.replace(artifact, evaluation={}).digest()


def test_both_sets_are_evaluated_and_the_test_set_is_the_tests(artifact: Artifact) -> None:
    assert artifact.evaluation.keys() == {"validation", "test"}
    test = artifact.evaluation["test"]
    assert test == evaluate_test(reading_of(artifact))
    assert test["accuracy"] > 0.8


def test_where_the_tests_writers_are_known_it_is_divided_by_them(artifact: Artifact) -> None:
    writers = np.arange(200) // 10
    built = build(RECIPE, dataclasses.replace(MNIST, test_writers=writers), show_progress=False)
    assert built.evaluation["test"] == evaluate_test(reading_of(built), writers)
    assert without_evaluation(built) == without_evaluation(artifact)
    assert decode(encode(built)).evaluation == built.evaluation


def test_the_test_set_decides_nothing(artifact: Artifact) -> None:
    swapped = dataclasses.replace(MNIST, test=synthetic_mnist(seed=1).test)
    built = build(RECIPE, swapped, show_progress=False)
    assert built.evaluation["test"] != artifact.evaluation["test"]
    assert without_evaluation(built) == without_evaluation(artifact)


def test_a_test_set_that_stays_shut_is_not_looked_into(artifact: Artifact) -> None:
    shut = build(RECIPE, MNIST, open_test=False, show_progress=False)
    assert shut.evaluation == {"validation": artifact.evaluation["validation"]}
    assert without_evaluation(shut) == without_evaluation(artifact)
    unread = MNIST.test.take(np.arange(0))  # of which nothing can be made
    data = dataclasses.replace(MNIST, test=unread)
    assert encode(build(RECIPE, data, open_test=False, show_progress=False)) == encode(shut)


@table(
    "held_out, open_test, shown",
    {
        "both": (0.1, True, "the validation set"),
        "the validation set": (0.1, False, "the validation set"),
        "the test set": (0.0, True, "the test set"),
        "neither": (0.0, False, None),
    },
)
def test_the_report_is_of_what_may_be_seen(
    held_out: float,
    open_test: bool,  # noqa: FBT001 - a case
    shown: str | None,
    tmp_path: Path,
) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=1, data=DataConfig(validation_fraction=held_out))
    folder = RunFolder(tmp_path / "run")
    artifact = build(recipe, MNIST, folder=folder, open_test=open_test)
    assert decode(encode(artifact)).evaluation == artifact.evaluation
    assert folder.report.exists() == (shown is not None) == bool(artifact.evaluation)
    if shown:
        assert shown in folder.report.read_text("utf-8")


def test_thresholds_refuse_the_few_held_out_digits_that_fit_least(artifact: Artifact) -> None:
    # Of some 60 images, the quantile of 1 in 200 is between the lowest two.
    record = artifact.evaluation["validation"]
    assert record["images"] - record["accepted"] in {1, 2}
    thresholds = artifact.confidence.thresholds
    assert 0 < thresholds.confidence <= 1
    assert thresholds.energy > ANY_ENERGY


def test_a_network_that_held_nothing_out_refuses_nothing() -> None:
    recipe = dataclasses.replace(RECIPE, data=DataConfig(validation_fraction=0))
    artifact = decode(encode(build(recipe, MNIST, show_progress=False)))
    assert artifact.confidence == Confidence()
    assert artifact.evaluation.keys() == {"test"}
    assert artifact.evaluation["test"]["accepted"] == len(MNIST.test)
    assert artifact.training["held_out"] == "nothing"
    assert artifact.training["images"] == len(MNIST.train)
    assert artifact.training["epochs"][0]["validation_accuracy"] is None


# -- what else there is to learn from -----------------------------------------


def test_outliers_are_for_training_alone(artifact: Artifact) -> None:
    recipe = dataclasses.replace(RECIPE, data=DataConfig(outliers=0.1))
    exposed = build(recipe, MNIST, show_progress=False)
    assert exposed.training["images"] == artifact.training["images"]
    assert exposed.training["data"] == artifact.training["data"]
    assert exposed.parameters["dense1.weight"].tobytes() != (
        artifact.parameters["dense1.weight"].tobytes()
    )
    for name in ("validation", "test"):
        assert exposed.evaluation[name]["images"] == artifact.evaluation[name]["images"]


def test_teachers_are_part_of_the_data(tiny_artifact: Artifact, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, loss=Distillation("several", teachers=2))
    other = dataclasses.replace(tiny_artifact, version=2)
    folder = RunFolder(tmp_path / "run")
    artifact = build(recipe, MNIST, teachers=[tiny_artifact, other], folder=folder)
    assert artifact.training["data"] == MNIST.digests | {
        "teacher 1": tiny_artifact.digest().removeprefix("sha256:"),
        "teacher 2": other.digest().removeprefix("sha256:"),
    }
    with pytest.raises(CheckpointError, match=r"another data \(teacher 2\)"):
        build(recipe, MNIST, teachers=[tiny_artifact] * 2, folder=folder, resume=True)


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
