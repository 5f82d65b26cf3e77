"""The service with nothing answered ahead of Flask."""

from flask import Flask

from service import app as service_app
from service.ahead import Ahead


def create_app() -> Flask:
    """The application as it is served, without ``service/ahead.py``."""
    app = service_app.create_app()
    if isinstance(app.wsgi_app, Ahead):
        app.wsgi_app = app.wsgi_app.application  # type: ignore[assignment, method-assign]
    return app
