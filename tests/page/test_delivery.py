"""Delivery: what each lane does, what keeps it, and orders to it by the page."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.client import Client, new_keypair
from tests.support import made_secrets
from tests.support.browsers import RETRY_S_MAX, SILENCE_S, Browser, Rule, Tab
from tests.support.installed import CHECKOUT
from tests.support.node import Node, running_node
from tests.support.packages import install
from tests.support.waiting import until

FRAGILE: Final = """\
from pathlib import Path

FOLDER = Path({folder!r})


def run(queue):
    while True:
        event = queue.get()
        for transaction in event.data["transactions"]:
            name = transaction["asset"]["data"]["name"]
            if "bad" in name and not (FOLDER / "mended").exists():
                raise ValueError(f"no such column: <b>{{name}}</b>")
            with (FOLDER / "seen.txt").open("a") as file:
                file.write(f"{{event.position}} {{name}}\\n")
"""
NAMES: Final = ("one", "bad two", "three", "bad four", "five")
RETRY: Final = {"attempts": 2, "duration_s": 0, "delay_s_max": 0.1}
REFUSALS: Final = (
    (401, {"message": "needs the scope read", "status": 401}, "This node asks for an access key"),
    (410, {"message": "gone", "status": 410}, "This node has another log than before"),
    (503, {"message": "limits.pool_count_max", "status": 503}, "The node is busy"),
    (500, {"message": "Internal Server Error (StoreDamaged): x", "status": 500}, "The data of this answer"),
    (200, "no JSON <b>", "The answer is not JSON"),
    (0, None, "The node does not answer"),
)
LANES: Final = "main table"
TWICE: Final = (640, 400)
"""A window of 1,280 by 800 in which everything is twice as large."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fragile")


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[Node]:
    """A node with a plugin that parks two events of five, and a subscription that nobody consumes."""
    environment = install(folder, "fragile", FRAGILE.format(folder=str(folder)))
    plugins = {"fragile": {"retry": RETRY, "start": "genesis"}}
    with running_node(folder / "node", settings={"events_plugins": plugins}, environment=environment) as running:
        assert running.put("subscriptions/billing", {"granularity": "transaction"}).status == 201
        with Client(running.url) as ledger:
            signer = new_keypair()
            for name in NAMES:
                ledger.create(signer, {"name": name})
        until(
            lambda: seen(folder)[-1:] == ["5 five"] and len(parked(running)) == 2,
            what="two parked and the rest settled",
        )
        yield running


@pytest.fixture(scope="module")
def key(node: Node) -> str:
    return node.new_key("clerk", "--scopes", "read operate subscribe:*", "--keep-anonymous")


@pytest.fixture
def tab(browser: Browser, node: Node) -> Iterator[Tab]:
    with browser.tab() as opened:
        opened.goto(f"{node.url}/api/v1/validators")  # whose origin keeps a key
        yield opened
        assert opened.said() == []


def parked(node: Node, name: str = "fragile") -> list[dict[str, object]]:
    """Return what the command line lists as parked."""
    found: list[dict[str, object]] = json.loads(node.done("plugins", "parked", name, "--json"))
    return found


def seen(folder: Path) -> list[str]:
    """Return the lines of the plugin's own file."""
    file = folder / "seen.txt"
    return file.read_text().splitlines() if file.exists() else []


def opened(tab: Tab, node: Node, screen: str, key: str | None = None) -> None:
    """Open a screen, with an access key perhaps."""
    if key is not None:
        tab.evaluate("(key) => sessionStorage.setItem('bigchaindb.key', key)", key)
    tab.goto(f"{node.url}/#/{screen}")
    tab.wait_ready()


def buttons(tab: Tab) -> list[str]:
    """Return the labels of the buttons that give orders."""
    found: list[str] = tab.evaluate("[...document.querySelectorAll('main .button')].map((one) => one.innerText)")
    return found


def press(tab: Tab, label: str, within: str = "main") -> None:
    """Press a button."""
    tab.call("click", f"{within} button:text-is('{label}'):visible")


def test_every_lane_has_its_state_and_figures(tab: Tab, node: Node) -> None:
    opened(tab, node, "delivery")
    tab.wait_text("LIVE", LANES)
    texts = tab.evaluate("[...document.querySelectorAll('tbody tr')].map((one) => one.innerText)")
    rows = [text.split() for text in texts]
    assert [row[0] for row in rows] == ["fragile", "billing"]
    assert rows[0][1] == "plugin"
    assert rows[1][1] == "subscription"
    assert rows[0][2].endswith("LIVE")
    assert "▲2" in rows[0]  # parked
    tab.call("click", "a:text-is('fragile')")
    tab.wait_text("Parked: 2")
    assert tab.evaluate("location.hash") == "#/delivery/fragile"


