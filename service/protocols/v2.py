"""The Open Inference Protocol, version 2, with the extensions that its metadata name."""

from collections.abc import Callable, Sequence
from functools import partial

from flask import Blueprint, Response, request

from model import Artifact, Prediction
from service import errors
from service.documents import kind, parse_object
from service.exchange import Reply, Request
from service.health import Health
from service.inference import Question, Reader
from service.limits import Limits, receive
from service.metrics import Metrics
from service.models import Models
from service.protocols import asked, check_model, v2_metadata, v2_request, v2_response
from service.protocols.v2_metadata import READY
from service.protocols.v2_request import HEADER_LENGTH
from service.responses import in_json

BINARY = "application/octet-stream"

MODEL = "/v2/models/<name>"
VERSION = f"{MODEL}/versions/<version>"
STORED = "/v2/repository/models/<name>"


def readers(models: Models, limits: Limits) -> dict[str, Reader]:
    """What reads the questions to POST, by their route."""

    def question(request: Request, name: str, version: str | None = None) -> Question:
        wanted = asked(models, name, version)
        body = receive(request.environ, limits.max_body_bytes)
        read = v2_request.read(body, request.header(HEADER_LENGTH), limits)
        return Question(read.batch, "auto", partial(_write, read=read), wanted)

    return {f"{base}/infer": question for base in (MODEL, VERSION)}


def _write(
    artifact: Artifact, predictions: Sequence[Prediction], *, read: v2_request.Request
) -> Reply:
    answer = v2_response.write(artifact, predictions, read)
    if answer.header_length is None:
        return Reply(answer.body)
    return Reply(answer.body, BINARY, headers={HEADER_LENGTH: str(answer.header_length)})


def blueprint(
    models: Models, metrics: Metrics, limits: Limits, health: Health, is_admin: Callable[[], bool]
) -> Blueprint:
    """The protocol's other routes, over the parts of one application.

    is_admin: whether the request at hand is an administrator's.
    """
    routes = Blueprint("v2", __name__)
    _tell_health(routes, models, health)
    _tell_metadata(routes, models, metrics)
    _list_models(routes, models, limits, health)
    _manage_models(routes, models, is_admin)
    return routes


def _tell_health(routes: Blueprint, models: Models, health: Health) -> None:
    @routes.get("/v2/health/live")
    def live() -> Response:
        return in_json({"live": True})

    @routes.get("/v2/health/ready")
    def ready() -> Response:
        return in_json({"ready": health.ready}, 200 if health.ready else 503)

    @routes.get(f"{MODEL}/ready")
    @routes.get(f"{VERSION}/ready")
    def model_ready(name: str, version: str | None = None) -> Response:
        asked(models, name, version)
        return in_json({"name": name, "ready": health.ready}, 200 if health.ready else 503)


def _tell_metadata(routes: Blueprint, models: Models, metrics: Metrics) -> None:
    @routes.get("/v2")
    def server() -> Response:
        return in_json(v2_metadata.server())

    @routes.get(MODEL)
    @routes.get(VERSION)
    def model(name: str, version: str | None = None) -> Response:
        asked(models, name, version)
        return in_json(v2_metadata.model(models.versions()))

    @routes.get("/v2/models/stats")
    def all_statistics() -> Response:
        return in_json(v2_metadata.statistics(models.classifier.version, metrics.totals()))

    @routes.get(f"{MODEL}/stats")
    @routes.get(f"{VERSION}/stats")
    def statistics(name: str, version: str | None = None) -> Response:
        asked(models, name, version)
        return all_statistics()


def _list_models(routes: Blueprint, models: Models, limits: Limits, health: Health) -> None:
    @routes.post("/v2/repository/index")
    def index() -> Response:
        body = receive(request.environ, limits.max_body_bytes)
        expected = 'send {"ready": true} for what is ready, or nothing for all'
        only_ready = parse_object(body, expected).get("ready", False) if body else False
        if not isinstance(only_ready, bool):
            raise errors.WrongType("ready", f"ready is {kind(only_ready)}; send a boolean")
        loaded = [one.version for one in models.loaded()]
        entries = [
            v2_metadata.index(version, loaded=version in loaded, stopping=not health.ready)
            for version in models.versions()
        ]
        return in_json([entry for entry in entries if entry["state"] == READY or not only_ready])


def _manage_models(routes: Blueprint, models: Models, is_admin: Callable[[], bool]) -> None:
    def admit(name: str) -> None:
        if not is_admin():
            raise errors.Forbidden(
                "Authorization",
                "only an administrator may load and unload models; "
                "send Authorization: Bearer and the administrator's token",
            )
        check_model(name)

    @routes.post(f"{STORED}/load")
    def load(name: str) -> Response:
        admit(name)
        models.look()
        if not models.is_current:
            raise errors.UnusableModelVersion(
                "model", "the champion of the store cannot be loaded; the service's log says why"
            )
        return in_json({})

    @routes.post(f"{STORED}/unload")
    def unload(name: str) -> Response:
        admit(name)
        raise errors.OnlyModel(
            "model", "the only model that is served cannot be unloaded; stop the service instead"
        )
