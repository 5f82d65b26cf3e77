"""The images, and containers of them in a real engine.

``make test-container`` builds them; with ``ENGINE``, ``IMAGE`` and ``TRAINING_IMAGE`` in the
environment, those that are there are taken.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.client import Client
from tests.helpers import ROOT, missing
from tests.server import free_port, wait_for

# As hard as an orchestrator may be: nothing to write to but memory, and no right to anything.
HARDENED = (
    *("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=256"),
    "--tmpfs=/tmp:rw,noexec,nosuid,nodev,size=64m",
)
LIMITS = ("--memory=256m", "--cpus=2")

START_SECONDS = 60
STOP_SECONDS = "30"


class EngineError(Exception):
    """A command of the engine that failed; the message is what it said."""


@dataclass(frozen=True)
class Engine:
    """What runs containers: docker, or what takes its words."""

    command: str

    def run(self, *words: str) -> str:
        """One command's output; raises EngineError."""
        done = subprocess.run([self.command, *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise EngineError(done.stderr)
        return done.stdout.strip()

    def inspect(self, kind: str, name: str) -> Any:  # noqa: ANN401 - any JSON value
        return json.loads(self.run(kind, "inspect", name))[0]


@dataclass(frozen=True)
class Container:
    """A running one, and the port of this machine that leads to it."""

    engine: Engine
    name: str
    port: int

    def client(self) -> Client:
        return Client(self.port)

    def execute(self, *words: str) -> str:
        """What a command in it prints."""
        return self.engine.run("exec", self.name, *words)

    def log(self) -> str:
        done = subprocess.run(
            [self.engine.command, "logs", self.name], capture_output=True, text=True, check=True
        )
        return done.stdout + done.stderr

    def workers(self) -> list[int]:
        """The processes of the workers, as the container numbers them."""
        (master,) = self.children(1)
        return self.children(master)

    def children(self, process: int) -> list[int]:
        path = f"/proc/{process}/task/{process}/children"
        return [int(pid) for pid in self.execute("cat", path).split()]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The one that is named, else docker's or podman's, where it answers."""
    named = os.environ.get("ENGINE")
    for command in [named] if named else ["docker", "podman"]:
        if shutil.which(command) and _answers(command):
            return Engine(command)
    return missing("a container engine is needed: docker or podman")


def _answers(command: str) -> bool:
    return subprocess.run([command, "info"], capture_output=True, check=False).returncode == 0


def _image(engine: Engine, variable: str, target: str) -> str:
    """The image that is named, else one of this tree."""
    if os.environ.get(variable):
        return os.environ[variable]
    name = f"digits-{target}:test"
    engine.run("build", "--quiet", "--target", target, "--tag", name, str(ROOT))
    return name


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The image of the service."""
    return _image(engine, "IMAGE", "service")


@pytest.fixture(scope="session")
def training_image(engine: Engine) -> str:
    """The image of the retraining job."""
    return _image(engine, "TRAINING_IMAGE", "training")


@contextmanager
def serving(
    engine: Engine, image: str, *options: str, limits: Sequence[str] = LIMITS
) -> Iterator[Container]:
    """A hardened container of the service, ready when this returns, gone when it is left."""
    port = free_port()
    name = f"digits-test-{port}"
    publish = f"--publish=127.0.0.1:{port}:8000"
    engine.run("run", "-d", f"--name={name}", publish, *HARDENED, *limits, *options, image)
    container = Container(engine, name, port)
    try:
        wait_for("the container is ready", lambda: _is_ready(container), START_SECONDS)
        yield container
    finally:
        engine.run("rm", "--force", "--volumes", name)


def _is_ready(container: Container) -> bool:
    state = container.engine.inspect("container", container.name)["State"]
    assert state["Running"], container.log()
    try:
        with container.client() as client:
            return client.get("/readyz").status == 200
    except OSError:
        return False


@contextmanager
def volume(engine: Engine) -> Iterator[str]:
    """The name of a new volume, gone when this is left."""
    name = engine.run("volume", "create")
    try:
        yield name
    finally:
        engine.run("volume", "rm", "--force", name)


def job(engine: Engine, image: str, *words: str, options: Sequence[str] = ()) -> str:
    """What a container of the retraining job prints until it ends."""
    return engine.run("run", "--rm", *HARDENED, *options, image, *words)


@pytest.fixture(scope="session")
def service(engine: Engine, image: str) -> Iterator[Container]:
    """One for all tests that only ask."""
    with serving(engine, image) as container:
        yield container
