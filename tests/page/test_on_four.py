"""The page of a node that is one of four."""

from collections.abc import Iterator

import pytest

from tests.support.browsers import WITHIN_S, Browser
from tests.support.chains import create
from tests.support.live_networks import CHAIN, Network, running_network

COUNT = 4


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Four validators with some events."""
    with running_network(tmp_path_factory.mktemp("four"), COUNT) as running:
        for number in range(3):
            running[0].commit(create(number))
        running.until_same_tip()
        yield running


def test_every_screen_opens(network: Network, browser: Browser) -> None:
    asset = create(0)
    (height,) = network[1].get("blocks", transaction_id=asset.id).json()
    (output,) = asset.outputs
    screens = {
        "": "All blocks",
        "blocks": "Transactions",
        f"blocks/{height}": "Check proof",
        f"transactions/{asset.id}": "CREATE",
        "assets": "Newest first",
        f"assets/{asset.id}": "created in block",
        f"owners/{output.public_keys[0]}": "unspent",
        "rejected": "Nothing was rejected",
        f"search?text={asset.id}": "created in block",
        "delivery": "Nothing follows this log yet",
        "network": "Validators",
        "api": "/api/v1/network",
    }
    with browser.tab() as tab:
        for screen, text in screens.items():
            tab.goto(f"{network[1].url}/#/{screen}")
            tab.wait_ready()
            tab.wait_text(text, "main")
            assert tab.evaluate("document.querySelector('main .notice.bad')?.innerText ?? ''") == "", screen
        tab.goto(f"{network[1].url}/#/blocks/{height}")
        tab.call("click", "button:text-is('Check proof')")
        tab.call("click", "dialog .primary")
        tab.wait_text("Proven: the block was decided valid.", "dialog")
        tab.wait_text("of 40", "dialog")
        assert tab.said() == []


def test_who_votes_and_who_is_away(network: Network, browser: Browser) -> None:
    with browser.tab() as tab:
        tab.goto(f"{network[0].url}/#/network")
        tab.wait_ready()
        tab.wait_text("Voting power 40 of 40 is connected")
        tab.wait_text("following", "main .state")
        tab.wait_text(CHAIN)
        tab.wait_text("No change of the validators is up for election.")
        rows = tab.evaluate("[...document.querySelectorAll('tbody tr')].map((one) => one.innerText)")
        assert len(rows) == COUNT
        assert sum("this node" in row for row in rows) == 1
        key = network[0].key.public_key
        assert tab.evaluate("(key) => document.querySelector(`[title='${key}']`) !== null", key)
        network[3].kill()
        tab.wait_text("Voting power 30 of 40 is connected")
        tab.wait_text("not connected", "main table")
        network.start(network[3])
        tab.wait_text("Voting power 40 of 40 is connected", within_s=2 * WITHIN_S)
        assert tab.said() == []
