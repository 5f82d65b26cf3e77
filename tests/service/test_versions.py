"""Several versions at hand: those that requests name, a canary, a challenger in shadow."""

import dataclasses
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from model import Artifact
from model.artifact import read
from model.errors import NotSigned
from model.signature import generate, sign
from model.store import Store
from model.trust import beside
from service.app import create_app
from service.models import LISTED, Models
from service.sampling import is_among
from service.settings import Settings
from tests.helpers import table
from tests.model.shelf import point, spoil
from tests.service.cases import GOOD, JSON, pixels_json
from tests.service.test_metrics import samples

V1 = json.dumps({"instances": [GOOD]})
V2 = json.dumps(
    {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": GOOD}]}
)

NAMED = {
    "native": ("/predict?version={}", pixels_json(GOOD)),
    "explained": ("/explain?version={}", pixels_json(GOOD)),
    "v1": ("/v1/models/digits/versions/{}:predict", V1),
    "v1 explained": ("/v1/models/digits/versions/{}:explain", V1),
    "v2": ("/v2/models/digits/versions/{}/infer", V2),
}

BATCH = 5  # images

PLAIN: Mapping[str, str] = {}


def other(artifact: Artifact, version: int) -> Artifact:
    """A model that reads every digit as the next one."""
    last = [name for name in artifact.parameters if name.endswith(".bias")][-1]
    moved = {last, last.replace(".bias", ".weight")}
    return dataclasses.replace(
        artifact,
        version=version,
        parameters={
            name: np.roll(value, 1, axis=-1) if name in moved else value
            for name, value in artifact.parameters.items()
        },
        golden_logits=np.roll(artifact.golden_logits, 1, axis=-1),
        reference=None,
    )


@pytest.fixture
def store(tiny_artifact: Artifact, tmp_path: Path) -> Store:
    """Five versions of a small model, of which the first is served; the third reads otherwise."""
    store = Store(tmp_path / "store")
    for version in (1, 2, 4, 5):
        store.publish(dataclasses.replace(tiny_artifact, version=version))
    store.publish(other(tiny_artifact, 3))
    store.promote(1)
    return store


@pytest.fixture
def app_of(store: Store) -> Callable[..., Flask]:
    return lambda **settings: create_app(Settings(store=store.root, **settings))


def models_of(app: Flask) -> Models:
    found: Models = app.extensions["models"]
    return found


def tend(app: Flask) -> None:
    """What a worker does once a second."""
    for chore in app.extensions["chores"]:
        chore()


def predict(app: Flask, headers: Mapping[str, str] = PLAIN, images: int = 1) -> Any:  # noqa: ANN401 - JSON
    body = json.dumps({"instances": [GOOD] * images})
    answer = app.test_client().post("/predict", data=body, headers={**JSON, **headers})
    assert answer.status_code == 200
    return answer.get_json()


def versions_of(app: Flask, keys: list[str]) -> dict[str, int]:
    """Which version answers whom."""
    answers = {key: predict(app, {"X-Canary-Key": key}) for key in keys}
    return {key: answer["model"]["version"] for key, answer in answers.items()}


def loaded(app: Flask) -> set[int]:
    return {classifier.version for classifier in models_of(app).loaded()}


# -- versions that requests name -------------------------------------------------


@pytest.mark.parametrize("way", NAMED)
def test_a_request_may_name_a_version(app_of: Callable[..., Flask], way: str) -> None:
    path, body = NAMED[way]
    client = app_of().test_client()
    answers = [client.post(path.format(version), data=body, headers=JSON) for version in (1, 3)]
    assert [answer.headers["X-Model-Version"] for answer in answers] == ["1", "3"]
    assert answers[0].get_json() != answers[1].get_json()


@pytest.mark.parametrize("way", NAMED)
def test_who_names_one_that_is_not_there_is_told_which_are(
    app_of: Callable[..., Flask], way: str
) -> None:
    path, body = NAMED[way]
    answer = app_of().test_client().post(path.format(99), data=body, headers=JSON)
    assert answer.status_code == 404
    assert b"there is no such version; ask for version 1 or 2 or 3 or 4 or 5" in answer.data


@table(
    "asked, code",
    {
        "nought": ("0", "out_of_range"),
        "no number": ("champion", "out_of_range"),
        "a fraction": ("1.0", "out_of_range"),
        "more than any store has": ("1" + "0" * 18, "out_of_range"),
        "the largest": ("9" * 18, "unknown_model_version"),
    },
)
def test_a_version_in_a_query_is_a_number(
    app_of: Callable[..., Flask], asked: str, code: str
) -> None:
    client = app_of().test_client()
    answer = client.post(f"/predict?version={asked}", data=pixels_json(GOOD), headers=JSON)
    problem = answer.get_json(force=True)
    assert (problem["code"], problem["errors"][0]["field"]) == (code, "version")


def test_a_damaged_version_is_not_served_and_told_of_once(
    app_of: Callable[..., Flask], store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of()
    spoil(store.path(2))
    client = app.test_client()
    for _ in range(3):
        answer = client.post("/predict?version=2", data=pixels_json(GOOD), headers=JSON)
        assert answer.status_code == 404
        problem = answer.get_json(force=True)
        assert problem["code"] == "unusable_model_version"
        assert problem["detail"] == (
            "this version is not sound and is not served; ask for version 1 or 3 or 4 or 5"
        )
    assert [record.getMessage() for record in caplog.records if "digits-2" in record.getMessage()]
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    predict(app)  # nobody else is touched


def test_a_file_that_holds_another_version_is_not_served(
    app_of: Callable[..., Flask], store: Store
) -> None:
    store.file(6).write_bytes(store.path(2).read_bytes())
    answer = app_of().test_client().get("/models/6")
    assert answer.get_json(force=True)["code"] == "unusable_model_version"


def test_so_many_stay_loaded_and_no_more(app_of: Callable[..., Flask], store: Store) -> None:
    app = app_of(other_versions=2)
    client = app.test_client()
    for version, expected in ((2, {1, 2}), (3, {1, 2, 3}), (2, {1, 2, 3}), (4, {1, 2, 4})):
        client.post(f"/predict?version={version}", data=pixels_json(GOOD), headers=JSON)
        assert loaded(app) == expected
    store.promote(5)
    models_of(app).look()
    assert loaded(app) == {1, 4, 5}  # who goes back is not waited for
    before = next(one for one in models_of(app).loaded() if one.version == 1)
    store.rollback()
    models_of(app).look()
    assert models_of(app).classifier is before


def test_all_versions_are_listed(app_of: Callable[..., Flask], store: Store) -> None:
    store.challenge(3)
    app = app_of()
    client = app.test_client()
    listed = client.get("/models").get_json()["models"]
    told = [(one["version"], one["role"], one["loaded"]) for one in listed]
    assert told == [
        (1, "champion", True),
        (2, None, False),
        (3, "challenger", True),
        (4, None, False),
        (5, None, False),
    ]
    for one in listed:
        assert client.get(one["card"]).status_code == 200
    index = client.post("/v2/repository/index").get_json()
    assert {one["version"]: one["state"] for one in index}["5"] == "READY"  # its card was asked
    assert client.get("/v2/models/digits").get_json()["versions"] == ["1", "2", "3", "4", "5"]


def test_of_many_versions_some_are_named(
    store: Store, tiny_artifact: Artifact, app_of: Callable[..., Flask]
) -> None:
    for version in range(6, 2 * LISTED):
        store.publish(dataclasses.replace(tiny_artifact, version=version))
    detail = app_of().test_client().get("/models/99").get_json(force=True)["detail"]
    assert detail.endswith("or see /models")
    assert len(detail.split(" or ")) == LISTED + 1


def test_without_a_store_the_shipped_versions_may_be_named() -> None:
    client = create_app(Settings()).test_client()
    said = client.post("/predict?version=1", data=pixels_json(GOOD), headers=JSON).get_json()
    assert said["model"]["version"] == 1


@table(
    "settings, expected",
    {
        "in shadow": ({"shadow_percent": 1}, {1, 3}),
        "as a canary": ({"shadow_percent": 0, "canary_percent": 1}, {1, 3}),
        "not at all": ({"shadow_percent": 0}, {1}),
    },
)
def test_a_challenger_is_loaded_where_it_is_tried(
    app_of: Callable[..., Flask], store: Store, settings: dict[str, int], expected: set[int]
) -> None:
    store.challenge(3)
    assert loaded(app_of(**settings)) == expected


@pytest.fixture
def administrator(store: Store) -> FlaskClient:
    """One who sends the token with every request."""
    token = "a-token-of-an-administrator"  # noqa: S105 - of a test
    app = create_app(Settings(store=store.root, admin_token=token))
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def test_an_administrator_has_the_champion_followed_at_once(
    administrator: FlaskClient, store: Store
) -> None:
    store.promote(2)
    assert administrator.post("/v2/repository/models/digits/load").status_code == 200
    assert administrator.get("/models").get_json()["models"][0]["version"] == 2
    spoil(store.path(4))
    (store.root / "champion").write_text("4\n")
    answer = administrator.post("/v2/repository/models/digits/load")
    assert (answer.status_code, "cannot be loaded" in answer.get_json()["error"]) == (404, True)
    assert administrator.get("/models").get_json()["models"][0]["version"] == 2


# -- canary -----------------------------------------------------------------------

KEYS = [f"somebody-{number}" for number in range(400)]


def test_a_canary_answers_its_share_and_the_same_people(
    app_of: Callable[..., Flask], store: Store
) -> None:
    store.challenge(3)
    app = app_of(canary_percent=25)
    first = versions_of(app, KEYS)
    shares = Counter(first.values())
    assert shares.keys() == {1, 3}
    assert 60 <= shares[3] <= 140  # 100 of 400, with 4 standard deviations
    assert versions_of(app_of(canary_percent=25), KEYS) == first  # of another worker, too
    wider = versions_of(app_of(canary_percent=50), KEYS)
    assert {key for key in KEYS if first[key] == 3} < {key for key in KEYS if wider[key] == 3}
    assert predict(app, {"X-Canary-Key": KEYS[0], "X-Request-ID": "a"})["request_id"] == "a"


def test_another_challenger_is_tried_by_others(app_of: Callable[..., Flask], store: Store) -> None:
    tried = []
    for challenger in (2, 3):
        store.challenge(challenger)
        answers = versions_of(app_of(canary_percent=50), KEYS[:100])
        tried.append({key for key, version in answers.items() if version == challenger})
    assert 5 < len(tried[0] & tried[1]) < 45  # 25 of 100, with 4 standard deviations


def test_without_a_key_the_request_id_decides(app_of: Callable[..., Flask], store: Store) -> None:
    store.challenge(3)
    app = app_of(canary_percent=50)
    for number in range(20):
        told = {predict(app, {"X-Request-ID": f"r-{number}"})["model"]["version"] for _ in range(3)}
        assert len(told) == 1


@table(
    "percent, challenger, expected",
    {
        "none": (0, 3, {1}),
        "all": (100, 3, {3}),
        "no challenger": (100, None, {1}),
    },
)
def test_how_many_a_challenger_answers(
    app_of: Callable[..., Flask],
    store: Store,
    percent: int,
    challenger: int | None,
    expected: set[int],
) -> None:
    store.challenge(challenger)
    app = app_of(canary_percent=percent)
    assert set(versions_of(app, KEYS[:50]).values()) == expected


def test_a_version_that_is_named_goes_before_the_canary(
    app_of: Callable[..., Flask], store: Store
) -> None:
    store.challenge(3)
    client = app_of(canary_percent=100).test_client()
    said = client.post("/predict?version=1", data=pixels_json(GOOD), headers=JSON).get_json()
    assert said["model"]["version"] == 1


def test_answers_are_counted_by_version(app_of: Callable[..., Flask], store: Store) -> None:
    store.challenge(3)
    app = app_of(canary_percent=50)
    told = Counter(versions_of(app, KEYS[:50]).values())
    found = samples(app.test_client())
    counted = {
        version: sum(
            found.get(("digits_images_total", accepted, str(version)), 0)
            for accepted in ("true", "false")
        )
        for version in told
    }
    assert counted == told


def test_who_becomes_champion_is_no_challenger_any_more(
    app_of: Callable[..., Flask], store: Store
) -> None:
    store.challenge(3)
    app = app_of(canary_percent=50)
    challenger = models_of(app).challenger
    store.promote(3)
    models_of(app).look()
    assert models_of(app).classifier is challenger  # it is not loaded twice
    assert models_of(app).challenger is None


# -- shadow -----------------------------------------------------------------------


def shadowed(app: Flask) -> tuple[float, float]:
    """Images that the challenger saw, and those on which it disagreed."""
    found = samples(app.test_client())
    return (
        sum(value for key, value in found.items() if key[0] == "digits_shadow_images_total"),
        sum(value for key, value in found.items() if key[0] == "digits_shadow_disagreements_total"),
    )


@table(
    "challenger, percent, expected",
    {
        "another opinion": (3, 100, (2 * BATCH, 2 * BATCH)),
        "the same opinion": (2, 100, (2 * BATCH, 0)),
        "no sample": (3, 0, (0, 0)),
        "no challenger": (None, 100, (0, 0)),
    },
)
def test_a_challenger_in_shadow_is_compared(
    app_of: Callable[..., Flask],
    store: Store,
    challenger: int | None,
    percent: int,
    expected: tuple[int, int],
) -> None:
    store.challenge(challenger)
    app = app_of(shadow_percent=percent)
    for _ in range(2):
        assert predict(app, images=BATCH)["model"]["version"] == 1
    assert shadowed(app) == (0, 0)  # the answers are out, and it has not looked yet
    tend(app)
    assert shadowed(app) == expected


def test_disagreements_are_counted_and_told_by_digit(
    app_of: Callable[..., Flask], store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.challenge(3)
    app = app_of(shadow_percent=100)
    answer = predict(app, {"X-Request-ID": "the-one"}, BATCH)
    digit = answer["predictions"][0]["digit"]
    with caplog.at_level(logging.INFO, "digits.shadow"):
        tend(app)
    found = samples(app.test_client())
    assert found["digits_shadow_disagreements_total", str(digit), "3"] == BATCH
    [record] = [record for record in caplog.records if record.name == "digits.shadow"]
    assert record.getMessage() == (
        f"version 3 reads {(digit + 1) % 10} where version 1 read {digit}: "
        f"{BATCH} of {BATCH} images, as in request the-one"
    )


def test_a_busy_worker_shows_it_only_so_much(app_of: Callable[..., Flask], store: Store) -> None:
    store.challenge(3)
    app = app_of(shadow_percent=100)
    for _ in range(3):
        predict(app, images=50)
    tend(app)
    assert shadowed(app) == (64, 64)


def test_a_sample_is_shown(app_of: Callable[..., Flask], store: Store) -> None:
    store.challenge(3)
    app = app_of(shadow_percent=20)
    ids = [f"request-{number}" for number in range(60)]
    for name in ids:
        predict(app, {"X-Request-ID": name})
    tend(app)
    chosen = sum(is_among(20, name, "shadow") for name in ids)
    assert 0 < chosen < len(ids)
    assert shadowed(app) == (chosen, chosen)


def test_what_the_challenger_answered_itself_is_not_shown_to_it(
    app_of: Callable[..., Flask], store: Store
) -> None:
    store.challenge(3)
    app = app_of(shadow_percent=100, canary_percent=100)
    predict(app, images=BATCH)
    tend(app)
    assert shadowed(app) == (0, 0)


def test_a_damaged_challenger_harms_nobody(app_of: Callable[..., Flask], store: Store) -> None:
    store.challenge(3)
    spoil(store.path(3))
    app = app_of(shadow_percent=100, canary_percent=100)
    assert predict(app)["model"]["version"] == 1
    tend(app)
    assert models_of(app).challenger is None
    store.challenge(2)
    tend(app)
    assert predict(app)["model"]["version"] == 2


# -- sampling ---------------------------------------------------------------------


@pytest.mark.parametrize("percent", [0, 1, 10, 50, 99, 100])
def test_so_many_of_a_hundred_keys_are_chosen(percent: int) -> None:
    keys = 20_000
    chosen = sum(is_among(percent, f"key-{number}", "a") for number in range(keys))
    expected = percent * keys / 100
    deviation = (expected * (1 - percent / 100)) ** 0.5
    assert abs(chosen - expected) <= 4 * deviation


def test_keys_are_chosen_anew_for_another_purpose() -> None:
    chosen = [
        {number for number in range(2_000) if is_among(50, str(number), purpose)}
        for purpose in ("a", "b")
    ]
    assert 400 < len(chosen[0] & chosen[1]) < 600


# -- with a key that is trusted ---------------------------------------------------


def test_only_what_is_signed_is_served(
    app_of: Callable[..., Flask], store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start, as another champion, as challenger, and by name."""
    settings = {"model_key": generate(tmp_path / "key"), "canary_percent": 100}

    def vouch(version: int) -> None:
        digest = read(store.path(version)).digest()
        beside(store.path(version)).write_bytes(sign(tmp_path / "key", digest))

    with pytest.raises(NotSigned, match=r"digits-1\.npz: is not signed"):
        app_of(**settings)
    vouch(1)
    vouch(2)
    app = app_of(**settings)
    for move in ({"champion": 3}, {"champion": 1, "challenger": 3}):
        point(store, move)
        tend(app)
        assert predict(app)["model"]["version"] == 1
    answer = app.test_client().post("/predict?version=3", data=pixels_json(GOOD), headers=JSON)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "unusable_model_version")
    assert "digits-3.npz: is not signed" in caplog.text
    vouch(3)
    tend(app)
    assert predict(app)["model"]["version"] == 3
    point(store, {"champion": 2})
    tend(app)
    assert models_of(app).classifier.version == 2


def test_one_artifact_that_is_named_has_to_be_signed_as_well(store: Store, tmp_path: Path) -> None:
    key = generate(tmp_path / "key")
    with pytest.raises(NotSigned, match="is not signed"):
        create_app(Settings(model=store.path(1), model_key=key))
