"""The log followed by a client: nothing missed, nothing twice, whatever happens to the connection."""

import asyncio
from contextlib import aclosing

import pytest

from bigchaindb.client import (
    AsyncClient,
    ClientUnusable,
    HistoryLost,
    LogEvent,
    MalformedToken,
    ProofError,
    RequestFailed,
)
from bigchaindb.config import Access, Limits
from bigchaindb.errors import ConfigurationError
from bigchaindb.eventlog.token import WHOLE, encode
from bigchaindb.transaction import Transaction, parse
from bigchaindb.transaction.build import create
from tests.integration.client.conftest import Start
from tests.support.hungry_links import hungry_link
from tests.support.odd_nodes import SILENCE, answer, odd_node, refusal, stream
from tests.support.raw import until
from tests.support.served import KEY, Served


async def listed(client: AsyncClient, **wish: object) -> list[LogEvent]:
    return [event async for event in client.events(until="head", **wish)]  # type: ignore[arg-type]


def ids(events: list[LogEvent]) -> list[str]:
    return [event.id for event in events]


async def test_the_whole_log_and_the_rest_behind_each_token(served: Served) -> None:
    """A token is exact: what comes behind it is neither repeated nor left out, within a block too."""
    async with AsyncClient(served.url) as client:
        assert await listed(client) == []
        for count in (1, 5, 3):
            await served.commit(count)
        blocks = await listed(client)
        assert [event.position for event in blocks] == list(range(1, served.hub.head + 1))
        each = await listed(client, granularity="transaction")
        assert [one["id"] for event in blocks for one in event.transactions] == [event.subject for event in each]
        for events, wish in ((blocks, {}), (each, {"granularity": "transaction"})):
            for number, event in enumerate(events, 1):
                assert ids(await listed(client, after=event.token, **wish)) == ids(events[number:])


async def test_a_list_ends_with_the_log_though_nothing_matches_at_its_end(served: Served) -> None:
    async with AsyncClient(served.url) as client:
        first = await served.commit()
        for _ in range(3):
            await served.commit()
        assert [
            event.subject for event in await listed(client, granularity="transaction", select={"asset": first[0]})
        ] == first
        assert await listed(client, select={"operation": "TRANSFER"}) == []
        assert await listed(client, select={"metadata.none[exists]": True}) == []
        assert await listed(client, select={"data.none[exists]": False}) != []
        assert await listed(client, types="invalid") == []
        assert await listed(client, after="now") == []


async def test_what_is_committed_later_is_followed(served: Served) -> None:
    async with AsyncClient(served.url) as client, aclosing(client.events(after="now")) as events:
        await served.commit()
        waiting = asyncio.ensure_future(anext(events))
        await until(lambda: served.api.stream_count == 1, "the stream")
        later = await served.commit()
        assert [one["id"] for one in (await waiting).transactions] == later


async def test_nothing_is_missed_or_repeated_over_broken_connections(served: Served) -> None:
    async with hungry_link(served.api.port) as link, AsyncClient(link.url) as client:
        seen: list[LogEvent] = []

        async def follow() -> None:
            async for event in client.events(granularity="transaction"):
                seen.append(event)  # noqa: PERF401 - it has no end

        following = asyncio.create_task(follow())
        wanted: list[str] = []
        for number in range(12):
            wanted.extend(await served.commit(3))
            if number % 3 == 1:
                await until(lambda: len(seen) == len(wanted), "what was committed")
                link.cut("refused")
                wanted.extend(await served.commit(2))
                link.mend()
        await until(lambda: len(seen) >= len(wanted), "all transactions")
        following.cancel()
        assert [event.subject for event in seen] == [
            event.subject for event in await listed(client, granularity="transaction")
        ]
        assert sorted(event.subject for event in seen) == sorted(wanted)


async def test_a_token_of_another_log_ends_the_iteration(start: Start) -> None:
    """P8: a person decides where to go on."""
    node, other = await start(), await start("other")
    await node.commit()
    await other.commit()
    async with AsyncClient(node.url) as client, AsyncClient(other.url) as elsewhere:
        [event] = await listed(elsewhere)
        for wish in ({}, {"until": "head"}):
            events = client.events(after=event.token, **wish)  # type: ignore[arg-type]
            if wish:  # the place is behind the whole log of this node, which has as many events
                await node.commit()
            with pytest.raises(HistoryLost) as lost:
                await anext(events)
            assert lost.value.position == 1
            with pytest.raises(StopAsyncIteration):
                await anext(events)


