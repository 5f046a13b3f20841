"""The page of a node that is one of four, which went on with a ledger of many transactions."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from bigchaindb.identity import read_chain_id
from tests.support import shown_ledger
from tests.support.browsers import RETRY_S_MAX, WITHIN_S, Browser, Tab
from tests.support.chains import create
from tests.support.ledgers import open_store
from tests.support.live_networks import Network, make_network
from tests.support.page_screens import OTHERS, SCREENS, see_loading, see_nothing, see_refusals
from tests.support.servers import running

COUNT: Final = 4
ALL: Final = {**SCREENS, **OTHERS}
VARIANTS: Final = {"transactions", "assets", "block", "invalid", "rejected"}
"""Screens that follow, or do not, as another one does: each open tab costs."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Four validators; each has a copy of the ledger."""
    folder = tmp_path_factory.mktemp("four")
    ledger = folder / "ledger"
    shown_ledger.write_large(ledger)
    with open_store(ledger) as store:
        tip = store.writer.tip()
    network = make_network(
        folder,
        COUNT,
        initial_height=tip.height + 1,
        app_hash=tip.app_hash,
        chain_id=read_chain_id(ledger),
        genesis_time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )
    for member in network:
        shutil.copytree(ledger, member.data, dirs_exist_ok=True)
    with running(network):
        network[0].commit(create(0))
        network.until_same_tip()
        yield network


@pytest.mark.parametrize("name", ALL)
def test_a_screen_in_each_state(name: str, network: Network, tab: Tab) -> None:
    """Loading, refused in each way, full, and with nothing to show."""
    screen, url = ALL[name], network[1].url
    see_loading(tab, url, screen)
    see_refusals(tab, url, screen)
    if screen.nothing is not None:
        see_nothing(tab, url, screen)
    assert tab.said() == []


def test_a_block_of_the_network_is_proven_by_its_validators(network: Network, tab: Tab) -> None:
    (height,) = network[1].get("blocks", transaction_id=create(0).id).json()
    tab.goto(f"{network[1].url}/#/blocks/{height}")
    tab.wait_ready()
    tab.call("click", "button:text-is('Check proof')")
    tab.call("click", "dialog .primary")
    tab.wait_text("Proven: the block was decided valid.", "dialog")
    tab.wait_text("of 40", "dialog")
    assert tab.said() == []


def test_who_votes_and_who_is_away(network: Network, tab: Tab) -> None:
    tab.goto(f"{network[0].url}/#/network")
    tab.wait_ready()
    tab.wait_text("Voting power 40 of 40 is connected")
    tab.wait_text("following", "main .state")
    tab.wait_text(network.genesis.chain_id)
    tab.wait_text("No change of the validators is up for election.")
    rows = tab.evaluate("[...document.querySelectorAll('tbody tr')].map((one) => one.innerText)")
    assert len(rows) == COUNT
    assert sum("this node" in row for row in rows) == 1
    key = network[0].key.public_key
    assert tab.evaluate("(key) => document.querySelector(`[title='${key}']`) !== null", key)
    assert tab.said() == []


def test_what_is_shown_stays_while_a_node_is_away_and_the_others_see_it(
    network: Network, tab: Tab, browser: Browser
) -> None:
    """Each screen keeps its content, and says since when it is old."""
    with ExitStack() as open_tabs:
        tabs = {name: open_tabs.enter_context(browser.tab()) for name in ALL.keys() - VARIANTS}
        for name, one in tabs.items():
            one.hold_clock()
            one.goto(f"{network[3].url}/#{ALL[name].address}")
        for name, one in tabs.items():
            one.wait_text(ALL[name].full, "main")
            one.wait_text("live", ".status")
        tab.goto(f"{network[0].url}/#/network")
        network[3].kill()
        for name, one in tabs.items():
            one.wait_text("What you see is of", ".bar")
            assert ALL[name].full in one.text("main"), name
        tab.wait_text("Voting power 30 of 40 is connected")
        tab.wait_text("not connected", "main table")
        network.start(network[3])
        tab.wait_text("Voting power 40 of 40 is connected", within_s=2 * WITHIN_S)
        for one in tabs.values():
            one.pass_s(RETRY_S_MAX)
        for one in tabs.values():
            one.wait_text("live", ".status")
            assert one.said() == []
