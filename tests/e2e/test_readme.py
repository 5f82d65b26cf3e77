"""The README's commands, run as they stand, against what it says they print."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import ROOT
from tests.server import (
    Server,
    clean_environment,
    free_port,
    is_refused,
    wait_for,
    wait_until_ready,
)

DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("*/README.md"))]

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Differs from run to run.
VOLATILE = {"request_id"}


def examples(document: Path) -> Iterator[tuple[str, str]]:
    """Every command of a document with the output shown below it."""
    return shown_in(document.read_text("utf-8"))


def walk_through() -> list[tuple[str, str]]:
    """Those of the walk through retraining, which are one after another."""
    text = (ROOT / "training/README.md").read_text("utf-8")
    return list(shown_in(text.partition("\n### A walk-through\n")[2].partition("\n## ")[0]))


def manual() -> list[tuple[str, str]]:
    """Those of the operator's manual, in containers."""
    return list(examples(ROOT / "deploy/README.md"))


def shown_in(text: str) -> Iterator[tuple[str, str]]:
    for block in BLOCK.findall(text):
        for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command = re.match(r"(?:.*\\\n)*.*\n", entry)
            assert command
            yield command[0].replace("\\\n", " ").strip(), entry[command.end() :].strip()


# Too long to run from here, or what runs this: where each is run, and by which words.
RUN_ELSEWHERE = {
    "make serve": ("tests/e2e/test_readme.py", '["make", "serve"'),
    "make test": (".ci/run", "\nmake test\n"),
    "make data": ("tests/training/test_fetch.py", "fetch("),  # no mirror is needed for a test
    "make train RECIPE=flagship": ("tests/recipes/test_champion.py", "make train RECIPE=flagship"),
    "make train RECIPE=mlp": ("tests/recipes/test_mlp.py", "make train RECIPE=mlp"),
    "DIGITS_MODEL=build/store/digits-1.npz make serve": ("tests/recipes/test_mlp.py", "model=path"),
    "curl -s localhost:8000/feedback --json "
    '\'{"request_id": "4a33c57f3d434aa990205df7569479c4", "label": 7}\'': (
        "tests/service/test_feedback.py",
        '"replaced": replaced',
    ),
    "python -m training feedback export --file digits-feedback.db --out build/feedback.npz "
    "--since 2026-01-31 --labelled-only": ("tests/feedback/test_export.py", '"export"'),
    "python -m training feedback purge --url postgresql://digits@db/digits --before 2026-01-31": (
        "tests/feedback/test_export.py",
        '"purge"',
    ),
    "python -m training retrain FEEDBACK.npz --store build/store --promote": (
        "tests/recipes/test_the_loop.py",
        'walk.run("retrain")',
    ),
    "python -m training sweep mlp my.toml --seeds 5 "
    "--set optimizer.learning_rate=0.001,0.002 --set epochs=20,40": (
        "tests/sweep/test_local.py",
        '"sweep", recipe, "--set", rates',
    ),
    "dask scheduler": ("tests/sweep/commands.py", '"-m", "dask", "scheduler"'),
    "DIGITS_DATA=/srv/mnist dask worker tcp://HOST:8786 --nthreads 1": (
        "tests/sweep/commands.py",
        '"-m", "dask", "worker"',
    ),
    "make image": ("tests/container/conftest.py", '"build", '),
    "docker run --rm --publish 8000:8000 --read-only --tmpfs /tmp digits": (
        "tests/container/conftest.py",
        '"--read-only"',
    ),
    **{command: ("tests/container/test_manual.py", "in manual()") for command, _ in manual()},
    **{
        command: ("tests/recipes/test_the_loop.py", "walk_through()")
        for command, _ in walk_through()
    },
}

EXAMPLES = [
    pytest.param(command, output, id=f"{document.parent.name}: {command[:60]}")
    for document in DOCUMENTS
    for command, output in examples(document)
    if command not in RUN_ELSEWHERE
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``make serve``, as a newcomer types it, on a free port."""
    port = free_port()
    log = tmp_path_factory.mktemp("readme") / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["make", "serve", f"PORT={port}"],
            cwd=ROOT,
            env=clean_environment(),
            stdout=file,
            stderr=file,
        )
    server = Server(port, process, log)
    wait_until_ready(server, seconds=300)  # it may install first
    yield server
    process.terminate()
    process.wait(60)
    wait_for("the service ends with make", lambda: is_refused(port))


@pytest.mark.parametrize(("command", "output"), EXAMPLES)
def test_a_command_prints_what_is_shown(served: Server, command: str, output: str) -> None:
    environment = os.environ | {"PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"}
    printed = subprocess.run(
        ["bash", "-ec", command.replace(":8000", f":{served.port}")],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert_alike(printed.strip(), output)


@pytest.mark.parametrize("command", RUN_ELSEWHERE)
def test_a_command_that_is_not_run_here_is_run_where_it_says(command: str) -> None:
    assert any(command == named for document in DOCUMENTS for named, _ in examples(document))
    file, words = RUN_ELSEWHERE[command]
    assert words in (ROOT / file).read_text("utf-8")


def test_the_readme_names_every_make_target_and_no_other() -> None:
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text("utf-8")))
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert named == set(re.findall(r"^([a-z-]+):.* ## ", makefile, re.MULTILINE))


def assert_alike(printed: str, shown: str) -> None:
    """Equal, but for volatile fields, float noise, and what ``...`` leaves out."""
    if shown.startswith("{") and "..." not in shown:
        assert same_json(json.loads(shown), json.loads(printed)), printed
    else:
        pattern = re.escape(shown).replace(re.escape("..."), ".*")
        assert re.fullmatch(pattern, printed, re.DOTALL), printed


def same_json(shown: object, found: object) -> bool:
    if isinstance(shown, dict) and isinstance(found, dict):
        return shown.keys() == found.keys() and all(
            key in VOLATILE or same_json(shown[key], found[key]) for key in shown
        )
    if isinstance(shown, list) and isinstance(found, list):
        return len(shown) == len(found) and all(map(same_json, shown, found))
    if isinstance(shown, float):
        return found == pytest.approx(shown, abs=1e-4)
    return shown == found