def test_without_rights_there_are_no_buttons_and_the_routes_refuse(tab: Tab, node: Node) -> None:
    """On this machine an anonymous client may order subscriptions, and no plugin."""
    opened(tab, node, "delivery/fragile")
    tab.wait_text("Orders need a key with the scope operate")
    tab.wait_text("Parked events are shown to keys")
    assert not {"Pause", "Restart", "Seek …", "Retry all"} & {*buttons(tab)}
    assert "no such column" not in tab.text()
    for order in ("pause", "resume", "restart", "retry"):
        answer = node.get(f"plugins/fragile/{order}")
        assert answer.status == 405
        status = tab.evaluate(
            "async (path) => (await fetch(path, {method: 'POST'})).status", f"api/v1/plugins/fragile/{order}"
        )
        assert status == 401
    assert tab.evaluate("async () => (await fetch('api/v1/plugins/fragile/parked')).status") == 401


def test_the_operator_gets_the_rights_by_a_code_and_gives_them_back(tab: Tab, node: Node) -> None:
    made = node.done("page", "--print")
    code = made.strip().partition("#")[2]
    tab.goto(f"{node.url}/#{code}")
    tab.wait_ready()
    tab.wait("sessionStorage.getItem('bigchaindb.key')", "the page's key")
    tab.wait("location.hash === '#/'", "an address without the code")
    opened(tab, node, "delivery/fragile")
    tab.wait_text("Restart")
    tab.wait_text("ValueError: no such column: <b>bad two</b>")
    key = tab.evaluate("sessionStorage.getItem('bigchaindb.key')")
    made_secrets.remember(key)
    tab.call("click", "button[aria-label='Access']")
    press(tab, "Lock", "dialog")
    tab.wait_text("Orders need a key with the scope operate")
    tab.wait("sessionStorage.getItem('bigchaindb.key') === null", "the key to be forgotten")
    assert node.get("plugins/fragile", key=key).status == 401
    tab.goto(f"{node.url}/#{code}")  # which is spent
    tab.wait_ready()
    assert tab.evaluate("sessionStorage.getItem('bigchaindb.key')") is None


def test_retry_and_discard_by_the_page(tab: Tab, node: Node, folder: Path, key: str) -> None:
    opened(tab, node, "delivery/fragile", key)
    tab.wait_text("ValueError: no such column: <b>bad two</b>")
    first, second = (str(one["position"]) for one in parked(node))
    assert [line.split(maxsplit=1)[1] for line in seen(folder)] == ["one", "three", "five"]
    (folder / "mended").touch()
    row = f"tr[data-key^='{first} ']"
    tab.call("click", f"{row} a")
    tab.wait_text("Block", "h1")
    tab.call("go_back")
    tab.wait_text("Parked: 2")
    press(tab, "Retry", row)
    until(lambda: f"{first} bad two" in seen(folder), what="the event to come again")
    tab.wait_text("Parked: 1")

    row = f"tr[data-key^='{second} ']"
    press(tab, "Discard …", row)
    tab.wait_text("never gets event", "dialog")
    press(tab, "Cancel", "dialog")
    assert len(parked(node)) == 1
    press(tab, "Discard …", row)
    press(tab, "Discard", "dialog")
    tab.wait_text("Parked: 0")
    assert parked(node) == []
    assert f"{second} bad four" not in seen(folder)


def test_pause_seek_and_a_refusal_word_for_word(tab: Tab, node: Node, folder: Path, key: str) -> None:
    opened(tab, node, "delivery/fragile", key)
    (folder / "mended").touch()
    press(tab, "Pause")
    tab.wait_text("No further event is delivered until a person orders resume.")
    tab.wait_text("bigchaindb plugins resume fragile")
    before = len(seen(folder))
    press(tab, "Seek …")
    tab.wait_text("Where does fragile go on?", "dialog")
    tab.call("fill", "dialog input", "nowhere")
    press(tab, "Seek", "dialog")
    tab.wait_text("expected one of now, genesis", ".refusal")
    press(tab, "Seek …")
    tab.call("fill", "dialog input", "genesis")
    tab.call("keyboard.press", "Enter")
    until(lambda: node.get("plugins/fragile").json()["cursor"] == 0, what="the cursor at the beginning")
    press(tab, "Resume")
    until(lambda: len(seen(folder)) == before + len(NAMES), what="every event once more")
    tab.wait_text("LIVE", "main .state")


