"""The description in a browser: it is shown, it can be tried, and it asks nobody else.

``open_page`` fails for a word on the console and a request to another host.
"""

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.server import Server


def test_an_operation_is_shown_and_can_be_tried(open_page: OpenPage, server: Server) -> None:
    page = open_page(f"http://127.0.0.1:{server.port}/docs")
    predict = page.locator("#operations-native-predict")
    expect(predict).to_contain_text("Read one or many images")
    predict.get_by_role("button").first.click()
    predict.get_by_role("button", name="Execute").click()
    answer = predict.locator(".live-responses-table .response").first
    expect(answer).to_contain_text("200")
    expect(answer).to_contain_text('"digit": 7')


def test_the_address_does_not_name_another_description(open_page: OpenPage, server: Server) -> None:
    strange = "?url=http://127.0.0.1:9/openapi.json&configUrl=http://127.0.0.1:9/config.json"
    page = open_page(f"http://127.0.0.1:{server.port}/docs{strange}")
    expect(page.locator("#operations-native-predict")).to_be_visible()
