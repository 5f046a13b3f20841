"""The event log page by page. Source: docs/reference/http-events.md; promises P5, P8 and P15."""

import asyncio
import json
from urllib.parse import urlencode

import pytest

from bigchaindb.config import Limits
from bigchaindb.engine.engine import Mode
from bigchaindb.eventlog.token import WHOLE, encode
from bigchaindb.transaction.build import Payment, Spend, create, transfer
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.transaction.model import OutputRef
from tests.integration.api.conftest import Start
from tests.support.event_pages import asked, commit, everything, newest, one, page, twice
from tests.support.raw import ask
from tests.support.served import CHAIN_ID, KEY, Served

BOB = KeyPair.from_seed(b"b" * 32)


class TestPages:
    async def test_an_empty_log_is_an_empty_page_at_the_head(self, served: Served) -> None:
        first = await page(served)
        assert (first["events"], first["head"]) == ([], True)
        id_ = await commit(served)
        [event] = (await page(served, after=first["next"]))["events"]
        assert [one["id"] for one in event["data"]["block"]["transactions"]] == [id_]

    async def test_it_begins_at_the_first_and_next_leads_to_the_head(self, served: Served) -> None:
        """Whoever sets up a copy of the ledger starts with an empty hand."""
        for number in range(5):
            await commit(served, n=number)
        by_two = await everything(served, limit=2)
        assert [event["sequence"] for event in by_two] == [f"{position:020d}" for position in range(1, 6)]
        assert by_two == await everything(served, limit=1) == await everything(served)

    async def test_next_of_the_last_page_leads_to_what_comes_later(self, served: Served) -> None:
        await commit(served)
        last = await page(served)
        assert (await page(served, after=last["next"])) == {"events": [], "head": True, "next": last["next"]}
        await commit(served)
        [event] = (await page(served, after=last["next"]))["events"]
        assert event["sequence"] == f"{2:020d}"

    async def test_rejected_blocks_are_events_too_and_can_be_chosen(self, start: Start) -> None:
        served = await start(propose=twice)
        await commit(served)
        kinds = ["com.bigchaindb.block.invalid.v1", "com.bigchaindb.block.valid.v1"]
        assert [event["type"] for event in await everything(served)] == kinds
        for number, chosen in enumerate(("invalid", "valid")):
            assert [event["type"] for event in await everything(served, type=chosen)] == [kinds[number]]
        assert len(await everything(served, granularity="transaction")) == 1

    async def test_bytes_of_a_page_are_bounded(self, start: Start) -> None:
        """A client that asks for a thousand large blocks must not fill the node's memory."""
        served = await start(limits=Limits(event_page_bytes_max=3_000))
        for _ in range(4):
            await commit(served, text="x" * 1_000)
        first = await page(served, limit=1000)
        assert (len(first["events"]), first["head"]) == (1, False)
        assert len(await everything(served, limit=1000)) == 4

    async def test_a_page_where_nothing_matches_moves_all_the_same(self, start: Start) -> None:
        """Otherwise a filter that matches once in a million blocks would never get there."""
        served = await start()
        await commit(served, metadata={"wanted": "no"})
        end = await page(served, metadata__wanted="yes")
        assert (end["events"], end["head"]) == ([], True)
        assert end["next"] == (await page(served))["next"]

    async def test_head_and_other_origins_as_everywhere(self, served: Served) -> None:
        answer = await ask(served.api.port, "HEAD", "/api/v1/events", None, Origin="https://example.com")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://example.com")


class TestTransactions:
    """`granularity=transaction`: each transaction of a valid block is an event of its own."""

    async def test_each_stands_alone_in_block_order_and_blocks_can_be_cut(self, served: Served) -> None:
        """A consumer that writes row by row resumes within a block."""
        await served.commit(40)
        await served.commit(7)
        blocks = await everything(served)
        expected = [one["id"] for event in blocks for one in event["data"]["block"]["transactions"]]
        for limit in (1, 3, 47, 1000):
            taken = await everything(served, granularity="transaction", limit=limit)
            assert [event["data"]["id"] for event in taken] == expected
            assert [event["sequence"] for event in taken] == sorted({event["sequence"] for event in taken})

    async def test_only_those_that_match(self, served: Served) -> None:
        wanted = [create([KEY], data={"n": n}, metadata={"colour": "red"}) for n in range(5)]
        others = [create([KEY], data={"n": n}, metadata={"colour": "blue"}) for n in range(5)]
        await asyncio.gather(*(served.engine.submit(one.body, Mode.COMMIT) for one in [*wanted, *others]))
        for limit in (1, 2, 100):
            arguments = {"granularity": "transaction", "metadata.colour": "red", "limit": limit}
            taken = await everything(served, **arguments)
            assert {event["data"]["id"] for event in taken} == {one.id for one in wanted}
            assert len(taken) == len(wanted)

    async def test_a_token_within_a_block_gives_the_whole_block_to_who_asks_for_blocks(self, served: Served) -> None:
        """A block is never cut: what was seen of it comes again."""
        await served.commit(10)
        within = await page(served, granularity="transaction", limit=1)
        assert (await everything(served, after=within["next"])) == await everything(served)


