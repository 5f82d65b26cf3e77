"""Unsafe code, known faults and the bill of materials: each command does what is said of it."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.helpers import ROOT, environment, missing

LOCKS = {"digits": ("serve", "image"), "digits-training": ("train", "image")}

NOBODY = "http://127.0.0.1:1"  # a proxy that is not there


@pytest.fixture(scope="session")
def tools() -> Path:
    folder = ROOT / ".venv/security"
    if not (folder / "stamp").exists():
        missing("make test-security installs what this needs")
    return folder


def make(target: str, changes: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", target],
        cwd=ROOT,
        env=environment(changes or {}),
        capture_output=True,
        text=True,
        check=False,
    )


def locked(name: str) -> set[tuple[str, str]]:
    text = (ROOT / f"requirements/{name}.txt").read_text("ascii")
    return set(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))


@pytest.mark.usefixtures("tools")
def test_the_code_is_clean() -> None:
    run = make("bandit")
    assert (run.returncode, "Issue" in run.stdout) == (0, False), run.stdout


def test_what_is_unsafe_would_be_found(tools: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import os, sys\nos.system(sys.argv[1])\n")
    bandit = [str(tools / "bin/bandit"), "--quiet", "--configfile", str(ROOT / "pyproject.toml")]
    run = subprocess.run(
        [*bandit, tmp_path / "bad.py"], capture_output=True, text=True, check=False
    )
    assert (run.returncode, "B605" in run.stdout) == (1, True)


@pytest.mark.usefixtures("tools")
def test_without_advisories_the_audit_fails_and_says_so() -> None:
    nobody = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), NOBODY)
    run = make("audit", {**nobody, "NO_PROXY": "", "no_proxy": "", "ALL_PROXY": NOBODY})
    assert run.returncode != 0
    assert "no advisories could be had" in run.stderr


def test_the_bill_of_materials_is_valid_and_has_what_is_locked(tools: Path) -> None:
    assert make("sbom").returncode == 0
    for name, locks in LOCKS.items():
        path = ROOT / f"build/sbom/{name}.json"
        validate = (
            "import sys; from cyclonedx.schema import SchemaVersion as V;"
            "from cyclonedx.validation.json import JsonStrictValidator as J;"
            "sys.exit(str(J(V.V1_6).validate_str(open(sys.argv[1]).read()) or '') or 0)"
        )
        run = subprocess.run(
            [tools / "bin/python", "-c", validate, path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        bill = json.loads(path.read_text("utf-8"))
        assert bill["bomFormat"] == "CycloneDX"
        assert bill["metadata"]["component"]["name"] == "digits"
        found = {(part["name"], part["version"]) for part in bill["components"]}
        assert found == {pin for lock in locks for pin in locked(lock)}
        assert all(part["purl"].startswith("pkg:pypi/") for part in bill["components"])
