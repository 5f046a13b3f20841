"""The log of rejected transactions over HTTP. Source: docs/reference/http-events.md; promises P4, P5, P8, P21."""

import json
from pathlib import Path
from typing import Any

from bigchaindb.config import Access, Limits
from bigchaindb.engine.engine import Mode
from bigchaindb.errors import InputDoesNotExist
from bigchaindb.streams.cloud_events import Choice
from tests.integration.api.conftest import Start
from tests.support.chains import ALICE, BOB, CHILD, PARENT, create
from tests.support.http import Answer
from tests.support.raw import ask, until
from tests.support.served import CHAIN_ID, Served, serving
from tests.support.sse import listening

PATH = "/api/v1/rejected"


async def asked(served: Served, query: str = "") -> Answer:
    return await ask(served.api.port, "GET", PATH + query)


async def page(served: Served, query: str = "") -> dict[str, Any]:
    answer = await asked(served, query)
    assert answer.status == 200, answer
    document: dict[str, Any] = answer.json()
    return document


def subjects(document: dict[str, Any]) -> list[str]:
    return [event["subject"] for event in document["events"]]


async def test_p21_a_rejected_transaction_is_a_cloud_event(served: Served) -> None:
    """Whoever posted it can correct it and send it again."""
    await served.reject(CHILD)
    answer = await page(served)
    [event] = answer["events"]
    name = f"{CHAIN_ID}:node:{served.store.node.id}"
    time = event.pop("time")
    assert time.endswith("Z")
    assert event == {
        "specversion": "1.0",
        "source": f"urn:bigchaindb:{name}",
        "type": "com.bigchaindb.transaction.rejected.v1",
        "id": f"{name}:{1:020d}",
        "subject": CHILD.id,
        "sequence": f"{1:020d}",
        "partitionkey": PARENT.id,
        "datacontenttype": "application/json",
        "data": {
            "error": "DoubleSpend",
            "message": "input `x` was already spent",
            "transaction": json.loads(CHILD.body),
        },
    }
    assert answer["head"] is True


async def test_an_empty_log_has_a_token_to_come_back_with(served: Served) -> None:
    first = await page(served)
    assert (first["events"], first["head"]) == ([], True)
    await served.reject(CHILD)
    assert subjects(await page(served, f"?after={first['next']}")) == [CHILD.id]


async def test_pages_follow_each_other_to_the_head(served: Served) -> None:
    made = [create(number) for number in range(5)]
    for one in made:
        await served.reject(one)
    found, query = list[str](), "?limit=2"
    while not (answer := await page(served, query))["head"]:
        found += subjects(answer)
        query = f"?limit=2&after={answer['next']}"
    assert [*found, *subjects(answer)] == [one.id for one in made]


async def test_filters_are_those_of_events(served: Served) -> None:
    for one in (PARENT, CHILD, create(2)):
        await served.reject(one)
    assert subjects(await page(served, f"?asset={PARENT.id}")) == [PARENT.id, CHILD.id]
    assert subjects(await page(served, "?operation=TRANSFER")) == [CHILD.id]
    assert subjects(await page(served, f"?owner={BOB.public_key}")) == [CHILD.id]
    assert len(subjects(await page(served, f"?owner={ALICE.public_key}"))) == 3


async def test_wrong_arguments_are_named(served: Served) -> None:
    for query in ("?granularity=block", "?type=valid", "?afer=1"):
        answer = await asked(served, query)
        assert answer.status == 400
        assert "use after, limit, before, operation, asset, owner, metadata.<path>" in answer.json()["message"]
    assert "is no token" in (await asked(served, "?after=x")).json()["message"]["after"]
    assert "is no token" in (await asked(served, "?before=x")).json()["message"]["before"]
    assert (await asked(served, "?limit=0")).status == 400
    async with listening(served.api.port, "?before=now", path=PATH) as source:
        assert source.status == 400


async def newest(served: Served, query: str = "") -> list[str]:
    """Return the subjects of all pages, newest first."""
    found, place = list[str](), "now"
    while True:
        answer = await page(served, f"?limit=2&before={place}{query}")
        found += subjects(answer)
        if answer["end"]:
            return found
        place = answer["next"]


