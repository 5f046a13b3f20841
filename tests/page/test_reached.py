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