def test_a_subscription_shows_who_consumes_it(tab: Tab, node: Node) -> None:
    opened(tab, node, "delivery/billing")
    tab.wait_text("Nobody consumes it now; its events wait.")
    press(tab, "Pause")
    tab.wait_text("PAUSED", "main .state")
    press(tab, "Resume")
    tab.wait_text("STOPPED", "main .state")


@pytest.mark.parametrize(
    ("screen", "path"),
    [("delivery", "plugins"), ("delivery/fragile", "plugins/fragile"), ("network", "network"), ("api", "openapi.json")],
)
def test_an_answer_that_is_none(tab: Tab, node: Node, screen: str, path: str) -> None:
    for status, body, text in REFUSALS:
        tab.answer(Rule(f"/{path}$", status, body))
        if status == REFUSALS[0][0]:
            opened(tab, node, screen)
        else:
            press(tab, "Try again")
        tab.wait_text(text, "main")
        assert "<b>" not in tab.evaluate("document.querySelector('main').innerHTML")


def test_loading_and_empty_and_a_lane_that_there_is_not(tab: Tab, node: Node) -> None:
    tab.answer(Rule("/plugins$", None))
    tab.goto(f"{node.url}/#/delivery")
    tab.wait("document.querySelector('main .loading')", "grey lines")
    tab.answer(Rule("/plugins$", 200, []))
    opened(tab, node, "delivery")
    tab.wait_text("Nothing follows this log yet")
    tab.wait_text("bigchaindb subscriptions new NAME")
    opened(tab, node, "delivery/nobody")
    tab.wait_text("There is no such lane")


def test_of_many_lanes_those_that_need_a_person_are_shown(tab: Tab, node: Node) -> None:
    lane = node.get("plugins/fragile").json()
    lanes = [{**lane, "name": f"lane {number}", "state": "LIVE", "parked": 0} for number in range(1_000)]
    lanes[900]["state"] = "GAPPED"
    tab.answer(Rule("/plugins$", 200, lanes))
    opened(tab, node, "delivery")
    tab.wait_text("These are 200 of 1,000.")
    assert "lane 900" in tab.text("tbody tr")
    assert tab.evaluate("document.querySelectorAll('tbody tr').length") == 200


def test_hostile_text_is_text(tab: Tab, node: Node, key: str) -> None:
    text = "</script><script>document.title='broken'</script>\u202egpj"
    lane = {**node.get("plugins/fragile").json(), "parked": 1, "last_error": text, "error": text, "error_at": 1.0}
    page = {
        "parked": [{"position": "1", "attempts": 2, "error": text, "parked_at": 1.0, "returns": False}],
        "next": None,
    }
    tab.answer(Rule("/plugins/fragile$", 200, lane), Rule("/parked", 200, page), Rule("/plugins$", 200, [lane]))
    for screen in ("delivery/fragile", "delivery"):
        opened(tab, node, screen, key)
        tab.wait_text("</script>", "main")
        assert "U+202E" in tab.text("main")
        assert "broken" not in tab.evaluate("document.title")


def test_what_is_shown_stays_while_the_node_does_not_answer(tab: Tab, node: Node, key: str) -> None:
    """An order to a node that may be another one by now would surprise."""
    tab.hold_clock()
    opened(tab, node, "delivery/fragile", key)
    tab.wait_text("Cursor")
    tab.wait("document.querySelector('.live.live')", "a stream")
    assert node.process is not None
    node.process.send_signal(signal.SIGSTOP)
    try:
        tab.pass_s(SILENCE_S)
        tab.wait_text("No answer since")
        assert "Cursor" in tab.text("main")
        assert "The node does not answer" not in tab.text("main")
        orders = "[...document.querySelectorAll('.orders button')]"
        tab.wait(f"{orders}.length > 0 && {orders}.every((one) => one.disabled)", "buttons that are disabled")
    finally:
        node.process.send_signal(signal.SIGCONT)
    tab.pass_s(RETRY_S_MAX)
    tab.wait(f"{orders}.every((one) => !one.disabled)", "buttons that are enabled")