@pytest.mark.parametrize("wish", [{}, {"until": "head"}])
async def test_what_is_no_token_is_named_before_anything_is_asked(wish: dict[str, str]) -> None:
    async with odd_node(b"") as node, AsyncClient(node.url) as client:
        for events in (client.events(after="garbage", **wish), client.rejected(after="garbage", **wish)):  # type: ignore[arg-type]
            with pytest.raises(MalformedToken, match=r"^after: 'garbage' is no token: a token is '1\.' and 38 char"):
                await anext(events)
        assert node.asked == []


async def test_a_misspelt_wish_is_refused(served: Served) -> None:
    """Instead of being left out: the application would get blocks for transactions."""
    async with AsyncClient(served.url) as client:
        for wish in ({"granularity": "tx"}, {"select": {"opration": "CREATE"}}, {"types": "vaild"}):
            with pytest.raises(RequestFailed, match="answered 400: "):
                await anext(client.events(after="now", **wish))


async def test_a_node_that_is_away_for_good_is_named() -> None:
    async with odd_node(b"") as node, AsyncClient(node.url) as client:
        with pytest.raises(RequestFailed, match=rf"cannot ask {node.url}: .*; is the node running"):
            await anext(client.events(after="now", away_s=0.3))


async def test_streams_that_begin_and_end_at_once_are_not_made_without_a_pause() -> None:
    async with odd_node(stream()) as one, odd_node(stream()) as two, AsyncClient([one.url, two.url]) as client:
        with pytest.raises(RequestFailed, match="cannot ask http"):
            await anext(client.events(after="now", away_s=0.6))
        assert 1 <= len(one.asked) + len(two.asked) < 10


async def test_a_node_that_is_behind_is_not_asked_without_a_pause() -> None:
    """The end of the log is the one that another node of the network has named."""
    first, last = (encode("chain", position, WHOLE, bytes(8)) for position in (1, 5))
    head, silent = (stream(f"id: {token}\n\n".encode()) for token in (last, first))
    page = answer(200, {"events": [], "head": True, "next": first})
    async with odd_node(head, silent + SILENCE, page) as node, AsyncClient(node.url) as client:
        listing = asyncio.create_task(listed(client, after=first))
        await until(lambda: len(node.asked) >= 3, "the question for a page")
        await asyncio.sleep(0.5)
        listing.cancel()
        assert len(node.asked) < 10


async def test_a_busy_node_is_waited_for(start: Start) -> None:
    """503 for a further stream, until one ends."""
    served = await start(limits=Limits(sse_connection_count_max=1))
    async with AsyncClient(served.url) as first, AsyncClient(served.url) as second:
        taken = first.events(after="now")
        holding = asyncio.ensure_future(anext(taken))
        await until(lambda: served.api.stream_count == 1, "the first stream")
        waiting = asyncio.ensure_future(anext(second.events(after="now")))
        await asyncio.sleep(0.1)
        holding.cancel()
        await asyncio.wait([holding])
        while not waiting.done():  # its stream begins at an unknown moment, and shows what is committed from then on
            await served.commit()
            await asyncio.sleep(0.05)
        assert (await waiting).position >= 1


async def test_a_revoked_key_ends_the_iteration(start: Start) -> None:
    served = await start(access=Access(anonymous="none"))
    id_, key = served.new_key("read")
    async with AsyncClient(served.url, key=key) as client:
        waiting = asyncio.ensure_future(anext(client.events(after="now")))
        await until(lambda: served.api.stream_count == 1, "the stream")
        served.revoke(id_)
        with pytest.raises(RequestFailed, match=r"401: .* was revoked") as refused:
            await waiting
        assert refused.value.status == 401


async def test_a_closed_client_ends_the_iteration(served: Served) -> None:
    client = AsyncClient(served.url)
    waiting = asyncio.ensure_future(anext(client.events(after="now")))
    await until(lambda: served.api.stream_count == 1, "the stream")
    await client.close()
    with pytest.raises(ClientUnusable, match="this client is closed"):
        await waiting
    with pytest.raises(ClientUnusable):
        await anext(client.events())


async def test_events_are_proven_before_they_are_yielded(start: Start) -> None:
    """A node alone proves by its own word; whoever trusts another key gets nothing."""
    served = await start()
    await served.commit(3)
    async with AsyncClient(served.url) as client:
        validators = await client.validators()
        events = await listed(client, validators=validators)
        each = await listed(client, validators=validators, granularity="transaction")
        assert (len(events) >= 1, len(each)) == (True, 3)
        proven = await client.verify(each[0], validators)
        assert (proven.is_own_word, proven.event) == (True, each[0])
        stranger = [{**validators[0], "public_key": {"type": "ed25519-base64", "value": "A" * 43 + "="}}]
        with pytest.raises(ProofError, match="power: 0 of the"):
            await anext(client.events(validators=stranger))
        with pytest.raises(ConfigurationError, match="lists no validator"):
            await anext(client.events(validators=[]))


