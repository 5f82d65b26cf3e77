"""The service with nothing answered ahead of Flask."""

from dataclasses import replace

from flask import Flask

from service import app as service_app
from service.front import Front


def create_app() -> Flask:
    """The application as it is served, without the ways of ``service/front.py``."""
    app = service_app.create_app()
    assert isinstance(app.wsgi_app, Front)
    app.wsgi_app = replace(app.wsgi_app, ways={})  # type: ignore[method-assign]
    return app