def test_by_keyboard_alone(tab: Tab, node: Node, key: str) -> None:
    opened(tab, node, "delivery", key)
    tab.wait_text("fragile", LANES)
    walk(tab, "document.activeElement.textContent === 'fragile'")
    tab.call("keyboard.press", "Enter")
    tab.wait_text("Cursor")
    walk(tab, "document.activeElement.textContent === 'Pause'")
    tab.call("keyboard.press", "Space")
    tab.wait_text("PAUSED", "main .state")
    walk(tab, "document.activeElement.textContent === 'Seek …'")
    tab.call("keyboard.press", "Enter")
    tab.wait("document.querySelector('dialog')?.contains(document.activeElement)", "the focus in the dialog")
    tab.call("keyboard.press", "Escape")
    tab.wait("!document.querySelector('dialog')", "no dialog")
    walk(tab, "document.activeElement.textContent === 'Resume'")
    tab.call("keyboard.press", "Enter")
    tab.wait_text("LIVE", "main .state")


def walk(tab: Tab, there: str) -> None:
    """Press Tab until the focus is where it shall be: what it shall be on may not be drawn yet."""

    def is_there() -> bool:
        if not (found := bool(tab.evaluate(there))):
            tab.call("keyboard.press", "Tab")
        return found

    until(is_there, what=f"the focus: {there}", every_s=0)


SCREENS: Final = ("delivery", "delivery/fragile", "delivery/billing", "network", "api")


def test_nothing_is_cut_off_where_everything_is_twice_as_large(browser: Browser, node: Node, key: str) -> None:
    with browser.tab(size=TWICE) as tab:
        tab.goto(f"{node.url}/")
        for screen in SCREENS:
            opened(tab, node, screen, key)
            assert tab.violations() == [], screen
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), screen


NETWORK: Final = {
    "kind": "network",
    "chain_id": "chaos",
    "standing": "degraded",
    "height": 48_211,
    "round": 0,
    "validators": [
        {"public_key": "A" * 44, "power": 10, "connected": True, "height": 48_211, "is_this_node": True},
        {"public_key": "B" * 44, "power": 10, "connected": True, "height": 48_199, "is_this_node": False},
        {"public_key": "C" * 44, "power": 10, "connected": False, "height": None, "is_this_node": False},
    ],
    "peers_connected": 1,
    "power": {"connected": 20, "total": 30},
    "genesis_hash": "5d" * 32,
}


def test_a_node_alone_says_so_in_a_sentence(tab: Tab, node: Node) -> None:
    opened(tab, node, "network")
    tab.wait_text("This node is no part of a network")
    assert tab.evaluate("document.querySelectorAll('main table').length") == 0


def test_a_network_and_who_votes(tab: Tab, node: Node) -> None:
    tab.answer(Rule("/network$", 200, NETWORK), Rule("/elections$", 200, []))
    opened(tab, node, "network")
    tab.wait_text("No change of the validators is up for election.")
    tab.wait("document.querySelectorAll('tbody tr').length === 3", "the validators")
    rows = tab.evaluate("[...document.querySelectorAll('tbody tr')].map((one) => one.innerText)")
    assert ["this node" in row for row in rows] == [True, False, False]
    assert [word for row in rows for word in ("12 behind", "not connected") if word in row] == [
        "12 behind",
        "not connected",
    ]
    tab.wait_text("Its height stands still although its peers go on.")
    tab.wait_text("Voting power 20 of 30 is connected", "main")


def test_the_api_is_described_and_asked(tab: Tab, node: Node) -> None:
    opened(tab, node, "api")
    summary = "summary:has(code:text-is('/api/v1/blocks/{height_or_id}'))"
    tab.call("click", summary)
    tab.call("fill", f"details:has({summary}) input", "1")
    line = f"curl '{node.url}/api/v1/blocks/1'"
    tab.wait_text(line, "details[open]")
    tab.call("keyboard.press", "Enter")
    tab.wait_text("transactions", "details[open] .tree")
    tab.call("fill", f"details:has({summary}) input", "999999")
    tab.call("keyboard.press", "Enter")
    tab.wait_text("There is nothing here", "details[open]")


def test_each_state_has_the_sentence_of_the_reference() -> None:
    page = (CHECKOUT / "docs/reference/lane-states.md").read_text().partition("[Facts]")[0]
    texts = (CHECKOUT / "bigchaindb/page/texts.js").read_text()
    states = re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", page, re.MULTILINE)
    assert len(states) == 10
    for state, sentence in states:
        assert re.search(rf"^\s+{state}:\s+\"{re.escape(sentence)}\"", texts, re.MULTILINE), state