class TestFilters:
    async def test_by_operation_asset_owner_and_metadata(self, served: Served) -> None:
        made = create([KEY], data={"n": 1}, metadata={"place": {"city": "Berlin"}, "n": 5})
        await served.engine.submit(made.body, Mode.COMMIT)
        details = details_of([KEY.public_key])
        passed = transfer(
            made.id, [Spend(OutputRef(made.id, 0), details, (KEY,))], [Payment(details_of([BOB.public_key]))]
        )
        await served.engine.submit(passed.body, Mode.COMMIT)
        other = create([BOB], data={"n": 2})
        await served.engine.submit(other.body, Mode.COMMIT)
        for arguments, expected in (
            ({"operation": "CREATE"}, [made, other]),
            ({"operation": "TRANSFER"}, [passed]),
            ({"asset": made.id}, [made, passed]),
            ({"owner": BOB.public_key}, [passed, other]),
            ({"owner": KEY.public_key, "operation": "TRANSFER"}, [passed]),
            ({"metadata.place.city": "Berlin"}, [made]),
            ({"metadata.n": "5"}, [made]),
            ({"metadata.n": "6"}, []),
            ({"metadata.n[gte]": "5", "metadata.n[lt]": "5.5"}, [made]),
            ({"metadata.n[exists]": "false"}, [passed, other]),
            ({"data.n[gt]": "1"}, [other]),
            ({"data.n[ne]": "1"}, [other]),
        ):
            for granularity in ("block", "transaction"):
                taken = await everything(served, granularity=granularity, **arguments)
                found = [
                    one["id"]
                    for event in taken
                    for one in (event["data"]["block"]["transactions"] if granularity == "block" else [event["data"]])
                ]
                assert found == [one.id for one in expected], arguments


