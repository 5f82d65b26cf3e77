"""One running service for the tests that do no harm to it."""

from collections.abc import Iterator

import pytest

from tests.server import Server, running
from tests.service.cases import MAX_BATCH, MAX_BODY_BYTES, MAX_IMAGE_PIXELS


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shipped model behind two workers, with the limits of the bad-request cases."""
    log = tmp_path_factory.mktemp("server") / "log"
    with running(
        log,
        max_body_bytes=MAX_BODY_BYTES,
        max_batch=MAX_BATCH,
        max_image_pixels=MAX_IMAGE_PIXELS,
        read_timeout=2,
    ) as server:
        yield server
    assert "Traceback" not in log.read_text("utf-8")
