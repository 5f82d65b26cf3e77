"""Drawing a digit, and what the page makes of the answer."""

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.hand import announced, draw, draw_with_finger, verdict
from tests.browser.moody import Moody
from tests.browser.states import PHONE
from tests.browser.strokes import DIGITS, SCRIBBLE
from tests.helpers import table


@pytest.mark.parametrize("digit", DIGITS)
def test_a_digit_drawn_with_the_mouse_is_read(page: Page, digit: int) -> None:
    draw(page, DIGITS[digit])
    assert verdict(page).startswith("It is an 8," if digit == 8 else f"It is a {digit},")
    assert page.inner_text("#digit") == str(digit)
    best = page.locator("#bars .best")
    assert best.inner_text().split()[0] == str(digit)
    assert page.locator("#bars li").count() == 10
    expect(page.locator("#hints")).to_be_hidden()  # its ground is the page's own


@pytest.mark.parametrize("digit", [2, 5])
def test_a_digit_drawn_with_a_finger_is_read(open_page: OpenPage, digit: int) -> None:
    page = open_page(**PHONE)
    draw_with_finger(page, page.context.new_cdp_session(page), DIGITS[digit])
    assert verdict(page).startswith(f"It is a {digit},")
    assert page.evaluate("scrollY") == 0  # the finger drew, and did not scroll


def test_the_answer_comes_while_the_pen_still_moves(page: Page) -> None:
    draw(page, DIGITS[7])
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    page.click("#clear")
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 110, box["y"] + 300)
    expect(page.locator("#digit")).not_to_be_empty()
    page.wait_for_timeout(1000)
    expect(page.locator("#live")).to_be_empty()  # but nothing is said before the pen is lifted
    page.mouse.up()
    announced(page)


def test_what_is_no_digit_is_refused_in_words(page: Page) -> None:
    draw(page, SCRIBBLE)
    assert verdict(page) == "This does not look like a digit."
    assert page.inner_text("#digit") == "?"
    assert page.locator("#bars .best").count() == 0


@table(
    "reason, words",
    {
        "blank": ("blank", "nothing here to read"),
        "ink": ("too_much_ink", "too much ink"),
        "several": ("several_digits", "more than one digit"),
        "strange": ("out_of_distribution", "does not look like a digit"),
        "undecided": ("low_confidence", "could be an 8 or a 3: too close to tell"),
        "one of a later version": ("illegible", "cannot read this"),
    },
)
def test_every_refusal_is_told_in_words(
    open_page: OpenPage, moody: Moody, reason: str, words: str
) -> None:
    shares = [0.0, 0.0, 0.0, 0.4, 0.0, 0.0, 0.0, 0.0, 0.6, 0.0]
    moody.prediction = {"accepted": False, "reason": reason, "digit": 8, "probabilities": shares}
    page = open_page(moody.url)
    draw(page, DIGITS[1])
    assert words in verdict(page)
    assert page.inner_text("#digit") == "?"


@table(
    "warning, words",
    {
        "faint": ("low_contrast", "ink is faint"),
        "cut": ("touches_border", "touches the edge"),
        "small": ("very_small", "very small"),
    },
)
def test_every_warning_is_a_hint(
    open_page: OpenPage, moody: Moody, warning: str, words: str
) -> None:
    moody.prediction = {"warnings": [warning, "one_of_a_later_version"]}
    page = open_page(moody.url)
    draw(page, DIGITS[1])
    assert words in announced(page)
    expect(page.locator("#hints li")).to_have_count(1)
    expect(page.locator("#hints")).to_contain_text(words)


def test_undo_takes_back_strokes_and_clearings_one_by_one(page: Page) -> None:
    draw(page, DIGITS[4])
    assert verdict(page).startswith("It is a 4,")
    page.click("#clear")
    expect(page.locator("#verdict")).to_have_text("The answer appears here as you draw.")
    page.click("#undo")
    assert verdict(page).startswith("It is a 4,")
    assert "2 strokes" in (page.get_attribute("#canvas", "aria-label") or "")
    page.keyboard.press("Control+z")
    assert "1 stroke" in (page.get_attribute("#canvas", "aria-label") or "")
    page.keyboard.press("Control+z")
    expect(page.locator("#undo")).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#digit")).to_be_empty()
    page.keyboard.press("Control+z")  # there is nothing left: nothing happens


def test_the_delete_key_clears(page: Page) -> None:
    draw(page, DIGITS[1])
    verdict(page)
    page.keyboard.press("Delete")
    expect(page.locator("#digit")).to_be_empty()
    expect(page.locator("#clear")).to_have_attribute("aria-disabled", "true")


