"""Who may ask: with keys set, only those who have one; and health for all."""

import hmac
import logging
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from model import Artifact, Classifier
from service.app import create_app
from service.keys import Keys, Ring
from service.settings import Settings, SettingsError
from tests.helpers import table
from tests.service.cases import BadRequest
from tests.service.cases_access import ADMIN_KEY, ADMITTED, BODY, KEY, OTHER_KEY, UNAUTHORIZED, sent
from tests.service.test_errors import refusals, send

SETTINGS = Settings(api_keys=(KEY, OTHER_KEY), admin_token=ADMIN_KEY)

# All others are guarded, also those that are still to come.
OPEN = {
    "/",
    "/static/<path:filename>",
    "/livez",
    "/readyz",
    "/healthz",
    "/health",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/<filename>",
    "/v1/models/<segment:name>",
    "/v1/models/<segment:name>/versions/<segment:version>",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/<name>/ready",
    "/v2/models/<name>/versions/<version>/ready",
}
SAMPLE = {"name": "digits", "version": "3", "filename": "draw.js"}  # of what a path has


@pytest.fixture
def app(shipped: Artifact) -> Flask:
    return create_app(SETTINGS, Classifier(shipped))


@pytest.mark.parametrize("case", UNAUTHORIZED, ids=lambda case: case.name)
def test_without_a_valid_key_nothing_is_answered(client: FlaskClient, case: BadRequest) -> None:
    response = send(client, case)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="digits"'
    assert refusals(client) == ["unauthorized"]
    assert b"X-API-Key" in response.data
    assert KEY.encode() not in response.data


@table("headers", dict(ADMITTED))
def test_every_valid_key_opens(client: FlaskClient, headers: Mapping[str, str]) -> None:
    assert client.post("/predict", data=BODY, headers=headers).status_code == 200


def test_a_route_is_guarded_unless_it_is_among_the_open_ones(app: Flask) -> None:
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: SAMPLE[match[1]], rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS"}:
            is_open = client.open(path, method=method).status_code != 401
            assert is_open == (rule.rule in OPEN), f"{method} {path}"


def test_a_question_whether_one_may_ask_needs_no_key(client: FlaskClient) -> None:
    assert client.options("/predict").status_code == 200


@table(
    "settings",
    {
        "nothing is set": Settings(),
        "only administrators have keys": Settings(admin_token=ADMIN_KEY),
    },
)
def test_where_users_have_no_keys_all_may_ask(shipped: Artifact, settings: Settings) -> None:
    client = create_app(settings, Classifier(shipped)).test_client()
    assert client.post("/predict", data=BODY, headers=sent()).status_code == 200
    assert client.get("/models").status_code == 200


@table(
    "settings, sent_keys, expected",
    {
        "the token": (SETTINGS, {"HTTP_AUTHORIZATION": f"Bearer {ADMIN_KEY}"}, True),
        "in the other header": (SETTINGS, {"HTTP_X_API_KEY": ADMIN_KEY}, True),
        "beside a user's": (
            SETTINGS,
            {"HTTP_AUTHORIZATION": f"Bearer {ADMIN_KEY}", "HTTP_X_API_KEY": KEY},
            True,
        ),
        "a user's": (SETTINGS, {"HTTP_X_API_KEY": KEY}, False),
        "none": (SETTINGS, {}, False),
        "none, where there is none": (Settings(), {}, False),
        "an empty one, where there is none": (Settings(), {"HTTP_X_API_KEY": ""}, False),
    },
)
def test_administrators_are_known_by_their_own_token(
    settings: Settings, sent_keys: Mapping[str, str], *, expected: bool
) -> None:
    assert Keys.of(settings).is_admin(sent_keys) == expected


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All with all, over digests of one length, whether or not the first is right."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    ring = Ring([KEY, OTHER_KEY, ADMIN_KEY], None)
    for tried, found in (([KEY], True), (["x"], False), ([KEY, "x"], True)):
        compared.clear()
        assert ring.holds(tried) == found
        assert len(compared) == 3 * len(tried)
        assert {len(digest) for pair in compared for digest in pair} == {32}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def held(ring: Ring) -> list[str]:
    return [key for key in (ADMIN_KEY, KEY, OTHER_KEY) if ring.holds([key])]


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    file, clock = tmp_path / "keys", Clock()
    file.write_text(f"# of the shop\n{KEY}\n\n  {OTHER_KEY}\r\n", "ascii")
    ring = Ring([ADMIN_KEY], file, clock)
    assert held(ring) == [ADMIN_KEY, KEY, OTHER_KEY]
    file.write_text(OTHER_KEY, "ascii")
    clock.now += 1
    assert held(ring) == [ADMIN_KEY, OTHER_KEY]


@table(
    "content",
    {
        "no file": None,
        "nothing": b"",
        "a comment": b"# soon\n",
        "a key beside a short one": KEY.encode() + b"\nshort\n",
        "a key in other letters": "\xe9".encode() * 20,
    },
)
def test_a_file_that_cannot_be_used_changes_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    file, clock = tmp_path / "keys", Clock()
    file.write_text(OTHER_KEY, "ascii")
    ring = Ring([], file, clock)
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    for _ in range(3):
        clock.now += 1
        assert held(ring) == [OTHER_KEY]
    [record] = caplog.records
    assert (record.levelno, str(file) in record.message) == (logging.ERROR, True)
    assert not [key for key in (KEY, OTHER_KEY, "short") if key in caplog.text]
    file.write_text(KEY, "ascii")
    clock.now += 1
    assert held(ring) == [KEY]


def test_a_file_is_looked_at_once_a_second_at_most(tmp_path: Path) -> None:
    file, clock = tmp_path / "keys", Clock()
    file.write_text(KEY, "ascii")
    ring = Ring([], file, clock)
    file.write_text(OTHER_KEY, "ascii")
    clock.now += 0.9
    assert ring.holds([KEY])
    clock.now += 0.1
    assert not ring.holds([KEY])


@table(
    "content, words",
    {
        "no file": (None, "cannot be read"),
        "nothing": (b"", "has no key"),
        "a comment": (b"# soon\n", "has no key"),
        "a short key": (KEY.encode() + b"\nshort\n", "key 2"),
        "a key of two words": (b"two words of twenty letters", "key 1"),
        "other letters": ("\xe9".encode() * 20, "cannot be read"),
    },
)
@pytest.mark.parametrize("name", ["DIGITS_API_KEYS_FILE", "DIGITS_ADMIN_TOKEN_FILE"])
def test_a_bad_file_is_told_at_the_start(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"{re.escape(str(file))}.*{words}") as told:
        Keys.of(Settings.from_env({name: str(file)}))
    assert "short" not in str(told.value)


def test_no_key_is_shown(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        for headers in ADMITTED.values():
            client.post("/predict", data=BODY, headers=headers)
    shown = f"{SETTINGS!r} {SETTINGS} {caplog.text} {capfd.readouterr()}"
    assert not [key for key in (KEY, OTHER_KEY, ADMIN_KEY) if key in shown]
