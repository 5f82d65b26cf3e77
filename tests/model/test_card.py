"""The model card: the headings of Mitchell et al. 2019, whatever an artifact has been told."""

import dataclasses
import json
from typing import Any

import pytest

from model.artifact import Artifact, decode, encode
from model.card import HEADINGS, NOT_MEASURED, NOT_RECORDED, SETS, card, to_text
from model.confidence import Confidence, Thresholds
from tests.helpers import table

PUBLISHED = [
    "Model Details",
    "Intended Use",
    "Factors",
    "Metrics",
    "Evaluation Data",
    "Training Data",
    "Quantitative Analyses",
    "Ethical Considerations",
    "Caveats and Recommendations",
]

# What an artifact may have been told, or not.
TOLD: dict[str, dict[str, Any]] = {
    "as it was trained": {},
    "nothing": {"training": {}, "evaluation": {}},
    "another training record": {"training": {"recipe": ["a", 1], "data": None, "epochs": "many"}},
    "no epochs": {"training": {"epochs": []}},
    "a recipe without data": {"training": {"recipe": {"data": "mnist"}}},
    "a source that is no name": {"training": {"recipe": {"data": {"source": {"a": 1}}}}},
    "figures of another kind": {"evaluation": {"test": 0.99, "seeds": [1, 2], "more": None}},
}


