"""Subscriptions over HTTP: created, changed, shown, ordered and deleted. Source: docs/reference/subscriptions.md."""

import asyncio
import json
import logging
from contextlib import closing
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator

from bigchaindb.api.openapi import document
from bigchaindb.api.routes import ROUTES
from bigchaindb.config import Access, Limits
from bigchaindb.eventlog.numbering import TRANSACTIONS
from bigchaindb.store import SubscriptionRow, TroubleRow
from bigchaindb.store.database import open_writer
from tests.integration.api.conftest import Start
from tests.support.http import Answer
from tests.support.lane_statuses import status
from tests.support.raw import UPGRADE, ask
from tests.support.served import Served

AT = "/api/v1/subscriptions/billing"


async def send(served: Served, method: str, path: str = "", body: object = None, key: str = "") -> Answer:
    """Send a request about the subscription `billing`, or about another path."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    raw = None if body is None and method in {"GET", "DELETE"} else b"" if body is None else json.dumps(body).encode()
    return await ask(served.api.port, method, path if path.startswith("/api") else AT + path, raw, **headers)


async def put(served: Served, path: str = "", **definition: object) -> Answer:
    """Put the subscription `billing`."""
    return await send(served, "PUT", path, definition)


def message(answer: Answer) -> str:
    """Return the text of an error."""
    assert answer.json()["status"] == answer.status
    return str(answer.json()["message"])


def matches(name: str, value: object) -> None:
    """Require that an answer is as the description has it."""
    described = document(ROUTES)
    Draft202012Validator({**described["components"]["schemas"][name], "components": described["components"]}).validate(
        value
    )


async def test_put_creates_once_and_the_same_again_changes_nothing(served: Served) -> None:
    """An answer that was lost is asked for again; a second subscription, or an error, would be of no use."""
    await served.commit(3)
    made = await put(served, granularity="transaction", select={"operation": "CREATE"})
    again = await put(served, granularity="transaction", select={"operation": "CREATE"})
    assert (made.status, again.status) == (201, 200)
    shown = (await send(served, "GET")).json()
    assert made.json() == again.json() == shown
    matches("Subscription", shown)
    assert shown["definition"]["order"] == "asset"
    assert (shown["state"], shown["lag"], shown["consumers"]) == ("STOPPED", 0, [])
    assert shown["cursor"] == served.store.writer.tip().position
    assert served.store.node.subscription("billing") is not None


async def test_the_list_has_every_subscription(served: Served) -> None:
    await put(served)
    await send(served, "PUT", "/api/v1/subscriptions/audit")
    listed = (await send(served, "GET", "/api/v1/subscriptions")).json()
    assert [one["name"] for one in listed] == ["audit", "billing"]
    for one in listed:
        matches("Subscription", one)
    lanes = (await send(served, "GET", "/api/v1/plugins")).json()
    assert [(one["name"], one["kind"]) for one in lanes] == [("audit", "subscription"), ("billing", "subscription")]


async def test_another_definition_is_409_with_what_differs_unless_change_is_asked_for(served: Served) -> None:
    """Two applications that share a name by mistake would otherwise take each other's events."""
    await put(served, window=9)
    refused = await put(served, window=10, order="none")
    assert refused.status == 409
    assert refused.json()["differences"] == ['order is "log", not "none"', "window is 9, not 10"]
    assert 'another definition: order is "log", not "none"; window is 9, not 10; ' in message(refused)
    assert (await send(served, "GET")).json()["definition"]["window"] == 9

    changed = await put(served, "?change=true", window=10, order="none")
    assert (changed.status, changed.json()["definition"]["window"]) == (200, 10)
    assert (await put(served, window=10, order="none")).status == 200
    fixed = await put(served, "?change=true", granularity="transaction")
    assert (fixed.status, message(fixed)[:48]) == (400, "granularity: is fixed as 'block' for the life of")


async def test_start_is_resolved_when_it_is_created_and_not_compared(served: Served) -> None:
    await served.commit(1)
    token = (await put(served)).json()["token"]
    await served.commit(2)
    head = served.store.writer.tip().position
    again = await put(served, start="genesis")
    assert (again.status, again.json()["definition"]["start"], again.json()["lag"]) == (200, "now", head - 1)
    await send(served, "DELETE")
    assert (await put(served, start="genesis")).json()["lag"] == head
    await send(served, "DELETE")
    assert (await put(served, start=token)).json()["lag"] == head - 1


