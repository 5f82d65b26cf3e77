"""The stack, all of it real: nginx, the service, PostgreSQL, Prometheus and the retraining job.

Each has the files and the settings that the compose files give it; only places differ.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from model.store import RELEASES, Store
from tests.client import Answer
from tests.deploy.conftest import Prometheus, wait_for_scrape, watching
from tests.deploy.failing import BEGINNING
from tests.deploy.nginx import UNLIMITED, Nginx, fronting
from tests.deploy.test_compose import DEPLOY, SERVICES, read
from tests.feedback.places import postgresql
from tests.helpers import environment, run_module
from tests.recipes.test_the_loop import (
    HEIR,
    MLP,
    assert_nobody_noticed,
    assert_promoted,
    moved,
    passers_by,
    percent,
    reloads,
    report,
)
from tests.server import Server, free_port, launch, of_gunicorn, ready, wait_for
from tests.service.cases import GOOD, JSON, pixels_json
from training.dataset import Mnist, find_folder

PEOPLE, IMAGES = 30, 40  # tests/training/fleet.py
KEYS = [f"{number:032x}" for number in range(PEOPLE + 1)]
WORKERS = 2
FAILURES = 5  # at a time


@dataclass(frozen=True)
class Stack:
    """What runs."""

    folder: Path
    server: Server
    nginx: Nginx
    prometheus: Prometheus
    database: str  # its address

    def variables(self, name: str) -> dict[str, str]:
        return variables(self.folder, name)

    def run(self, name: str) -> str:
        """Run a service that ends; returns what it prints."""
        service = SERVICES[name]
        words = service.get("entrypoint", ["python", "-m", "training"])[2:]
        words = [*words, *service.get("command", [])]
        words = [placed(self.folder, word) for word in words]
        done = run_module(*words, environ=self.variables(name))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def predict(self, name: str = "") -> Answer:
        with self.nginx.client() as client:
            sent = {**JSON, "X-API-Key": KEYS[-1], **({"X-Request-ID": name} if name else {})}
            return client.request("POST", "/predict", pixels_json(GOOD), sent)


def placed(folder: Path, text: str) -> str:
    """A path in a container as one here."""
    places = {"/models": folder / "store", "/data": folder / "data", "/run": folder / "run"}
    for inside, outside in places.items():
        text = re.sub(rf"(?<![\w/]){inside}\b", str(outside), text)
    return text


def variables(folder: Path, name: str) -> dict[str, str]:
    """The environment of a service, with keys."""
    found = dict(SERVICES[name].get("environment", {}))
    if name == "service":
        found |= read("compose.keys.yaml")["services"]["service"]["environment"]
    return {variable: placed(folder, value) for variable, value in found.items()}


def write_secrets(folder: Path, port: int) -> None:
    """Those that the script makes, of a database that is here."""
    script = shutil.copy(DEPLOY / "secrets.sh", folder)
    subprocess.run(["sh", script], check=True)
    run = folder / "run"
    (folder / "secrets").rename(run / "secrets")
    (run / "secrets/keys").rename(run / "keys")
    (run / "keys/users").write_text("\n".join(KEYS), "ascii")
    database = run / "secrets/database"
    text = database.read_text("ascii").replace("host=postgres", "host=127.0.0.1")
    database.write_text(text.replace("port=5432", f"port={port}"), "ascii")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two workers that serve the small model, which learns in seconds."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "run").mkdir()
    with ExitStack() as parts:
        cluster = parts.enter_context(postgresql())
        cluster.create("digits")
        write_secrets(folder, cluster.port)
        store = folder / "store"
        seeded = run_module(*[placed(folder, word) for word in SERVICES["seed"]["entrypoint"][2:]])
        assert seeded.returncode == 0, seeded.stderr
        shutil.copy(RELEASES / f"digits-{MLP}.npz", store)
        Store(store).promote(MLP)
        port, log = free_port(), folder / "service.log"
        settings = environment(
            variables(folder, "service")
            | {"DIGITS_PORT": str(port), "DIGITS_WORKERS": str(WORKERS)}
        )
        process = launch(log, settings, module=of_gunicorn("tests.deploy.failing:create()"))
        server = parts.enter_context(ready(Server(port, process, log)))
        nginx = parts.enter_context(fronting(folder / "nginx", [port], changes=UNLIMITED))
        (folder / "prometheus").mkdir()
        prometheus = parts.enter_context(
            watching(folder / "prometheus", f"127.0.0.1:{port}", patience="3s")
        )
        yield Stack(folder, server, nginx, prometheus, cluster.url("digits"))


def seen(stack: Stack, expression: str) -> float:
    """What Prometheus knows by now; 0 where that is nothing."""
    wait_for_scrape(stack.prometheus)
    found = stack.prometheus.query(expression)
    return float(found[0]["value"][1]) if found else 0.0


def test_images_that_come_through_nginx_are_seen_in_prometheus(stack: Stack) -> None:
    before = seen(stack, "sum(digits_predictions_total)")
    answers = [stack.predict() for _ in range(7)]
    assert [answer.status for answer in answers] == [200] * 7
    assert answers[0].headers["X-Model-Version"] == str(MLP)
    wait_for("they are counted", lambda: seen(stack, "sum(digits_predictions_total)") == before + 7)


def test_a_key_is_needed(stack: Stack) -> None:
    with stack.nginx.client() as client:
        answer = client.predict_json({"pixels": GOOD})
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")


def test_errors_fire_the_alert(stack: Stack) -> None:
    firing = 'ALERTS{alertname="DigitsErrorBudgetFast",alertstate="firing"}'
    assert stack.prometheus.query(firing) == []

    def fires() -> bool:
        answers = [stack.predict(f"{BEGINNING}-{number}") for number in range(FAILURES)]
        assert {answer.status for answer in answers} == {500}
        return bool(stack.prometheus.query(firing))

    wait_for("the alert fires", fires, 60)
    [alert] = stack.prometheus.query(firing)
    assert alert["metric"]["severity"] == "page"


def test_what_people_say_is_learned_and_answered(stack: Stack, mnist: Mnist) -> None:
    (stack.folder / "data").mkdir()
    (stack.folder / "data/mnist").symlink_to(find_folder().resolve())
    store, key = Store(stack.folder / "store"), KEYS[-1]
    through = replace(stack.server, port=stack.nginx.port)
    champions = [(0.0, MLP)]
    before = reloads(stack.server)
    with passers_by(through, key, mnist.test.images[:100]) as found:
        draw(stack)
        assert labelled(stack) == PEOPLE * IMAGES
        assert f"{PEOPLE * IMAGES} of them labelled" in stack.run("labels")
        assert "verdict: promote" in stack.run("retrain")
        champions.append((moved(store), HEIR))
        assert store.aliases()["champion"] == HEIR
        assert_promoted(report(stack.folder / "data/run"), mnist)
        wait_for("all serve it", lambda: reloads(stack.server) == before + WORKERS)
        assert stack.predict().headers["X-Model-Version"] == str(HEIR)
    assert {one.version for one in found} == {MLP, HEIR}
    assert_nobody_noticed(found, champions)
    by_version = f'sum(digits_images_total{{version="{HEIR}"}})'
    wait_for("Prometheus sees it answer", lambda: seen(stack, by_version) > 0)


def draw(stack: Stack) -> None:
    """Thirty people draw through nginx what the model misreads, and say what it was."""
    keys = stack.folder / "run/keys/users"
    done = run_module(
        "tests.training.fleet",
        "--port",
        str(stack.nginx.port),
        "--keys",
        str(keys),
        "--people",
        str(PEOPLE),
    )
    assert done.returncode == 0, done.stderr
    assert percent(done.stdout) < 80


def labelled(stack: Stack) -> int:
    """How many labels are in PostgreSQL."""
    with psycopg.connect(stack.database) as connection:
        row = connection.execute("SELECT count(label) FROM digits_captures").fetchone()
    assert row
    return int(row[0])
