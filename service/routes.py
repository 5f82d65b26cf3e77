"""What the service tells about itself: health, metrics, models, drift."""

import json
from typing import Any

from flask import Blueprint, Response, request, url_for

from model import Artifact
from model.card import card
from service.answers import JSON
from service.drift import Drift
from service.health import Health
from service.metrics import CONTENT_TYPE, Metrics
from service.models import Models
from service.protocols import MODEL_NAME, number
from service.responses import in_json


def blueprint(models: Models, metrics: Metrics, health: Health, drift: Drift) -> Blueprint:
    """What tells about the service and its models, over the parts of one application."""
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
    def all_metrics() -> Response:
        return Response(metrics.exposition(), content_type=CONTENT_TYPE)

    @routes.get("/models")
    def all_models() -> Response:
        found = {one.version: one.artifact for one in models.loaded()}
        return in_json({"models": [_entry(models, it, found.get(it)) for it in models.versions()]})

    @routes.get("/models/<version>")
    def model_card(version: str) -> Response:
        artifact = models.at(number(version)).artifact
        # Not by orjson: a seed may have over 64 bits.
        return Response(json.dumps(card(artifact)), content_type=JSON)

    @routes.get("/drift")
    def drifting() -> Response:
        return in_json(drift.report())

    return routes


def _entry(models: Models, version: int, artifact: Artifact | None) -> dict[str, Any]:
    """What is told of one version; of one that is loaded, more."""
    entry: dict[str, Any] = {
        "name": MODEL_NAME,
        "version": version,
        "role": models.role(version),
        "loaded": artifact is not None,
        "card": url_for(".model_card", version=version),
    }
    if artifact is not None:
        entry |= {
            "digest": artifact.digest(),
            "parameters": artifact.architecture.parameter_count(),
            "evaluation": artifact.evaluation,
        }
    return entry
