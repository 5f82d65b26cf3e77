"""The application factory: all parts of the service are wired here, and nowhere else."""

import os
import time

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from model import Classifier, locate
from service import (
    codings,
    correlation,
    cors,
    description,
    errors,
    page,
    problems,
    protocols,
    routes,
)
from service.answers import JSON
from service.health import Health
from service.inference import Inference
from service.keys import Keys
from service.limits import Limits
from service.logs import AccessLog, Answered
from service.metrics import Metrics
from service.protocols import native, v1, v2
from service.settings import Settings
from service.wsgi import REFUSAL

INCOMPRESSIBLE = frozenset({"image/png"})


def create_app(settings: Settings | None = None, classifier: Classifier | None = None) -> Flask:
    """The WSGI application; settings default to the environment, the model to theirs.

    Raises SettingsError or ModelError: without a sound model there is no service.
    """
    settings = settings or Settings.from_env(os.environ)
    keys = Keys.of(settings)
    began = time.perf_counter()
    classifier = classifier or Classifier.load(locate(settings.model, settings.store))
    metrics = Metrics()
    metrics.set_model(classifier.artifact, time.perf_counter() - began)

    app = Flask(__name__, static_folder=None)
    app.extensions["health"] = health = Health(classifier)
    inference, limits = Inference(classifier, metrics), Limits.of(settings)
    app.register_blueprint(native.blueprint(inference, limits))
    app.register_blueprint(v1.blueprint(inference, limits, health))
    app.register_blueprint(
        v2.blueprint(inference, limits, health, is_admin=lambda: keys.is_admin(request.environ))
    )
    app.register_blueprint(routes.blueprint(inference, health))
    app.register_blueprint(page.blueprint(settings))
    app.register_blueprint(description.blueprint(settings))
    _observe_requests(app, metrics, AccessLog(settings.log_level) if settings.access_log else None)
    app.before_request(lambda: keys.check(request.environ))
    _answer_errors(app, metrics)
    app.after_request(_compress)
    if settings.cors_origins:
        cors.allow(app, settings.cors_origins)
    return app


def _observe_requests(app: Flask, metrics: Metrics, log: AccessLog | None) -> None:
    """Give every request an id and count it, whatever becomes of it."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()
        g.request_id = correlation.request_id(request.headers.get("X-Request-ID"))
        g.trace = correlation.trace(request.headers.get("traceparent"))
        metrics.in_flight.inc()
        refusal = request.environ.get(REFUSAL)
        if refusal:
            raise refusal

    @app.after_request
    def finish(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        seconds = time.perf_counter() - g.began
        metrics.count_request(route, response.status_code, seconds)
        if log:
            method, status = request.method, response.status_code
            log.write(Answered(g.request_id, g.trace, method, route, status, seconds))
        response.headers["X-Request-ID"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        metrics.in_flight.dec()


def _answer_errors(app: Flask, metrics: Metrics) -> None:
    """Every error in the form of its route, and none with more than its table says."""

    @app.errorhandler(errors.RequestError)
    def refused(error: errors.RequestError) -> Response:
        metrics.count_refusal(problems.TABLE[type(error)].code)
        if protocols.answers(request.path):
            response = _plain(*problems.plain(error))
        else:
            response = _problem(*problems.problem(error, g.request_id))
        response.headers.extend(error.headers)
        return response

    @app.errorhandler(HTTPException)
    def routed(error: HTTPException) -> Response:
        if isinstance(error, MethodNotAllowed):
            allowed = ", ".join(sorted(error.valid_methods or ()))
            wrong = f"the method is not allowed; use {allowed}"
            return refused(errors.MethodNotAllowed("method", wrong, {"Allow": allowed}))
        return refused(errors.NotFound("path", "there is nothing at this path; see the README"))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        app.logger.error(
            "request %s of trace %s failed", g.request_id, g.trace.trace_id, exc_info=error
        )
        metrics.count_refusal(problems.INTERNAL.code)
        if protocols.answers(request.path):
            return _plain(*problems.plain(None))
        return _problem(*problems.failure(g.request_id))


def _problem(status: int, body: bytes) -> Response:
    return Response(body, status, content_type=problems.PROBLEM_TYPE)


def _plain(status: int, body: bytes) -> Response:
    return Response(body, status, content_type=JSON)


def _compress(response: Response) -> Response:
    """Send a large answer in the coding that the client likes best, if it likes any."""
    small = (response.content_length or 0) < codings.MIN_COMPRESSED_BYTES
    is_file = response.direct_passthrough or "ETag" in response.headers  # of these very bytes
    if small or is_file or response.mimetype in INCOMPRESSIBLE:
        return response
    response.vary.add("Accept-Encoding")
    coding = request.accept_encodings.best_match([*codings.COMPRESS, "identity"], "identity")
    if coding != "identity":
        response.set_data(codings.COMPRESS[coding](response.get_data()))
        response.content_encoding = coding
    return response
