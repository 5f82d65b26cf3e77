"""The application factory: all parts of the service are wired here, and nowhere else."""

import os
import re
import time
import uuid

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from model import Classifier, locate
from service import errors, page
from service.health import Health
from service.inference import Inference
from service.metrics import Metrics
from service.routes import blueprint
from service.settings import Settings
from service.wsgi import REFUSAL

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def create_app(settings: Settings | None = None, classifier: Classifier | None = None) -> Flask:
    """The WSGI application; settings default to the environment, the model to theirs.

    Raises SettingsError or ModelError: without a sound model there is no service.
    """
    settings = settings or Settings.from_env(os.environ)
    began = time.perf_counter()
    classifier = classifier or Classifier.load(locate(settings.model, settings.store))
    metrics = Metrics()
    metrics.set_model(classifier.artifact, time.perf_counter() - began)

    app = Flask(__name__, static_folder=None)
    app.extensions["health"] = health = Health(classifier)
    app.register_blueprint(blueprint(Inference(classifier, settings, metrics), health))
    app.register_blueprint(page.blueprint(settings))
    _observe_requests(app, metrics)
    _answer_errors(app)
    return app


def _observe_requests(app: Flask, metrics: Metrics) -> None:
    """Give every request an id and count it, whatever becomes of it."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
        metrics.in_flight.inc()
        refusal = request.environ.get(REFUSAL)
        if refusal:
            raise refusal

    @app.after_request
    def finish(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        metrics.count_request(route, response.status_code, time.perf_counter() - g.began)
        response.headers["X-Request-ID"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        metrics.in_flight.dec()


def _answer_errors(app: Flask) -> None:
    """Every error as a problem document, and none with more than its table says."""

    @app.errorhandler(errors.RequestError)
    def refused(error: errors.RequestError) -> Response:
        return _problem(*errors.describe(error, g.request_id))

    @app.errorhandler(HTTPException)
    def routed(error: HTTPException) -> Response:
        if isinstance(error, MethodNotAllowed):
            allowed = ", ".join(sorted(error.valid_methods or ()))
            refusal = errors.MethodNotAllowed("method", f"the method is not allowed; use {allowed}")
            response = refused(refusal)
            response.headers["Allow"] = allowed
            return response
        return refused(errors.NotFound("path", "there is nothing at this path; see the README"))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        app.logger.error("request %s failed", g.request_id, exc_info=error)
        return _problem(*errors.describe_failure(g.request_id))


def _problem(status: int, body: bytes) -> Response:
    return Response(body, status, content_type=errors.PROBLEM_TYPE)
