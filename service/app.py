"""The application factory: all parts of the service are wired here, and nowhere else."""

import os
import time
from collections.abc import Callable, MutableMapping
from typing import cast

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from model import Classifier, locate
from service import description, errors, feedback, page, responses, routes
from service.ahead import Ahead, ways
from service.cors import Cors
from service.exchange import Endpoint, Exchange, Reply
from service.health import Health
from service.inference import Inference
from service.keys import Keys
from service.limits import Limits
from service.logs import AccessLog
from service.metrics import Metrics
from service.protocols import MODEL_NAME, native, v1, v2
from service.settings import Settings


def create_app(settings: Settings | None = None, classifier: Classifier | None = None) -> Flask:
    """The WSGI application; settings default to the environment, the model to theirs.

    Raises SettingsError or ModelError: without a sound model there is no service.
    """
    settings = settings or Settings.from_env(os.environ)
    keys = Keys.of(settings)
    began = time.perf_counter()
    classifier = classifier or Classifier.load(locate(settings.model, settings.store))
    artifact = classifier.artifact
    metrics = Metrics()
    metrics.set_model(artifact, time.perf_counter() - began)
    exchange = Exchange(
        metrics,
        keys,
        AccessLog(settings.log_level) if settings.access_log else None,
        Cors(settings.cors_origins) if settings.cors_origins else None,
    )
    inference, limits = Inference(classifier, metrics), Limits.of(settings)
    endpoints = {
        route: endpoint
        for dialect in (native, v1, v2)
        for route, endpoint in dialect.endpoints(inference, limits).items()
    }

    app = Flask(__name__, static_folder=None)
    app.extensions["captures"] = captures = feedback.captures(settings, metrics)
    if captures:
        endpoints |= feedback.endpoints(captures, metrics, keys, limits)
    app.extensions["health"] = health = Health(classifier)
    app.url_map.converters["segment"] = v1.Segment
    _hold(app, exchange)
    for route, endpoint in endpoints.items():
        app.add_url_rule(route, route, _view(endpoint), methods=["POST"])
    app.register_blueprint(v1.blueprint(artifact, health))
    app.register_blueprint(v2.blueprint(inference, limits, health, _asks_as_admin(keys)))
    app.register_blueprint(routes.blueprint(inference, health))
    app.register_blueprint(page.blueprint(settings))
    app.register_blueprint(description.blueprint(settings))
    served = {"name": MODEL_NAME, "version": str(artifact.version)}
    app.wsgi_app = Ahead(app.wsgi_app, exchange, ways(endpoints, served))  # type: ignore[method-assign] # as Flask's documentation has it
    return app


def _view(endpoint: Endpoint) -> Callable[..., Response]:
    """An endpoint as Flask calls it."""

    def view(**parameters: str) -> Response:
        return responses.of(endpoint(g.request, **parameters))

    return view


def _asks_as_admin(keys: Keys) -> Callable[[], bool]:
    return lambda: keys.is_admin(request.environ)


def _hold(app: Flask, exchange: Exchange) -> None:
    """Do with every request of Flask what the exchange does with all."""

    @app.before_request
    def begin() -> None:
        g.request = exchange.begin(request.environ)
        exchange.admit(g.request)

    @app.after_request
    def finish(response: Response) -> Response:
        body = None if response.direct_passthrough else response.get_data()
        headers = cast("MutableMapping[str, str]", response.headers)  # it has all that is used
        reply = Reply(body, response.content_type or "", response.status_code, headers)
        exchange.finish(g.request, request.url_rule.rule if request.url_rule else "none", reply)
        if reply.body is not None and reply.body is not body:
            response.set_data(reply.body)
        return response

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        exchange.end()

    @app.errorhandler(errors.RequestError)
    def refused(error: errors.RequestError) -> Response:
        return responses.of(exchange.refuse(g.request, error))

    @app.errorhandler(HTTPException)
    def routed(error: HTTPException) -> Response:
        if isinstance(error, MethodNotAllowed):
            allowed = ", ".join(sorted(error.valid_methods or ()))
            wrong = f"the method is not allowed; use {allowed}"
            return refused(errors.MethodNotAllowed("method", wrong, {"Allow": allowed}))
        return refused(errors.NotFound("path", "there is nothing at this path; see the README"))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        return responses.of(exchange.fail(g.request, error))
