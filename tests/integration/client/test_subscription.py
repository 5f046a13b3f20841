"""A subscription consumed by a client, whatever dies. Source: docs/reference/subscriptions.md."""

import asyncio
import json
import threading
from contextlib import suppress

import pytest

from bigchaindb.client import (
    AsyncClient,
    Client,
    ClientUnusable,
    HistoryLost,
    RequestFailed,
    SubscriptionEvent,
    calls,
    new_keypair,
)
from bigchaindb.client.answers import Call
from bigchaindb.config import Limits
from bigchaindb.transaction import Transaction, parse
from bigchaindb.transaction.build import create
from tests.conftest import StartNode
from tests.integration.client.conftest import Start
from tests.support.hungry_links import hungry_link
from tests.support.node import Node
from tests.support.odd_nodes import answer, odd_node
from tests.support.served import KEY, Served
from tests.support.waiting import until

ALICE = new_keypair()


async def created(client: AsyncClient, word: str, count: int) -> list[str]:
    made = await asyncio.gather(
        *(client.create(ALICE, {"word": word, "n": n}, metadata={"word": word}) for n in range(count))
    )
    return [one["id"] for one in made]


async def until_shown(client: AsyncClient, name: str, **figures: int) -> None:
    """Wait until a subscription has these figures; of its consumers it is their count."""
    shown: dict[str, int] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(60):
            while shown != figures:
                found = await client.ask(calls.subscription(name))
                found["consumers"] = len(found["consumers"])
                shown = {figure: found[figure] for figure in figures}
                await asyncio.sleep(0.02)
    assert shown == figures


async def test_asking_for_the_next_event_acknowledges_the_one_before(node: Node) -> None:
    """Whoever stops amid an event gets it again; what came before it never."""
    async with AsyncClient(node.url) as client:
        wish = {"granularity": "transaction", "select": {"metadata.word": "next"}, "start": "now"}
        async with client.subscription("client-next", **wish):  # type: ignore[arg-type]
            pass
        made = await created(client, "next", 5)
        seen: list[SubscriptionEvent] = []
        async with client.subscription("client-next", **wish) as events:  # type: ignore[arg-type]
            async for event in events:
                seen.append(event)
                if len(seen) == 3:
                    break
        async with client.subscription("client-next") as events:
            async for event in events:
                seen.append(event)
                if len(seen) == 6:
                    event.ack()
                    break
        assert [event.id for event in seen[:3]] == [event.id for event in seen[:2] + seen[3:4]]
        assert {event.subject for event in seen} == set(made)
        assert [event.attempt for event in seen[:4]] == [1, 1, 1, 2]
        await until_shown(client, "client-next", lag=0, in_hand=0)


async def test_explicit_answers(node: Node) -> None:
    async with AsyncClient(node.url) as client:
        async with client.subscription(
            "client-explicit", granularity="transaction", select={"metadata.word": "explicit"}, acknowledge="explicit"
        ) as events:
            made = await created(client, "explicit", 3)
            first, second, third = [await anext(events) for _ in range(3)]
            assert {event.subject for event in (first, second, third)} == set(made)
            second.nack(delay_s=0.2, error="not yet")
            second.ack()  # the first answer counts
            third.park("a person looks at it")
            again = await anext(events)
            assert (again.id, again.attempt) == (second.id, 2)
            again.ack()
            first.ack()
        await until_shown(client, "client-explicit", parked=1, in_hand=0, lag=0)


async def test_two_consumers_share_what_happens(node: Node) -> None:
    seen: list[tuple[int, str]] = []

    async def consume(number: int, client: AsyncClient) -> None:
        async with client.subscription(
            "client-shared", granularity="transaction", select={"metadata.word": "shared"}, unanswered=3
        ) as events:
            async for event in events:
                seen.append((number, event.subject))
                await asyncio.sleep(0.01)

    async with AsyncClient(node.url) as one, AsyncClient(node.url) as other:
        await one.ask(
            calls.subscribe("client-shared", {"granularity": "transaction", "select": {"metadata.word": "shared"}})
        )
        tasks = [asyncio.create_task(consume(number, client)) for number, client in enumerate((one, other))]
        await until_shown(one, "client-shared", consumers=2)
        made = await created(one, "shared", 40)
        async with asyncio.timeout(60):
            while len(seen) < 40:  # noqa: ASYNC110 - of several tasks
                await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert sorted(subject for _, subject in seen) == sorted(made)
    assert {number for number, _ in seen} == {0, 1}


async def test_a_link_that_breaks_loses_and_settles_nothing_wrongly(node: Node) -> None:
    async with hungry_link(node.port) as link, AsyncClient(link.url) as client, AsyncClient(node.url) as beside:
        done: dict[str, int] = {}
        wish = {"granularity": "transaction", "select": {"metadata.word": "broken"}}
        async with client.subscription("client-broken", **wish) as events:  # type: ignore[arg-type]
            made = await created(beside, "broken", 30)
            breaking = asyncio.create_task(break_often(link))
            async with asyncio.timeout(100):
                async for event in events:
                    await asyncio.sleep(0.02)
                    done[event.subject] = done.get(event.subject, 0) + 1
                    if len(done) == 30:
                        break
            await breaking
        assert set(done) == set(made)
        assert sum(done.values()) < 60, "no more comes again than what was in hand"