async def test_a_token_within_a_block_is_the_place_of_a_subscription_of_transactions(served: Served) -> None:
    """The next transaction of that block is the first one: neither lost nor given again."""
    await served.commit(5)
    page = (await send(served, "GET", "/api/v1/events?granularity=transaction&limit=2")).json()
    made = (await put(served, granularity="transaction", start=page["next"])).json()
    assert made["token"] == page["next"]


@pytest.mark.parametrize(
    ("where", "status", "text"),
    [
        ("1.AAAA", 400, "'1.AAAA' is no token"),
        ("position:99", 400, "position:99 is beyond the end"),
        ("height:99", 400, "height:99 is beyond the end"),
        # Of another chain.
        ("1.AAAAAAAAAAAAAAAAAAAABf____8AAAAAAAAAAA", 410, "the log does not hold position"),
    ],
)
async def test_a_start_that_is_no_place_here_creates_nothing(
    served: Served, where: str, status: int, text: str
) -> None:
    answer = await put(served, start=where)
    assert answer.status == status, answer.body
    assert text in message(answer)
    assert (await send(served, "GET")).status == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("", b"{", 400, "the definition is not JSON: "),
        ("", b"[]", 400, "the definition: must be an object, found a list"),
        ("", b'{"window": 65537}', 400, "window: must be a whole number from 1 to 65536, found 65537"),
        ("", b'{"filter": 1}', 400, "'filter': unknown member; a subscription has log, granularity"),
        ("", b" " * 70_000, 413, "the body has 70000 bytes, at most 65536 are read"),
        ("/x/y", b"", 404, "Not found"),
        ("%00", b"", 400, "name: must be 1 to 100 printable characters"),
        ("x" * 100, b"", 400, "name: must be 1 to 100 printable characters"),
    ],
)
async def test_what_breaks_a_rule_is_refused_with_the_rule(
    served: Served, path: str, body: bytes, status: int, text: str
) -> None:
    answer = await ask(served.api.port, "PUT", AT + path, body)
    assert answer.status == status
    assert text in message(answer)


async def test_a_name_has_any_printable_characters(served: Served) -> None:
    name = "\N{LINKED PAPERCLIPS}" * 100
    path = f"/api/v1/subscriptions/{quote(name)}"
    assert (await ask(served.api.port, "PUT", path)).status == 201
    assert (await ask(served.api.port, "GET", path)).json()["name"] == name
    assert (await ask(served.api.port, "DELETE", path)).status == 204


async def test_arguments_that_there_are_not_are_refused(served: Served) -> None:
    for method, path in (
        ("PUT", "?changes=true"),
        ("PUT", "?change=yes"),
        ("GET", "/parked?from=1"),
        ("DELETE", "?x="),
    ):
        await put(served)
        assert (await send(served, method, path)).status == 400, path


async def test_a_plugin_is_no_subscription(start: Start) -> None:
    served = await start(plugins=[status("")])
    answer = await send(served, "GET", "/api/v1/subscriptions/audit")
    assert (answer.status, message(answer)[:33]) == (404, "there is no subscription 'audit';")


async def test_delete_is_204_also_if_it_is_gone(served: Served) -> None:
    await put(served)
    answers = [await send(served, "DELETE") for _ in range(2)]
    assert [(one.status, one.body) for one in answers] == [(204, b"")] * 2
    assert (await send(served, "GET")).status == 404
    assert served.store.node.lane_names() == []
    answer = await send(served, "GET")
    assert message(answer) == "there is no subscription 'billing'; PUT /api/v1/subscriptions/NAME creates one"


async def test_more_than_the_limit_are_refused(start: Start) -> None:
    served = await start(limits=Limits(subscription_count_max=1))
    await put(served)
    answer = await send(served, "PUT", "/api/v1/subscriptions/another")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "limits.subscription_count_max" in message(answer)
    assert (await put(served)).status == 200


async def test_orders_take_its_name_under_both_paths(served: Served) -> None:
    await served.commit(2)
    await put(served, start="genesis")
    for path in (AT, "/api/v1/plugins/billing"):
        assert (await send(served, "POST", f"{path}/pause")).json()["state"] == "PAUSED"
        assert (await send(served, "POST", f"{path}/resume")).json()["state"] == "STOPPED"
        again = await send(served, "POST", f"{path}/resume")
        assert (again.status, "subscription 'billing' is STOPPED: it cannot be resumed" in message(again)) == (
            409,
            True,
        )
        sought = await send(served, "POST", f"{path}/seek", {"place": "now"})
        assert (sought.status, sought.json()["lag"]) == (200, 0)
        assert (await send(served, "POST", f"{path}/seek", {"place": "genesis"})).json()["lag"] > 0
    matches("Plugin", sought.json())