async def test_newest_first_is_the_same_log_from_its_end(served: Served) -> None:
    assert await newest(served) == []
    made = [*(create(number) for number in range(5)), CHILD]
    for one in made:
        await served.reject(one)
    assert await newest(served) == [one.id for one in made[::-1]]
    assert await newest(served, "&operation=TRANSFER") == [CHILD.id]
    first = await page(served, "?limit=2")
    between = f"&after={first['next']}"
    assert await newest(served, between) == [one.id for one in made[:1:-1]]
    assert subjects(await page(served, f"?before={first['next']}")) == [one.id for one in made[1::-1]]
    assert (await page(served, "?limit=2&before=now"))["events"] == (await page(served, between.replace("&", "?")))[
        "events"
    ][:1:-1]


async def test_newest_first_a_page_has_the_place_where_what_comes_later_begins(served: Served) -> None:
    live = (await page(served, "?before=now"))["live"]
    await served.reject(PARENT)
    answer = await page(served, f"?after={live}")
    assert subjects(answer) == [PARENT.id]
    assert (await page(served, f"?before={answer['next']}"))["live"] == answer["next"]


async def test_p8_newest_first_a_foreign_place_is_lost_and_the_first_row_that_is_left_is_the_end(start: Start) -> None:
    served = await start(limits=Limits(rejected_log_count_max=3))
    for number in range(5):
        await served.reject(create(number))
    answer = await page(served, "?limit=2&before=now")
    assert (subjects(answer), answer["end"]) == ([create(4).id, create(3).id], False)
    last = await page(served, f"?before={answer['next']}")
    assert (subjects(last), last["end"]) == ([create(2).id], True)
    assert subjects(await page(served, f"?before={last['next']}")) == []
    for number in range(5, 8):
        await served.reject(create(number))
    assert (await asked(served, f"?before={answer['next']}")).status == 410
    await served.commit()
    of_events = (await ask(served.api.port, "GET", "/api/v1/events")).json()["next"]
    assert (await asked(served, f"?before={of_events}")).status == 410


async def test_newest_first_what_is_newer_than_a_damaged_row_is_served(served: Served) -> None:
    for number in range(4):
        await served.reject(create(number))
    with served.store.node.batch() as connection:
        connection.execute("UPDATE rejected_transactions SET error = 'x' WHERE seq = 2")
    answer = await page(served, "?before=now")
    assert (subjects(answer), answer["end"]) == ([create(3).id, create(2).id], False)
    assert (await asked(served, f"?before={answer['next']}")).status == 500


async def test_p8_a_token_of_events_or_of_another_node_is_lost(served: Served, tmp_path: Path) -> None:
    """Under the same number another node has another transaction."""
    await served.commit()
    await served.reject(CHILD)
    of_events = (await ask(served.api.port, "GET", "/api/v1/events")).json()["next"]
    assert (await asked(served, f"?after={of_events}")).status == 410
    own = (await page(served))["next"]
    assert (await ask(served.api.port, "GET", f"/api/v1/events?after={own}")).status == 410
    async with serving(tmp_path / "other") as other:
        await other.reject(CHILD)
        assert (await asked(other, f"?after={own}")).status == 410
        async with listening(other.api.port, f"?after={own}", path=PATH) as source:
            assert source.status == 410


async def test_p8_a_place_that_newer_rows_have_pushed_out_is_lost(start: Start) -> None:
    served = await start(limits=Limits(rejected_log_count_max=2))
    await served.reject(create(1))
    first = (await page(served))["next"]
    await served.reject(create(2))
    assert subjects(await page(served, f"?after={first}")) == [create(2).id]
    for number in (3, 4):
        await served.reject(create(number))
    answer = await asked(served, f"?after={first}")
    assert (answer.status, answer.json()["position"], answer.json()["head"]) == (410, 1, 4)
    assert subjects(await page(served)) == [create(3).id, create(4).id]


async def test_a_stream_begins_with_what_is_rejected_from_now_on(served: Served) -> None:
    await served.reject(PARENT)
    async with listening(served.api.port, path=PATH) as source:
        await served.reject(CHILD, InputDoesNotExist("input `y` doesn't exist"))
        event = await source.event()
        assert (event["subject"], event["data"]["error"]) == (CHILD.id, "InputDoesNotExist")
        assert event == (await page(served))["events"][1]  # P5
        token = source.last_id
    await served.reject(create(3))
    async with listening(served.api.port, f"?after={token}", path=PATH) as source:
        assert (await source.event())["subject"] == create(3).id


