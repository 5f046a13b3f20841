"""What users of other systems met, each as a test of its name: none of it happens here.

The names in brackets are those of the systems: KurrentDB's persistent subscriptions, NATS JetStream, FireFly, web3.
"""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.eventlog.orders import Retry
from bigchaindb.simulated.chain import Recipe
from tests.integration.subscriptions.conftest import Here, Start
from tests.support.raw import ask
from tests.support.subscriber import Consumer, connected, place_of

pytestmark = pytest.mark.timeout(120)


def positions(events: list[dict[str, Any]]) -> list[int]:
    return [place_of(one["event"])[0] for one in events]


class TestKurrentDb:
    async def test_no_checkpoint_passes_an_event_that_a_busy_consumer_made_it_skip(self, begin: Start) -> None:
        """An event whose key is with a full consumer is not given to another one; the cursor must stay below it."""
        here = await begin()
        here.grow(12)
        await here.subscribe(granularity="transaction", window=1_000)
        async with connected(here.url, "one", "?window=1") as busy, connected(here.url, "one") as other:
            [held] = await Consumer(busy).events(1)
            taken: list[dict[str, Any]] = []
            while len(taken) < 20:
                taken += (await Consumer(other).next("events"))["events"]
            await Consumer(other).say(type="ack", through=taken[-1]["tag"], ref=1)
            await Consumer(other).next("done")
            position, index = place_of(held["event"])
            assert here.status.position < position
            assert here.status.number is not None
            assert here.status.number < position << 20 | index
        here = await begin()
        async with connected(here.url, "one", "?window=1") as successor:
            [again] = await Consumer(successor).events(1)
            assert (again["event"]["id"], again["attempt"]) == (held["event"]["id"], 2)

    async def test_replaying_parked_events_moves_no_checkpoint(self, here: Here) -> None:
        here.grow(4)
        await here.subscribe(order="none")
        async with connected(here.url, "one") as client:
            consumer = Consumer(client)
            [first, _, third, fourth] = await consumer.events(4)
            await consumer.say(type="park", tags=[first["tag"]], ref=1)
            await consumer.say(type="ack", tags=[third["tag"], fourth["tag"]], ref=2)
            await consumer.next("done")
            await consumer.next("done")
            assert here.status.position == 1
            await here.desks.order("one", Retry((1,)))
            [again, second] = await consumer.events(2)
            assert positions([again, second]) == [1, 2]
            await consumer.say(type="ack", tags=[again["tag"]], ref=3)
            await consumer.next("done")
            assert here.status.position == 1, "the second is not settled"
            await consumer.say(type="ack", tags=[second["tag"]], ref=4)
            await consumer.next("done")
            await here.until(lambda status: status.position == 4)

    async def test_a_successor_goes_on_behind_its_checkpoint(self, begin: Start) -> None:
        here = await begin()
        here.grow(3)
        await here.subscribe()
        async with connected(here.url, "one") as client:
            events = await Consumer(client).events(3)
            await Consumer(client).say(type="ack", through=events[-1]["tag"], ref=1)
            await Consumer(client).next("done")
        for _ in range(3):
            here = await begin()
            here.grow()
            async with connected(here.url, "one") as client:
                [event] = await Consumer(client).events(1)
                assert positions([event]) == [here.hub.head]
                await Consumer(client).say(type="ack", tags=[1], ref=1)
                await Consumer(client).next("done")

    async def test_a_checkpoint_ahead_of_the_log_is_told_and_nothing_is_given(
        self, begin: Start, tmp_path: Path
    ) -> None:
        """The log was restored from an older backup, and grows on another way."""
        here = await begin()
        here.grow(3)
        await here.subscribe()
        here.store.writer.tidy()
        shutil.copytree(tmp_path / "ledger", tmp_path / "backup")
        here.grow(3)
        async with connected(here.url, "one") as client:
            events = await Consumer(client).events(6)
            await Consumer(client).say(type="ack", through=events[-1]["tag"], ref=1)
            await Consumer(client).next("done")
        await begin.end()
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (tmp_path / "ledger" / name).unlink(missing_ok=True)
            if (tmp_path / "backup" / name).exists():
                shutil.copy(tmp_path / "backup" / name, tmp_path / "ledger" / name)
        here = await begin()
        async with connected(here.url, "one") as client:
            attached = await Consumer(client).next("attached")
            assert attached["state"] == "GAPPED"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await Consumer(client).next("events")

    async def test_order_is_kept_with_one_event_in_flight_and_with_many(self, begin: Start) -> None:
        here = await begin(recipe=Recipe(blocks=200, transactions=1))
        here.grow(200)
        for name, window in (("one", 1), ("many", 100)):
            await here.subscribe(name)
            async with connected(here.url, name, f"?window={window}") as client:
                consumer, taken = Consumer(client), list[int]()
                while len(taken) < 200:
                    events = (await consumer.next("events"))["events"]
                    taken += positions(events)
                    await consumer.say(type="ack", through=events[-1]["tag"])
            assert taken == [*range(1, 201)]