@pytest.mark.parametrize(
    ("order", "body", "text"),
    [
        ("pause", {"now": True}, "the body of this order must be none: "),
        ("seek", {}, 'the body of this order must be {"place": "genesis"}: '),
        ("seek", {"place": "there"}, "expected one of now, genesis"),
        ("seek", [], "the body of this order must be"),
        ("retry", {"positions": []}, "positions: must be 1 to 1000, found 0"),
        ("retry", {"positions": [1] * 1001}, "positions: must be 1 to 1000, found 1001"),
        ("retry", {"positions": ["1"]}, "expected position:index, such as 41:3; found '1'"),
        ("retry", {"positions": [-1]}, "expected position:index, such as 41:3; found '-1'"),
        ("discard", {}, "positions: missing"),
    ],
)
async def test_a_malformed_order_is_refused_with_its_form(served: Served, order: str, body: object, text: str) -> None:
    await put(served, granularity="transaction")
    answer = await send(served, "POST", f"/{order}", body)
    assert answer.status == 400
    assert text in message(answer)


async def test_an_order_that_is_longer_than_any_is_not_parsed(served: Served) -> None:
    """Parsing a mebibyte of positions would hold up everybody else."""
    await put(served)
    for order in ("pause", "seek", "retry", "discard"):
        answer = await send(served, "POST", f"/{order}", {"positions": [1] * 40_000})
        assert (answer.status, message(answer)) == (413, "the body has 120015 bytes, at most 65536 are read")


async def test_orders_to_nothing_are_404(served: Served) -> None:
    for path in (f"{AT}/pause", f"{AT}/parked"):
        answer = await send(served, "GET" if path.endswith("parked") else "POST", path)
        assert answer.status == 404
        assert "no plugin is enabled and no subscription is there of the name 'billing'" in message(answer)


async def test_parked_events_are_listed_page_by_page_and_come_again_by_hand_alone(served: Served) -> None:
    await served.commit(3)
    await put(served, granularity="transaction")
    position = served.store.writer.tip().position
    numbers = [TRANSACTIONS.number(position, index) for index in range(3)]
    for number in numbers:
        served.store.node.park(TroubleRow("billing", number, 5, 5, 1.5, "ValueError: http://a:secret@b", 2.5))
    first = (await send(served, "GET", "/parked?limit=2")).json()
    matches("ParkedPage", first)
    assert [one["position"] for one in first["parked"]] == [f"{position}:0", f"{position}:1"]
    assert "secret" not in str(first)
    rest = (await send(served, "GET", f"/parked?limit=2&after={first['next']}")).json()
    assert ([one["position"] for one in rest["parked"]], rest["next"]) == ([f"{position}:2"], None)
    assert (await send(served, "GET", "/parked?after=x")).status == 400

    assert (await send(served, "POST", "/discard", {"positions": [f"{position}:0"]})).status == 200
    assert (await send(served, "POST", "/retry", {"positions": [f"{position}:1"]})).status == 200
    unknown = await send(served, "POST", "/discard", {"positions": [f"{position}:0"]})
    assert (unknown.status, f"{position}:0 is not parked" in message(unknown)) == (409, True)
    left = (await send(served, "GET", "/parked")).json()["parked"]
    assert [(one["position"], one["returns"]) for one in left] == [(f"{position}:1", True), (f"{position}:2", False)]


