"""Subscriptions of rejected transactions: as those of events, over a log that is the node's own and bounded."""

from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.config import Database, Limits, Settings
from bigchaindb.errors import HistoryLost, MalformedSubscription, UnknownPlace
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Seek
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.store import Store
from bigchaindb.streams.cloud_events import rejected_name
from bigchaindb.subscribers.lane_page import Word
from bigchaindb.subscribers.offline import OfflineDesk
from tests.support.chains import Coin, create, transfer
from tests.support.subscribed import RECIPE, running
from tests.support.takers import Taker, deliveries, event

MADE = [create(number) for number in range(6)]
SMALL = Limits(rejected_log_count_max=2)


async def test_p21_rejected_transactions_are_delivered_and_settled(tmp_path: Path) -> None:
    child = transfer(Coin(MADE[0]))
    async with running(tmp_path) as node:
        node.reject(MADE[0], MADE[1])
        await node.subscribe(log="rejected")
        taker = Taker(node.desks, "one")
        given = await taker.take(2)
        name = rejected_name(RECIPE.chain_id, node.store.node.id)
        events = [event(one) for one in given]
        assert [one["id"] for one in events] == [f"{name}:{1:020d}", f"{name}:{2:020d}"]
        assert events[0]["data"]["error"] == "DoubleSpend"
        assert events[0]["data"]["transaction"]["id"] == MADE[0].id
        assert taker.seat.ack(deliveries(given)) == []
        node.reject(child)  # while it is level
        [last] = await taker.take(1)
        assert event(last)["partitionkey"] == MADE[0].id
        taker.seat.ack(deliveries([last]))
        await taker.nothing()
        await node.until(lambda status: status.position == 3 and status.lag == 0)


async def test_events_of_the_ledger_wake_nobody_there(tmp_path: Path) -> None:
    """The two logs have heads of their own: the greater one would promise what is not there."""
    async with running(tmp_path) as node:
        await node.subscribe("rejected", log="rejected")
        await node.subscribe("blocks")
        of_blocks, of_rejected = Taker(node.desks, "blocks"), Taker(node.desks, "rejected")
        node.grow(3)
        await of_blocks.take(3)
        await of_rejected.nothing()
        node.reject(MADE[0])
        await of_rejected.take(1)
        runs = [lane.run for lane in node.desks._lanes.all.values() if lane.run is not None]
        assert [run.page.words[Word.HEAD] for run in runs] == [1, node.hub.head]  # P4


async def test_it_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        node.reject(*MADE[:3])
        await node.subscribe(log="rejected", order="log")
        taker = Taker(node.desks, "one")
        given = await taker.take(2)
        taker.seat.ack(deliveries(given[:1]))
    async with running(tmp_path) as node:
        taker = Taker(node.desks, "one")
        again = await taker.take(2)
        assert [event(one)["sequence"] for one in again] == [f"{2:020d}", f"{3:020d}"]
        await node.subscribe("two", log="rejected", start=node.desks.token("one"))
        assert [one.envelope for one in await Taker(node.desks, "two").take(2)] == [one.envelope for one in again]


async def test_order_and_selection_are_those_of_transactions(tmp_path: Path) -> None:
    child = transfer(Coin(MADE[0]))
    async with running(tmp_path) as node:
        node.reject(MADE[0], MADE[1], child)
        await node.subscribe(log="rejected", select={"asset": MADE[0].id})
        first, second = Taker(node.desks, "one"), Taker(node.desks, "one")
        given = await first.take(2)
        assert [event(one)["subject"] for one in given] == [MADE[0].id, child.id]  # one key, one consumer
        assert second.seat.take(1, 1 << 16) == []


async def test_p8_a_cursor_before_the_first_row_is_gapped_until_a_person_seeks(tmp_path: Path) -> None:
    """What newer rows have pushed out is never passed over in silence."""
    async with running(tmp_path, SMALL) as node:
        node.reject(MADE[0])
        await node.subscribe(log="rejected")
        for one in MADE[1:4]:
            node.reject(one)
        Taker(node.desks, "one")
        await node.until(lambda status: status.state is State.GAPPED)
        status = await node.desks.order("one", Seek("genesis"))
        assert status.state is not State.GAPPED
        given = await Taker(node.desks, "one").take(1)
        assert event(given[0])["sequence"] == f"{3:020d}"


async def test_p8_a_cursor_that_was_pushed_out_between_two_runs_is_gapped(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL) as node:
        node.reject(MADE[0])
        await node.subscribe(log="rejected")
        for one in MADE[1:4]:
            node.reject(one)
    async with running(tmp_path, SMALL) as node:
        assert node.status.state is State.GAPPED
        assert "the log begins at 3: the rows between went for newer ones" in node.status.error


async def test_it_may_begin_where_the_log_does_or_at_its_head(tmp_path: Path) -> None:
    async with running(tmp_path, SMALL) as node:
        for one in MADE[:4]:
            node.reject(one)
        await node.subscribe("all", log="rejected")
        await node.subscribe("new", log="rejected", start="now")
        node.reject(MADE[4])  # pushes out the third
        assert event((await Taker(node.desks, "new").take(1))[0])["sequence"] == f"{5:020d}"
        with pytest.raises(HistoryLost):
            await node.desks.order("new", Seek("position:3"))
        with pytest.raises(UnknownPlace, match="rejected transactions are of no block"):
            await node.desks.order("new", Seek("height:1"))


async def test_a_token_of_the_event_log_is_lost_there(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        await node.subscribe("blocks", start="now")
        token = node.desks.token("blocks")
        with pytest.raises(HistoryLost):
            await node.subscribe(log="rejected", start=token)


async def test_orders_while_no_node_runs_know_the_log(tmp_path: Path) -> None:
    """The event log is longer, and would take any place in the other for one that has come."""
    settings = Settings(database=Database(path=tmp_path))
    async with running(tmp_path) as node:
        node.grow(5)
        node.reject(*MADE[:3])
        await node.subscribe(log="rejected", start="now")
    with closing(Store(tmp_path)) as store, closing(OfflineDesk(store, RECIPE.chain_id, settings)) as desk:
        assert (desk.status("one").position, desk.status("one").lag) == (3, 0)
        with pytest.raises(UnknownPlace, match="the head is 3"):
            desk.order("one", Seek("position:5"))
        desk.order("one", Seek("position:2"))
        assert desk.status("one").lag == 2
        desk.create(Subscription.read("two", {"log": "rejected", "start": "now"}), is_change=False)
    async with running(tmp_path) as node:
        given = await Taker(node.desks, "one").take(2)
        assert [event(one)["sequence"] for one in given] == [f"{2:020d}", f"{3:020d}"]
        node.reject(MADE[3])
        assert len(await Taker(node.desks, "two").take(1)) == 1


def test_blocks_are_not_offered() -> None:
    with pytest.raises(MalformedSubscription, match="granularity"):
        Subscription.read("one", {"log": "rejected", "granularity": "block"})
