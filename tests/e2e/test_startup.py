"""What the service will not start with: one clear line, and a non-zero exit."""

import subprocess
import sys
from pathlib import Path

import pytest

from model import locate
from tests.helpers import ROOT
from tests.model.forge import with_fields
from tests.server import clean_environment

ARTIFACT = locate().read_bytes()
MIDDLE = len(ARTIFACT) // 2


def start(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=ROOT,
        env=clean_environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_refuses(outcome: subprocess.CompletedProcess[str], *words: str) -> None:
    assert outcome.returncode == 1
    assert outcome.stdout == ""
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("digits: cannot start: ")
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("truncated", ARTIFACT[:MIDDLE], "truncated"),
        ("empty", b"", "truncated"),
        ("flipped", ARTIFACT[:MIDDLE] + bytes([ARTIFACT[MIDDLE] ^ 1]) + ARTIFACT[MIDDLE + 1 :], ""),
        ("text", b"I am no artifact.", "not an artifact"),
        ("future", with_fields(ARTIFACT, format_version=4), "format version 4"),
    ],
)
def test_a_bad_artifact_stops_the_start(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / f"{name}.npz"
    path.write_bytes(content)
    assert_refuses(start(model=path), str(path), words)


def test_a_missing_artifact_stops_the_start(tmp_path: Path) -> None:
    assert_refuses(start(model=tmp_path / "none.npz"), "none.npz", "no such file")


def test_an_empty_store_stops_the_start(tmp_path: Path) -> None:
    assert_refuses(start(store=tmp_path), str(tmp_path), "champion")


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"port": "http"}, "DIGITS_PORT"), ({"prot": 80}, "DIGITS_PROT")],
)
def test_a_wrong_setting_stops_the_start(settings: dict[str, object], name: str) -> None:
    assert_refuses(start(**settings), name)


@pytest.mark.parametrize("arguments", [[], ["--check"]])
@pytest.mark.parametrize("name", ["api_keys_file", "admin_token_file"])
def test_a_file_of_keys_without_any_stops_the_start(
    tmp_path: Path, name: str, arguments: list[str]
) -> None:
    file = tmp_path / "keys"
    assert_refuses(start(*arguments, **{name: file}), str(file), "cannot be read")
    file.write_text("# none yet\n", "ascii")
    assert_refuses(start(*arguments, **{name: file}), str(file), "has no key")
