"""The system's Chromium for the tests of the page: tabs that a test drives, each in a context of its own."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.support import installed, services
from tests.support.waiting import until

DRIVER: Final = Path(__file__).parents[1] / "page/driver.py"
TOOLS: Final = Path(__file__).parents[1] / "page/package.json"
WIDE: Final = (1280, 800)
NARROW: Final = (360, 800)
WITHIN_S: Final = 60.0
RETRY_S_MAX: Final = 30.0
"""The page's longest pause between two attempts to follow the log."""
SILENCE_S: Final = 10.0
"""Of a stream: by then the page has asked whether the node is there."""
EVENTS: Final = r"/api/v1/events\?"
UNFOLD: Final = """async (selector) => {
  const closed = [...document.querySelectorAll(`${selector} details:not([open])`)];
  await Promise.all(closed.map((one) => new Promise((resolve) => {
    one.addEventListener('toggle', resolve, {once: true});  // behind the page's own listener
    one.open = true;
  })));
  return closed.length;
}"""


@dataclass(frozen=True)
class Rule:
    """How requests are answered instead of the node; `status` None: never, 0: not at all."""

    address: str
    status: int | None
    body: object = None


class Browser:
    """A running browser."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._names = map(str, count())
        self.version: str = self._read()

    @contextmanager
    def tab(self, *, size: tuple[int, int] = WIDE, dark: bool = False, **options: object) -> Iterator["Tab"]:
        """Open a tab; its options are those of a context of Playwright."""
        name = next(self._names)
        width, height = size
        scheme = "dark" if dark else "light"
        given = {"viewport": {"width": width, "height": height}, "color_scheme": scheme, **options}
        self.ask(do="open", tab=name, options=given)
        try:
            yield Tab(self, name)
        finally:
            self.ask(do="close", tab=name)

    def ask(self, **request: object) -> Any:
        """Send one request of the driver; return its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline() or '{"error": "the browser ended"}')
        assert "error" not in answer, answer["error"]
        return answer["value"]


class Tab:
    """A tab that a test drives."""

    def __init__(self, browser: Browser, name: str) -> None:
        self._browser = browser
        self._name = name

    def call(self, name: str, *arguments: object, **options: object) -> Any:
        """Call a method of Playwright's page: `click`, `keyboard.press`."""
        return self._browser.ask(do=name, tab=self._name, arguments=arguments, options=options)

    def goto(self, address: str) -> None:
        """Open an address, and the page anew even if only what stands behind `#` differs."""
        self.call("goto", "about:blank")
        self.call("goto", address)

    def hold_clock(self) -> None:
        """Have its timers and its clock in the test's hand from the next page on; they go on as before."""
        self.call("clock.install")

    def pass_s(self, seconds: float) -> None:
        """Make its timers and its clock jump: what is due until then happens now, once each."""
        self.call("clock.fast_forward", round(seconds * 1000))

    def evaluate(self, script: str, argument: object = None) -> Any:
        """Return what a script comes to."""
        return self.call("evaluate", script, argument)

    def wait(self, script: str, what: str, *, within_s: float = WITHIN_S) -> Any:
        """Wait until a script comes to something truthy, and return that."""
        return until(lambda: self.evaluate(script), what=f"{what}\n{self.text()[:2000]}", within_s=within_s)

    def unfold(self, selector: str) -> None:
        """Open what is folded in an element until nothing is: each opening makes what is one level deeper."""
        while self.evaluate(UNFOLD, selector):
            pass

    def text(self, selector: str = "body") -> str:
        """Return the text that a person sees in an element, "" without one."""
        seen: str = self.evaluate("(selector) => document.querySelector(selector)?.innerText ?? ''", selector)
        return seen

    def wait_text(self, text: str, selector: str = "body", *, within_s: float = WITHIN_S) -> None:
        """Wait until an element shows a text."""
        what = f"{text!r} in {selector}"
        until(lambda: text in self.text(selector), what=what, within_s=within_s)

    def wait_ready(self) -> None:
        """Wait until a screen is drawn and nothing in it is loading."""
        self.wait(
            "document.querySelector('main')?.dataset.screen && !document.querySelector('.loading')", "a drawn screen"
        )

    def answer(self, *rules: Rule) -> None:
        """Answer some requests instead of the node; what no rule matches goes to the node."""
        plain = [
            {
                "address": rule.address,
                "status": rule.status,
                "body": rule.body if isinstance(rule.body, str) else json.dumps(rule.body),
            }
            for rule in rules
        ]
        self._browser.ask(do="answer", tab=self._name, arguments=[plain])

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        """Write what a person sees as PNG."""
        self.call("screenshot", path=str(file), full_page=whole)

    def heap(self) -> int:
        """Return the bytes of its JavaScript heap."""
        found: int = self._browser.ask(do="heap", tab=self._name)
        return found

    def said(self) -> Sequence[str]:
        """Return its console's messages, without those of requests that the node refused: the page shows these."""
        found: list[str] = self._browser.ask(do="said", tab=self._name)
        return [one for one in found if not re.search(r"Failed to load resource|net::ERR", one)]

    def hosts(self) -> Sequence[str]:
        """Return the hosts that it sent requests to, with their ports."""
        found: list[str] = self._browser.ask(do="hosts", tab=self._name)
        return found

    def asked(self, pattern: str) -> Sequence[str]:
        """Return the addresses like a pattern that it has sent requests to.

        What the page itself knows of its requests may come after their answers.
        """
        found: list[str] = self._browser.ask(do="asked", tab=self._name)
        return [one for one in found if re.search(pattern, one)]

    def violations(self) -> Sequence[str]:
        """Return what axe-core finds on the page as it is now."""
        axe = installed.javascript_packages(TOOLS) / "node_modules/axe-core/axe.min.js"
        if not self.evaluate("typeof axe === 'object'"):
            self.call("evaluate", axe.read_text())
        found = self.evaluate("async () => (await axe.run()).violations")
        return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; it ends with the context."""
    services.require("chromium")
    program = shutil.which("chromium")
    assert program
    python = installed.python_environment("browser")
    command = [str(python), "-I", str(DRIVER), program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Browser(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=60)
