"""The Dockerfile, judged by others, and in words that every builder knows."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.manifests import checkov, tool
from tests.helpers import ROOT, table

DOCKERFILE = ROOT / "Dockerfile"

# The base has a tag, in an argument that checkov does not put in.
LET_PASS = ("--skip-check", "CKV_DOCKER_7")


def hadolint(file: Path) -> str:
    command = [tool("hadolint"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def changed(folder: Path, old: str, new: str) -> Path:
    text = DOCKERFILE.read_text("utf-8")
    assert old in text
    file = folder / "Dockerfile"
    file.write_text(text.replace(old, new), "utf-8")
    return file


def test_hadolint_finds_nothing() -> None:
    assert hadolint(DOCKERFILE) == ""


def test_checkov_finds_nothing() -> None:
    assert checkov(DOCKERFILE, "dockerfile", *LET_PASS) == []


@table(
    "old, new, found",
    {
        "a relative folder": ("WORKDIR /app", "WORKDIR app", "DL3000"),
        "a command for a shell": ('ENTRYPOINT ["dumb-init", ', "ENTRYPOINT dumb-init [", "DL3025"),
        "a last user who is root": ("USER 10001:10001", "USER root", "DL3002"),
    },
)
def test_hadolint_finds_what_is_wrong(old: str, new: str, found: str, tmp_path: Path) -> None:
    assert found in hadolint(changed(tmp_path, old, new))


def test_checkov_finds_what_is_wrong(tmp_path: Path) -> None:
    file = changed(tmp_path, "HEALTHCHECK", "# HEALTHCHECK")
    text = file.read_text("utf-8").replace("    CMD [", "#    CMD [")
    file.write_text(text, "utf-8")
    assert any("CKV_DOCKER_2" in one for one in checkov(file, "dockerfile", *LET_PASS))


@pytest.mark.parametrize("words", ["<<", "--link", "--mount", "--chmod", "syntax="])
def test_older_builders_know_all_of_it(words: str) -> None:
    assert words not in DOCKERFILE.read_text("utf-8")


def test_the_base_is_one_argument_with_a_tag() -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert re.findall(r"^ARG BASE=(.*)$", text, re.MULTILINE) == ["python:3.11-slim-bookworm"]
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - stages == {"${BASE}"}