class TestNewestFirst:
    async def test_pages_lead_from_the_end_to_the_beginning_and_live_leads_on(self, start: Start) -> None:
        """A list of the last blocks, which a stream then keeps up to date."""
        served = await start(propose=twice)
        for number in range(3):
            await commit(served, n=number)
        expected = [one["sequence"] for one in await everything(served)][::-1]
        first = await newest(served, before="now", limit=2)
        assert await newest(served, before="now", limit=2) == first
        await commit(served)
        taken, one = list(first["events"]), first
        while not one["end"]:
            one = await newest(served, before=one["next"], limit=2)
            taken += one["events"]
        assert [event["sequence"] for event in taken] == expected
        assert len(await everything(served, after=first["live"])) == 2

    async def test_the_events_are_those_of_other_pages(self, served: Served) -> None:
        await served.commit(5)
        for arguments in ({}, {"granularity": "transaction"}, {"detail": "summary"}, {"type": "invalid"}):
            oldest = (await page(served, **arguments))["events"]
            assert (await newest(served, before="now", **arguments))["events"] == oldest[::-1]

    async def test_between_two_tokens(self, served: Served) -> None:
        for _ in range(4):
            await commit(served)
        low, high = [(await page(served, limit=limit))["next"] for limit in (1, 3)]
        one = await newest(served, before=high, after=low)
        assert [event["sequence"][-1] for event in one["events"]] == ["3", "2"]
        assert (one["end"], one["live"]) == (True, high)

    async def test_another_log_is_gone_as_it_is_behind_a_token(self, served: Served) -> None:
        await commit(served)
        for wrong in (encode("solo-other", 1, WHOLE, bytes(32)), encode(CHAIN_ID, 99, WHOLE, bytes(32))):
            for arguments in ({"before": wrong}, {"before": "now", "after": wrong}):
                assert (await asked(served, **arguments)).status == 410

    @pytest.mark.parametrize("position", [2**63 - 1, 2**64 - 1])
    async def test_a_place_beyond_every_log_is_gone_for_an_asset_too(self, served: Served, position: int) -> None:
        """Such a number is no integer of SQLite; where an asset's history begins is looked up before."""
        (asset,) = await served.commit()
        before = encode(CHAIN_ID, position, WHOLE, bytes(32))
        assert (await asked(served, before=before, asset=asset, granularity="transaction")).status == 410

    async def test_a_stream_has_no_end_to_begin_at(self, served: Served) -> None:
        answer = await ask(served.api.port, "GET", "/api/v1/events?before=now", None, Accept="text/event-stream")
        assert answer.status == 400
        assert answer.json()["message"]["before"].startswith("A stream begins at a place and has no end; read a page")


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ("after=nonsense", "after"),
            ("after=", "after"),
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=x", "limit"),
            ("limit=" + "9" * 5_000, "limit"),
            ("type=VALID", "type"),
            ("granularity=blocks", "granularity"),
            ("granularity=transaction&type=invalid", "type"),
            ("before=yesterday", "before"),
            ("before=NOW", "before"),
            ("before=", "before"),
            ("before=now&after=nonsense", "after"),
            ("before=now&limit=-1", "limit"),
            ("before=now&limit=1000000000", "limit"),
            ("detail=short", "detail"),
        ],
    )
    async def test_a_wrong_argument_is_named(self, served: Served, query: str, named: str) -> None:
        answer = await ask(served.api.port, "GET", f"/api/v1/events?{query}")
        assert answer.status == 400
        assert set(answer.json()["message"]) == {named}

    @pytest.mark.parametrize(
        "query",
        [
            *("operation=create", "asset=1", "owner=x", "metadata.=" + "x" * 2_000, "metadata.a[gtt]=5"),
            *("before=now&data.a[gt]=true", "data" + ".a" * 300 + "=1", "&".join(f"data.{n}=1" for n in range(100))),
        ],
    )
    async def test_a_wrong_filter_is_refused(self, served: Served, query: str) -> None:
        answer = await ask(served.api.port, "GET", f"/api/v1/events?{query}")
        assert answer.status == 400
        assert answer.json()["message"]

    async def test_a_thousand_filters_do_not_fit_an_address(self, served: Served) -> None:
        query = "&".join(f"data.{number}=1" for number in range(1_000))
        answer = await ask(served.api.port, "GET", f"/api/v1/events?{query}")
        assert answer.status in (400, 414, 431)

    async def test_an_unknown_argument_is_refused(self, served: Served) -> None:
        """A misspelt filter must not pass for "everything"."""
        answer = await ask(served.api.port, "GET", "/api/v1/events?onwer=x")
        use = "after, limit, before, type, granularity, detail, operation, asset, owner, metadata.<path>, data.<path>"
        assert answer.status == 400
        assert answer.json()["message"] == f"Unknown arguments: onwer; use {use}"

    async def test_another_log_is_gone_and_says_where_it_is(self, served: Served) -> None:
        """Going on elsewhere would skip or repeat without a word (P8)."""
        await commit(served)
        for wrong, position in (
            (encode("solo-other", 1, WHOLE, bytes(32)), 1),
            (encode(CHAIN_ID, 1, WHOLE, bytes(32)), 1),
            (encode(CHAIN_ID, 99, WHOLE, bytes(32)), 99),
        ):
            answer = await asked(served, after=wrong)
            document = answer.json()
            assert answer.status == document["status"] == 410
            assert (document["position"], document["head"]) == (position, served.hub.head)

    async def test_nothing_beyond_the_announced_head_is_read(self, served: Served) -> None:
        """What is committed but not announced may not be durable everywhere yet (P4)."""
        await commit(served)
        head = served.hub.head
        served.hub._head = head - 1
        assert (await page(served))["events"] == []
        served.hub._head = head
        assert len((await page(served))["events"]) == 1


async def test_the_bytes_of_an_event_are_those_that_plugins_get(served: Served) -> None:
    """One event, one text: hashes over it agree wherever it came from (P5)."""
    await served.commit(3)
    answer = await asked(served)
    log = served.store.log_reader()
    try:
        for record in log.records(0, served.hub.head, count_max=100, bytes_max=10**6):
            assert b',"data":' + record.body + b"}" in answer.body
    finally:
        log.close()
    assert json.loads(answer.body)["events"]


