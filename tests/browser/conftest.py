"""A browser, the real service, and a page that is watched."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Request,
    expect,
    sync_playwright,
)

from tests.browser.moody import Moody, serving
from tests.browser.states import launch
from tests.server import Server, running

# Longer than the page itself waits for an answer, so that its own words on it are seen.
PATIENCE_MS = 20_000

# What Chromium writes to the console for every answer that is not a good one.
NOT_LOADED = "Failed to load resource"

OpenPage: TypeAlias = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shipped model behind the real server."""
    with running(tmp_path_factory.mktemp("server") / "log") as server:
        yield server


@pytest.fixture
def moody() -> Iterator[Moody]:
    with serving(takes_feedback=True) as moody:
        yield moody


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[OpenPage]:
    """Open the page, with options of a browser context; watched until the test ends.

    Nothing may be asked of another host, and nothing may stand on the console:
    errors of the script and violations of the policy would.
    """
    seen: list[str] = []
    contexts = []

    def open_page(url: str = f"http://127.0.0.1:{server.port}/", **options: Any) -> Page:  # noqa: ANN401 - as Playwright takes them
        def on_console(message: ConsoleMessage) -> None:
            if not message.text.startswith(NOT_LOADED):
                seen.append(f"console: {message.text}")

        def on_request(request: Request) -> None:
            if urlsplit(request.url).netloc != urlsplit(url).netloc and request.url[:5] != "blob:":
                seen.append(f"request: {request.url}")

        def on_error(error: Error) -> None:
            seen.append(f"error: {error}")

        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", on_console)
        page.on("request", on_request)
        page.on("pageerror", on_error)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert seen == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page()
