"""The Open Inference Protocol, version 2, with the extensions that its metadata name."""

from collections.abc import Callable, Sequence
from functools import partial

from flask import Blueprint, Response, request

from model import Artifact, Prediction
from service import errors
from service.documents import kind, parse_object
from service.exchange import Reply, Request
from service.health import Health
from service.inference import Inference, Question, Reader
from service.limits import Limits, receive
from service.protocols import check_model, v2_metadata, v2_request, v2_response
from service.protocols.v2_request import HEADER_LENGTH
from service.responses import in_json

BINARY = "application/octet-stream"

MODEL = "/v2/models/<name>"
VERSION = f"{MODEL}/versions/<version>"
STORED = "/v2/repository/models/<name>"


def readers(limits: Limits) -> dict[str, Reader]:
    """What reads the questions to POST, by their route."""

    def read(
        request: Request, artifact: Artifact, name: str, version: str | None = None
    ) -> Question:
        check_model(artifact, name, version)
        body = receive(request.environ, limits.max_body_bytes)
        asked = v2_request.read(body, request.header(HEADER_LENGTH), limits)
        return Question(asked.batch, "auto", partial(_write, asked=asked))

    return {f"{base}/infer": read for base in (MODEL, VERSION)}


def _write(
    artifact: Artifact, predictions: Sequence[Prediction], *, asked: v2_request.Request
) -> Reply:
    answer = v2_response.write(artifact, predictions, asked)
    if answer.header_length is None:
        return Reply(answer.body)
    return Reply(answer.body, BINARY, headers={HEADER_LENGTH: str(answer.header_length)})


def blueprint(
    inference: Inference, limits: Limits, health: Health, is_admin: Callable[[], bool]
) -> Blueprint:
    """The protocol's other routes, over the parts of one application.

    is_admin: whether the request at hand is an administrator's.
    """
    routes = Blueprint("v2", __name__)
    _tell_health(routes, inference, health)
    _tell_metadata(routes, inference)
    _list_models(routes, inference, limits, health)
    _manage_models(routes, inference, is_admin)
    return routes


def _tell_health(routes: Blueprint, inference: Inference, health: Health) -> None:
    @routes.get("/v2/health/live")
    def live() -> Response:
        return in_json({"live": True})

    @routes.get("/v2/health/ready")
    def ready() -> Response:
        return in_json({"ready": health.ready}, 200 if health.ready else 503)

    @routes.get(f"{MODEL}/ready")
    @routes.get(f"{VERSION}/ready")
    def model_ready(name: str, version: str | None = None) -> Response:
        check_model(inference.artifact, name, version)
        return in_json({"name": name, "ready": health.ready}, 200 if health.ready else 503)


def _tell_metadata(routes: Blueprint, inference: Inference) -> None:
    @routes.get("/v2")
    def server() -> Response:
        return in_json(v2_metadata.server())

    @routes.get(MODEL)
    @routes.get(VERSION)
    def model(name: str, version: str | None = None) -> Response:
        check_model(inference.artifact, name, version)
        return in_json(v2_metadata.model(inference.artifact))

    @routes.get("/v2/models/stats")
    def all_statistics() -> Response:
        return in_json(v2_metadata.statistics(inference.artifact, inference.metrics.totals()))

    @routes.get(f"{MODEL}/stats")
    @routes.get(f"{VERSION}/stats")
    def statistics(name: str, version: str | None = None) -> Response:
        check_model(inference.artifact, name, version)
        return all_statistics()


def _list_models(routes: Blueprint, inference: Inference, limits: Limits, health: Health) -> None:
    @routes.post("/v2/repository/index")
    def index() -> Response:
        body = receive(request.environ, limits.max_body_bytes)
        expected = 'send {"ready": true} for what is ready, or nothing for all'
        only_ready = parse_object(body, expected).get("ready", False) if body else False
        if not isinstance(only_ready, bool):
            raise errors.WrongType("ready", f"ready is {kind(only_ready)}; send a boolean")
        listed = health.ready or not only_ready
        return in_json(
            [v2_metadata.index(inference.artifact, ready=health.ready)] if listed else []
        )


def _manage_models(routes: Blueprint, inference: Inference, is_admin: Callable[[], bool]) -> None:
    def check(name: str) -> None:
        if not is_admin():
            raise errors.Forbidden(
                "Authorization",
                "only an administrator may load and unload models; "
                "send Authorization: Bearer and the administrator's token",
            )
        check_model(inference.artifact, name)

    @routes.post(f"{STORED}/load")
    def load(name: str) -> Response:
        check(name)
        return in_json({})  # it is loaded

    @routes.post(f"{STORED}/unload")
    def unload(name: str) -> Response:
        check(name)
        raise errors.OnlyModel(
            "model", "the only model that is served cannot be unloaded; stop the service instead"
        )