async def test_a_stream_whose_place_is_pushed_out_ends_and_is_told_so_when_it_returns(start: Start) -> None:
    served = await start(limits=Limits(rejected_log_count_max=1))
    await served.reject(create(1))
    token = (await page(served))["next"]
    streams = served.api._all_streams[1]
    stream = await streams.open(Choice(), token)
    for number in (2, 3, 4):
        await served.reject(create(number))
    pieces = [piece async for piece in stream.pieces]
    assert len(pieces) == 1  # the opening
    stream.close()
    assert (await asked(served, f"?after={token}")).status == 410


async def test_streams_of_all_kinds_share_their_bound(start: Start) -> None:
    served = await start(limits=Limits(sse_connection_count_max=1))
    async with listening(served.api.port), listening(served.api.port, path=PATH) as source:
        assert source.status == 503
    await until(lambda: served.api.stream_count == 0, "the stream to be closed")
    async with listening(served.api.port, path=PATH) as source:
        assert source.status == 200


async def test_it_needs_the_scope_read(start: Start) -> None:
    served = await start(access=Access(anonymous="none"))
    assert (await asked(served)).status == 401
    _, key = served.new_key("read")
    answer = await ask(served.api.port, "GET", PATH, Authorization=f"Bearer {key}")
    assert answer.status == 200


async def test_a_subscription_delivers_them_and_keeps_its_place(served: Served) -> None:
    at = "/api/v1/subscriptions/correct"

    async def pull(**asked: object) -> dict[str, Any]:
        answer = await ask(served.api.port, "POST", f"{at}/pull", json.dumps({"wait_s": 20, **asked}).encode())
        assert answer.status == 200, answer
        document: dict[str, Any] = answer.json()
        return document

    made = await ask(served.api.port, "PUT", at, json.dumps({"log": "rejected"}).encode())
    assert (made.status, made.json()["definition"]["granularity"]) == (201, "transaction")
    await served.reject(PARENT)
    [first] = (await pull())["events"]
    assert first["event"] == (await page(served))["events"][0]
    await served.reject(CHILD)
    [second] = (await pull(ack=[first["lease"]]))["events"]
    assert second["event"]["subject"] == CHILD.id
    await pull(ack=[second["lease"]], count=0)
    shown = (await ask(served.api.port, "GET", at)).json()
    assert (shown["cursor"], shown["lag"]) == (2, 0)


class TestStatuses:
    async def test_they_remember_after_a_restart(self, tmp_path: Path) -> None:
        """Upstream lost them, and so did this node before it had this log."""
        async with serving(tmp_path) as served:
            await served.reject(CHILD)
        async with serving(tmp_path) as served:
            answer = await ask(served.api.port, "GET", f"/api/v1/statuses?transaction_id={CHILD.id}")
        assert answer.json() == {"message": "rejected (DoubleSpend): input `x` was already spent", "status": 404}

    async def test_what_was_rejected_and_committed_later_is_valid(self, served: Served) -> None:
        await served.reject(PARENT)
        await served.engine.submit(PARENT.body, Mode.COMMIT)
        answer = await ask(served.api.port, "GET", f"/api/v1/statuses?transaction_id={PARENT.id}")
        assert answer.json() == {"status": "valid"}

    async def test_damage_is_named_and_never_served(self, served: Served) -> None:
        await served.reject(PARENT)
        await served.reject(CHILD)
        with served.store.node.batch() as connection:
            connection.execute("UPDATE rejected_transactions SET error = 'x' WHERE seq = 2")
        answer = await ask(served.api.port, "GET", f"/api/v1/statuses?transaction_id={CHILD.id}")
        assert (answer.status, answer.json()["message"][:37]) == (500, "Internal Server Error (StoreDamaged):")
        first = await page(served)
        assert subjects(first) == [PARENT.id]
        assert first["head"] is False
        assert (await asked(served, f"?after={first['next']}")).status == 500
        assert served.store.damages.first is not None
        assert served.store.damages.first.row == "2"
