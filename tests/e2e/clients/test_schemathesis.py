"""Schemathesis on the description that the running service gives of itself, with all its checks.

It sends the examples, then what lies at and beyond every limit of every schema, then what
Hypothesis makes up, good and bad, then what the links lead to. The hooks beside this file
tell what JSON Schema cannot.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.described import Description
from tests.helpers import ROOT, environment, table
from tests.server import Server, running

HERE = Path(__file__).parent

PHASES = ("Examples", "Coverage", "Fuzzing", "Stateful")

KEY, TOKEN = "a-key-of-thirty-two-characters-x", "an-administrators-token-of-some-length"

Spoil: TypeAlias = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shipped model; batches are small, since the longest and one more are sent."""
    log = tmp_path_factory.mktemp("schemathesis") / "log"
    with running(log, max_batch=4) as server:
        yield server
    assert "Traceback" not in log.read_text("utf-8")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same, for those who have a key."""
    log = tmp_path_factory.mktemp("guarded") / "log"
    with running(log, max_batch=4, api_keys=KEY, admin_token=TOKEN) as server:
        yield server
    assert "Traceback" not in log.read_text("utf-8")


def schemathesis(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it as its users do, in a folder of its own, for what it keeps."""
    command = ["-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run"]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.e2e.clients.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *map(str, (*command, "--no-color", "--checks", "all", *arguments))],
        cwd=folder,
        env=environment(hooks),
        capture_output=True,
        text=True,
        check=False,
    )


def assert_passed(run: subprocess.CompletedProcess[str]) -> None:
    """Every operation was tried in every phase, and all that came back was as described."""
    assert run.returncode == 0, short(run)
    count = len(list(Description().operations()))
    assert re.search(rf"Tested: {count}$", run.stdout, re.MULTILINE), short(run)
    for phase in PHASES:
        assert f" {phase} (in " in run.stdout, short(run)


def short(run: subprocess.CompletedProcess[str]) -> str:
    """What it said, without the bodies."""
    return "\n".join(line[:300] for line in (run.stdout + run.stderr).splitlines())


def written(folder: Path, server: Server, spoil: Spoil = id) -> list[str | Path]:
    """Arguments for the description of a server, after ``spoil`` changed it.

    From a file, since where it is read from the server, that route is not tried.
    """
    with server.client() as client:
        document = client.get("/openapi.json").json
    spoil(document)
    file = folder / "openapi.json"
    file.write_text(json.dumps(document), "utf-8")
    return [file, "--url", f"http://127.0.0.1:{server.port}"]


def test_all_is_as_described(server: Server, tmp_path: Path) -> None:
    assert_passed(schemathesis(tmp_path, *written(tmp_path, server)))


def test_all_is_as_described_where_a_key_is_needed(guarded: Server, tmp_path: Path) -> None:
    """And keys are asked for: to test that, they may not be optional."""

    def insist(document: dict[str, Any]) -> None:
        for item in document["paths"].values():
            for operation in item.values():
                if isinstance(operation, dict) and operation["security"]:
                    operation["security"].remove({})

    keys = ["-H", f"Authorization: Bearer {TOKEN}", "-H", f"X-API-Key: {TOKEN}"]
    arguments = written(tmp_path, guarded, insist)
    assert_passed(schemathesis(tmp_path, *arguments, *keys, "--max-examples", "5"))


def predict(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"]["/predict"]["post"]
    return found


def top_k(document: dict[str, Any]) -> dict[str, Any]:
    [parameter] = [each for each in predict(document)["parameters"] if each.get("name") == "top_k"]
    found: dict[str, Any] = parameter["schema"]
    return found


@table(
    "spoil, found",
    {
        "a status is missing": (
            lambda document: predict(document)["responses"].pop("422"),
            "Undocumented status code",
        ),
        "a content type is missing": (
            lambda document: predict(document)["responses"]["200"]["content"].pop(
                "application/json"
            ),
            "Undocumented Content-Type",
        ),
        "a header is missing": (
            lambda document: predict(document)["responses"]["200"]["headers"].pop("X-Request-ID"),
            "no_undocumented_header",
        ),
        "a field is of another type": (
            lambda document: document["components"]["schemas"]["Digit"].update(type="string"),
            "Response violates schema",
        ),
        "a limit is too wide": (lambda document: top_k(document).update(maximum=11), "rejected"),
        "a limit is too narrow": (lambda document: top_k(document).update(maximum=9), "accepted"),
    },
)
def test_a_wrong_description_is_found_out(
    server: Server, tmp_path: Path, spoil: Spoil, found: str
) -> None:
    arguments = written(tmp_path, server, spoil)
    run = schemathesis(
        tmp_path, *arguments, "--include-path", "/predict", "--phases", "examples,coverage"
    )
    assert run.returncode == 1, short(run)
    assert found in run.stdout, short(run)
