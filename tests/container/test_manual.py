"""The operator's commands of ``deploy/README.md``, run as they stand, one after another."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.conftest import Engine, EngineError
from tests.e2e.test_readme import assert_alike, manual
from tests.helpers import ROOT
from tests.server import free_port

PORTS = re.compile(r"(?<=localhost:)800\d|800\d(?=:8000)")
CONTAINERS = ("digits", "digits-locked")
VOLUMES = ("digits-models", "digits-restored")


@pytest.fixture
def path(engine: Engine, image: str, training_image: str, tmp_path: Path) -> Iterator[str]:
    """A PATH on which the engine is called docker; the images have the names of the manual."""
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\nexec {engine.command} "$@"\n')
    docker.chmod(0o755)
    engine.run("tag", image, "digits")
    engine.run("tag", training_image, "digits-training")
    clear(engine)
    yield f"{tmp_path}:{os.environ['PATH']}"
    clear(engine)


def clear(engine: Engine) -> None:
    """Take away what a run that failed has left."""
    for kind, names in (("rm", CONTAINERS), ("volume rm", VOLUMES)):
        for name in names:
            try:
                engine.run(*kind.split(), "--force", name)
            except EngineError:
                continue  # it was not there


def test_every_command_prints_what_is_shown(path: str) -> None:
    ports = {"8000": str(free_port()), "8001": str(free_port())}
    for command, shown in manual():
        words = PORTS.sub(lambda found: ports[found[0]], command)
        done = subprocess.run(
            ["bash", "-ec", words],
            cwd=ROOT,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        assert_alike(done.stdout.strip(), shown)
