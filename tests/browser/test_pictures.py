"""Pictures that are opened, dropped or pasted."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import FilePayload, JSHandle, Page, expect

from service.settings import Settings
from tests.browser.conftest import OpenPage
from tests.browser.hand import announced, draw, verdict
from tests.browser.moody import Moody, serving
from tests.browser.states import PHONE
from tests.browser.strokes import DIGITS
from tests.helpers import ROOT

SEVEN = ROOT / "tests" / "examples" / "seven.png"

# A seven that the browser can open, and the server cannot.
SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300">
<rect width="300" height="300" fill="white"/>
<path d="M90 60h120l-70 180" fill="none" stroke="black" stroke-width="22"/></svg>"""


def choose(page: Page, file: Path | FilePayload) -> None:
    """Press the button, and choose in the dialogue that it opens."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open a picture").click()
    chooser.value.set_files(file)


def transfer(page: Page, content: bytes, kind: str) -> JSHandle:
    """What is dropped or pasted: a file."""
    return page.evaluate_handle(
        """([content, type]) => {
            const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "picture", { type }));
            return transfer;
        }""",
        [base64.b64encode(content).decode(), kind],
    )


def assert_seven(page: Page) -> None:
    assert verdict(page).startswith("It is a 7,")
    assert page.get_attribute("#canvas", "aria-label") == "Paper with a picture"
    inked = """() => { const { width, height } = canvas;
        const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
        return data.some((value, at) => at % 4 === 3 && value > 0); }"""
    assert page.evaluate(inked)  # the picture is shown


def test_a_file_is_sent_as_it_is_and_shown(open_page: OpenPage, moody: Moody) -> None:
    page = open_page(moody.url)
    choose(page, SEVEN)
    assert_seven(page)
    assert moody.bodies == [SEVEN.read_bytes()]
    expect(page.locator("#hints")).to_contain_text("Dark ink on light paper")


def test_the_camera_of_a_phone_is_asked_for(open_page: OpenPage, page: Page) -> None:
    expect(page.get_by_role("button", name="Take a photo")).to_be_hidden()  # this is no phone
    phone = open_page(**PHONE)
    with phone.expect_file_chooser() as chooser:
        phone.get_by_role("button", name="Take a photo").click()
    assert chooser.value.element.get_attribute("capture") == "environment"
    chooser.value.set_files(SEVEN)
    assert_seven(phone)


def test_a_dropped_file_is_read(page: Page) -> None:
    dropped = transfer(page, SEVEN.read_bytes(), "image/png")
    page.dispatch_event("#canvas", "dragover", {"dataTransfer": dropped})
    expect(page.locator("#paper")).to_have_class("paper welcome")
    page.dispatch_event("#canvas", "drop", {"dataTransfer": dropped})
    assert_seven(page)
    expect(page.locator("#paper")).to_have_class("paper sheet")


def test_a_picture_in_the_clipboard_is_read(open_page: OpenPage) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (content) => {
            const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
            const picture = new Blob([bytes], { type: "image/png" });
            await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
        }""",
        base64.b64encode(SEVEN.read_bytes()).decode(),
    )
    page.keyboard.press("Control+v")
    assert_seven(page)


def test_a_clipboard_without_a_picture_is_said(open_page: OpenPage) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    draw(page, DIGITS[1])
    verdict(page)
    page.evaluate("navigator.clipboard.writeText('7')")
    page.keyboard.press("Control+v")
    expect(page.locator("#trouble-text")).to_have_text("There is no picture in the clipboard.")
    expect(page.locator("#retry")).to_be_hidden()
    assert page.inner_text("#digit") == "1"  # the answer stays


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    page.on("filechooser", lambda chooser: chooser.set_files(SEVEN))
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) == "solid"  # where one is can be seen
    assert reached == ["undo", "clear", "open"]
    page.keyboard.press("Enter")
    assert announced(page).startswith("It is a 7,")
    expect(page.locator("#seen")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#map")).to_be_visible()
    page.keyboard.press("Control+z")
    expect(page.locator("#digit")).to_be_empty()


def test_a_type_the_server_does_not_read_is_changed_in_the_browser(page: Page) -> None:
    with page.expect_request("**/predict") as question:
        choose(page, {"name": "seven.svg", "mimeType": "image/svg+xml", "buffer": SVG})
    assert_seven(page)
    assert question.value.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "limits", [Settings(max_body_bytes=300_000), Settings(max_image_pixels=200_000)]
)
def test_a_picture_over_the_limits_is_made_smaller(open_page: OpenPage, limits: Settings) -> None:
    with serving(limits) as server:
        page = open_page(server.url)
        large = photograph()
        assert len(large) > limits.max_body_bytes or limits.max_image_pixels < 1000 * 1000
        with page.expect_response("**/predict") as answer:
            choose(page, {"name": "large.png", "mimeType": "image/png", "buffer": large})
        assert_seven(page)
        assert answer.value.ok  # at the first try


def test_a_file_that_is_no_picture_is_said(page: Page) -> None:
    choose(page, {"name": "a.tiff", "mimeType": "image/tiff", "buffer": b"II*\0"})
    text = "This browser cannot open that file as a picture. PNG and JPEG always work."
    assert announced(page) == text


def test_a_damaged_picture_gets_the_servers_words(page: Page) -> None:
    damaged = SEVEN.read_bytes()[:60]
    choose(page, {"name": "seven.png", "mimeType": "image/png", "buffer": damaged})
    assert announced(page).startswith("The image cannot be read: the body is not a whole PNG")


def test_what_is_drawn_on_a_picture_is_part_of_it(page: Page) -> None:
    blank = io.BytesIO()
    Image.new("L", (400, 400), 255).save(blank, "PNG")
    choose(page, {"name": "blank.png", "mimeType": "image/png", "buffer": blank.getvalue()})
    assert verdict(page) == "There is nothing here to read."
    draw(page, DIGITS[2])
    assert verdict(page).startswith("It is a 2,")


def photograph() -> bytes:
    """A seven of a million pixels, with the noise of a camera that makes its file large."""
    image = Image.new("L", (1000, 1000), 235)
    ImageDraw.Draw(image).line([(300, 220), (700, 220), (450, 800)], 20, width=70, joint="curve")
    noise = np.random.default_rng(5).normal(0, 4, (1000, 1000))
    grainy = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
    packed = io.BytesIO()
    Image.fromarray(grainy).save(packed, "PNG")
    return packed.getvalue()
