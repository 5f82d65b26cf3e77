"""What axe-core finds, in every state and look of the page."""

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.conftest import OpenPage
from tests.browser.moody import Moody
from tests.browser.states import LOOKS, STATES, answered


@pytest.fixture(scope="session")
def rules() -> str:
    return axe.source()


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("state", STATES)
def test_nobody_is_shut_out(
    open_page: OpenPage, moody: Moody, rules: str, look: str, state: str
) -> None:
    # Nothing moves, so that axe sees colours as they stay.
    page = open_page(moody.url, reduced_motion="reduce", **LOOKS[look])
    STATES[state](page, moody)
    page.evaluate(rules)
    found = page.evaluate("axe.run()")
    assert [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in found["violations"]] == []
    assert len(found["passes"]) > 20  # it did look
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= LOOKS[look]["viewport"]["width"]  # nothing to scroll to the right


def test_axe_finds_what_is_wrong(open_page: OpenPage, rules: str) -> None:
    page = open_page()
    page.evaluate("document.getElementById('open').textContent = ''")
    page.evaluate(rules)
    assert "button-name" in [rule["id"] for rule in page.evaluate("axe.run()")["violations"]]


def test_the_correction_stands_in_the_answered_state(open_page: OpenPage, moody: Moody) -> None:
    page = open_page(moody.url)
    answered(page, moody)
    expect(page.locator("#correction")).to_be_visible()
