"""Settings: every one is typed, bounded, and named when it is wrong."""

import dataclasses
from pathlib import Path

import pytest

from service.settings import Settings, SettingsError


def test_nothing_set_gives_the_defaults() -> None:
    assert Settings.from_env({"PATH": "/bin"}) == Settings()


def test_an_empty_value_counts_as_not_set() -> None:
    assert Settings.from_env({"DIGITS_PORT": "", "DIGITS_MODEL": ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("DIGITS_HOST", "127.0.0.2", "host", "127.0.0.2"),
        ("DIGITS_PORT", "65535", "port", 65535),
        ("DIGITS_WORKERS", "3", "workers", 3),
        ("DIGITS_MODEL", "/a/b.npz", "model", Path("/a/b.npz")),
        ("DIGITS_LOG_LEVEL", "debug", "log_level", "debug"),
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
    ],
)
def test_a_wrong_setting_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({name: text})


def test_the_training_packages_variable_is_no_mistake() -> None:
    assert Settings.from_env({"DIGITS_DATA": "/data"}) == Settings()


def test_every_setting_says_what_it_means() -> None:
    assert all(field.metadata["meaning"] for field in dataclasses.fields(Settings))