def reported(artifact: Artifact, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return card(dataclasses.replace(artifact, **changes))


# -- its form ---------------------------------------------------------------


@table("told", TOLD)
def test_a_card_has_the_published_headings_in_their_order(
    tiny_artifact: Artifact, told: dict[str, Any]
) -> None:
    found = reported(tiny_artifact, **told)
    assert [HEADINGS[name] for name in found] == PUBLISHED
    assert all(found.values())
    lines = to_text(found).splitlines()
    assert [line for line in lines if line in PUBLISHED] == PUBLISHED


@table("told", TOLD)
def test_a_card_is_json(tiny_artifact: Artifact, told: dict[str, Any]) -> None:
    found = reported(tiny_artifact, **told)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_file_and_what_was_written_to_it_have_one_card(tiny_artifact: Artifact) -> None:
    assert card(decode(encode(tiny_artifact))) == card(tiny_artifact)


# -- what comes from the artifact -------------------------------------------


def test_the_details_are_the_artifacts(tiny_artifact: Artifact) -> None:
    details = card(tiny_artifact)["model_details"]
    assert details["name"] == "digits"
    assert details["version"] == 1
    assert details["digest"] == tiny_artifact.digest()
    assert details["format"] == "digits-artifact version 3"
    assert details["parameters"] == 784 * 16 + 16 + 16 * 10 + 10
    assert details["architecture"] == tiny_artifact.architecture.to_json()
    assert details["normalizer_version"] == tiny_artifact.normalizer_version


def test_every_threshold_is_shown(tiny_artifact: Artifact) -> None:
    confidence = Confidence(1.25, Thresholds(confidence=0.75, energy=3.5))
    details = reported(tiny_artifact, confidence=confidence)["model_details"]
    assert details["temperature"] == 1.25
    assert details["thresholds"] == {"confidence": 0.75, "energy": 3.5}


def test_the_training_record_is_shown_but_for_what_would_stand_twice(
    tiny_artifact: Artifact,
) -> None:
    record = tiny_artifact.training
    training = card(tiny_artifact)["model_details"]["training"]
    recipe = {name: value for name, value in record["recipe"].items() if name != "architecture"}
    assert training == {
        "recipe": recipe,
        "machine": record["machine"],
        "source_revision": record["source_revision"],
        "last_epoch": record["epochs"][-1],
    }
    assert training["recipe"]["seed"] == 7


def test_the_training_data_are_named_and_their_digests_shown(tiny_artifact: Artifact) -> None:
    data = card(tiny_artifact)["training_data"]
    assert data["source"] == "mnist"
    assert "employees of the American census and by high-school students" in data["description"]
    assert data["images"] == tiny_artifact.training["images"]
    assert data["held_out"] == tiny_artifact.training["held_out"]
    assert data["sha256"] == tiny_artifact.training["data"]


def test_other_data_are_not_called_mnist(tiny_artifact: Artifact) -> None:
    training = {"recipe": {"data": {"source": "mine.csv"}}}
    data = reported(tiny_artifact, training=training)["training_data"]
    assert data["source"] == "mine.csv"
    assert "American" not in data["description"]


def test_what_was_not_recorded_is_said_not_to_be(tiny_artifact: Artifact) -> None:
    found = reported(tiny_artifact, training={})
    assert found["model_details"]["training"] == NOT_RECORDED
    assert set(found["training_data"].values()) == {NOT_RECORDED}


# -- the evaluation ---------------------------------------------------------


def test_every_figure_is_in_the_card_also_of_a_set_that_nobody_heard_of(
    tiny_artifact: Artifact,
) -> None:
    evaluation = {**tiny_artifact.evaluation, "moon": {"craters": {"deep": [1, 2]}}}
    analyses = reported(tiny_artifact, evaluation=evaluation)["quantitative_analyses"]
    assert analyses == {**dict.fromkeys(SETS, NOT_MEASURED), **evaluation}


@pytest.mark.parametrize("nothing", [None, {}, []])
def test_a_set_without_figures_was_not_measured(tiny_artifact: Artifact, nothing: object) -> None:
    evaluation = {"drawings": nothing, "refusals": 0}
    found = reported(tiny_artifact, evaluation=evaluation)
    assert found["quantitative_analyses"] == {**dict.fromkeys(SETS, NOT_MEASURED), "refusals": 0}
    assert "\ndrawings: not measured\n" in to_text(found)


# -- what holds for every model ---------------------------------------------


@table(
    "heading, words",
    {
        "what it is for": ("intended_use", "one handwritten digit, 0 to 9"),
        "not several digits": ("intended_use", "Several digits"),
        "not letters": ("intended_use", "Letters"),
        "not cheques": ("intended_use", "Cheques"),
        "no decision without review": ("intended_use", "nobody reviews"),
        "digit forms": ("factors", "sevens with a bar and ones with a foot"),
        "who wrote the test set": ("evaluation_data", "high-school students"),
        "whom it may misread": ("ethical_considerations", "learned to write elsewhere"),
        "what to do first": ("caveats_and_recommendations", "Measure on images of your own"),
    },
)
def test_the_card_says_what_a_user_must_know(
    tiny_artifact: Artifact, heading: str, words: str
) -> None:
    assert words in json.dumps(card(tiny_artifact)[heading])


def test_every_figure_of_an_evaluation_is_explained(tiny_artifact: Artifact) -> None:
    figures = tiny_artifact.evaluation["test"].keys() - {"images", "correct", "by_digit", "by_half"}
    assert figures - {"writers"} <= card(tiny_artifact)["metrics"].keys()


# -- as text ----------------------------------------------------------------


def test_the_text_has_the_figures_where_a_reader_looks_for_them(tiny_artifact: Artifact) -> None:
    evaluation = {
        "test": {
            "images": 10_000,
            "correct": 9970,
            "accuracy": 0.997,
            "interval_95": [0.99572, 0.99791],
            "accepted": 9900,
            "errors_accepted": 3,
        }
    }
    artifact = dataclasses.replace(tiny_artifact, evaluation=evaluation)
    text = to_text(card(artifact))
    assert text.startswith("Model card of digits version 1\n==============================\n")
    assert (
        "Quantitative Analyses\n---------------------\ntest:\n"
        "  accuracy: 99.70 % (99.57 to 99.79), 9970 of 10000 images\n"
        "  accepted: 9900\n  errors accepted: 3\n"
    ) in text
    assert f"\ndigest: {artifact.digest()}\n" in text
    assert "\n  - type = dense, name = dense1, inputs = 784, outputs = 16\n" in text
    assert max(map(len, text.splitlines())) <= 80