async def test_scopes_decide_what_is_seen_and_changed(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """A key of one application must neither read nor end what another consumes."""
    served = await start(access=Access(anonymous="none"), plugins=[status("")])
    keys = {text: served.new_key(text)[1] for text in ("read", "read subscribe:bill*", "operate", "read subscribe:x")}
    caplog.set_level(logging.INFO, "bigchaindb.access")
    for scopes, may in (
        ("read", False),
        ("read subscribe:x", False),
        ("operate", True),
        ("read subscribe:bill*", True),
    ):
        for method, path in (
            ("PUT", ""),
            ("GET", ""),
            ("GET", "/parked"),
            ("POST", "/pause"),
            ("POST", "/resume"),
            ("POST", "/api/v1/plugins/billing/pause"),
            ("POST", "/api/v1/plugins/billing/resume"),
            ("DELETE", ""),
        ):
            answer = await send(served, method, path, None, keys[scopes])
            assert (answer.status < 300) is may, (scopes, method, path, answer.body)
            assert may or answer.status == 403
    await send(served, "PUT", "", None, keys["operate"])
    for scopes, names in (("read", ["audit"]), ("read subscribe:bill*", ["audit", "billing"])):
        lanes = (await send(served, "GET", "/api/v1/plugins", None, keys[scopes])).json()
        assert [one["name"] for one in lanes] == names
        listed = (await send(served, "GET", "/api/v1/subscriptions", None, keys[scopes])).json()
        assert [one["name"] for one in listed] == names[1:]
    # A pattern that takes in a plugin's name gives no orders to the plugin.
    _, every = served.new_key("read subscribe:*")
    answer = await send(served, "POST", "/api/v1/plugins/audit/pause", None, every)
    assert (answer.status, message(answer)[:24]) == (403, "needs the scope operate;")
    ordered = [record for record in caplog.records if record.message == "ordered"]
    assert [(one.order, one.subscription) for one in ordered[:3]] == [  # type: ignore[attr-defined]
        ("create", "billing"),
        ("pause", "billing"),
        ("resume", "billing"),
    ]
    assert {one.who.partition(":")[0] for one in ordered} == {"key"}  # type: ignore[attr-defined]


async def test_a_long_name_fills_neither_the_log_nor_an_answer(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Each refusal is a line, and anybody may ask for a name of some thousand characters."""
    served = await start(access=Access(anonymous="read"))
    caplog.set_level(logging.INFO, "bigchaindb.access")
    path = f"/api/v1/subscriptions/{5_000 * 'x'}"
    for method, asked, headers in (("GET", path, {}), ("POST", f"{path}/pull", {}), ("GET", path, UPGRADE)):
        answer = await ask(served.api.port, method, asked, **headers)
        assert (answer.status, len(answer.body) < 300) == (401, True), (method, asked[-10:], len(answer.body))
    assert [len(one.scope) < 300 for one in caplog.records if one.message == "refused"] == [True] * 3  # type: ignore[attr-defined]


async def test_a_damaged_row_is_named_and_never_served_or_replaced(start: Start) -> None:
    served = await start()
    await put(served)
    with closing(open_writer(served.store.directory.node)) as connection:
        connection.execute("UPDATE subscriptions SET definition = '{}'")
    answer = await put(served, "?change=true", window=5)
    assert (answer.status, "StoreDamaged" in message(answer)) == (500, True)
    assert served.store.damages.first is not None
    assert served.store.damages.first.table == "subscriptions"


async def test_a_definition_of_a_later_version_stops_nobody(start: Start) -> None:
    """The node starts; the subscription waits for that version."""
    served = await start()
    served.store.node.put_subscription(SubscriptionRow("future", '{"log":"votes"}', 1.5, 0))
    assert (await send(served, "GET", "/api/v1/subscriptions")).json() == []


async def test_many_are_listed_whole(served: Served) -> None:
    """A list in pieces must be JSON, and leave nobody out."""
    names = [f"s{number:02}" for number in range(40)]
    for name in names:
        await send(served, "PUT", f"/api/v1/subscriptions/{name}")
    for path in ("/api/v1/subscriptions", "/api/v1/plugins"):
        assert [one["name"] for one in (await send(served, "GET", path)).json()] == names


async def test_of_many_that_put_at_once_one_creates(served: Served) -> None:
    """All instances of an application start together."""
    answers = await asyncio.gather(*(put(served, granularity="transaction") for _ in range(20)))
    assert sorted(one.status for one in answers) == [200] * 19 + [201]
    assert len({one.body for one in answers}) == 1


async def test_changes_deletions_and_orders_at_once_are_answered_and_leave_a_whole(served: Served) -> None:
    """Whatever the turn is in which they are carried out, none is a defect."""
    calls = [
        ("PUT", "", {"window": 5}),
        ("PUT", "?change=true", {"window": 6}),
        ("DELETE", "", None),
        ("POST", "/pause", None),
        ("POST", "/seek", {"place": "genesis"}),
        ("GET", "", None),
        ("GET", "/parked", None),
    ]
    await served.commit(2)
    answers = await asyncio.gather(*(send(served, *call) for _ in range(8) for call in calls))
    assert {one.status for one in answers} <= {200, 201, 204, 404, 409}
    is_there = (await send(served, "GET")).status == 200
    assert served.store.node.lane_names() == (["billing"] if is_there else [])
    assert (served.store.node.subscription("billing") is not None) is is_there
