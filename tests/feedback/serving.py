"""The service with one route more, ``POST /keep/<count>``, that keeps so many images.

It says what a prediction would: the interface of ``Captures.keep``, from within real workers.
"""

import os

import numpy as np
from flask import Flask, Response, request

from model import Prediction
from service.app import create_app
from service.exchange import REQUEST

PREDICTION = Prediction(3, 0.75, (0.1,) * 10, None, ())


def create() -> Flask:
    """For gunicorn."""
    app = create_app()
    captures = app.extensions["captures"]

    @app.post("/keep/<int:count>")
    def keep(count: int) -> Response:
        frames = np.zeros((count, 28, 28), np.uint8)
        captures.keep(
            request.environ[REQUEST].id, 2, frames, [PREDICTION] * count, f"worker {os.getpid()}"
        )
        return Response(str(os.getpid()))

    return app
