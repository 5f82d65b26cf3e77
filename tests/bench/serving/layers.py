"""One JSON image through the layers of the service, each called by itself in one process.

Run as ``python -m tests.bench.serving.layers ARTIFACT``, with a directory for metrics as a
worker has one: writing them is part of the cost. Prints microseconds by layer as JSON.
"""

import json
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from threadpoolctl import threadpool_limits

from model import Classifier
from model.engine import Engine
from model.normalizer import normalize
from service import wsgi
from service.app import create_app
from service.metrics import STAGES
from service.settings import Settings
from tests.bench.serving.requests import FRAME, JSON_IMAGE, Request
from tests.service.cases import JSON

RUNS, CALLS = 10, 300
MICRO = 1e6


def layers(path: Path) -> dict[str, float]:
    """Microseconds of each; ``application`` has the stages in it, ``classify`` the two last."""
    classifier = Classifier.load(path)
    app, engine = create_app(Settings(), classifier), Engine(classifier.artifact.network)
    found = {"application": microseconds(lambda: answer(app, JSON_IMAGE))}
    found |= {stage: MICRO * seconds for stage, seconds in stages(app).items()}
    found["normalize"] = microseconds(lambda: normalize(FRAME))
    found["network"] = microseconds(lambda: engine.logits(FRAME[None]))
    return found


def microseconds(call: Callable[[], object]) -> float:
    """Of one call, the median of some runs."""
    runs = []
    for _ in range(RUNS):
        began = time.perf_counter()
        for _ in range(CALLS):
            call()
        runs.append((time.perf_counter() - began) / CALLS)
    return MICRO * statistics.median(runs)


def answer(app: Flask, request: Request) -> wsgi.Response:
    """What a connection does with a request that it has read."""
    environ = wsgi.environment(
        wsgi.surroundings(("127.0.0.1", 1), ("127.0.0.1", 8000)),
        method=request.method,
        target=request.path.encode(),
        version="1.1",
        fields={"CONTENT_TYPE": JSON["Content-Type"], "CONTENT_LENGTH": str(len(request.body))},
        body=request.body,
    )
    return wsgi.call(app, environ)


def stages(app: Flask) -> dict[str, float]:
    """Seconds of a request in each stage, from the metrics."""
    text = answer(app, Request("/metrics")).body.decode()

    def total(kind: str, stage: str) -> float:
        name = f'digits_stage_duration_seconds_{kind}{{stage="{stage}"}}'
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert found
        return float(found[1])

    return {stage: total("sum", stage) / total("count", stage) for stage in STAGES}


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        print(json.dumps(layers(Path(sys.argv[1]))))
