"""KServe v1 and TensorFlow Serving: the model's state, predictions, explanations."""

from collections.abc import Sequence
from typing import Any

import orjson
from flask import Blueprint, Response
from werkzeug.routing import BaseConverter

from model import Artifact, Prediction
from service import answers
from service.answers import Wanted
from service.exchange import Endpoint, Reply, Request
from service.health import Health
from service.inference import Inference
from service.limits import Limits, receive
from service.protocols import MODEL_NAME, check_model, v1_request
from service.responses import in_json

MODEL = "/v1/models/<segment:name>"
VERSION = f"{MODEL}/versions/<segment:version>"


class Segment(BaseConverter):
    """A part of a path that ends where a verb begins, as in ``digits:predict``."""

    regex = "[^/:]+"


def endpoints(inference: Inference, limits: Limits) -> dict[str, Endpoint]:
    """What is answered to POST, by its route."""
    artifact = inference.classifier.artifact

    def read(request: Request) -> v1_request.Request:
        return v1_request.read(receive(request.environ, limits.max_body_bytes), limits)

    def predict(request: Request, name: str, version: str | None = None) -> Reply:
        check_model(artifact, name, version)

        def write(asked: v1_request.Request, predictions: Sequence[Prediction]) -> Reply:
            rows = _entries(artifact, predictions)
            said = {"outputs": _columns(rows)} if asked.in_columns else {"predictions": rows}
            return Reply(orjson.dumps(said))

        return inference.answer(lambda: read(request), write)

    def explain(request: Request, name: str, version: str | None = None) -> Reply:
        check_model(artifact, name, version)
        why = inference.explain(read(request))
        [said] = _entries(artifact, [why.prediction])
        explained = said | answers.grounds(why)
        body = orjson.dumps({"predictions": [said], "explanations": [explained]})
        return Reply(body, headers={"Cache-Control": "no-store"})

    verbs = {"predict": predict, "explain": explain}
    return {f"{base}:{verb}": verbs[verb] for base in (MODEL, VERSION) for verb in verbs}


def blueprint(artifact: Artifact, health: Health) -> Blueprint:
    """What both dialects are told about the model."""
    routes = Blueprint("v1", __name__)

    @routes.get("/v1/models")
    def models() -> Response:
        return in_json({"models": [MODEL_NAME]})

    @routes.get(MODEL)
    @routes.get(VERSION)
    def status(name: str, version: str | None = None) -> Response:
        check_model(artifact, name, version)
        state = {
            "version": str(artifact.version),
            "state": "AVAILABLE" if health.ready else "UNLOADING",
            "status": {"error_code": "OK", "error_message": ""},
        }
        said = {"name": MODEL_NAME, "ready": health.ready, "model_version_status": [state]}
        return in_json(said, 200 if health.ready else 503)

    return routes


def _entries(artifact: Artifact, predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    return [answers.entry(said, artifact.labels, Wanted()) for said in predictions]


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """What is said of each image, as a list of each thing that is said."""
    return {name: [row[name] for row in rows] for name in rows[0]}
