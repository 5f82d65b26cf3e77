"""Pictures of the page in its states and looks, in build/screenshots.

``python -m tests.browser.screenshots``. Two are kept for the README, as .github/page.png and
.github/page-narrow.png: a person looks at them and copies them.
"""

from playwright.sync_api import sync_playwright

from tests.browser.moody import serving
from tests.browser.states import LOOKS, STATES, launch
from tests.helpers import ROOT

OUTPUT = ROOT / "build" / "screenshots"


def main() -> None:
    """Take all of them."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, serving() as moody:
        browser = launch(playwright)
        for look, options in LOOKS.items():
            for state, reach in STATES.items():
                moody.refusal = None
                page = browser.new_page(reduced_motion="reduce", **options)
                page.goto(moody.url)
                reach(page, moody)
                page.mouse.move(0, 0)
                # Not by full_page: for its time, Chromium forgets that a phone has no mouse.
                height = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": options["viewport"]["width"], "height": height})
                page.screenshot(path=OUTPUT / f"{look}-{state}.png")
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
