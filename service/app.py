"""The application factory: all parts of the service are wired here, and nowhere else."""

import os
from collections.abc import Callable
from functools import partial

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from model import Classifier
from service import description, errors, page, responses, routes, tracing
from service.cors import Cors
from service.doors import NOWHERE, Doors
from service.drift import Drift
from service.exchange import PREDICTED, REQUEST, ROUTE, Endpoint, Exchange, Reply, Request
from service.front import Front, ways
from service.health import Health
from service.inference import Inference, Reader, Watch
from service.keys import Keys
from service.limits import Limits
from service.logs import AccessLog
from service.metrics import Metrics
from service.models import Models
from service.protocols import MODEL_NAME, native, v1, v2
from service.rates import Rates
from service.settings import Settings
from service.shadow import Shadow


def create_app(settings: Settings | None = None, classifier: Classifier | None = None) -> Flask:
    """The WSGI application; settings default to the environment, the model to theirs.

    Raises SettingsError or ModelError: without a sound model there is no service.
    """
    settings = settings or Settings.from_env(os.environ)
    keys = Keys.of(settings)
    metrics = Metrics()
    models = Models(settings, metrics, classifier)
    spans = tracing.spans(os.environ)
    witnesses = [AccessLog(settings.log_level).write] if settings.access_log else []
    witnesses += [spans.write] if spans else []
    cors = Cors(settings.cors_origins) if settings.cors_origins else None
    rate, burst = settings.rate_limit, settings.rate_burst
    rates = Rates(keys, rate, burst or rate) if rate else None
    exchange = Exchange(metrics, keys, witnesses, cors, rates, Doors.of(settings))
    drift = Drift(models.classifier.artifact, settings.drift_window)
    models.moved.append(lambda classifier: drift.follow(classifier.artifact))
    metrics.tell(drift)
    limits, captures = Limits.of(settings), None
    watchers: list[Watch] = [drift.watch]
    endpoints: dict[str, Endpoint] = {}
    chores = [models.look, drift.tick]
    if settings.store and settings.shadow_percent:
        shadow = Shadow(models, metrics, settings.shadow_percent)
        watchers.append(shadow.watch)
        chores.append(shadow.tick)
    if settings.takes_feedback:
        from service import feedback  # noqa: PLC0415 - only who wants it pays for it

        captures = feedback.captures(settings, metrics)
        watchers.append(feedback.keeper(captures, keys))
        endpoints |= feedback.endpoints(captures, metrics, keys, limits)
    inference = Inference(models, metrics, watchers)
    readers = native.readers(limits) | v1.readers(models, limits) | v2.readers(models, limits)
    endpoints |= native.endpoints(inference, limits) | v1.endpoints(inference, limits)

    app = responses.App(__name__, static_folder=None)
    health = Health(models)
    app.extensions |= {"health": health, "models": models, "metrics": metrics, "drift": drift}
    app.extensions |= {"chores": chores, "captures": captures, "spans": spans}
    app.url_map.merge_slashes = False  # a redirection would repeat what the client has sent
    app.url_map.converters["segment"] = v1.Segment
    _hold(app, exchange)
    views = {route: _predicting(inference, reader) for route, reader in readers.items()}
    views |= {route: _view(endpoint) for route, endpoint in endpoints.items()}
    for route, view in views.items():
        app.add_url_rule(route, route, view, methods=["POST"])
    app.register_blueprint(v1.blueprint(models, health))
    app.register_blueprint(v2.blueprint(models, metrics, limits, health, _asks_as_admin(keys)))
    app.register_blueprint(routes.blueprint(models, metrics, health, drift))
    app.register_blueprint(page.blueprint(settings))
    app.register_blueprint(description.blueprint(settings))
    app.wsgi_app = Front(app.wsgi_app, exchange, inference, ways(readers, {"name": MODEL_NAME}))  # type: ignore[method-assign] # as Flask's documentation has it
    return app


def _predicting(inference: Inference, reader: Reader) -> Callable[..., Response]:
    """What predicts an answer to what ``reader`` reads, as Flask calls it."""

    def predict(request: Request, **parameters: str) -> Reply:
        return inference.answer(request, partial(reader, request, **parameters))

    return _view(predict)


def _view(endpoint: Endpoint) -> Callable[..., Response]:
    """An endpoint as Flask calls it."""

    def view(**parameters: str) -> Response:
        reply = endpoint(request.environ[REQUEST], **parameters)
        request.environ[PREDICTED] = reply.predicted
        return responses.of(reply)

    return view


def _asks_as_admin(keys: Keys) -> Callable[[], bool]:
    return lambda: keys.is_admin(request.environ)


def _hold(app: Flask, exchange: Exchange) -> None:
    """Let requests in, and give errors their form, as the exchange has it."""

    @app.before_request
    def admit() -> None:
        environ, rule = request.environ, request.url_rule
        if rule:
            environ[ROUTE] = rule.rule
        exchange.admit(environ[REQUEST])

    @app.errorhandler(Exception)
    def excused(error: Exception) -> Response:
        return responses.of(exchange.excuse(request.environ[REQUEST], error))

    @app.errorhandler(HTTPException)
    def routed(error: HTTPException) -> Response:
        if isinstance(error, MethodNotAllowed):
            allowed = ", ".join(sorted(error.valid_methods or ()))
            wrong = f"the method is not allowed; use {allowed}"
            return excused(errors.MethodNotAllowed("method", wrong, {"Allow": allowed}))
        return excused(errors.NotFound("path", NOWHERE))
