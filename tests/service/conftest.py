"""The application over the shipped model, without a server around it."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from model import Artifact, Classifier, artifact, locate
from service.app import create_app
from service.settings import Settings
from tests.service.cases import MAX_BATCH, MAX_BODY_BYTES, MAX_IMAGE_PIXELS

SETTINGS = Settings(
    max_body_bytes=MAX_BODY_BYTES, max_batch=MAX_BATCH, max_image_pixels=MAX_IMAGE_PIXELS
)


@pytest.fixture(scope="session")
def shipped() -> Artifact:
    return artifact.read(locate())


@pytest.fixture(scope="session")
def shared(shipped: Artifact) -> Flask:
    """An application for many requests that change nothing but its metrics."""
    return create_app(SETTINGS, Classifier(shipped))


@pytest.fixture
def app(shipped: Artifact) -> Flask:
    return create_app(SETTINGS, Classifier(shipped))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
