"""Settings: every one is typed, bounded, and named when it is wrong."""

import dataclasses
from pathlib import Path

import pytest

from service.settings import Settings, SettingsError

KEY = "0123456789-k3y-/"


def test_nothing_set_gives_the_defaults() -> None:
    assert Settings.from_env({"PATH": "/bin"}) == Settings()


def test_an_empty_value_counts_as_not_set() -> None:
    assert Settings.from_env({"DIGITS_PORT": "", "DIGITS_MODEL": ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("DIGITS_HOST", "127.0.0.2", "host", "127.0.0.2"),
        ("DIGITS_PORT", "65535", "port", 65535),
        ("DIGITS_WORKERS", "0", "workers", 0),
        ("DIGITS_WORKERS", "3", "workers", 3),
        ("DIGITS_MODEL", "/a/b.npz", "model", Path("/a/b.npz")),
        ("DIGITS_LOG_LEVEL", "debug", "log_level", "debug"),
        ("DIGITS_API_KEYS", f" {KEY} ,, {KEY}2", "api_keys", (KEY, f"{KEY}2")),
        ("DIGITS_API_KEYS_FILE", "/run/keys", "api_keys_file", Path("/run/keys")),
        ("DIGITS_ADMIN_TOKEN", KEY, "admin_token", KEY),
        ("DIGITS_FEEDBACK", "on", "feedback", "on"),
        ("DIGITS_FEEDBACK", "/a/b.db", "feedback", "/a/b.db"),
        ("DIGITS_FEEDBACK_URL", "postgresql://u:p@h/n", "feedback_url", "postgresql://u:p@h/n"),
        ("DIGITS_FEEDBACK_PERCENT", "7", "feedback_percent", 7),
        ("DIGITS_CORS_ORIGINS", "*", "cors_origins", ("*",)),
        (
            "DIGITS_CORS_ORIGINS",
            "https://a.example, http://[::1]:8080,http://localhost:443,tauri://localhost",
            "cors_origins",
            ("https://a.example", "http://[::1]:8080", "http://localhost:443", "tauri://localhost"),
        ),
    ],
)
def test_a_setting_is_read_with_its_type(name: str, text: str, field: str, value: object) -> None:
    assert getattr(Settings.from_env({name: text}), field) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DIGITS_PORT", "0"),
        ("DIGITS_PORT", "65536"),
        ("DIGITS_PORT", "tcp://10.0.0.1:80"),
        ("DIGITS_WORKERS", "-1"),
        ("DIGITS_WORKERS", "two"),
        ("DIGITS_WORKERS", "2.0"),
        ("DIGITS_WORKERS", "²"),
        ("DIGITS_LOG_LEVEL", "loud"),
        ("DIGITS_WROKERS", "2"),
        ("DIGITS_MAX_IN_FLIGHT", "0"),
        ("DIGITS_ACCESS_LOG", "yes"),
        ("DIGITS_FEEDBACK", "off"),
        ("DIGITS_FEEDBACK", "0"),
        ("DIGITS_FEEDBACK", "1"),
        ("DIGITS_FEEDBACK_URL", "mysql://127.0.0.1/digits"),
        ("DIGITS_FEEDBACK_PERCENT", "0"),
        ("DIGITS_FEEDBACK_PERCENT", "101"),
        ("DIGITS_CORS_ORIGINS", ","),
        ("DIGITS_CORS_ORIGINS", "*,https://a.example"),
        ("DIGITS_CORS_ORIGINS", "a.example"),
        ("DIGITS_CORS_ORIGINS", "https://a.example/"),
        ("DIGITS_CORS_ORIGINS", "https://A.example"),
        ("DIGITS_CORS_ORIGINS", "https://a.example:443"),
        ("DIGITS_CORS_ORIGINS", "http://a.example:80"),
        ("DIGITS_CORS_ORIGINS", "https://*.example"),
        ("DIGITS_CORS_ORIGINS", "null"),
    ],
)
def test_a_wrong_setting_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({name: text})


@pytest.mark.parametrize("name", ["DIGITS_API_KEYS", "DIGITS_ADMIN_TOKEN"])
@pytest.mark.parametrize("text", ["k3y", "k3y" * 5, f"{KEY}\xe9", f"{KEY} k3y", f"{KEY}\x7f", ","])
def test_a_key_that_is_none_is_refused_and_not_shown(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=name) as told:
        Settings.from_env({name: text})
    assert "k3y" not in str(told.value)


def test_no_key_is_shown_with_the_settings() -> None:
    settings = Settings.from_env({"DIGITS_API_KEYS": KEY, "DIGITS_ADMIN_TOKEN": KEY})
    assert KEY not in repr(settings)


def test_no_password_of_a_database_is_shown() -> None:
    for url in ("postgresql://u:k3y@h/n", "mysql://u:k3y@h/n"):
        try:
            shown = repr(Settings.from_env({"DIGITS_FEEDBACK_URL": url}))
        except SettingsError as error:
            shown = str(error)
        assert "k3y" not in shown


def test_a_file_and_a_database_together_are_refused() -> None:
    url = {"DIGITS_FEEDBACK_URL": "postgresql://127.0.0.1/digits"}
    assert Settings.from_env({**url, "DIGITS_FEEDBACK": "on"}).takes_feedback
    with pytest.raises(SettingsError, match="DIGITS_FEEDBACK"):
        Settings.from_env({**url, "DIGITS_FEEDBACK": "/a/b.db"})


def test_the_training_packages_variable_is_no_mistake() -> None:
    assert Settings.from_env({"DIGITS_DATA": "/data"}) == Settings()


def test_every_setting_says_what_it_means() -> None:
    assert all(field.metadata["meaning"] for field in dataclasses.fields(Settings))