def test_a_settled_answer_is_announced_once(page: Page) -> None:
    page.evaluate("""() => {
        window.said = [];
        const live = document.getElementById("live");
        new MutationObserver(() => { if (live.textContent) said.push(live.textContent); })
            .observe(live, { childList: true, characterData: true, subtree: true });
    }""")
    draw(page, DIGITS[4])  # two strokes: the first alone is not announced
    assert announced(page).startswith("It is a 4,")
    page.wait_for_timeout(1000)
    assert len(page.evaluate("said")) == 1
    page.click("#clear")
    draw(page, DIGITS[4])  # the same words again are said again
    announced(page)
    assert len(page.evaluate("said")) == 2


def test_an_answer_to_what_was_cleared_is_not_shown(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/predict", hold)  # on its way, and not answered yet
    draw(page, DIGITS[3])
    while not held:
        page.wait_for_timeout(20)
    page.click("#clear")
    for route in held:
        route.continue_()
    page.wait_for_timeout(500)
    expect(page.locator("#digit")).to_be_empty()


def test_what_the_model_saw_and_what_mattered_are_shown(page: Page) -> None:
    draw(page, DIGITS[5])
    expect(page.locator("#seen")).to_be_visible()
    frame, importance = (
        page.evaluate(
            """(id) => Array.from(document.getElementById(id).getContext("2d")
                .getImageData(0, 0, 28, 28).data)""",
            name,
        )
        for name in ("frame", "map")
    )
    assert max(frame[::4]) == 255  # bright ink
    assert frame[0] == 0  # on dark ground
    expect(page.locator("#map")).to_be_hidden()
    page.check("#show-map")
    expect(page.locator("#map")).to_be_visible()
    expect(page.locator("#legend")).to_be_visible()
    assert max(importance[3::4]) > 200  # somewhere it matters much
    page.uncheck("#show-map")
    expect(page.locator("#map")).to_be_hidden()


def test_who_gave_the_answer_explains_it(page: Page) -> None:
    with page.expect_request("**/explain*") as explained:
        with page.expect_response("**/predict") as answer:
            draw(page, DIGITS[5])
        version = answer.value.json()["model"]["version"]
    assert explained.value.url.endswith(f"version={version}")


def test_how_it_was_prepared_is_told(open_page: OpenPage, moody: Moody) -> None:
    moody.explanation = {"steps": [{"name": "lines", "did": "three ruled lines removed"}]}
    page = open_page(moody.url)
    draw(page, DIGITS[5])
    page.get_by_text("How it was prepared").click()
    expect(page.locator("#steps li")).to_have_text("three ruled lines removed")


def test_a_correction_is_sent_with_the_answers_id(open_page: OpenPage, moody: Moody) -> None:
    page = open_page(moody.url)
    with page.expect_response("**/predict") as answer:
        draw(page, DIGITS[1])
    verdict(page)
    assert answer.value.ok
    group = page.get_by_role("group", name="No, it is a …")
    assert group.get_by_role("button", name="1").count() == 0  # it is what was read
    group.get_by_role("button", name="7").click()
    expect(page.locator("#thanks")).to_have_text("Thank you: noted as a 7.")
    (sent,) = moody.feedback
    assert sent.keys() == {"request_id", "label"}
    assert sent["label"] == 7
    assert len(sent["request_id"]) == 32


def test_no_correction_is_offered_where_nobody_takes_it(page: Page) -> None:
    draw(page, DIGITS[1])
    verdict(page)
    expect(page.locator("#correction")).to_be_hidden()


@table(
    "motion, duration",
    {"as usual": ("no-preference", "0.12s"), "reduced": ("reduce", "0s")},
)
def test_nothing_moves_for_who_wants_it_so(open_page: OpenPage, motion: str, duration: str) -> None:
    page = open_page(reduced_motion=motion)
    style = "getComputedStyle(document.querySelector('.share')).transitionDuration"
    assert page.evaluate(style) == duration


def test_the_policy_lets_nothing_in_that_is_not_the_servers(
    browser: Browser, open_page: OpenPage
) -> None:
    url = open_page().url
    page = browser.new_page()  # not watched: it violates
    seen: list[str] = []
    page.on("console", lambda message: seen.append(message.text))
    page.goto(url)
    page.evaluate("document.body.setAttribute('style', 'display: none')")
    assert page.evaluate("getComputedStyle(document.body).display") == "block"
    assert any("Content Security Policy" in text for text in seen)
    page.close()
