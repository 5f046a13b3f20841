"""How the page is reached: behind a proxy at a path, by another name than localhost, and by keys alone."""

from tests.support.browsers import Browser
from tests.support.node import Node
from tests.support.path_proxies import below_a_path
from tests.support.tls import Authority


def test_behind_a_proxy_with_tls_at_a_path(full_node: Node, browser: Browser, authority: Authority) -> None:
    with (
        below_a_path(full_node.settings["server"]["bind"], authority.sign()) as address,
        browser.tab(ignore_https_errors=True) as tab,
    ):
        tab.goto(address)
        tab.wait_ready()
        tab.wait_text("All blocks")
        tab.wait("document.querySelector('.live.live')", "a stream")
        tab.goto(f"{address}#/blocks/1")
        tab.wait_ready()
        tab.call("click", "button:text-is('Check proof')")
        tab.call("click", "dialog .primary")
        tab.wait_text("Proven: the block was decided valid.", "dialog")
        assert {host.partition(":")[0] for host in tab.hosts()} == {"localhost"}
        tab.goto(f"{address}#/api")
        tab.wait_ready()
        tab.call("click", "summary:has(code:text-is('/api/v1/validators'))")
        tab.wait_text(f"curl '{address}api/v1/validators'", "details[open]")
        tab.call("click", "details[open] button:text-is('Send')")
        tab.wait_text("voting_power", "details[open] .tree")
        assert tab.said() == []


def test_by_a_name_without_web_crypto(full_node: Node, browser: Browser) -> None:
    """Browsers offer Web Crypto and the clipboard on https and on localhost only."""
    with browser.tab() as tab:
        tab.goto(f"http://node.example:{full_node.port}/#/blocks/1")
        tab.wait_ready()
        tab.call("click", "button:text-is('Check proof')")
        tab.wait_text("Browsers offer Ed25519 on https and on localhost only", "dialog")
        assert "bigchaindb verify proof.json --validators validators.json" in tab.text("dialog")
        assert tab.evaluate("document.querySelectorAll('dialog .primary').length") == 0
        tab.call("keyboard.press", "Escape")
        assert tab.evaluate("[isSecureContext, typeof crypto.subtle, typeof navigator.clipboard]") == [
            False,
            "undefined",
            "undefined",
        ]
        tab.goto(f"http://node.example:{full_node.port}/#/api")
        tab.wait_ready()
        tab.call("click", "summary:has(code:text-is('/api/v1/validators'))")
        tab.call("click", "details[open] .command button")
        tab.wait("document.querySelector('details[open] .command .done')", "the command to be copied")
        # Chromium names a header that it heeds on such origins alone.
        assert [one for one in tab.said() if "Cross-Origin-Opener-Policy" not in one] == []


def test_by_keyboard_alone(full_node: Node, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.goto(f"{full_node.url}/")
        tab.wait_text("All blocks")
        tab.call("keyboard.press", "Tab")
        tab.wait("document.activeElement.classList.contains('skip')", "the way past the navigation")
        tab.call("keyboard.press", "Enter")
        tab.wait("document.activeElement.id === 'content'", "the content")
        tab.call("keyboard.press", "/")
        tab.call("keyboard.type", "Albatros")
        tab.call("keyboard.press", "Enter")
        tab.wait_text("Touring bicycle Albatros", "main")
        tab.goto(f"{full_node.url}/#/blocks")
        tab.wait_ready()
        tab.call("keyboard.press", "j")
        tab.call("keyboard.press", "j")
        target = tab.wait("document.activeElement.closest('tbody a')?.getAttribute('href')", "a block with the focus")
        tab.call("keyboard.press", "Enter")
        tab.wait(f"location.hash === '{target}' && document.querySelector('h1').textContent !== 'Blocks'", "the block")
        assert tab.said() == []