def made(count: int) -> list[Transaction]:
    return [parse(create([KEY], data={"n": number, "kind": number % 2}).body) for number in range(count)]


async def test_the_rejected_transactions_and_the_rest_behind_each_token(served: Served) -> None:
    async with AsyncClient(served.url) as client:
        assert [event async for event in client.rejected(until="head")] == []
        transactions = made(4)
        for one in transactions:
            await served.reject(one)
        events = [event async for event in client.rejected(until="head")]
        assert [event.transaction["id"] for event in events] == [one.id for one in transactions]
        assert {event.data["error"] for event in events} == {"DoubleSpend"}
        assert not any(event.is_valid or event.is_block for event in events)
        for number, event in enumerate(events, 1):
            behind = [one.id async for one in client.rejected(after=event.token, until="head")]
            assert behind == [one.id for one in events[number:]]
        chosen = [one.subject async for one in client.rejected(until="head", select={"asset": transactions[2].id})]
        assert chosen == [transactions[2].id]
        async with aclosing(client.rejected(after="now")) as later:
            waiting = asyncio.ensure_future(anext(later))
            await until(lambda: served.api.stream_count == 1, "the stream")
            [last] = made(5)[4:]
            await served.reject(last)
            assert (await waiting).subject == last.id


async def test_rejected_transactions_are_followed_over_broken_connections(served: Served) -> None:
    transactions = made(6)
    await served.reject(transactions[0])
    async with (
        hungry_link(served.api.port) as link,
        AsyncClient(link.url) as client,
        aclosing(client.rejected()) as events,
    ):
        for number, one in enumerate(transactions):
            if number:
                link.cut("refused")
                await served.reject(one)
                link.mend()
            assert (await anext(events)).subject == one.id


async def test_a_rejected_transaction_whose_place_has_gone_ends_the_iteration(start: Start) -> None:
    served = await start(limits=Limits(rejected_log_count_max=2))
    transactions = made(6)
    for one in transactions[:2]:
        await served.reject(one)
    async with AsyncClient(served.url) as client:
        first = await anext(client.rejected())
        for one in transactions[2:]:
            await served.reject(one)
        with pytest.raises(HistoryLost):
            await anext(client.rejected(after=first.token))
        left = [event.subject async for event in client.rejected(until="head")]
        assert left == [one.id for one in transactions[-len(left) :]]
        assert left


async def test_the_newest_events_come_first_and_are_read_as_far_as_they_are_wanted(served: Served) -> None:
    async with AsyncClient(served.url) as client:
        assert [event async for event in client.newest()] == []
        for count in (150, 1, 2):
            await served.commit(count)
        for wish in ({}, {"granularity": "transaction"}, {"types": "invalid"}, {"select": {"operation": "TRANSFER"}}):
            forward = await listed(client, **wish)
            assert [event.id async for event in client.newest(**wish)] == ids(forward[::-1])
            for number in (0, len(forward) // 2):
                if forward:
                    older = client.newest(before=forward[number].token, **wish)
                    assert [event.id async for event in older] == ids(forward[: number + 1][::-1])
        async with aclosing(client.newest(granularity="transaction")) as events:
            assert (await anext(events)).id == (await listed(client, granularity="transaction"))[-1].id


async def test_the_newest_rejected_transactions_come_first(served: Served) -> None:
    async with AsyncClient(served.url) as client:
        assert [event async for event in client.newest(log="rejected")] == []
        transactions = made(4)
        for one in transactions:
            await served.reject(one)
        newest = [event async for event in client.newest(log="rejected")]
        assert [event.subject for event in newest] == [one.id for one in transactions[::-1]]
        assert {event.data["error"] for event in newest} == {"DoubleSpend"}


async def test_each_node_has_rejected_transactions_of_its_own() -> None:
    async with AsyncClient(["http://one:9984", "http://two:9984"]) as client:
        with pytest.raises(RequestFailed, match=r"this client has 2 nodes: http://one:9984, http://two:9984; make a"):
            await anext(client.rejected())
        with pytest.raises(RequestFailed, match="make a client for each"):
            await anext(client.newest(log="rejected"))


async def test_streams_of_something_else_than_a_node() -> None:
    for said, error in (
        (refusal(400, {"after": "a token is '1.' and 38 characters"}), "400: .*a token is"),
        (b"HTTP/1.1 404 X\r\nContent-Length: 6\r\n\r\n<html>", "answered 404 without JSON: is it a node"),
        (stream(b"id: 1.a\ndata: {}\n\n"), "holds no event of a node"),
    ):
        async with odd_node(said) as node, AsyncClient(node.url) as client:
            with pytest.raises(RequestFailed, match=error):
                await anext(client.events(after="now"))
