"""The image that serves: what is in it, how it runs, and that all of the service does."""

import json
import time

import pytest

from service.settings import Settings
from tests.container.conftest import (
    STOP_SECONDS,
    Container,
    Engine,
    EngineError,
    job,
    serving,
    volume,
)
from tests.helpers import table
from tests.server import wait_for
from tests.service.cases import GOOD, JSON, pixels_json
from tests.service.encodings import DIGITS, ENCODINGS, draw

SEVEN = draw(DIGITS[7])
QUESTION = (pixels_json(GOOD), "application/json")

CHAMPION = 2  # of the shipped models
LABEL = "org.opencontainers.image."
MAX_BYTES = 110e6  # NumPy with its BLAS and Pillow are some 65 of them


# -- what is in it ------------------------------------------------------------------------


def test_its_configuration_is_what_an_orchestrator_needs(engine: Engine, image: str) -> None:
    config = engine.inspect("image", image)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["dumb-init", "--single-child", "--", "python", "-m", "service"]
    assert list(config["ExposedPorts"]) == [f"{Settings().port}/tcp"]
    told = {name: text for name, text in config["Labels"].items() if name.startswith(LABEL)}
    assert told[f"{LABEL}title"] == "digits"
    assert {name.removeprefix(LABEL) for name in told} == {
        *("title", "description", "version", "revision", "base.name")
    }


def test_it_is_not_much_larger_than_its_base(engine: Engine, image: str) -> None:
    found = engine.inspect("image", image)
    base = engine.inspect("image", found["Config"]["Labels"][f"{LABEL}base.name"])
    assert found["Size"] - base["Size"] <= MAX_BYTES


def test_it_has_a_check_of_its_health_that_needs_no_shell(engine: Engine, image: str) -> None:
    found = engine.inspect("image", image)
    check = found.get("HealthCheck") or found.get("Healthcheck") or found["Config"]["Healthcheck"]
    assert check["Test"][:2] == ["CMD", "python"]


@pytest.mark.parametrize("command", ["pip", "pip3", "gcc", "cc", "make", "git"])
def test_it_has_nothing_to_build_with(service: Container, command: str) -> None:
    found = service.execute("python", "-c", f"import shutil; print(shutil.which({command!r}))")
    assert found == "None"


@pytest.mark.parametrize("module", ["training", "pip", "setuptools", "pytest", "numpy.f2py"])
def test_it_has_no_module_that_serving_does_not_need(service: Container, module: str) -> None:
    code = f"import importlib.util as u; print(u.find_spec({module!r}))"
    assert service.execute("python", "-c", code) == "None"


def test_nothing_in_it_belongs_to_who_runs_it_but_the_store(service: Container) -> None:
    found = service.execute("find", "/app", "/venv", "/usr", "-user", "10001")
    assert found == ""
    assert service.execute("find", "/models", "-not", "-user", "10001") == ""


def test_it_starts_without_compiling(service: Container) -> None:
    code = (
        "import sys, service.app, service.worker, service.feedback, gunicorn.app.wsgiapp;"
        "from pathlib import Path; from importlib.util import cache_from_source as cached;"
        "files = [m.__file__ for m in sys.modules.values() if getattr(m, '__file__', 0)];"
        "print([f for f in files if f.endswith('.py') and not Path(cached(f)).is_file()])"
    )
    assert service.execute("python", "-c", code) == "[]"


# -- how it runs --------------------------------------------------------------------------


def test_an_init_is_the_first_process(service: Container) -> None:
    assert service.execute("cat", "/proc/1/comm") == "dumb-init"
    assert len(service.workers()) == 2


@table("cores, workers", {"a quarter": ("0.25", 1), "one": ("1", 1), "one and a half": ("1.5", 2)})
def test_there_are_as_many_workers_as_cores(
    cores: str, workers: int, engine: Engine, image: str
) -> None:
    limits = ("--memory=256m", f"--cpus={cores}")
    with serving(engine, image, limits=limits) as container:
        assert len(container.workers()) == workers


def test_its_own_check_of_its_health_passes(service: Container) -> None:
    test = service.engine.inspect("container", service.name)["Config"]["Healthcheck"]["Test"]
    service.execute(*test[1:])


def test_its_check_of_its_health_fails_where_nobody_answers(service: Container) -> None:
    test = service.engine.inspect("container", service.name)["Config"]["Healthcheck"]["Test"]
    with pytest.raises(EngineError):
        service.execute("env", "DIGITS_PORT=1", *test[1:])


