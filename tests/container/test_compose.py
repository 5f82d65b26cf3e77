"""A part of the stack, brought up by its compose file: a seeded store, two instances, Prometheus.

All others are tried as processes (``tests/deploy``); here are names, networks, volumes and
limits. Prometheus is made of this machine's programs, since there may be no registry.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Engine, EngineError
from tests.deploy.conftest import Prometheus
from tests.deploy.test_compose import SERVICES
from tests.helpers import ROOT, missing
from tests.server import free_port, wait_for

PROMETHEUS = """\
FROM scratch
COPY root /
COPY --chown=65534:65534 data /prometheus
ENV PATH=/bin
USER 65534:65534
ENTRYPOINT ["/bin/prometheus"]
"""

INSTANCES = 2
SEEN_SECONDS = 90  # names are asked for and instances are scraped every few seconds

# What a request from within looks like: nothing of the service is published.
ASK = """
import urllib.request
request = urllib.request.Request("http://service:8000/predict?probabilities=0", bytes(784),
                                 {"Content-Type": "application/octet-stream"})
print(urllib.request.urlopen(request).read().decode())
"""


@dataclass(frozen=True)
class Project:
    """What was brought up."""

    engine: Engine
    name: str
    prometheus: Prometheus

    def containers(self, service: str) -> list[str]:
        """The names of a service's containers."""
        words = ["--all", "--format={{.Names}}"]
        words += [f"--filter=label=com.docker.compose.project={self.name}"]
        words += [f"--filter=label=com.docker.compose.service={service}"]
        return self.engine.run("ps", *words).split()


def compose(engine: Engine) -> list[str]:
    """The command that reads compose files, for this engine."""
    if engine.command == "docker":
        with suppress(EngineError):
            engine.run("compose", "version")
            return ["docker", "compose"]
        missing("docker compose is needed")
    places = f"{ROOT / '.venv/compose/bin'}:{os.environ['PATH']}"
    program = shutil.which("podman-compose", path=places)
    if program is None:
        missing("podman-compose is needed: make .venv/compose/stamp")
    if not Path("/usr/lib/podman/aardvark-dns").exists():
        missing("names in podman's networks are needed: apt-get install aardvark-dns")
    return [program]


def stand_in(engine: Engine, folder: Path) -> str:
    """An image of the Prometheus that is installed here."""
    programs = [shutil.which("prometheus"), shutil.which("promtool")]
    if None in programs:
        missing("prometheus is needed")
    root = folder / "root"
    for program in filter(None, programs):
        linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
        for path in [program, *re.findall(r"(/\S+) \(0x", linked.stdout)]:
            place = root / ("bin" if path == program else path[1:].rpartition("/")[0])
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    (root / "etc/prometheus").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "data/.keep").touch()
    (folder / "Dockerfile").write_text(PROMETHEUS, "ascii")
    name = "localhost/prometheus:stand-in"
    engine.run("build", "--quiet", "--tag", name, str(folder))
    return name


@pytest.fixture(scope="module")
def project(
    engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Two instances of the service and a Prometheus, with the files of this tree."""
    command, port = compose(engine), free_port()
    name = f"digits-test-{port}"
    repository, _, tag = image.rpartition(":")
    chosen = {
        "DIGITS_IMAGE": repository,
        "DIGITS_VERSION": tag,
        "PROMETHEUS_IMAGE": stand_in(engine, tmp_path_factory.mktemp("prometheus")),
        "PROMETHEUS_PORT": str(port),
    }
    command += ["-p", name, "-f", str(ROOT / "deploy/compose.yaml")]

    def run(*words: str) -> None:
        done = subprocess.run(
            [*command, *words],
            env=os.environ | chosen,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    subprocess.run(["sh", str(ROOT / "deploy/secrets.sh")], check=True)
    found = Project(engine, name, Prometheus(port))
    try:
        scale = f"service={INSTANCES}"
        run("up", "--detach", "--no-build", "--scale", scale, "service", "prometheus")
        yield found
    finally:
        for instance in found.containers("service")[1:]:  # podman-compose forgets the others
            engine.run("rm", "--force", instance)
        run("down", "--volumes")


def test_the_store_was_seeded(project: Project) -> None:
    [seed] = project.containers("seed")

    def state() -> tuple[str, int]:
        found = project.engine.inspect("container", seed)["State"]
        return found["Status"], found["ExitCode"]

    wait_for("it has ended", lambda: state()[0] == "exited")  # podman runs it for each instance
    assert state() == ("exited", 0)
    # The image's own store is what a new volume begins as.
    assert set(project.engine.run("logs", seed).splitlines()) == {"nothing to change"}


def test_prometheus_finds_every_instance_by_its_name(project: Project) -> None:
    up = 'sum(up{job="digits"})'
    wait_for(
        "all instances are up",
        lambda: [one["value"][1] for one in found(project, up)] == [str(INSTANCES)],
        SEEN_SECONDS,
    )


def test_an_answer_is_seen_in_prometheus(project: Project) -> None:
    [first, *_] = project.containers("service")
    answer = json.loads(project.engine.run("exec", first, "python", "-c", ASK))
    assert answer["predictions"][0]["reason"] == "blank"
    counted = "sum(digits_predictions_total) > 0"
    wait_for("it is counted", lambda: bool(found(project, counted)), SEEN_SECONDS)


def test_every_instance_is_confined_as_the_file_says(project: Project) -> None:
    assert len(project.containers("service")) == INSTANCES
    for name in project.containers("service"):
        host = project.engine.inspect("container", name)["HostConfig"]
        assert host["ReadonlyRootfs"] is True
        assert host["Memory"] == 512 * 2**20
        assert host["PidsLimit"] == 256
        assert host["NanoCpus"] == 2 * 10**9
        status = project.engine.run("exec", name, "cat", "/proc/self/status")
        assert re.search(r"^CapBnd:\s0+$", status, re.MULTILINE)
        assert re.search(r"^NoNewPrivs:\s1$", status, re.MULTILINE)
        assert re.search(r"^Uid:\s10001\s", status, re.MULTILINE)
        with pytest.raises(EngineError, match="Read-only"):
            project.engine.run("exec", name, "touch", "/models/x")


def test_prometheus_passes_its_own_check(project: Project) -> None:
    [name] = project.containers("prometheus")
    _, *check = SERVICES["prometheus"]["healthcheck"]["test"]
    project.engine.run("exec", name, *check)


def found(project: Project, expression: str) -> list[Any]:
    """What Prometheus answers, nothing while it does not."""
    try:
        return project.prometheus.query(expression)
    except OSError:
        return []
