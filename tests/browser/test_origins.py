"""A page of another origin, in a browser: it may ask where it is allowed, and nowhere else."""

import functools
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.helpers import table
from tests.server import answering, running
from tests.service.cases import GOOD
from tests.service.cases_access import KEY

# Asks as scripts do, and tells the status, what it may read of the answer, or that it failed.
ASK = """([address, headers, pixels]) =>
  fetch(address, {method: "POST", headers, body: JSON.stringify({pixels})})
    .then(answer => [answer.status, answer.headers.get("X-Request-ID")])
    .catch(() => "failed")"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Say nothing."""


@pytest.fixture
def stranger(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page that has nothing to do with the service."""
    (tmp_path / "index.html").write_text("<!doctype html><title>Elsewhere</title>", "utf-8")
    handler = functools.partial(Quiet, directory=tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with answering(server):
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}")
        yield page
        page.close()


@table(
    "origins, key, expected",
    {
        "of the list": ("https://ours.example,{}", KEY, [200, "a-1"]),
        "any": ("*", KEY, [200, "a-1"]),
        "allowed, and without a key": ("{}", "none", [401, "a-1"]),
        "not of the list": ("https://ours.example", KEY, "failed"),
        "by default": ("", KEY, "failed"),
    },
)
def test_a_page_of_another_origin_may_ask_where_it_is_allowed(
    stranger: Page, tmp_path: Path, origins: str, key: str, expected: object
) -> None:
    origin = stranger.url.rstrip("/")
    settings = {"cors_origins": origins.format(origin), "api_keys": KEY, "workers": 1}
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "X-Request-ID": "a-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    with running(tmp_path / "log", **settings) as server:
        asked = [f"http://127.0.0.1:{server.port}/predict", headers, GOOD]
        assert stranger.evaluate(ASK, asked) == expected
