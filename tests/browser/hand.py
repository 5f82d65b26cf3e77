"""What a person does on the page, and what the page tells them."""

from collections.abc import Sequence

from playwright.sync_api import CDPSession, Page, expect

from tests.browser.strokes import Point, Stroke, smooth


def draw(page: Page, strokes: Sequence[Stroke]) -> None:
    """Draw with the mouse."""
    for stroke in _on_canvas(page, strokes):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def draw_with_finger(page: Page, session: CDPSession, strokes: Sequence[Stroke]) -> None:
    """Draw with one finger."""
    for stroke in _on_canvas(page, strokes):
        for index, (x, y) in enumerate(stroke):
            kind = "touchMove" if index else "touchStart"
            touch = {"type": kind, "touchPoints": [{"x": x, "y": y}]}
            session.send("Input.dispatchTouchEvent", touch)
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def verdict(page: Page) -> str:
    """What the page says when pen and answer have come to rest."""
    expect(page.locator("#trouble")).to_be_hidden()
    expect(page.locator("#live")).not_to_be_empty()
    text: str = page.inner_text("#verdict")
    return text


def announced(page: Page) -> str:
    """What a screen reader says, when it has something to say."""
    expect(page.locator("#live")).not_to_be_empty()
    return page.locator("#live").text_content() or ""


def _on_canvas(page: Page, strokes: Sequence[Stroke]) -> list[list[Point]]:
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    left, top, width, height = (box[key] for key in ("x", "y", "width", "height"))
    return [[(left + x * width, top + y * height) for x, y in smooth(s)] for s in strokes]
