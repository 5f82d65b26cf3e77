"""The page when the server is away, busy, or does not want what it was sent."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.hand import announced, draw, verdict
from tests.browser.moody import Moody, Refusal
from tests.browser.strokes import DIGITS
from tests.helpers import table
from tests.server import Server, clean_environment, free_port, launch, wait_until_ready

GONE = "The server cannot be reached. Your drawing is kept."
BUSY = "The server has too much to do and asks to wait."
STARTING = "The server is not ready just now. Your drawing is kept."

JSON = {"Content-Type": "application/problem+json"}


def start(port: int, log: Path) -> Server:
    server = Server(port, launch(log, clean_environment(port=port)), log)
    wait_until_ready(server)
    return server


def test_a_server_that_goes_is_told_and_its_return_noticed(
    open_page: OpenPage, tmp_path: Path
) -> None:
    port = free_port()
    server = start(port, tmp_path / "log")
    page = open_page(f"http://127.0.0.1:{port}/")
    server.stop()
    draw(page, DIGITS[4])
    assert announced(page) == GONE
    expect(page.locator("#countdown")).to_contain_text("Trying again")
    expect(page.locator("#digit")).to_be_empty()
    server = start(port, tmp_path / "log")
    try:
        expect(page.locator("#digit")).to_have_text("4")
        expect(page.locator("#trouble")).to_be_hidden()
        assert verdict(page).startswith("It is a 4,")
    finally:
        server.stop()


@table(
    "status, words",
    {
        "too many requests": ("429 Too Many Requests", BUSY),
        "not ready": ("503 Service Unavailable", STARTING),
    },
)
def test_retry_after_is_told_and_respected(
    open_page: OpenPage, moody: Moody, status: str, words: str
) -> None:
    moody.refusal = Refusal(status, {"Retry-After": "3"})
    page = open_page(moody.url)
    draw(page, DIGITS[1])
    assert announced(page) == words
    expect(page.locator("#countdown")).to_have_text("Trying again in 3 s.")
    asked = len(moody.asked)
    moody.refusal = None
    expect(page.locator("#digit")).to_have_text("1")
    assert moody.asked[asked] - moody.asked[asked - 1] >= 3
    expect(page.locator("#trouble")).to_be_hidden()


def test_retry_after_may_be_a_date(open_page: OpenPage, moody: Moody) -> None:
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    moody.refusal = Refusal("503 Service Unavailable", {"Retry-After": in_an_hour})
    page = open_page(moody.url)
    draw(page, DIGITS[1])
    expect(page.locator("#countdown")).to_have_text(re.compile(r"Trying again in 3[56]\d\d s\."))


def test_a_new_drawing_does_not_ask_sooner(open_page: OpenPage, moody: Moody) -> None:
    moody.refusal = Refusal("429 Too Many Requests", {"Retry-After": "3"})
    page = open_page(moody.url)
    draw(page, DIGITS[1])
    announced(page)
    asked = len(moody.asked)
    moody.refusal = None
    page.click("#clear")
    draw(page, DIGITS[7])
    expect(page.locator("#digit")).to_have_text("7")
    assert moody.asked[asked] - moody.asked[asked - 1] >= 3


def test_who_does_not_want_to_wait_may_try_at_once(open_page: OpenPage, moody: Moody) -> None:
    moody.refusal = Refusal("503 Service Unavailable", {"Retry-After": "3600"})
    page = open_page(moody.url)
    draw(page, DIGITS[3])
    assert announced(page) == STARTING
    moody.refusal = None
    page.get_by_role("button", name="Try again").click()
    assert verdict(page).startswith("It is a 3,")


@table(
    "refusal, words",
    {
        "a problem document": (
            Refusal(
                "413 Content Too Large",
                JSON,
                b'{"title": "Body too large", "detail": "the body is over 9 bytes; send less"}',
            ),
            "Body too large: the body is over 9 bytes; send less.",
        ),
        "a proxy's 413": (
            Refusal("413 Content Too Large", {"Content-Type": "text/html"}, b"<h1>413</h1>"),
            "The picture is too large for this server.",
        ),
        "a proxy without a server": (Refusal("502 Bad Gateway"), GONE),
        "a failure": (
            Refusal("500 Internal Server Error"),
            "The server failed, with status 500.",
        ),
        "an answer that is none": (Refusal("200 OK", {}, b"<p>Log in</p>"), GONE),
    },
)
def test_a_refusal_is_told_in_words(
    open_page: OpenPage, moody: Moody, refusal: Refusal, words: str
) -> None:
    moody.refusal = refusal
    page = open_page(moody.url)
    draw(page, DIGITS[1])
    assert announced(page).startswith(words)
    expect(page.locator("#trouble-text")).to_have_text(words)
    expect(page.locator("#digit")).to_be_empty()
