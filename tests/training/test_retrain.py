"""A candidate made from a champion and what was sent, and what becomes of it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import artifact as artifacts
from model import history
from model.artifact import Artifact, decode, encode
from model.errors import NotSigned
from model.signature import generate
from model.store import Store
from model.trust import trust
from tests.helpers import (
    assert_one_line_error,
    run_module,
    synthetic_mnist,
    table,
    write_idx_folder,
)
from tests.training.known_answers import answered, reader
from tests.training.runs import parameter_bytes
from training import promotion
from training.config import (
    AdamW,
    Constant,
    Cosine,
    DataConfig,
    Distillation,
    Recipe,
    SoftmaxCrossEntropy,
)
from training.errors import CheckpointError, DataError, GateError, RecipeError
from training.examination import accuracy, all_logits
from training.feedback import Feedback, Limits
from training.gate import Verdict
from training.retraining import Retraining, not_learned, recipe_of, retrained
from training.rows import Digits
from training.run_folder import RunFolder
from training.standing import Sizes, forward_seconds, golden_faults, pairs

MNIST = dataclasses.replace(synthetic_mnist(), test_writers=np.arange(200) // 10)
OTHERS = synthetic_mnist(seed=9, train=200).train  # other patterns under the same labels
CLIENTS = np.array([f"c{number // 20}" for number in range(200)])  # each writes all digits
SENT = Feedback(OTHERS, CLIENTS, 0, {"new.npz": "0" * 64})
CONFIG = Retraining(epochs=2, learning_rate=1.0, average_decay=0.0, new_share=0.25, outliers=0.0)
SIZES = Sizes(corrupted=10, strangers=2)


@pytest.fixture(scope="module")
def candidate(tiny_artifact: Artifact) -> Artifact:
    return retrained(tiny_artifact, MNIST, SENT, CONFIG)[0]


def right(artifact: Artifact, digits: Digits) -> float:
    return accuracy(all_logits(artifact.network, digits.images), digits.labels)


# -- the recipe ---------------------------------------------------------------


def taught_by(champion: Artifact, **changes: Any) -> Artifact:  # noqa: ANN401 - of any field
    recipe = Recipe.from_json(champion.training["recipe"])
    changed = dataclasses.replace(recipe, **changes)
    return dataclasses.replace(champion, training={"recipe": changed.to_json()})


def test_going_on_is_gentler_than_beginning(tiny_artifact: Artifact) -> None:
    recipe = recipe_of(tiny_artifact, Retraining())
    assert recipe.architecture == tiny_artifact.architecture
    assert recipe.optimizer == AdamW(learning_rate=0.15 * 0.01)
    assert recipe.schedule == Cosine()
    assert (recipe.epochs, recipe.average_decay) == (6, 0.999)
    assert recipe.data.outliers == 0.01
    assert recipe.version == tiny_artifact.version + 1


def test_from_scratch_the_recipe_stands(tiny_artifact: Artifact) -> None:
    recipe = recipe_of(tiny_artifact, Retraining(start="scratch"))
    first = Recipe.from_json(tiny_artifact.training["recipe"])
    assert recipe == dataclasses.replace(first, version=2)


def test_what_teachers_taught_is_in_the_parameters(tiny_artifact: Artifact) -> None:
    student = taught_by(tiny_artifact, loss=Distillation("nobody.npz"), schedule=Constant())
    assert recipe_of(student, Retraining()).loss == SoftmaxCrossEntropy()
    assert recipe_of(student, Retraining(start="scratch")).loss == Distillation("nobody.npz")


def test_a_part_of_mnist_is_always_held_out_to_calibrate_by(tiny_artifact: Artifact) -> None:
    data = DataConfig(source="some.csv", test_rows=5, validation_fraction=0.0, outliers=0.3)
    recipe = recipe_of(taught_by(tiny_artifact, data=data), Retraining())
    assert recipe.data == DataConfig(validation_fraction=0.1, outliers=0.3)


def test_a_champion_without_a_recipe_is_refused() -> None:
    with pytest.raises(DataError, match="does not say how it was trained"):
        recipe_of(reader(), Retraining())


@table(
    "field, value",
    {
        "start": ("start", "anew"),
        "epochs": ("epochs", 0),
        "learning_rate": ("learning_rate", 0.0),
        "average_decay": ("average_decay", 1.0),
        "new_share": ("new_share", 1.0),
        "repeats": ("repeats", 0),
        "outliers": ("outliers", -0.1),
    },
)
def test_every_field_has_a_range(field: str, value: object) -> None:
    with pytest.raises(RecipeError, match=f"{field} must be"):
        Retraining(**{field: value})  # type: ignore[arg-type]


# -- the candidate ------------------------------------------------------------


def test_it_learns_what_was_sent_and_keeps_what_it_knew(
    tiny_artifact: Artifact, candidate: Artifact
) -> None:
    held_out = not_learned(candidate, MNIST, SENT)
    assert len(held_out) == 40
    assert right(tiny_artifact, held_out) < 0.5
    assert right(candidate, held_out) > right(tiny_artifact, held_out) + 0.3
    assert right(candidate, MNIST.test) > right(tiny_artifact, MNIST.test) - 0.05


def test_it_begins_with_the_champion_or_from_scratch(tiny_artifact: Artifact) -> None:
    still = dataclasses.replace(CONFIG, epochs=1, learning_rate=1e-9)
    same = retrained(tiny_artifact, MNIST, SENT, still)[0]
    for name, array in tiny_artifact.parameters.items():
        assert np.allclose(same.parameters[name], array, atol=1e-6)
    anew = retrained(tiny_artifact, MNIST, SENT, dataclasses.replace(CONFIG, start="scratch"))[0]
    assert anew.training["recipe"]["epochs"] == 2
    weights, others = (one.parameters["dense1.weight"] for one in (anew, tiny_artifact))
    assert not np.allclose(weights, others, atol=1e-3)


def test_the_record_says_how_it_was_made_and_names_nobody(
    tiny_artifact: Artifact, candidate: Artifact
) -> None:
    record = candidate.training["retraining"]
    assert record["champion"] == {"version": 1, "digest": tiny_artifact.digest()}
    assert record["images"] == {"unlabelled": 0, "held out": 40, "trained on": 160}
    assert record["config"]["new_share"] == 0.25
    assert record["config"]["limits"]["client_images"] == 200
    assert record["data"] == SENT.digests
    assert candidate.training["images"] > 500 + 160
    assert '"c3"' not in json.dumps(record)  # which a digest may hold without quotes
    assert encode(decode(encode(candidate))) == encode(candidate)
    assert candidate.evaluation.keys() == {"validation", "test"}
    assert candidate.confidence != tiny_artifact.confidence


def test_the_same_again_and_taken_up_again_gives_the_same_bytes(
    tiny_artifact: Artifact, candidate: Artifact, tmp_path: Path
) -> None:
    longer = dataclasses.replace(CONFIG, epochs=2)
    folder = RunFolder(tmp_path)
    first, _ = retrained(tiny_artifact, MNIST, SENT, longer, folder=folder)
    assert folder.checkpoint.exists()
    again, _ = retrained(tiny_artifact, MNIST, SENT, longer, folder=folder, resume=True)
    assert parameter_bytes(first.network) == parameter_bytes(candidate.network)
    assert encode(first) == encode(again)


@table(
    "sent, config",
    {
        "other data": (dataclasses.replace(SENT, digests={"new.npz": "1" * 64}), CONFIG),
        "another way": (SENT, dataclasses.replace(CONFIG, repeats=1)),
        "other limits": (SENT, dataclasses.replace(CONFIG, limits=Limits(client_images=3))),
    },
)
def test_a_checkpoint_is_of_one_retraining_only(
    tiny_artifact: Artifact, tmp_path: Path, sent: Feedback, config: Retraining
) -> None:
    folder = RunFolder(tmp_path)
    retrained(tiny_artifact, MNIST, SENT, CONFIG, folder=folder)
    with pytest.raises(CheckpointError, match="is of another data"):
        retrained(tiny_artifact, MNIST, sent, config, folder=folder, resume=True)


def test_others_are_judged_on_all_that_was_sent(
    tiny_artifact: Artifact, candidate: Artifact
) -> None:
    assert len(not_learned(tiny_artifact, MNIST, SENT)) == 200
    later = dataclasses.replace(SENT, digests={"later.npz": "1" * 64})
    assert len(not_learned(candidate, MNIST, later)) == 200


# -- what is measured ---------------------------------------------------------


def test_pairs_are_counted() -> None:
    champion, other = np.array([1, 1, 1, 0, 0, 0], bool), np.array([1, 1, 0, 1, 0, 0], bool)
    found = pairs(champion, other)
    assert (found.both, found.only_champion, found.only_candidate, found.neither) == (2, 1, 1, 2)


def test_who_is_held_against_himself_differs_in_nothing(tiny_artifact: Artifact) -> None:
    found = promotion.judged(tiny_artifact, tiny_artifact, MNIST, None, sizes=SIZES)
    judgement = found.judgement
    figures = judgement.figures
    assert figures.error_bound == 0
    assert figures.writers == 20
    assert len(figures.corruptions) == 15
    assert len(figures.refused) == 10
    assert all(sides.fall == 0 for sides in [*figures.refused.values(), figures.coverage])
    assert judgement.better_on == ()
    assert found.candidate.evaluation["gate"]["champion"]["digest"] == tiny_artifact.digest()


def test_seconds_are_of_both(tiny_artifact: Artifact) -> None:
    found = forward_seconds(tiny_artifact, tiny_artifact, rounds=3)
    assert found.champion > 0
    assert found.candidate > 0


def test_a_golden_set_that_is_not_answered_as_recorded_is_counted(tiny_artifact: Artifact) -> None:
    assert golden_faults(tiny_artifact) == 0
    forged = dataclasses.replace(tiny_artifact, golden_logits=tiny_artifact.golden_logits + 1)
    assert golden_faults(forged) == len(tiny_artifact.golden_images)


# -- promoting ----------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_store_gets_the_beaten_champion_to_roll_back_to(
    store: Store, tiny_artifact: Artifact, tiny_artifact_path: Path, candidate: Artifact
) -> None:
    beaten = promotion.rival(store, tiny_artifact_path, to_promote=True)
    version = promotion.promote(store, store.add(candidate), beaten, "why not")
    assert version == candidate.version
    assert store.aliases() == {"champion": version, "previous": tiny_artifact.version}
    assert [entry["why"] for entry in history.read(store.root).entries] == [None, "why not"]


def test_where_models_have_to_be_signed_nobody_promotes_what_nobody_has_seen(
    store: Store, tmp_path: Path
) -> None:
    trusted = Store(store.root, trust(generate(tmp_path / "key")))
    with pytest.raises(GateError, match=r"DIGITS_MODEL_KEY is set.*leave out --promote"):
        promotion.rival(trusted, None, to_promote=True)
    with pytest.raises(NotSigned, match="is not signed"):
        promotion.rival(trusted, None, to_promote=False)


def test_who_beat_another_champion_is_not_promoted(
    store: Store, tiny_artifact: Artifact, tiny_artifact_path: Path, candidate: Artifact
) -> None:
    store.add(tiny_artifact)
    store.promote(1)
    beaten = promotion.rival(store, None, to_promote=True)
    assert encode(beaten.artifact) == encode(tiny_artifact)
    path = store.add(candidate)
    store.promote(candidate.version)
    with pytest.raises(GateError, match="another champion was promoted meanwhile"):
        promotion.promote(store, path, beaten, "why not")
    with pytest.raises(GateError, match="leave out --champion, or --promote"):
        promotion.rival(store, tiny_artifact_path, to_promote=True)
    assert promotion.rival(store, tiny_artifact_path, to_promote=False).artifact.version == 1


EXPECTED = {Verdict.PROMOTE: 0, Verdict.KEEP: 3, Verdict.REJECT: 4}

# -- the commands -------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_artifact: Artifact) -> Path:
    """A small MNIST, new images, a champion, and one that reads nothing."""
    path = tmp_path_factory.mktemp("gate")
    write_idx_folder(path / "mnist", MNIST)
    labels = OTHERS.labels.astype(np.int64)
    np.savez(path / "new.npz", images=OTHERS.images, labels=labels, clients=CLIENTS)
    artifacts.write(path / "tiny.npz", tiny_artifact)
    Store(path / "store").publish(tiny_artifact)
    Store(path / "store").promote(tiny_artifact.version)
    blind = reader(version=2, blind_to=range(10))
    golden = answered([(0, 0, 0)]).images
    artifacts.write(path / "blind.npz", dataclasses.replace(blind, golden_images=golden))
    return path


def quick(folder: Path) -> list[str | Path]:
    return ["--data", folder / "mnist", "--without-drawings", "--strangers", "2"]


@table(
    "name, against, verdict",
    {
        "itself": ("tiny", ("--champion", "tiny.npz"), Verdict.KEEP),
        "who reads nothing": ("blind", ("--champion", "tiny.npz"), Verdict.REJECT),
        "the store's champion": ("blind", ("--store", "store"), Verdict.REJECT),
    },
)
def test_the_gate_says_its_verdict_by_its_status(
    folder: Path, tmp_path: Path, name: str, against: tuple[str, str], verdict: Verdict
) -> None:
    option, whom = against
    run = run_module(
        *("training", "gate", folder / f"{name}.npz", option, folder / whom),
        *("--new", folder / "new.npz", "--report", tmp_path, *quick(folder)),
    )
    assert run.returncode == EXPECTED[verdict], run.stderr
    assert f"verdict: {verdict}" in run.stdout
    record = json.loads((tmp_path / "gate.json").read_text())
    assert record["verdict"] == verdict
    assert record["sets"]["new"]["images"] == 200
    page = (tmp_path / "gate.html").read_text()
    assert verdict in page
    assert "error on one digit" in page


def test_retrain_leaves_a_candidate_its_reports_and_the_alias(folder: Path, tmp_path: Path) -> None:
    run = run_module(
        *("training", "retrain", folder / "new.npz", "--champion", folder / "tiny.npz"),
        *("--store", tmp_path / "store", "--run", tmp_path / "run", *quick(folder)),
        *("--client-images", "15", "--held-out", "0.3"),
    )
    assert run.returncode in {0, 3, 4}, run.stderr
    verdict = next(v for v, status in EXPECTED.items() if status == run.returncode)
    assert f"verdict: {verdict}" in run.stdout
    assert "200 new images, by 10 clients" in run.stdout
    kept = Store(tmp_path / "store").versions()
    path = tmp_path / "run" / "rejected.npz"
    if verdict is not Verdict.REJECT:
        path = tmp_path / "store" / "digits-2.npz"
    assert kept == ([] if verdict is Verdict.REJECT else [2])
    found = artifacts.read(path)
    assert found.evaluation["gate"]["verdict"] == verdict
    assert found.training["retraining"]["images"]["over a client's limit"] == 50
    assert found.training["retraining"]["images"]["held out"] == 45
    assert {"gate.html", "gate.json", "gate.txt"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    assert Store(tmp_path / "store").aliases() == {}


@table(
    "arguments, words",
    {
        "no such data": (["nowhere.npz"], ["nowhere.npz"]),
        "no drawings": (["new.npz", "drawings"], ["DIGITS_DRAWINGS", "--without-drawings"]),
    },
)
def test_what_cannot_be_done_is_said(
    folder: Path, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    data, *drawings = arguments
    run = run_module(
        *("training", "retrain", folder / data, "--champion", folder / "tiny.npz"),
        *("--store", tmp_path / "store", "--data", folder / "mnist"),
        *([] if drawings else ["--without-drawings"]),
        environ={"DIGITS_DRAWINGS": str(tmp_path / "none")},
    )
    assert_one_line_error(run, *words)
    assert Store(tmp_path / "store").versions() == []
