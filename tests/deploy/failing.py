"""The service, in which whatever has an id that begins with "fail" fails."""

from flask import Flask

from service.app import create_app
from service.exchange import Request
from service.front import Front
from service.inference import Question, Reader

BEGINNING = "fail"


def create() -> Flask:
    """For gunicorn."""
    app = create_app()
    front = app.wsgi_app
    assert isinstance(front, Front)
    ways = front.ways
    assert isinstance(ways, dict)
    ways |= {path: (route, failing(reader)) for path, (route, reader) in ways.items()}
    return app


def failing(reader: Reader) -> Reader:
    """The same, which reads nothing that is to fail."""

    def read(request: Request, **parameters: str) -> Question:
        if request.id.startswith(BEGINNING):
            raise RuntimeError("it was told to")
        return reader(request, **parameters)

    return read
