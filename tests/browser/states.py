"""The looks that the page can have, and the states that it can be in."""

import shutil
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from playwright.sync_api import Browser, Page, Playwright, expect

from tests.browser.hand import announced, draw, verdict
from tests.browser.moody import Moody, Refusal
from tests.browser.strokes import DIGITS, SCRIBBLE
from tests.helpers import missing

State: TypeAlias = Callable[[Page, Moody], None]

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")

WIDE: dict[str, Any] = {"viewport": {"width": 1200, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}

LOOKS: dict[str, dict[str, Any]] = {
    "light": WIDE | {"color_scheme": "light"},
    "dark": WIDE | {"color_scheme": "dark"},
    "narrow": PHONE | {"color_scheme": "light"},
    "narrow-dark": PHONE | {"color_scheme": "dark"},
}


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium, without a window.

    And without its sandbox, which containers do not allow; it sees our own pages only.
    """
    executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if executable is None:
        missing("a browser is needed: install Chromium (Debian: chromium)")
    return playwright.chromium.launch(executable_path=executable, chromium_sandbox=False)


def empty(page: Page, _moody: Moody) -> None:
    """As it is opened."""
    expect(page.locator("#bars li")).to_have_count(10)


def answered(page: Page, _moody: Moody) -> None:
    draw(page, DIGITS[4])
    verdict(page)
    expect(page.locator("#seen")).to_be_visible()
    page.check("#show-map")


def refused(page: Page, _moody: Moody) -> None:
    draw(page, SCRIBBLE)
    verdict(page)
    expect(page.locator("#seen")).to_be_visible()


def in_trouble(page: Page, moody: Moody) -> None:
    moody.refusal = Refusal("503 Service Unavailable", {"Retry-After": "60"})
    draw(page, DIGITS[4])
    announced(page)


STATES: Mapping[str, State] = {
    "empty": empty,
    "answered": answered,
    "refused": refused,
    "in-trouble": in_trouble,
}
