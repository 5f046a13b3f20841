"""The frame and the overview on a real node."""

from tests.support.browsers import Browser
from tests.support.node import Node


def test_a_screen_says_nothing_and_asks_nobody_else(full_node: Node, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.goto(f"{full_node.url}/")
        tab.wait_ready()
        assert tab.text("h1") == "Overview"
        assert tab.said() == []
        assert tab.hosts() == [full_node.url.removeprefix("http://")]