def test_a_killed_worker_is_replaced(service: Container) -> None:
    before = service.workers()
    service.execute("python", "-c", f"import os; os.kill({before[0]}, 9)")
    wait_for("there is another", lambda: len(set(service.workers()) - set(before)) == 1)
    with service.client() as client:
        assert client.predict(*QUESTION).status == 200


def test_it_ends_on_sigterm_and_answers_what_it_took(engine: Engine, image: str) -> None:
    with serving(engine, image) as container:
        with container.client() as client:
            assert client.get("/readyz").status == 200
        began = time.monotonic()
        engine.run("stop", "--time", STOP_SECONDS, container.name)
        assert time.monotonic() - began < float(STOP_SECONDS)
        state = engine.inspect("container", container.name)["State"]
        assert (state["ExitCode"], state["OOMKilled"]) == (0, False)


def test_what_is_set_wrongly_ends_it_with_one_line(engine: Engine, image: str) -> None:
    with pytest.raises(EngineError) as failed:
        engine.run("run", "--rm", "--env=DIGITS_WROKERS=2", image)
    told = [line for line in str(failed.value).splitlines() if line.startswith("digits: ")]
    assert len(told) == 1
    assert told[0].startswith("digits: cannot start: DIGITS_WROKERS")


# -- all of the service -------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_kind_of_picture_is_read(service: Container, encoding: str) -> None:
    sent = ENCODINGS[encoding](SEVEN)
    with service.client() as client:
        answer = client.predict(sent.body, sent.content_type)
    assert answer.status == 200, answer.body
    (prediction,) = answer.json["predictions"]
    assert (prediction["digit"], prediction["accepted"]) == (7, True)


@table(
    "path, kind",
    {
        "the page": ("/", "text/html"),
        "what it does": ("/openapi.json", "application/json"),
        "the same to read": ("/docs", "text/html"),
        "metrics": ("/metrics", "text/plain"),
        "models": ("/models", "application/json"),
        "a model's card": ("/models/2", "application/json"),
        "drift": ("/drift", "application/json"),
        "v2": ("/v2/models/digits", "application/json"),
    },
)
def test_every_room_can_be_entered(service: Container, path: str, kind: str) -> None:
    with service.client() as client:
        answer = client.request("GET", path, headers={"Accept": f"{kind}, */*;q=0.1"})
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(kind)


def test_an_answer_is_explained(service: Container) -> None:
    headers = {**JSON, "Accept": "image/png"}
    with service.client() as client:
        answer = client.request("POST", "/explain", pixels_json(GOOD), headers)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")


def test_what_is_answered_is_kept_on_a_volume(engine: Engine, image: str) -> None:
    with volume(engine) as data:
        options = (f"--volume={data}:/data:U", "--env=DIGITS_FEEDBACK=/data/kept.db")
        with serving(engine, image, *options) as container, container.client() as client:
            headers = {**JSON, "X-Request-ID": "kept"}
            answer = client.request("POST", "/predict", pixels_json(GOOD), headers)
            assert answer.status == 200

            def is_labelled() -> bool:
                body = json.dumps({"request_id": "kept", "label": 7}).encode()
                return client.request("POST", "/feedback", body, JSON).status in {200, 201}

            wait_for("it is kept", is_labelled)


# -- its store ----------------------------------------------------------------------------


def version(container: Container) -> int:
    """The one that answers."""
    with container.client() as client:
        return int(client.predict(*QUESTION).headers["X-Model-Version"])


def test_a_new_volume_begins_as_the_shipped_store_and_is_followed(
    engine: Engine, image: str, training_image: str
) -> None:
    with volume(engine) as store:
        mounted = f"--volume={store}:/models"
        with serving(engine, image, f"{mounted}:ro") as container:
            assert version(container) == CHAMPION
            entry = ("--entrypoint=python", mounted)
            job(engine, training_image, "-m", "model", "promote", "1", options=entry)

            wait_for("the service follows", lambda: version(container) == 1)


def test_an_empty_store_is_refused_until_it_is_seeded(engine: Engine, image: str) -> None:
    with volume(engine) as store:
        mounted = f"--volume={store}:/empty:U"
        elsewhere = "--env=DIGITS_STORE=/empty"
        with pytest.raises(EngineError, match="has no champion"):
            engine.run("run", "--rm", mounted, elsewhere, image)
        seed = ("-m", "model", "seed")
        engine.run("run", "--rm", "--entrypoint=python", mounted, elsewhere, image, *seed)
        with serving(engine, image, mounted, elsewhere) as container:
            assert version(container) == CHAMPION