class TestCount:
    async def test_it_counts_what_pages_return(self, start: Start) -> None:
        served = await start(propose=twice)
        made = create([KEY], data={"n": 1, "kind": "bicycle"}, metadata={"n": 5})
        await served.engine.submit(made.body, Mode.COMMIT)
        await served.commit(4)
        middle = (await page(served, limit=1))["next"]
        for arguments in (
            {},
            {"type": "invalid"},
            {"granularity": "transaction"},
            {"asset": made.id},
            {"data.kind": "bicycle", "granularity": "transaction"},
            {"metadata.n[gt]": "4"},
            {"after": middle},
            {"before": middle, "operation": "CREATE"},
        ):
            answer = await ask(served.api.port, "GET", f"/api/v1/events/count?{urlencode(arguments)}")
            assert answer.status == 200, answer
            events = (await newest(served, **({"before": "now"} | arguments)))["events"]
            assert answer.json() == {"count": len(events), "end": True, "next": answer.json()["next"]}

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            *(("limit=5", 400), ("detail=summary", 400), ("before=x", 400), ("after=x", 400), ("data.a[gt]=null", 400)),
            ("before=" + encode("solo-other", 1, WHOLE, bytes(32)), 410),
        ],
    )
    async def test_what_is_wrong_is_refused(self, served: Served, query: str, status: int) -> None:
        assert (await ask(served.api.port, "GET", f"/api/v1/events/count?{query}")).status == status

    async def test_a_scan_ends_in_time_and_says_where(self, start: Start) -> None:
        """A rare filter must not keep the reader process from all others."""
        served = await start(limits=Limits(scan_ms_max=1))
        for _ in range(3):
            await served.commit(100, text="x" * 500)
        arguments = {"metadata.rare[exists]": "true", "granularity": "transaction"}
        total, before = 0, "now"
        for _ in range(1_000):
            query = urlencode({**arguments, "before": before})
            one = (await ask(served.api.port, "GET", f"/api/v1/events/count?{query}")).json()
            total += one["count"]
            if one["end"]:
                break
            before = one["next"]
        assert (one["end"], total) == (True, 0)


class TestOne:
    """`/api/v1/events/{position}`, and the events of a block and of a transaction."""

    async def test_each_event_alone_is_the_one_of_the_pages(self, start: Start) -> None:
        served = await start(propose=twice)
        await served.commit(3)
        await served.commit(1)
        for place, whole in enumerate(await everything(served), 1):
            found = [await one(served, f"events/{place}"), await one(served, f"blocks/{whole['subject']}/event")]
            if "invalid" not in whole["type"]:
                found.append(await one(served, f"blocks/{whole['data']['height']}/event"))
            for each in found:
                assert each == {"event": whole, "index": None, "position": place, "token": found[0]["token"]}
            assert len(await everything(served, after=found[0]["token"])) == served.hub.head - place

    async def test_a_transaction_comes_with_its_place_in_the_block(self, served: Served) -> None:
        await served.commit(5)
        await served.commit(2)
        taken = await everything(served, granularity="transaction")
        for number, event in enumerate(taken):
            position, index = map(int, event["sequence"].split(":"))
            found = await one(served, f"transactions/{event['data']['id']}/event")
            assert found == {"event": event, "index": index, "position": position, "token": found["token"]}
            behind = await everything(served, granularity="transaction", after=found["token"])
            assert behind == taken[number + 1 :]

    @pytest.mark.parametrize(
        "path",
        [
            *("events/0", "events/3", "events/-1", "events/x", "events/" + "9" * 30, "events/1/event"),
            *("blocks/0/event", "blocks/9/event", "blocks/x/event", f"blocks/{'a' * 64}/event"),
            *(f"transactions/{'a' * 64}/event", "transactions/x/event", f"transactions/{'A' * 64}/event"),
        ],
    )
    async def test_what_is_not_there_is_not_found(self, served: Served, path: str) -> None:
        await served.commit(1)
        await served.commit(1)
        assert (await ask(served.api.port, "GET", f"/api/v1/{path}")).status == 404

    async def test_an_event_that_is_not_announced_is_not_there_yet(self, served: Served) -> None:
        """Its token would be refused as one of another log."""
        [id_] = await served.commit(1)
        found = await one(served, "events/1")
        served.hub._head = 0
        for path in ("events/1", "blocks/1/event", f"transactions/{id_}/event"):
            assert (await ask(served.api.port, "GET", f"/api/v1/{path}")).status == 404
        served.hub._head = 1
        assert await one(served, "events/1") == found
