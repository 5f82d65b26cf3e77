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
from service.exchange import MODEL_VERSION, Endpoint, Reply, Request
from service.health import Health
from service.inference import Inference, Question, Reader
from service.limits import Limits, receive
from service.models import Models
from service.protocols import MODEL_NAME, asked, v1_request
from service.responses import in_json

MODEL = "/v1/models/<segment:name>"
VERSION = f"{MODEL}/versions/<segment:version>"


class Segment(BaseConverter):
    """A part of a path that ends where a verb begins, as in ``digits:predict``."""

    regex = "[^/:]+"


def readers(models: Models, limits: Limits) -> dict[str, Reader]:
    """What reads the questions to POST, by their route."""

    def question(request: Request, name: str, version: str | None = None) -> Question:
        wanted, read = asked(models, name, version), _read(request, limits)
        return Question(read.batch, "auto", partial(_write, in_columns=read.in_columns), wanted)

    return {f"{base}:predict": question for base in (MODEL, VERSION)}


def endpoints(inference: Inference, limits: Limits) -> dict[str, Endpoint]:
    """What else is answered to POST, by its route."""

    def explain(request: Request, name: str, version: str | None = None) -> Reply:
        wanted, batch = asked(inference.models, name, version), _read(request, limits).batch
        artifact, why = inference.explain(request, batch, version=wanted)
        [said] = _entries(artifact, [why.prediction])
        explained = said | answers.grounds(why)
        body = orjson.dumps({"predictions": [said], "explanations": [explained]})
        headers = {"Cache-Control": "no-store", MODEL_VERSION: str(artifact.version)}
        return Reply(body, headers=headers)

    return {f"{base}:explain": explain for base in (MODEL, VERSION)}


def blueprint(models: Models, health: Health) -> Blueprint:
    """What both dialects are told about the model."""
    routes = Blueprint("v1", __name__)

    @routes.get("/v1/models")
    def all_models() -> Response:
        return in_json({"models": [MODEL_NAME]})

    @routes.get(MODEL)
    @routes.get(VERSION)
    def status(name: str, version: str | None = None) -> Response:
        wanted = asked(models, name, version)
        told = [one.version for one in models.loaded()] if wanted is None else [wanted]
        states = [_state(one, health) for one in told]
        said = {"name": MODEL_NAME, "ready": health.ready, "model_version_status": states}
        return in_json(said, 200 if health.ready else 503)

    return routes


def _state(version: int, health: Health) -> dict[str, Any]:
    return {
        "version": str(version),
        "state": "AVAILABLE" if health.ready else "UNLOADING",
        "status": {"error_code": "OK", "error_message": ""},
    }


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
