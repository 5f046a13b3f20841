"""Opens a page in the system's Chromium and prints as JSON what its script came to; runs in an environment of its own.

Arguments: the browser's program, the page's address.
"""

import json
import sys

from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]

QUIET = ["--disable-quic", "--disable-background-networking", "--no-first-run", "--disable-sync"]
READY_MS = 60_000


def main() -> None:
    program, address = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*QUIET, "--disable-component-update"])
        page = browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(address)
        page.wait_for_function("window.outcome || window.failure", timeout=READY_MS)
        found = {"outcome": page.evaluate("window.outcome"), "failure": page.evaluate("window.failure")}
        print(json.dumps({**found, "console": said}))
        browser.close()


main()
