"""The endpoints, each as thin as it can be."""

import json
import re

import orjson
from flask import Blueprint, Response, g, request, url_for

from model.card import card
from model.frame import MANNERS
from service import errors
from service.health import Health
from service.inference import FORMS, Inference
from service.limits import read_body
from service.metrics import CONTENT_TYPE
from service.queries import choice

JSON = "application/json"

VERSION = re.compile(r"[1-9][0-9]*")


def blueprint(inference: Inference, health: Health) -> Blueprint:
    """The routes of one application over its parts."""
    routes = Blueprint("digits", __name__)
    artifact = inference.classifier.artifact
    card_json = json.dumps(card(artifact))  # not by orjson: a seed may have over 64 bits

    @routes.post("/predict")
    def predict() -> Response:
        manner = choice(request.args, "normalize", MANNERS)
        body = read_body(request.environ, inference.settings.max_body_bytes)
        kind = request.headers.get("Content-Type")
        answer = inference.predict(body, kind, g.request_id, manner)
        return Response(answer, content_type=JSON)

    @routes.post("/explain")
    def explain() -> Response:
        form = choice(request.args, "format", tuple(FORMS))
        manner = choice(request.args, "normalize", MANNERS)
        body = read_body(request.environ, inference.settings.max_body_bytes)
        kind = request.headers.get("Content-Type")
        answer = inference.explain(body, kind, g.request_id, form, manner)
        response = Response(answer, content_type=FORMS[form])
        response.cache_control.no_store = True
        return response

    @routes.get("/livez")
    def livez() -> Response:
        return _json({"status": "alive"})

    @routes.get("/readyz")
    @routes.get("/healthz")
    @routes.get("/health")
    def readyz() -> Response:
        report = health.report(verbose="verbose" in request.args)
        return _json(report, status=200 if health.ready else 503)

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(inference.metrics.exposition(), content_type=CONTENT_TYPE)

    @routes.get("/models")
    def models() -> Response:
        return _json(
            {
                "models": [
                    {
                        "name": artifact.name,
                        "version": artifact.version,
                        "digest": artifact.digest(),
                        "parameters": artifact.architecture.parameter_count(),
                        "evaluation": artifact.evaluation,
                        "card": url_for(".model_card", version=artifact.version),
                    }
                ]
            }
        )

    @routes.get("/models/<version>")
    def model_card(version: str) -> Response:
        if version != str(artifact.version):
            address = url_for(".model_card", version=artifact.version)
            wrong = "is not loaded" if VERSION.fullmatch(version) else "is not a whole number"
            raise errors.UnknownModelVersion(
                "version", f"this version {wrong}; ask for version {artifact.version} at {address}"
            )
        return Response(card_json, content_type=JSON)

    return routes


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, content_type=JSON)
