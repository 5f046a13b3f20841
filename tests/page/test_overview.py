"""The frame: keys, theme, search, and the way to an access key."""

from typing import Final

import pytest

from tests.conftest import StartNode
from tests.support.browsers import Browser, Rule
from tests.support.chains import create
from tests.support.node import Node

FOCUSED: Final = "document.activeElement?.outerHTML ?? ''"


def test_the_log_is_walked_by_keyboard_alone(full_node: Node, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.goto(f"{full_node.url}/#/blocks")
        tab.wait_ready()
        tab.call("keyboard.press", "Tab")
        assert "Skip to the content" in tab.evaluate(FOCUSED)
        tab.call("keyboard.press", "Enter")
        tab.wait("document.activeElement === document.querySelector('main')", "the focus in the content")
        for key in "jjk":
            tab.call("keyboard.press", key)
        first = tab.evaluate("document.querySelector('main a.open').textContent")
        assert tab.evaluate("document.activeElement.textContent") == first
        tab.call("keyboard.press", "j")
        tab.call("keyboard.press", "Enter")
        tab.wait_text("Invalid block", "h1")


def test_one_exact_hit_opens_and_a_filter_becomes_a_list(full_node: Node, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.goto(f"{full_node.url}/")
        tab.wait_ready()
        tab.call("keyboard.press", "/")
        tab.call("keyboard.type", "#2")
        tab.call("keyboard.press", "Enter")
        tab.wait_text("Invalid block", "h1")
        tab.call("keyboard.press", "/")
        tab.call("fill", "input[type=search]", "metadata.event=sale")
        tab.call("keyboard.press", "Enter")
        tab.wait("location.hash.startsWith('#/blocks?granularity=transaction&metadata.event=sale')", "the filter")
        tab.wait_text("TRANSFER", "main")
        assert tab.said() == []


def test_a_list_says_how_far_it_looked(start_node: StartNode, browser: Browser) -> None:
    """The first page of assets ends where its bytes do."""
    node = start_node(settings={"limits": {"event_page_bytes_max": 1}})
    for serial in range(2):
        assert node.post(create(serial).body).status == 202
    with browser.tab() as tab:
        tab.goto(f"{node.url}/#/assets")
        tab.wait_text("The log was looked through back to 20", "main")
        while tab.evaluate("Boolean(document.querySelector('.foot .button'))"):
            shown = tab.evaluate("document.querySelectorAll('tbody tr').length")
            tab.call("click", ".foot .button")
            tab.wait(
                f"document.querySelectorAll('tbody tr').length > {shown} || !document.querySelector('.foot .button')",
                "older",
            )
        tab.wait_text('{"serial":0}', "main")
        tab.wait_text("This is the beginning of the log", "main")


def test_a_list_of_a_log_that_was_replaced_is_read_from_its_beginning(full_node: Node, browser: Browser) -> None:
    """The place behind its last row is lost for good: to ask for it again is refused again."""
    page = full_node.get("rejected", before="now", limit=1).json()
    first = Rule("before=now", 200, {**page, "end": False, "next": "older"})
    gone = Rule("before=older", 410, {"message": "gone", "status": 410})
    with browser.tab() as tab:
        tab.answer(first, gone)
        tab.goto(f"{full_node.url}/#/rejected")
        tab.wait_ready()
        tab.call("click", ".foot .button")
        tab.wait_text("This node has another log than before", "main")
        tab.answer(gone)
        tab.call("click", ".foot button:text-is('Try again')")
        asked = "performance.getEntriesByType('resource').filter((one) => one.name.includes('before=now')).length"
        tab.wait(f"{asked} === 2 && !document.querySelector('main .notice.bad')", "the list anew")


@pytest.mark.parametrize(("screen", "path"), [("blocks", "events"), ("rejected", "rejected")])
def test_a_list_that_is_full_says_so(full_node: Node, browser: Browser, screen: str, path: str) -> None:
    """A button for older entries would do nothing there."""
    arguments = {"detail": "summary"} if screen == "blocks" else {}
    page = full_node.get(path, before="now", limit=1, **arguments).json()
    (event,) = page["events"]
    pages = [[{**event, "id": f"{event['id']} {number}"} for number in some] for some in (range(5), range(5, 1_000))]
    first, second = ({**page, "events": some, "end": False, "next": "older"} for some in pages)
    with browser.tab() as tab:
        tab.answer(
            Rule(rf"/api/v1/{path}\?.*limit=50.*before=older", 200, second),
            Rule(rf"/api/v1/{path}\?.*before=now", 200, first),
        )
        tab.goto(f"{full_node.url}/#/{screen}")
        tab.wait("document.querySelectorAll('main tbody tr').length === 5", "a first page")
        tab.call("click", "main .foot >> text=Older")
        tab.wait_text("A list shows 1,000 entries at most.", "main")
        assert tab.evaluate("document.querySelectorAll('main tbody tr').length") == 1_000
        assert not tab.evaluate("Boolean(document.querySelector('.foot .button'))")
        assert tab.said() == []


def test_the_theme_is_chosen_and_kept(full_node: Node, browser: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with browser.tab() as tab:
        tab.goto(f"{full_node.url}/")
        tab.wait_ready()
        light = tab.evaluate(ground)
        tab.call("click", "button[aria-label='Light or dark: as the system']")
        tab.call("click", "button[aria-label='Light or dark: light']")
        assert tab.evaluate(ground) != light
        tab.goto(f"{full_node.url}/")
        tab.wait_ready()
        assert tab.evaluate(ground) != light


def test_a_code_becomes_a_key_and_a_lock_revokes_it(start_node: StartNode, browser: Browser) -> None:
    """The code is good once, and neither it nor the key stays in the address."""
    node = start_node()
    address = node.run("page", "--print").stdout.strip()
    with browser.tab() as tab:
        tab.goto(address)
        tab.wait_ready()
        key = tab.wait("sessionStorage.getItem('bigchaindb.key')", "the page's key")
        assert node.get("access/self", key=key).json()["name"] == "page"
        tab.wait("location.hash === '#/'", "an address without the code")
        tab.call("click", "button[aria-label=Access]")
        tab.call("click", "dialog .primary")
        tab.wait("sessionStorage.getItem('bigchaindb.key') === null", "the key to be forgotten")
        assert node.get("access/self", key=key).status == 401
        assert tab.said() == []


def test_a_code_is_taken_in_an_open_tab_and_a_spent_one_is_named(start_node: StartNode, browser: Browser) -> None:
    """Pasted into the address of the page it loads nothing anew; what is refused changes nothing, and is said."""
    node = start_node()
    place = node.run("page", "--print").stdout.strip().partition("#")[2]
    to = "(place) => { location.hash = place; }"
    stored = "sessionStorage.getItem('bigchaindb.key')"
    with browser.tab() as tab:
        tab.goto(f"{node.url}/#/blocks")
        tab.wait_ready()
        tab.evaluate(to, place)
        key = tab.wait(stored, "the page's key")
        tab.wait("location.hash === '#/'", "an address without the code")
        tab.evaluate(to, place)
        tab.wait_text("this code is not good", ".bar")
        tab.wait("location.hash === '#/'", "an address without the code")
        assert tab.evaluate(stored) == key
        tab.call("click", ".bar button")
        tab.wait("document.querySelector('.bar').hidden", "a closed bar")
        tab.answer(Rule("/access/lock$", 503, {"message": "the node is about to stop", "status": 503}))
        tab.call("click", "button[aria-label=Access]")
        tab.call("click", "dialog .primary")
        tab.wait_text("The access key is not revoked: the node is about to stop", ".bar")
        assert tab.evaluate(stored) == key
        assert tab.said() == []
