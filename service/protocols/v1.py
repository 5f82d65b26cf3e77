"""KServe v1 and TensorFlow Serving: the model's state, predictions, explanations."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
from flask import Blueprint, Response
from werkzeug.routing import BaseConverter

from model import Artifact, Prediction
from service import answers
from service.answers import Wanted
from service.exchange import Endpoint, Reply, Request
from service.health import Health
from service.inference import Inference, Question, Reader
from service.limits import Limits, receive
from service.protocols import MODEL_NAME, check_model, v1_request
from service.responses import in_json

MODEL = "/v1/models/<segment:name>"
VERSION = f"{MODEL}/versions/<segment:version>"


class Segment(BaseConverter):
    """A part of a path that ends where a verb begins, as in ``digits:predict``."""

    regex = "[^/:]+"


def readers(limits: Limits) -> dict[str, Reader]:
    """What reads the questions to POST, by their route."""

    def read(
        request: Request, artifact: Artifact, name: str, version: str | None = None
    ) -> Question:
        check_model(artifact, name, version)
        asked = _read(request, limits)
        return Question(asked.batch, "auto", partial(_write, in_columns=asked.in_columns))

    return {f"{base}:predict": read for base in (MODEL, VERSION)}


def endpoints(inference: Inference, limits: Limits) -> dict[str, Endpoint]:
    """What else is answered to POST, by its route."""

    def explain(request: Request, name: str, version: str | None = None) -> Reply:
        artifact = inference.artifact
        check_model(artifact, name, version)
        why = inference.explain(_read(request, limits).batch)
        [said] = _entries(artifact, [why.prediction])
        explained = said | answers.grounds(why)
        body = orjson.dumps({"predictions": [said], "explanations": [explained]})
        return Reply(body, headers={"Cache-Control": "no-store"})

    return {f"{base}:explain": explain for base in (MODEL, VERSION)}


def blueprint(inference: Inference, health: Health) -> Blueprint:
    """What both dialects are told about the model."""
    routes = Blueprint("v1", __name__)

    @routes.get("/v1/models")
    def models() -> Response:
        return in_json({"models": [MODEL_NAME]})

    @routes.get(MODEL)
    @routes.get(VERSION)
    def status(name: str, version: str | None = None) -> Response:
        artifact = inference.artifact
        check_model(artifact, name, version)
        state = {
            "version": str(artifact.version),
            "state": "AVAILABLE" if health.ready else "UNLOADING",
            "status": {"error_code": "OK", "error_message": ""},
        }
        said = {"name": MODEL_NAME, "ready": health.ready, "model_version_status": [state]}
        return in_json(said, 200 if health.ready else 503)

    return routes


def _read(request: Request, limits: Limits) -> v1_request.Request:
    return v1_request.read(receive(request.environ, limits.max_body_bytes), limits)


def _write(artifact: Artifact, predictions: Sequence[Prediction], *, in_columns: bool) -> Reply:
    rows = _entries(artifact, predictions)
    return Reply(orjson.dumps({"outputs": _columns(rows)} if in_columns else {"predictions": rows}))


def _entries(artifact: Artifact, predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    return [answers.entry(said, artifact.labels, Wanted()) for said in predictions]


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """What is said of each image, as a list of each thing that is said."""
    return {name: [row[name] for row in rows] for name in rows[0]}
