"""What the service tells about itself: health, metrics, models, drift."""

import json
import re

from flask import Blueprint, Response, request, url_for

from model.card import card
from service import errors
from service.answers import JSON
from service.drift import Drift
from service.health import Health
from service.inference import Inference
from service.metrics import CONTENT_TYPE
from service.responses import in_json

VERSION = re.compile(r"[1-9][0-9]*")


def blueprint(inference: Inference, health: Health, drift: Drift) -> Blueprint:
    """What tells about the service and its model, over the parts of one application."""
    routes = Blueprint("digits", __name__)

    @routes.get("/livez")
    def livez() -> Response:
        return in_json({"status": "alive"})

    @routes.get("/readyz")
    @routes.get("/healthz")
    @routes.get("/health")
    def readyz() -> Response:
        report = health.report(verbose="verbose" in request.args)
        return in_json(report, status=200 if health.ready else 503)

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(inference.metrics.exposition(), content_type=CONTENT_TYPE)

    @routes.get("/models")
    def models() -> Response:
        artifact = inference.artifact
        return in_json(
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
        artifact = inference.artifact
        if version != str(artifact.version):
            address = url_for(".model_card", version=artifact.version)
            wrong = "is not loaded" if VERSION.fullmatch(version) else "is not a whole number"
            raise errors.UnknownModelVersion(
                "version", f"this version {wrong}; ask for version {artifact.version} at {address}"
            )
        # Not by orjson: a seed may have over 64 bits.
        return Response(json.dumps(card(artifact)), content_type=JSON)

    @routes.get("/drift")
    def drifting() -> Response:
        return in_json(drift.report())

    return routes
