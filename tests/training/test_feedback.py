"""New images: how they are read, and which are learned from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers import synthetic_mnist, table
from training import feedback
from training.errors import DataError, RecipeError
from training.feedback import Feedback, Limits, Screened, screened, unseen
from training.rows import Digits, write_csv

DIGITS = synthetic_mnist(seed=3, train=100).train
NOBODY = DIGITS.part(0, 0)
WIDE = Limits(client_share=1.0)


def names(count: int, clients: int) -> NDArray[np.str_]:
    return np.array([f"c{number % clients}" for number in range(count)])


def sent(digits: Digits = DIGITS, clients: int | None = 10) -> Feedback:
    known = None if clients is None else names(len(digits), clients)
    return Feedback(digits, known, 0, {})


def clients_of(part: Digits, of: Feedback) -> set[str]:
    assert of.clients is not None
    owners = {
        image.tobytes(): str(client)
        for image, client in zip(of.digits.images, of.clients, strict=True)
    }
    return {owners[image.tobytes()] for image in part.images}


# -- reading ------------------------------------------------------------------


def saved(path: Path, **arrays: Any) -> Path:  # noqa: ANN401 - arrays that are wrong, too
    whole = {"images": DIGITS.images, "labels": DIGITS.labels.astype(np.int64)}
    merged: dict[str, Any] = {**whole, "clients": names(100, 10), **arrays}
    np.savez(path, **{name: array for name, array in merged.items() if array is not None})
    return path


def test_what_the_feedback_store_exports_is_read(tmp_path: Path) -> None:
    labels = DIGITS.labels.astype(np.int64)
    labels[[3, 50]] = -1
    found = feedback.read(saved(tmp_path / "new.npz", labels=labels))
    known = labels >= 0
    assert np.array_equal(found.digits.images, DIGITS.images[known])
    assert np.array_equal(found.digits.labels, labels[known])
    assert found.clients is not None
    assert np.array_equal(found.clients, names(100, 10)[known])
    assert found.unlabelled == 2
    assert list(found.digests) == ["new.npz"]


def test_without_clients_nobody_is_known(tmp_path: Path) -> None:
    assert feedback.read(saved(tmp_path / "new.npz", clients=None)).clients is None
    write_csv(tmp_path / "new.csv", DIGITS)
    found = feedback.read(tmp_path / "new.csv")
    assert found.clients is None
    assert np.array_equal(found.digits.images, DIGITS.images)


@table(
    "arrays, words",
    {
        "a label 10": ({"labels": np.full(100, 10)}, "labels: row 0 is 10"),
        "a label -2": ({"labels": np.full(100, -2)}, "labels: at [0] is -2"),
        "no label at all": ({"labels": np.full(100, -1)}, "none is known"),
        "labels that are no integers": ({"labels": np.ones(100)}, "labels: are float64"),
        "too few labels": ({"labels": np.ones(99, int)}, "(99,) for 100 images"),
        "other images": ({"images": np.zeros((100, 8, 8), np.uint8)}, "images: has shape"),
        "clients by number": ({"clients": np.arange(100)}, "clients: are int64"),
        "too few clients": ({"clients": names(99, 3)}, "clients: are"),
        "no labels": ({"labels": None}, "holds images, clients"),
    },
)
def test_what_is_no_feedback_is_named(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    path = saved(tmp_path / "new.npz", **arrays)
    with pytest.raises(DataError) as caught:
        feedback.read(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


# -- what is left out ---------------------------------------------------------


def test_images_that_models_are_judged_on_are_refused_by_their_bytes() -> None:
    judged_on = DIGITS.take(np.array([7, 8, 9]))
    found = screened(sent(), judged_on, WIDE)
    assert found.counts["of an evaluation set"] == 3
    learned = {image.tobytes() for part in (found.train, found.held_out) for image in part.images}
    assert learned.isdisjoint(image.tobytes() for image in judged_on.images)
    assert len(learned) == 97
    nearly = Digits(judged_on.images ^ np.uint8(1), judged_on.labels)  # another picture
    assert "of an evaluation set" not in screened(sent(), nearly, WIDE).counts


def test_an_image_counts_once_and_not_at_all_where_its_label_is_disputed() -> None:
    twice = DIGITS.take(np.append(np.arange(100), [0, 1, 2]))
    labels = twice.labels.copy()
    labels[102] = 9  # of image 2, which is a 2
    found = screened(sent(Digits(twice.images, labels)), NOBODY, WIDE)
    assert found.counts["repeated"] == 2
    assert found.counts["of disputed label"] == 2
    assert len(found.train) + len(found.held_out) == 99
    assert sum(found.counts.values()) == 103


@table(
    "limits, most",
    {
        "a count": (Limits(client_images=4, client_share=1.0), 4),
        "a share": (Limits(client_share=0.05), 5),
        "the smaller of both": (Limits(client_images=7, client_share=0.05), 5),
        "one image at least": (Limits(client_share=0.001), 1),
        "no limit that matters": (WIDE, 10),
    },
)
def test_one_client_contributes_so_much_at_most(limits: Limits, most: int) -> None:
    found = screened(sent(), NOBODY, limits)
    assert len(found.train) == 8 * most
    assert len(found.held_out) == 2 * most
    assert found.counts.get("over a client's limit", 0) == 100 - 10 * most


def test_who_sends_most_is_one_of_many() -> None:
    clients = np.array(["flood"] * 70 + [f"c{number}" for number in range(30)])
    found = screened(Feedback(DIGITS, clients, 0, {}), NOBODY, Limits(client_images=10))
    assert found.counts["over a client's limit"] == 60
    assert found.clients == 31


# -- what is held out ---------------------------------------------------------


def test_clients_are_held_out_with_all_of_their_images() -> None:
    found = screened(sent(), NOBODY, WIDE)
    taught, apart = clients_of(found.train, sent()), clients_of(found.held_out, sent())
    assert taught.isdisjoint(apart)
    assert (len(taught), len(apart)) == (8, 2)
    assert (found.held_out_by, found.clients) == ("clients", 10)


def test_where_nobody_is_known_images_are_held_out_and_nothing_is_limited() -> None:
    found = screened(sent(clients=None), NOBODY, Limits(client_images=1))
    assert (len(found.train), len(found.held_out)) == (80, 20)
    assert (found.held_out_by, found.clients) == ("images", None)
    assert "images are held out" in found.to_text()


def test_the_same_seed_holds_out_the_same() -> None:
    def drawn(seed: int) -> Screened:
        return screened(sent(), NOBODY, Limits(client_images=5, seed=seed))

    assert np.array_equal(drawn(1).train.images, drawn(1).train.images)
    assert not np.array_equal(drawn(1).train.images, drawn(2).train.images)
    first = {image.tobytes() for image in DIGITS.images[:50]}  # five of each client
    assert {image.tobytes() for image in drawn(1).train.images} - first


def test_what_clients_are_called_changes_nothing() -> None:
    ours = sent()
    assert ours.clients is not None
    renamed = np.array([f"{9 - int(name[1:])}-{name}" for name in ours.clients])  # sorted otherwise
    limits = Limits(client_images=5)
    found = screened(Feedback(DIGITS, renamed, 0, {}), NOBODY, limits)
    assert np.array_equal(found.train.images, screened(ours, NOBODY, limits).train.images)


@table(
    "found, judged_on, words",
    {
        "one client": (sent(clients=1), NOBODY, "100 may be used, by 1 client, which"),
        "nothing new": (sent(), DIGITS, "0 may be used, by 0 clients, which"),
        "one image": (sent(DIGITS.part(0, 1), None), NOBODY, "1 may be used, which"),
    },
)
def test_too_little_to_learn_and_to_judge_is_refused(
    found: Feedback, judged_on: Digits, words: str
) -> None:
    with pytest.raises(DataError, match=f"{words}.*wait until more people have sent more"):
        screened(found, judged_on, WIDE)


def test_another_artifact_is_judged_on_all_but_the_test_set() -> None:
    assert len(unseen(sent(), DIGITS.part(0, 40))) == 60
    with pytest.raises(DataError, match="every new image is one of an evaluation set"):
        unseen(sent(), DIGITS)


@table(
    "limits",
    {
        "client_images": {"client_images": 0},
        "client_share": {"client_share": 0.0},
        "held_out": {"held_out": 1.0},
        "seed": {"seed": -1},
    },
)
def test_limits_have_ranges(limits: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=rf"limits\.{next(iter(limits))} must be"):
        Limits(**limits)


def test_the_words_count_everything() -> None:
    text = screened(sent(), DIGITS.part(0, 3), WIDE).to_text()
    assert text.startswith("100 new images, by 10 clients: ")
    assert "3 of an evaluation set" in text
