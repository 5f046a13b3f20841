"""Every screen in every state: full, empty, loading, refused, damaged, unreachable; light and dark, wide and narrow."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.support import scale, shown_ledger
from tests.support.browsers import NARROW, RETRY_S_MAX, WIDE, Browser, Rule, Tab
from tests.support.node import Node, running_node
from tests.support.page_screens import FIRST, SCREENS, see_loading, see_refusals

SCREENSHOTS: Final = os.environ.get("PAGE_SCREENSHOTS")
"""A folder for pictures of all screens in all states, for people; without it none are taken."""
OUTSIDE: Final = """[...document.querySelectorAll('main *')].filter((one) =>
  one.getBoundingClientRect().right > document.documentElement.clientWidth && !one.closest('pre, .sr')
).map((one) => one.outerHTML.slice(0, 200))"""
CUT_OFF: Final = """[...document.querySelectorAll('main *')].filter((one) => {
  const style = getComputedStyle(one);
  return style.overflowX === 'visible' && one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0
    && !one.closest('pre, .sr') && style.display !== 'inline';
}).map((one) => one.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def empty_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running_node(tmp_path_factory.mktemp("empty")) as node:
        yield node


def look(tab: Tab, name: str, *, thorough: bool = bool(SCREENSHOTS)) -> None:
    """Require that nothing is cut off or wrong for a screen reader; take pictures."""
    for width, height in (NARROW, WIDE) if thorough else (NARROW,):
        tab.call("set_viewport_size", {"width": width, "height": height})
        for scheme in ("dark", "light") if thorough else ("dark",):
            tab.call("emulate_media", color_scheme=scheme)
            assert tab.violations() == [], (name, width, scheme)
            if SCREENSHOTS:
                tab.screenshot(Path(SCREENSHOTS) / f"{name}-{scheme}-{width}.png", whole=width == NARROW[0])
        assert tab.evaluate(OUTSIDE) == [], (name, width)
        assert tab.evaluate(CUT_OFF) == [], (name, width)
    tab.call("set_viewport_size", {"width": WIDE[0] // 2, "height": WIDE[1] // 2})  # what 200 % leaves
    assert tab.evaluate(OUTSIDE) == [], name
    tab.call("set_viewport_size", {"width": WIDE[0], "height": WIDE[1]})
    tab.call("emulate_media", color_scheme="light")


@pytest.mark.parametrize("name", SCREENS)
def test_a_full_screen(name: str, full_node: Node, tab: Tab) -> None:
    screen = SCREENS[name]
    tab.goto(f"{full_node.url}/#{screen.address}")
    tab.wait_text(screen.full, "main")
    tab.wait_ready()
    tab.wait_text("live", ".status")
    look(tab, f"{name}-full", thorough=True)
    assert tab.said() == []
    assert tab.hosts() == [full_node.url.removeprefix("http://")]


@pytest.mark.parametrize("name", [name for name, screen in SCREENS.items() if screen.empty])
def test_an_empty_screen(name: str, empty_node: Node, browser: Browser) -> None:
    screen = SCREENS[name]
    with browser.tab() as tab:
        tab.goto(f"{empty_node.url}/#{screen.address}")
        tab.wait_text(screen.empty or "", "main")
        look(tab, f"{name}-empty")
        assert tab.said() == []


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_that_is_loading(name: str, full_node: Node, browser: Browser) -> None:
    with browser.tab() as tab:
        see_loading(tab, full_node.url, SCREENS[name])
        look(tab, f"{name}-loading")


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_that_is_refused(name: str, full_node: Node, browser: Browser) -> None:
    with browser.tab() as tab:

        def look_at(state: str) -> None:
            if state == "401" or SCREENSHOTS:
                look(tab, f"{name}-{state}")

        see_refusals(tab, full_node.url, SCREENS[name], look_at)
        assert tab.said() == []


def test_each_screen_of_a_large_ledger_opens(browser: Browser, tmp_path: Path) -> None:
    shown_ledger.write_large(tmp_path / "data")
    with running_node(tmp_path, settings={"keypair": shown_ledger.KEY_PAIR}) as node, browser.tab() as tab:
        assert node.get("statistics").json()["transactions"] > scale.PAGE_ROWS
        for screen in SCREENS.values():
            tab.goto(f"{node.url}/#{screen.address}")
            tab.wait_text(screen.full, "main")
            tab.wait_ready()
        assert tab.said() == []


def test_a_search_that_was_cut_short_does_not_say_that_nothing_is_there(full_node: Node, browser: Browser) -> None:
    note = "more than 100,000 rows match"
    hit = {"kind": "asset", "id": FIRST, "label": "the first one"}
    with browser.tab() as tab:
        for hits, text in (([], "Not everything was searched"), ([hit], f"Not everything was searched: {note}")):
            tab.answer(Rule("/find", 200, {"hits": hits, "note": note}))
            tab.goto(f"{full_node.url}/#/search?text=first")
            tab.wait_text(text, "main")
            assert note in tab.text("main")
            assert ("the first one" in tab.text("main")) == bool(hits)
        assert tab.said() == []


def test_hostile_content_is_text(full_node: Node, tab: Tab) -> None:
    """A block with markup, directions, 10,000 keys, depth and a text of a million characters, unfolded."""
    tab.goto(f"{full_node.url}/#/blocks/{shown_ledger.HOSTILE_HEIGHT}")
    tab.wait_text("Copy the event", "main")
    tab.unfold(".tree")
    tab.wait_text("bottom", ".tree")
    tab.wait_text("</script><script>window", ".tree")
    tab.wait_text("abcU+202Egpj.exe", ".tree")
    tab.wait_text("9,900 more", ".tree")
    tab.wait_text("998,003 more characters", ".tree")
    assert tab.evaluate("window.broken") is None
    assert tab.evaluate("({}).polluted") is None
    assert tab.evaluate("document.querySelectorAll('main a[href^=javascript], main img, main script').length") == 0
    assert tab.evaluate(OUTSIDE) == []
    assert tab.said() == []


def test_what_is_shown_stays_while_the_node_does_not_answer(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each screen keeps its content, says since when it is old, and asks for no key."""
    folder = tmp_path_factory.mktemp("stale")
    shown_ledger.write(folder / "data")
    with ExitStack() as open_tabs, running_node(folder, settings={"keypair": shown_ledger.KEY_PAIR}) as node:
        tabs = {name: open_tabs.enter_context(browser.tab(size=NARROW)) for name in SCREENS}
        for name, tab in tabs.items():
            tab.hold_clock()
            tab.goto(f"{node.url}/#{SCREENS[name].address}")
        for name, tab in tabs.items():
            tab.wait_text(SCREENS[name].full, "main")
            tab.wait_text("live", ".status")
        node.kill()
        for name, tab in tabs.items():
            tab.wait_text("What you see is of", ".bar")
            assert SCREENS[name].full in tab.text("main"), name
        look(tabs["blocks"], "blocks-stale")
        node.start()
        for tab in tabs.values():
            tab.pass_s(RETRY_S_MAX)
        for tab in tabs.values():
            tab.wait_text("live", ".status")
            assert tab.said() == []