async def break_often(link: object) -> None:
    for _ in range(3):
        await asyncio.sleep(0.2)
        link.cut("refused")  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)
        link.mend()  # type: ignore[attr-defined]


async def test_what_ends_a_consumer_for_good(node: Node) -> None:
    async with AsyncClient(node.url) as client:
        with pytest.raises(RequestFailed, match="404") as nobody:
            async with client.subscription("client-nobody-made-it") as events:
                await anext(events)
        assert "such as start='now', creates it" in nobody.value.__notes__[0]
        async with client.subscription("client-deleted", granularity="block") as events:
            waiting = asyncio.ensure_future(anext(events))
            await until_shown(client, "client-deleted", consumers=1)
            await client.ask(Call("/api/v1/subscriptions/client-deleted", lambda _: None, None, "DELETE"))
            with pytest.raises(RequestFailed, match="client-deleted was closed by the node: 4404"):
                await waiting
        async with client.subscription("client-other", order="log") as events:
            pass
        with pytest.raises(RequestFailed, match="409"):
            async with client.subscription("client-other", order="none"):
                pass
        with pytest.raises(ClientUnusable, match="iterate inside `async with`"):
            await anext(client.subscription("client-other"))


async def test_a_proxy_that_passes_no_websocket_is_named() -> None:
    """The node then answers with the subscription, as to any GET."""
    async with odd_node(answer(200, {"name": "billing"})) as proxy, AsyncClient(proxy.url) as client:
        with pytest.raises(RequestFailed, match="have the proxy in front of it pass Upgrade"):
            async with client.subscription("billing") as events:
                await anext(events)


async def test_a_closed_client_ends_a_consumer(node: Node) -> None:
    client = AsyncClient(node.url)
    async with client.subscription("client-closed", granularity="block") as events:
        waiting = asyncio.ensure_future(anext(events))
        await until_shown(client, "client-closed", consumers=1)
        await client.close()
        with pytest.raises(ClientUnusable):
            await waiting


def test_without_await_in_threads(node: Node) -> None:
    with Client(node.url) as ledger:
        with ledger.subscription(
            "client-blocking", granularity="transaction", select={"metadata.word": "blocking"}, acknowledge="explicit"
        ) as events:
            made = [ledger.create(ALICE, {"b": n}, metadata={"word": "blocking"})["id"] for n in range(6)]
            taken = [next(events) for _ in range(6)]
            threads = [threading.Thread(target=event.ack) for event in taken]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert {event.subject for event in taken} == set(made)
        until(lambda: ledger.ask(calls.subscription("client-blocking"))["lag"] == 0, what="all to be settled")
        with ledger.subscription("client-blocking") as events, suppress(ClientUnusable):
            threading.Timer(0.3, ledger.close).start()
            next(events)
            raise AssertionError("nothing is left")


def transactions(count: int) -> list[Transaction]:
    return [parse(create([KEY], data={"rejected": number}).body) for number in range(count)]


async def test_rejected_transactions_are_events_of_a_subscription(served: Served) -> None:
    async with (
        AsyncClient(served.url) as client,
        client.subscription("correct", log="rejected", granularity="transaction", start="genesis") as events,
    ):
        rejected = transactions(3)
        for one in rejected:
            await served.reject(one)
        taken = [await anext(events) for _ in rejected]
        assert [event.transaction["id"] for event in taken] == [one.id for one in rejected]
        assert [(event.data["error"], event.attempt, event.is_valid) for event in taken] == [
            ("DoubleSpend", 1, False)
        ] * 3
        assert all("already spent" in event.data["message"] for event in taken)


async def test_a_subscription_whose_place_has_gone_ends_the_iteration(start: Start) -> None:
    """GAPPED: a person decides where it goes on, and until then nothing is given."""
    served = await start(limits=Limits(rejected_log_count_max=2))
    async with AsyncClient(served.url) as client:
        async with client.subscription("gapped", log="rejected", granularity="transaction") as events:
            [first, *others] = transactions(8)
            await served.reject(first)
            (await anext(events)).ack()
        for one in others:
            await served.reject(one)
        async with client.subscription("gapped") as events:
            with pytest.raises(HistoryLost) as lost:
                await anext(events)
            assert (lost.value.position, lost.value.head) == (2, 8)
            assert "position 2" in lost.value.__notes__[0]
            with pytest.raises(HistoryLost):
                await anext(events)
        await client.ask(Call("/api/v1/subscriptions/gapped/seek", json.loads, b'{"place": "genesis"}', "POST"))
        async with client.subscription("gapped") as events:
            assert (await anext(events)).subject in {one.id for one in others[-2:]}


async def test_a_node_that_is_killed_amid_the_work(start_node: StartNode) -> None:
    """Nothing is lost; only what was in hand comes again."""
    node = start_node()
    seen: list[str] = []
    async with (
        AsyncClient(node.url) as client,
        client.subscription("billing", granularity="transaction", unanswered=5) as events,
    ):
        making = asyncio.create_task(created(client, "killed", 40))
        async with asyncio.timeout(100):
            async for event in events:
                seen.append(event.subject)
                if len(seen) == 10:
                    await asyncio.to_thread(node.kill)
                    await asyncio.to_thread(node.start)
                if len(set(seen)) == 40:
                    break
        made = await making
    assert set(seen) == set(made)
    assert len(seen) <= 40 + 5
