"""Drives the system's Chromium for the tests of the page; runs in an environment of its own.

Argument: the browser's program. Reads a JSON document a line, `{"do": NAME, …}`, and answers each with one line,
`{"value": …}` or `{"error": TEXT}`. A tab is a browser context of its own: nothing is shared between two.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]

QUIET = [
    "--disable-quic",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-sync",
    "--disable-component-update",
    "--enable-precise-memory-info",
    "--host-resolver-rules=MAP node.example 127.0.0.1",
]
TIMEOUT_MS = 60_000


class Tab:
    """A page in a context of its own, and what it said and asked for so far."""

    def __init__(self, browser: Any, options: Mapping[str, Any]) -> None:
        self._context = browser.new_context(**options)
        self.page = self._context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self._session = self._context.new_cdp_session(self.page)
        self._said: list[str] = []
        self._asked: list[str] = []
        self._rules: Sequence[Mapping[str, Any]] | None = None
        self.page.on("console", lambda message: self._said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self._said.append(f"error: {error}"))
        self.page.on("request", lambda request: self._asked.append(request.url))

    def answer(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Answer requests whose address matches with a status and a body; without a status hold them for ever."""
        if self._rules is None:
            self.page.route("**/api/v1/**", self._route)
        self._rules = rules

    def heap(self) -> Any:
        """Return the bytes of the JavaScript heap that are in use after a collection."""
        self._session.send("HeapProfiler.collectGarbage")
        return self.page.evaluate("performance.memory.usedJSHeapSize")

    def said(self) -> Sequence[str]:
        """Return the console's messages and the errors that nobody caught."""
        return self._said

    def hosts(self) -> Sequence[str]:
        """Return the hosts that requests went to."""
        return sorted({urlsplit(one).netloc for one in self._asked} - {""})

    def asked(self) -> Sequence[str]:
        """Return the addresses that were asked so far."""
        return self._asked

    def close(self) -> None:
        """Close it and its context."""
        self.page.unroute_all(behavior="ignoreErrors")
        self._context.close()

    def _route(self, route: Any) -> None:
        rule = next((one for one in self._rules or () if re.search(one["address"], route.request.url)), None)
        if rule is None:
            route.continue_()
        elif rule["status"] == 0:
            route.abort()
        elif rule["status"] is not None:
            route.fulfill(status=rule["status"], content_type="application/json", body=rule["body"])


def run(tab: Tab, do: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Call a method of a tab, else the one of its page that a dotted name leads to."""
    found: Any = tab if hasattr(tab, do) else tab.page
    for part in do.split("."):
        found = getattr(found, part)
    return found(*arguments, **options)


def main() -> None:
    """Answer requests until the input ends."""
    tabs: dict[str, Tab] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=QUIET)
        print(json.dumps({"value": browser.version}), flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            do, name, options = request["do"], request["tab"], request.get("options", {})
            try:
                if do == "open":
                    tabs[name], value = Tab(browser, options), None
                else:
                    value = run(tabs[name], do, request.get("arguments", ()), options)
                print(json.dumps({"value": value if value is None or isinstance(value, PLAIN) else None}), flush=True)
            except Exception as error:  # noqa: BLE001 - a test reads it
                print(json.dumps({"error": str(error)}), flush=True)
        browser.close()


PLAIN = (str, int, float, bool, list, dict)
main()
