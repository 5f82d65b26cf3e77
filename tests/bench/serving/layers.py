"""JSON images through the layers of the service, each called by itself in one process.

As many at a time as there are connections: what comes together is answered together. Run as
``python -m tests.bench.serving.layers ARTIFACT CONNECTIONS``, with a directory for metrics as
a worker has one: writing them is part of the cost. Prints microseconds an image by layer.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from threadpoolctl import threadpool_limits

from model import Classifier
from model.engine import Engine
from model.normalizer import normalize_all
from service import answers, bodies, wsgi
from service.app import create_app
from service.front import Front
from service.limits import Limits
from service.settings import Settings
from tests.bench.serving.requests import JSON_IMAGE, frames
from tests.service.cases import JSON

RUNS, CALLS = 15, 100
MICRO = 1e6


def layers(path: Path, together: int) -> dict[str, float]:
    """Microseconds of each; ``application`` has all but the metrics in it.

    ``classify`` has the network and what normalizes in it.
    """
    classifier = Classifier.load(path)
    artifact, engine = classifier.artifact, Engine(classifier.artifact.network)
    app, limits = create_app(Settings(), classifier), Limits.of(Settings())
    front, metrics = app.wsgi_app, app.extensions["metrics"]
    assert isinstance(front, Front)
    metrics.gathers = True
    body, kind = JSON_IMAGE.body, JSON["Content-Type"]
    images = [bodies.read(body, kind, limits).images[0] for _ in range(together)]
    predictions = classifier.classify(images)[:1]

    def answer() -> None:
        front.answer([front.open(environment()) for _ in range(together)])

    def count() -> None:
        for _ in range(together):
            metrics.begin_request()
            metrics.count_answer(artifact.version, predictions, 1e-5, 1e-5, 1e-5)
            metrics.count_request(JSON_IMAGE.path, 200, 1e-4)
            metrics.end_request()
        metrics.write()

    wanted = answers.Wanted()
    found = {
        "application": microseconds(answer) / together,
        "decode": microseconds(lambda: bodies.read(body, kind, limits)),
        "classify": microseconds(lambda: classifier.classify(images)) / together,
        "normalize": microseconds(lambda: normalize_all(images)) / together,
        "network": microseconds(lambda: engine.logits(frames(together))) / together,
        "encode": microseconds(lambda: answers.as_json(artifact, predictions, "1" * 32, wanted)),
    }
    metrics.write()
    return found | {"metrics": microseconds(count) / together}


def environment() -> wsgi.Environ:
    """What a connection makes of a request that it has read."""
    body = JSON_IMAGE.body
    return wsgi.environment(
        wsgi.surroundings(("127.0.0.1", 1), ("127.0.0.1", 8000)),
        method=JSON_IMAGE.method,
        target=JSON_IMAGE.path.encode(),
        version="1.1",
        fields={"CONTENT_TYPE": JSON["Content-Type"], "CONTENT_LENGTH": str(len(body))},
        body=body,
    )


def microseconds(call: Callable[[], object]) -> float:
    """Of one call, the median of some runs."""
    runs = []
    for _ in range(RUNS):
        began = time.perf_counter()
        for _ in range(CALLS):
            call()
        runs.append((time.perf_counter() - began) / CALLS)
    return MICRO * statistics.median(runs)


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        print(json.dumps(layers(Path(sys.argv[1]), int(sys.argv[2]))))
