"""The table of the service beside its peers."""

from collections.abc import Iterable
from dataclasses import replace

from tests.bench.serving import programs, requests
from tests.bench.serving.direct import Direct
from tests.bench.serving.requests import JSON_IMAGE, Request
from tests.bench.serving.rounds import Turn
from tests.bench.serving.rows import Row

# One JSON image, in the words of each.
DIGITS = Turn(programs.DIGITS, JSON_IMAGE)
THROUGH_A_VIEW = Turn(programs.THROUGH_A_VIEW, JSON_IMAGE)
FASTAPI = Turn(programs.FASTAPI, JSON_IMAGE)
LEAN_FASTAPI = Turn(programs.LEAN_FASTAPI, JSON_IMAGE)
KSERVE = Turn(programs.KSERVE, requests.json_batch("/v1/models/digits:predict", 1))
MLSERVER = Turn(programs.MLSERVER, requests.v2_json("/v2/models/digits/infer"))
LITSERVE = Turn(programs.LITSERVE, JSON_IMAGE)
BENTOML = Turn(programs.BENTOML, JSON_IMAGE)
RAY = Turn(programs.RAY, JSON_IMAGE)

FLASK_GET = Turn(programs.FLASK_GET, Request("/", digit=()))
PILLOW = Turn(programs.FASTAPI_PILLOW, requests.picture("/predict"))

CONNECTIONS = (1, 64, 256)
BATCHES = (32, 1024)
LARGEST = 1024


def table() -> list[Row]:
    return [*with_bars(), *of_connections(), *of_bodies(), *of_batches(), *of_the_flagship()]


def with_bars() -> Iterable[Row]:
    yield Row("JSON", DIGITS, FASTAPI, must=2.5, aim=3.5)
    yield Row("JSON", DIGITS, LEAN_FASTAPI, must=1.3, aim=2.0)
    yield Row("JSON", DIGITS, FLASK_GET, must=2.5, aim=3.5)
    yield Row("JSON", DIGITS, KSERVE, must=5, aim=8)
    yield Row("JSON", DIGITS, MLSERVER, must=5, aim=8)
    yield Row("JSON", DIGITS, LITSERVE, must=12, aim=16)
    yield Row("JSON", DIGITS, BENTOML, must=20, aim=27)
    yield Row("JSON", DIGITS, RAY)
    yield Row("JSON through a Flask view", THROUGH_A_VIEW, FASTAPI, must=1.3, aim=1.6)
    yield Row("JSON on gunicorn's gthread", Turn(programs.ON_GTHREAD, JSON_IMAGE), FASTAPI)
    yield Row("JSON on uvicorn's loop", Turn(programs.ON_UVICORN, JSON_IMAGE), FASTAPI)
    yield Row("PNG", Turn(programs.DIGITS, requests.picture("/predict")), PILLOW, must=2.0, aim=3.0)
    yield Row("JSON through nginx", Turn(programs.BEHIND_NGINX, JSON_IMAGE), DIGITS)
    batch = Turn(programs.DIGITS, requests.raw("/predict", LARGEST))
    yield Row("1024 raw images", batch, Direct("classifier", LARGEST), must=0.7, aim=0.9)
    yield Row("1024 raw images", batch, Direct("engine", LARGEST), must=0.7, aim=0.9)
    yield Row("JSON, p99", DIGITS, must=1.5, aim=0.8, unit="ms")
    yield Row("JSON", DIGITS, unit="img/s")


def of_connections() -> Iterable[Row]:
    for count in CONNECTIONS:
        ours, theirs = replace(DIGITS, connections=count), replace(FASTAPI, connections=count)
        yield Row(f"JSON, {count} connections", ours, theirs)
        yield Row(f"JSON, {count} connections", ours, unit="img/s")
        yield Row(f"JSON, {count} connections, p99", ours, unit="ms")
    yield Row(
        "JSON, both cores, two workers",
        Turn(programs.TWO_WORKERS, JSON_IMAGE, connections=64),
        Turn(programs.ONE_WORKER, JSON_IMAGE, connections=64),
    )


def of_bodies() -> Iterable[Row]:
    theirs = Turn(programs.LEAN_FASTAPI, requests.raw("/raw", 1))
    yield Row("raw body", Turn(programs.DIGITS, requests.raw("/predict", 1)), theirs)
    binary = requests.v2_binary("/v2/models/digits/infer", 1)
    yield Row("v2, binary", Turn(programs.DIGITS, binary), theirs)


def of_batches() -> Iterable[Row]:
    for count in BATCHES:
        in_json = Turn(programs.DIGITS, requests.json_batch("/predict", count))
        theirs = Turn(programs.LEAN_FASTAPI, requests.json_batch("/batch", count))
        yield Row(f"{count} images in JSON", in_json, theirs)
        yield Row(f"{count} images in JSON", in_json, unit="img/s")
        raw = Turn(programs.DIGITS, requests.raw("/predict", count))
        yield Row(
            f"{count} raw images", raw, Turn(programs.LEAN_FASTAPI, requests.raw("/raw", count))
        )
        yield Row(f"{count} raw images", raw, unit="img/s")


def of_the_flagship() -> Iterable[Row]:
    ours = reading_flagship(DIGITS)
    for peer in (FASTAPI, LEAN_FASTAPI, KSERVE, MLSERVER, LITSERVE, BENTOML):
        yield Row("flagship, JSON", ours, reading_flagship(peer))
    yield Row("flagship, JSON, p99", ours, unit="ms")
    yield Row("flagship, JSON", ours, unit="img/s")
    batch = reading_flagship(Turn(programs.DIGITS, requests.raw("/predict", LARGEST)))
    engine = Direct("engine", LARGEST, programs.FLAGSHIP)
    yield Row("flagship, 1024 raw images", batch, engine, must=0.7, aim=0.9)
    yield Row("flagship, 1024 raw images", batch, unit="img/s")


def reading_flagship(turn: Turn) -> Turn:
    return replace(turn, program=turn.program.reading(programs.FLAGSHIP))
