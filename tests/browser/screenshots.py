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
        for look, options in LOOKS.items():
            browser = launch(playwright)  # one that had a mouse keeps it, also as a phone
            for state, reach in STATES.items():
                moody.refusal = None
                page = browser.new_page(reduced_motion="reduce", **options)
                page.goto(moody.url)
                reach(page, moody)
                page.mouse.move(0, 0)
                page.screenshot(path=OUTPUT / f"{look}-{state}.png", full_page=True)
                page.close()
            browser.close()


if __name__ == "__main__":
    main()
