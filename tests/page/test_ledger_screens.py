"""Transactions, assets and owners on a real node, and what strangers wrote into them."""

import json
from typing import Any, Final, NamedTuple

import pytest

from bigchaindb.transaction import build
from tests.support import shown_ledger
from tests.support.browsers import Browser, Rule, Tab
from tests.support.chains import ALICE
from tests.support.node import Node
from tests.support.page_screens import FIRST

WAITING: Final = {"status": "backlog"}
AGAIN_S: Final = 1.0
"""After which the page looks again whether a transaction is committed."""
TITLE: Final = "document.title"


@pytest.fixture(scope="module")
def logged(full_node: Node) -> list[dict[str, Any]]:
    """Every transaction of the ledger, oldest first."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        page = json.loads(full_node.get(f"events?granularity=transaction&limit=1000{token}").body)
        found += [event["data"] for event in page["events"]]
        if page["head"]:
            return found
        token = f"&after={page['next']}"


@pytest.fixture
def tab(browser: Browser) -> Any:
    with browser.tab() as opened:
        yield opened
        assert opened.said() == []


def asset_of(transaction: dict[str, Any]) -> str:
    return str(transaction["asset"].get("id") or transaction["id"])


def split_of(logged: list[dict[str, Any]]) -> dict[str, Any]:
    return next(one for one in logged if one["operation"] == "TRANSFER" and len(one["outputs"]) > 1)


def busiest(logged: list[dict[str, Any]]) -> str:
    transfers = [asset_of(one) for one in logged if one["operation"] == "TRANSFER"]
    return max(set(transfers), key=transfers.count)


def test_a_transaction_says_what_it_moves_and_that_its_id_is_right(
    full_node: Node, tab: Tab, logged: list[dict[str, Any]]
) -> None:
    split = split_of(logged)
    tab.goto(f"{full_node.url}/#/transactions/{split['id']}")
    tab.wait_text("in block", "main")
    tab.wait_text("The id is the hash of these", "main")
    for output in split["outputs"]:
        tab.wait_text(f"{int(output['amount']):,}", ".flows")
    spenders = [
        one for one in logged for i in one["inputs"] if (i["fulfills"] or {}).get("transaction_id") == split["id"]
    ]
    tab.wait_text("spent by", ".flows")
    for one in spenders:
        tab.wait(f"document.querySelector('.flows a[href=\"#/transactions/{one['id']}\"]')", "who spends it")
    tab.call("click", "a.others[href*='metadata.'] >> nth=0")
    tab.wait("location.hash.startsWith('#/blocks?granularity=transaction&metadata.')", "the list of others")


def test_a_transaction_becomes_committed_by_itself(full_node: Node, tab: Tab, logged: list[dict[str, Any]]) -> None:
    """Whether it waited or was rejected before."""
    last = logged[-1]["id"]
    missing = Rule(rf"/api/v1/transactions/{last}$", 404, {"message": "Not found", "status": 404})
    tab.answer(missing, Rule("/api/v1/statuses", 200, WAITING))
    tab.hold_clock()
    tab.goto(f"{full_node.url}/#/transactions/{last}")
    tab.wait_text("waiting (backlog)", "main")
    rejected = {"message": "rejected (DoubleSpend): input <b> was spent", "status": 404}
    tab.answer(missing, Rule("/api/v1/statuses", 404, rejected))
    tab.pass_s(AGAIN_S)
    tab.wait_text("rejected: DoubleSpend", "main")
    tab.wait_text("input <b> was spent", "main")
    tab.answer(missing, Rule("/api/v1/statuses", 404, {"message": "Not found", "status": 404}))
    tab.pass_s(AGAIN_S)
    tab.wait_text("This node knows no such transaction", "main")
    tab.answer()
    tab.pass_s(AGAIN_S)
    tab.wait_text("in block", "main")


def test_a_rejected_transaction_has_its_reason(full_node: Node, tab: Tab) -> None:
    (event,) = json.loads(full_node.get("rejected").body)["events"]
    tab.goto(f"{full_node.url}/#/transactions/{event['subject']}")
    tab.wait_text(f"rejected: {event['data']['error']}", "main")
    tab.wait_text(event["data"]["message"], "main")


def test_an_altered_transaction_is_told_from_its_id(full_node: Node, tab: Tab, logged: list[dict[str, Any]]) -> None:
    """The page believes its own hash, not the node."""
    last = logged[-1]
    altered = {**last, "metadata": {"more": 1}}
    tab.answer(Rule(rf"/api/v1/transactions/{last['id']}$", 200, altered))
    tab.goto(f"{full_node.url}/#/transactions/{last['id']}")
    tab.wait_text("The id is not the hash of these bytes", "main")


@pytest.mark.parametrize("kind", ["transactions", "assets"])
def test_an_answer_that_is_no_json_is_a_problem(
    full_node: Node, tab: Tab, logged: list[dict[str, Any]], kind: str
) -> None:
    """These are read by their digits; a proxy may have cut them off, or sent a page of its own."""
    first = logged[0]["id"]
    tab.answer(Rule(rf"/api/v1/{kind}/{first}$", 200, '{"id": '))
    tab.goto(f"{full_node.url}/#/{kind}/{first}")
    tab.wait_text("JSON is malformed" if kind == "transactions" else "The answer is not JSON", "main")
    tab.answer()
    tab.call("click", "main >> text=Try again")
    tab.wait_text("the first one", "main")


def test_numbers_keep_their_digits(full_node: Node, tab: Tab) -> None:
    data = '{"a":1.0,"b":123456789012345678901234567890,"c":1e-07}'
    signed = build.create([ALICE], data=json.loads(data))
    assert data in signed.body.decode()
    tab.answer(Rule(r"/api/v1/transactions/[0-9a-f]{64}$", 200, signed.body.decode()))
    tab.goto(f"{full_node.url}/#/transactions/{signed.id}")
    tab.wait_text("123456789012345678901234567890", "main")
    tab.wait_text("The id is the hash of these", "main")
    assert {"a: 1.0", "c: 1e-07"} <= {line.removesuffix("others").strip() for line in tab.text(".tree").splitlines()}


def test_an_asset_shows_its_holders_and_where_it_came_from(
    full_node: Node, tab: Tab, logged: list[dict[str, Any]]
) -> None:
    asset = busiest(logged)
    rows = [one["id"] for one in logged if asset_of(one) == asset]
    found = json.loads(full_node.get(f"assets/{asset}").body)
    shown = "[...document.querySelectorAll('.provenance tbody tr td.main a')].map((one) => one.title)"
    for order, expected in (("", rows[::-1]), ("?order=oldest", rows)):
        tab.goto(f"{full_node.url}/#/assets/{asset}{order}")
        tab.wait_ready()
        tab.wait(f"{shown}.length === {min(50, len(rows))}", "a page of rows")
        while tab.evaluate(f"{shown}.length") < len(rows):
            before = tab.evaluate(f"{shown}.length")
            tab.call("click", "main .foot button")
            tab.wait(f"{shown}.length > {before}", "more rows")
        assert tab.evaluate(shown) == expected
        drawn = tab.evaluate("document.querySelectorAll('.provenance tbody .lanes circle').length")
        assert drawn == len(rows)
    tab.wait_text(f"{int(found['holders'][0]['amount']):,}", ".holders strong")


def test_what_an_owner_can_spend_is_written_for_a_driver(
    full_node: Node, browser: Browser, logged: list[dict[str, Any]]
) -> None:
    key = ALICE.public_key
    with browser.tab(accept_downloads=True) as tab:
        tab.goto(f"{full_node.url}/#/owners/{key}")
        tab.wait_ready()
        tab.wait_text("Copy for a driver", "main")
        tab.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; };")
        tab.call("click", "text=Copy for a driver")
        copied = json.loads(tab.wait("window.copied", "a copy"))
        assert tab.said() == []
    spent = {
        (i["fulfills"]["transaction_id"], i["fulfills"]["output_index"])
        for one in logged
        for i in one["inputs"]
        if i["fulfills"]
    }
    by_id = {one["id"]: one for one in logged}
    assert len(copied) == 100  # a page: the rest comes with the button below
    for one in copied:
        at = one["fulfills"]
        output = by_id[at["transaction_id"]]["outputs"][at["output_index"]]
        assert one["owners_before"] == output["public_keys"] == [key]
        assert one["fulfillment"] == output["condition"]["details"]
        assert (at["transaction_id"], at["output_index"]) not in spent


class Added(NamedTuple):
    """A screen of lists from an index, and of sums that may take seconds.

    Attributes:
        address: behind `#`.
        lists: pattern of the requests for its lists.
        sums: of the request for its sums.
        listed: a text that its lists show.
        summed: one that its sums show.
    """

    address: str
    lists: str
    sums: str
    listed: str
    summed: str


OWNER: Final = f"/owners/{ALICE.public_key}"
ASSET: Final = f"/assets/{FIRST}"
ADDED: Final = (
    Added(OWNER, rf"{OWNER}/outputs|/events\?.*owner=", rf"{OWNER}$", "Copy for a driver", "assets held"),
    Added(ASSET, rf"{ASSET}/outputs|/events\?.*asset=", rf"{ASSET}$", "From whom to whom", "Who holds it"),
)
AGAIN: Final = "main .notice.bad button >> text=Try again"
"""The button: what it advises may begin with the same words."""
SEEN_REFUSALS: Final = "document.querySelectorAll('main .notice.bad').length"


@pytest.mark.parametrize("screen", ADDED, ids=["owner", "asset"])
class TestSums:
    """What has to be added up takes seconds for a key or an asset of a million outputs."""

    def test_they_keep_nothing_else_waiting(self, full_node: Node, tab: Tab, screen: Added) -> None:
        tab.answer(Rule(screen.sums, None))
        tab.goto(f"{full_node.url}/#{screen.address}")
        tab.wait_text(screen.listed, "main")
        # The sums alone are missing; after 20 s without an answer the page says so.
        tab.wait("document.querySelectorAll('main .loading, main .notice.bad').length === 1", "the lists")
        assert tab.evaluate("document.querySelectorAll('main tbody tr').length") > 0
        assert screen.summed not in tab.text("main")

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_their_refusal_stands_in_their_place(self, full_node: Node, tab: Tab, screen: Added, status: int) -> None:
        tab.answer(Rule(screen.sums, status, {"message": "8 scans are under way", "status": status}))
        tab.goto(f"{full_node.url}/#{screen.address}")
        tab.wait_text("8 scans are under way", "main")
        tab.wait_ready()
        assert tab.evaluate(SEEN_REFUSALS) == 1
        assert screen.listed in tab.text("main")
        before = tab.asked(screen.lists)
        assert before
        tab.answer()
        tab.call("click", AGAIN)
        tab.wait_text(screen.summed, "main")
        tab.wait_ready()
        assert tab.evaluate(SEEN_REFUSALS) == 0
        assert tab.asked(screen.lists) == before, "more than the sums was read again"

    def test_a_refusal_of_everything_is_said_once(self, full_node: Node, tab: Tab, screen: Added) -> None:
        refusal = {"message": "the node is about to stop", "status": 503}
        tab.answer(Rule(screen.sums, 503, refusal), Rule(screen.lists, 503, refusal))
        tab.goto(f"{full_node.url}/#{screen.address}")
        tab.wait_text("the node is about to stop", "main")
        tab.wait_ready()
        assert tab.evaluate(SEEN_REFUSALS) == 1
        tab.answer()
        tab.call("click", AGAIN)
        tab.wait_text(screen.summed, "main")
        tab.wait_text(screen.listed, "main")
        assert tab.evaluate(SEEN_REFUSALS) == 0

    def test_where_they_are_bounded_they_are_called_so(self, full_node: Node, tab: Tab, screen: Added) -> None:
        found = json.loads(full_node.get(screen.address[1:]).body)
        tab.answer(Rule(screen.sums, 200, {**found, "complete": False}))
        tab.goto(f"{full_node.url}/#{screen.address}")
        tab.wait_text("more outputs than one answer counts", "main")
        assert f"at least {found['unspent_count']:,}" in tab.text("main")


def test_what_strangers_wrote_is_text(full_node: Node, tab: Tab) -> None:
    hostile = {
        **shown_ledger.hostile(),
        "<script>window.broken = 1</script>": "</script><img src=x onerror=window.broken=1>",
    }
    hostile["direction"] = "abc\u202egpj.exe"
    signed = build.create([ALICE], data=hostile, metadata={"<b>": "<i>\u2066x"})
    tab.answer(Rule(r"/api/v1/transactions/[0-9a-f]{64}$", 200, signed.body.decode()))
    tab.goto(f"{full_node.url}/#/transactions/{signed.id}")
    tab.wait_text("The id is the hash of these", "main")
    for text in ("<b>: <i>U+2066x", "<script>window.broken = 1</script>", "abcU+202Egpj.exe", "more characters"):
        tab.wait_text(text, "main")
    tab.unfold("main")
    tab.wait_text("bottom", "main")
    tab.wait_text("9,900 more", "main")
    assert tab.evaluate("window.broken") is None
    assert tab.evaluate("document.querySelectorAll('main script, main img, main b').length") == 0
    assert tab.evaluate(TITLE) == "Transaction · BigchainDB"


def test_pieces_of_the_log_without_an_owner_are_passed_over(full_node: Node, tab: Tab) -> None:
    """A scan answers after a while with nothing yet; twenty such answers in a row, and a person decides."""
    piece = {"events": [], "end": False, "next": "further", "live": "token"}
    rule = Rule(r"/api/v1/events\?.*owner=", 200, piece)
    tab.answer(rule)
    tab.goto(f"{full_node.url}/#/owners/{ALICE.public_key}")
    tab.wait_text("No transaction names this key so far back", "main")
    asked = "performance.getEntriesByType('resource').filter((one) => one.name.includes('owner=')).length"
    tab.wait(f"{asked} === 21", "the requests, of which the browser keeps account")
    tab.answer(Rule(rule.address, 200, {**piece, "end": True}))
    tab.call("click", "main >> text=Older >> nth=-1")
    tab.wait_text("No transaction names this key.", "main")


def test_an_invalid_block_may_hold_whatever_its_proposer_wrote(full_node: Node, tab: Tab) -> None:
    """Some validator of a network proposes what is no transaction; its rejection is shown all the same."""
    found = json.loads(full_node.get(f"events/{shown_ledger.INVALID}").body)
    strange = [{}, {}, {"id": 5, "operation": None, "asset": 5, "outputs": {}}, {"outputs": [None, {"amount": {}}]}]
    found["event"]["data"]["block"]["transactions"] = [*strange, {"id": "last of all"}]
    tab.answer(Rule(rf"/api/v1/events/{shown_ledger.INVALID}$", 200, found))
    tab.goto(f"{full_node.url}/#/invalid/{shown_ledger.INVALID}")
    tab.wait_text("5 transactions", "main")
    tab.wait_text("last of all", "main")
    assert tab.evaluate("document.querySelectorAll('main tbody tr').length") == 5