class TestJetStream:
    async def test_order_holds_when_an_answer_is_late(self, here: Here) -> None:
        """Where the time for an answer is over, the later events of its key go back with it."""
        here.grow(3)
        await here.subscribe(answer_s=1)
        async with connected(here.url, "one", "?window=10") as hung:
            assert positions(await Consumer(hung).events(3)) == [1, 2, 3]
            async with connected(here.url, "one") as other:
                taken: list[dict[str, Any]] = []
                for client in (hung, other):  # with one key, whoever is free takes all of it
                    if client is hung:
                        revoked = await Consumer(hung).next("revoked")
                        assert revoked["reason"] in {"late", "order"}
                        hung.transport.abort()
                    else:
                        while len(taken) < 3:
                            taken += (await Consumer(other).next("events"))["events"]
                            await Consumer(other).say(type="ack", through=taken[-1]["tag"])
                assert positions(taken)[-3:] == [1, 2, 3]

    async def test_delayed_nacks_stall_nobody_and_no_more_is_pending_than_allowed(self, here: Here) -> None:
        here.grow(12)
        await here.subscribe(order="none", window=10)
        async with connected(here.url, "one", "?window=4") as client:
            consumer = Consumer(client)
            first = await consumer.events(4)
            await consumer.say(type="nack", tags=[one["tag"] for one in first], delay_s=3_600)
            second = await consumer.events(4)
            assert positions(second) == [5, 6, 7, 8]
            assert len(here.status.in_hand) <= 10
            await consumer.say(type="ack", through=second[-1]["tag"])
            rest = await consumer.events(4)
            assert positions(rest) == [9, 10, 11, 12], "what waits for its delay holds no other up"
            assert len(here.status.in_hand) <= 10
            assert here.status.position == 0

    async def test_what_failed_too_often_is_kept(self, begin: Start) -> None:
        here = await begin()
        here.grow(2)
        await here.subscribe(order="none", retry={"attempts": 2, "duration_s": 0})
        async with connected(here.url, "one") as client:
            consumer = Consumer(client)
            await consumer.events(2)
            await consumer.say(type="ack", tags=[2])
            await consumer.say(type="nack", tags=[1], error="the account is locked", delay_s=0)
            [again] = await consumer.events(1)
            assert again["attempt"] == 2
            await consumer.say(type="nack", tags=[again["tag"]], error="the account is locked", delay_s=0)
            await here.until(lambda status: status.parked_count == 1)
        here = await begin()
        assert here.status.parked_count == 1
        await here.desks.order("one", Retry((1,)))
        async with connected(here.url, "one") as client:
            [back] = await Consumer(client).events(1)
            assert positions([back]) == [1]


class TestFireFly:
    async def test_a_delivery_that_failed_never_counts_as_done(self, here: Here) -> None:
        here.grow(1)
        await here.subscribe(on_failure="block", retry={"attempts": 2, "duration_s": 0})
        async with connected(here.url, "one") as client:
            consumer = Consumer(client)
            for attempt in (1, 2):
                [event] = await consumer.events(1)
                assert event["attempt"] == attempt
                await consumer.say(type="nack", tags=[event["tag"]], error="no", delay_s=0, ref=attempt)
                await consumer.next("done")
            assert (await consumer.next("state"))["state"] == "BLOCKED"
            assert here.status.position == 0
        async with connected(here.url, "one") as client:
            await Consumer(client).next("attached")
        assert here.status.position == 0, "neither a close counts"

    async def test_subscriptions_go_on_after_a_restart_of_the_node(self, begin: Start) -> None:
        here = await begin()
        for name in ("one", "two", "three"):
            await here.subscribe(name)
        here = await begin()
        here.grow()
        for name in ("one", "two", "three"):
            async with connected(here.url, name) as client:
                assert positions(await Consumer(client).events(1)) == [1]


class TestWeb3:
    async def test_events_between_two_connections_are_not_missed(self, here: Here) -> None:
        await here.subscribe()
        taken: list[int] = []
        for _ in range(4):
            here.grow(2)
            async with connected(here.url, "one") as client:
                consumer = Consumer(client)
                while here.hub.head not in taken:
                    taken += positions((await consumer.next("events"))["events"])
                await consumer.say(type="ack", through=1, ref=1)
                await consumer.next("done")
                here.grow(1)  # it may be on its way while the client closes
        async with connected(here.url, "one") as client:
            consumer = Consumer(client)
            while 12 not in taken:
                taken += positions((await consumer.next("events"))["events"])
        assert sorted({*taken}) == [*range(1, 13)]

    async def test_an_iteration_ends_with_a_clean_close_of_the_node(self, here: Here) -> None:
        here.grow(2)
        await here.subscribe()
        frames = 0
        async with asyncio.timeout(60), connected(here.url, "one") as client:
            async for _ in client:
                frames += 1
                if frames == 2:
                    stopping = asyncio.ensure_future(here.served.api.stop())
            await stopping
        assert client.close_code == 1001


async def test_a_damaged_row_stops_a_subscription_and_moves_nothing(begin: Start, tmp_path: Path) -> None:
    """What cannot be read is told, never passed over; the disk has to be mended, or a backup restored."""
    here = await begin()
    here.grow(6)
    await here.subscribe(order="none")
    await begin.end()
    with closing(sqlite3.connect(tmp_path / "ledger" / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE events SET digest = zeroblob(32) WHERE position = 4")
    here = await begin()
    async with connected(here.url, "one") as client:
        consumer = Consumer(client)
        state = await consumer.next("state")
        while state["state"] != "FAILED":
            state = await consumer.next("state")
        assert "events" in state["reason"]
        pulled = await ask(here.served.api.port, "POST", "/api/v1/subscriptions/one/pull", b'{"wait_s":1}')
        assert pulled.status == 409
        assert json.loads(pulled.body)["state"] == "FAILED"
        assert here.status.position < 4
