"""KServe v1 and TensorFlow Serving: the model's state, predictions, explanations."""

from collections.abc import Sequence
from typing import Any

import orjson
from flask import Blueprint, Response, request
from werkzeug.routing import BaseConverter

from model import Artifact, Prediction
from service import answers
from service.answers import JSON, Wanted
from service.batches import Batch
from service.health import Health
from service.inference import Inference
from service.limits import Limits, receive
from service.protocols import MODEL_NAME, check_model, v1_request

MODEL = "/v1/models/<segment:name>"
VERSION = f"{MODEL}/versions/<segment:version>"


class Segment(BaseConverter):
    """A part of a path that ends where a verb begins, as in ``digits:predict``."""

    regex = "[^/:]+"


def blueprint(inference: Inference, limits: Limits, health: Health) -> Blueprint:
    """The routes of both dialects over the parts of one application."""
    routes = Blueprint("v1", __name__)
    routes.record_once(lambda state: state.app.url_map.converters.update(segment=Segment))
    artifact = inference.classifier.artifact

    def asked() -> v1_request.Request:
        return v1_request.read(receive(request.environ, limits.max_body_bytes), limits)

    @routes.get("/v1/models")
    def models() -> Response:
        return _json({"models": [MODEL_NAME]})

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
        return _json(said, 200 if health.ready else 503)

    @routes.post(f"{MODEL}:predict")
    @routes.post(f"{VERSION}:predict")
    def predict(name: str, version: str | None = None) -> Response:
        check_model(artifact, name, version)
        in_columns = False

        def decode() -> Batch:
            nonlocal in_columns
            read = asked()
            in_columns = read.in_columns
            return read.batch

        def encode(predictions: Sequence[Prediction]) -> Response:
            rows = _entries(artifact, predictions)
            return _json({"outputs": _columns(rows)} if in_columns else {"predictions": rows})

        return inference.answer(decode, encode)

    @routes.post(f"{MODEL}:explain")
    @routes.post(f"{VERSION}:explain")
    def explain(name: str, version: str | None = None) -> Response:
        check_model(artifact, name, version)
        why = inference.explain(asked().batch)
        [said] = _entries(artifact, [why.prediction])
        explained = said | answers.grounds(why)
        response = _json({"predictions": [said], "explanations": [explained]})
        response.cache_control.no_store = True
        return response

    return routes


def _entries(artifact: Artifact, predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    return [answers.entry(said, artifact.labels, Wanted()) for said in predictions]


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """What is said of each image, as a list of each thing that is said."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, content_type=JSON)
