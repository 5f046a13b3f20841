"""Subscriptions are created, changed and deleted, and cost nothing while nobody consumes them."""

import asyncio
import gc
import threading
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bigchaindb.config import Limits
from bigchaindb.errors import (
    HistoryLost,
    MalformedSubscription,
    MalformedToken,
    Overloaded,
    Stopping,
    StoreError,
    StoreFull,
    SubscriptionDiffers,
    UnknownPlace,
    UnknownSubscription,
)
from bigchaindb.eventlog import token
from bigchaindb.eventlog.lane import Progress, State
from bigchaindb.eventlog.orders import Pause, Resume, Seek
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.subscribers import consumers
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.lane_page import LanePage, page_path
from bigchaindb.subscribers.saving import Saving
from bigchaindb.subscribers.subscriptions import CHANGE_COUNT_MAX
from tests.support.raw import until
from tests.support.subscribed import RECIPE, Node, running
from tests.support.takers import Taker, deliveries


def descriptor_count() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_p20_a_subscription_that_nobody_consumes_costs_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node with many subscriptions has no descriptors left for its clients."""
    monkeypatch.setattr(consumers, "LINGER_S", 0.05)
    async with running(tmp_path) as node:
        node.grow(2)
        gc.collect()  # what tests before this one left open would be closed in its course
        before = descriptor_count(), threading.active_count()
        for number in range(20):
            await node.subscribe(f"subscription {number}")
        assert (descriptor_count(), threading.active_count()) == before
        assert {status.state for status in node.desks.status()} == {State.STOPPED}
        taker = Taker(node.desks, "subscription 7")
        taker.seat.ack(deliveries(await taker.take(2)))
        assert descriptor_count() > before[0]
        taker.seat.leave(is_blameless=True)
        async with asyncio.timeout(60):
            while node.desks.status()[7].state is not State.STOPPED:  # noqa: ASYNC110 - nobody is told of it
                await asyncio.sleep(0.01)
        assert node.desks.status()[7].position == 2
        node.grow()
        assert {status.state for status in node.desks.status()} == {State.STOPPED}
        assert [status.lag for status in node.desks.status()[6:9]] == [3, 1, 3]
        again = Taker(node.desks, "subscription 7")
        assert [one.number for one in deliveries(await again.take(1))] == [3]


def test_what_is_created_is_there_after_a_restart(tmp_path: Path) -> None:
    """A subscription that was answered with 201 is gone, or begins elsewhere."""

    async def first() -> None:
        async with running(tmp_path) as node:
            node.grow(2)
            assert await node.subscribe("late", start="now") is True
            assert await node.subscribe("late", start="now") is False
            node.grow()

    async def second() -> None:
        async with running(tmp_path) as node:
            assert list(node.desks.subscriptions) == ["late"]
            assert node.status.position == 2
            taker = Taker(node.desks, "late")
            assert [one.number for one in deliveries(await taker.take(1))] == [3]
            await node.desks.delete("late")
            await node.desks.delete("late")

    async def third() -> None:
        async with running(tmp_path) as node:
            assert node.desks.status() == []
            assert node.store.node.lane_names() == []

    for play in (first, second, third):
        uvloop.run(play())


async def test_another_definition_is_a_change_or_refused(tmp_path: Path) -> None:
    """A deployment with an old file changes what a newer one has made."""
    async with running(tmp_path) as node:
        node.grow(4)
        await node.subscribe(window=2)
        taker = Taker(node.desks, "one")
        held = deliveries(await taker.take(2))
        taker.seat.ack(held[:1])
        with pytest.raises(SubscriptionDiffers, match="window is 2, not 3"):
            await node.subscribe(window=3)
        with pytest.raises(MalformedSubscription, match="granularity"):
            await node.subscribe(granularity="transaction", is_change=True)
        assert await node.subscribe(window=3, is_change=True) is False
        assert node.desks.subscriptions["one"].window_count == 3
        given = deliveries(await taker.take(3))
        assert given[0] == (2, 2)
        assert [one.number for one in given] == [2, 3, 4]


async def test_each_bound_is_named(tmp_path: Path) -> None:
    """A flood of subscriptions or consumers takes the node's memory."""
    async with running(tmp_path, Limits(subscription_count_max=1, consumer_count_max=2)) as node:
        await node.subscribe()
        with pytest.raises(Overloaded, match="subscription_count_max"):
            await node.subscribe("two")
        seats = [Taker(node.desks, "one") for _ in range(2)]
        with pytest.raises(Overloaded, match="consumer_count_max"):
            Taker(node.desks, "one")
        seats[0].seat.leave(is_blameless=True)
        seats[0].seat.leave(is_blameless=True)
        assert Taker(node.desks, "one").seat.consumer == "c4"
        assert [one.consumer for one in node.status.consumers] == ["c2", "c4"]
        with pytest.raises(UnknownSubscription, match="'two'"):
            Taker(node.desks, "two")
        desks = node.desks
    with pytest.raises(Stopping):
        Taker(desks, "one")


async def test_changes_wait_in_a_line_that_is_bounded(tmp_path: Path) -> None:
    """Requests pile up behind a disk that is slow, each with its connection and its memory."""
    async with running(tmp_path) as node:
        waiting = [asyncio.create_task(node.subscribe(f"one {number}")) for number in range(CHANGE_COUNT_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="64 changes of subscriptions are under way; try again later"):
            await node.subscribe("late")
        with pytest.raises(Overloaded):
            await node.desks.delete("one 1")
        await asyncio.gather(*waiting)
        assert len(node.desks.subscriptions) == CHANGE_COUNT_MAX
        await node.desks.delete("one 1")


async def test_a_start_that_is_nowhere_creates_nothing(tmp_path: Path) -> None:
    """A subscription silently begins elsewhere than its creator wanted."""
    async with running(tmp_path) as node:
        node.grow(2)
        foreign = token.encode("another", 1, token.WHOLE, bytes(32))
        for start, error in (
            ("height:9", UnknownPlace),
            (foreign, HistoryLost),
            ("1.x", MalformedToken),
        ):
            with pytest.raises(error):
                await node.subscribe(start=start)
        assert node.desks.status() == []
        entry = node.store.log_reader()
        digest = token.digest_at(entry, 1)
        entry.close()
        assert digest is not None
        await node.subscribe(start=token.encode(RECIPE.chain_id, 1, 2, digest), granularity="transaction")
        taker = Taker(node.desks, "one")
        given = [one.number for one in deliveries(await taker.take(7))]
        assert given == [*((1 << 20) + i for i in (3, 4)), *((2 << 20) + i for i in range(5))]


async def test_it_expires_only_while_nobody_consumes_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A subscription disappears under its consumer, or stays for ever though its creator wanted otherwise."""
    async with running(tmp_path) as node:
        wanted = Subscription.read("one", {"expires_s": 10})
        object.__setattr__(wanted, "expires_s", 0.2)
        await node.desks.create(wanted)
        taker = Taker(node.desks, "one")
        await asyncio.sleep(0.4)
        taker.seat.leave(is_blameless=True)
        assert "one" in node.desks.subscriptions
        async with asyncio.timeout(60):
            while "one" in node.desks.subscriptions:  # noqa: ASYNC110 - nobody is told of it
                await asyncio.sleep(0.01)
    assert "a subscription has expired" in caplog.text


async def test_it_expires_however_long_the_disk_takes_to_take_it_down(tmp_path: Path) -> None:
    """A subscription whose time was over before it was there stays for ever."""
    async with running(tmp_path) as node:
        wanted = Subscription.read("one", {"expires_s": 10})
        object.__setattr__(wanted, "expires_s", 0.0)
        await node.desks.create(wanted)
        await until(lambda: "one" not in node.desks.subscriptions, "its end")


async def test_orders_to_a_subscription_without_consumers_start_nothing(tmp_path: Path) -> None:
    """A page and a descriptor for whoever was paused and resumed."""
    async with running(tmp_path) as node:
        node.grow(3)
        await node.subscribe()
        assert (await node.desks.order("one", Pause())).state is State.PAUSED
        taker = Taker(node.desks, "one")
        assert taker.seat.standing.state is State.PAUSED
        taker.seat.leave(is_blameless=True)
        assert (await node.desks.order("one", Resume())).state is State.STOPPED
        assert (await node.desks.order("one", Seek("position:3"))).position == 2
        assert node.status.pid is None
        taker = Taker(node.desks, "one")
        assert [one.number for one in deliveries(await taker.take(1))] == [3]


@pytest.mark.parametrize("is_paused", [False, True])
async def test_an_order_that_is_refused_because_the_node_stops_is_not_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_paused: bool
) -> None:
    """A node that stops while it writes leaves the subscription as its status was, whatever the disk held meanwhile."""
    order, written = (Resume(), State.STOPPED) if is_paused else (Pause(), State.PAUSED)
    is_written, is_stopping = threading.Event(), threading.Event()
    save = LaneFiles.save

    def save_slowly(files: LaneFiles, savings: Collection[Saving], **more: Any) -> None:
        save(files, savings, **more)
        if any(one.lane.state is written for one in savings):
            is_written.set()
            assert is_stopping.wait(60)

    node = Node(tmp_path)
    with closing(node.store):
        await node.desks.start()
        await node.subscribe()
        await node.desks.order("one", Pause())
        if not is_paused:
            await node.desks.order("one", Resume())
        monkeypatch.setattr(LaneFiles, "save", save_slowly)
        ordered = asyncio.create_task(node.desks.order("one", order))
        await until(is_written.is_set, "the order to be written")
        stopped = asyncio.create_task(node.desks.stop())
        await asyncio.sleep(0)  # it has told the lane, and waits for the thread that writes
        is_stopping.set()
        with pytest.raises(StoreError, match="the node stops"):
            await ordered
        await stopped
        row = node.store.node.lane("one")
        assert row is not None
        assert (row.state, node.status.state) == (node.status.state, State.PAUSED if is_paused else State.STOPPED)


async def test_a_pause_that_cannot_be_written_down_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was told that nothing was written found the subscription paused, for whoever consumed it."""

    def fail(*_: object, **__: object) -> None:
        raise StoreFull("node.db: no room on the disk; nothing was written")

    async with running(tmp_path) as node:
        node.grow(2)
        await node.subscribe()
        taker = Taker(node.desks, "one")
        held = deliveries(await taker.take(2))
        with monkeypatch.context() as patched:
            patched.setattr(node.store.node, "batch", fail)
            with pytest.raises(StoreFull):
                await node.desks.order("one", Pause())
        assert taker.seat.ack(held) == []
        node.grow()
        assert [one.number for one in deliveries(await taker.take(1))] == [3]
        assert (await node.desks.order("one", Pause())).state is State.PAUSED
        row = node.store.node.lane("one")
        assert row is not None
        assert row.state == State.PAUSED


async def test_a_desk_that_cannot_start_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Consumers wait for a process that there never is, or for ever."""

    def fail(*_: object, **__: object) -> None:
        raise StoreFull("node.db: no room on the disk; nothing was written")

    async with running(tmp_path) as node:
        node.grow()
        await node.subscribe()
        with monkeypatch.context() as patched:
            patched.setattr(node.store.node, "batch", fail)
            taker = Taker(node.desks, "one")
            async with asyncio.timeout(60):
                while not any(one.state is State.BACKOFF for one in taker.standings):
                    taker.woken.clear()
                    await taker.woken.wait()
        (reason, *_) = (one.reason for one in taker.standings if one.state is State.BACKOFF)
        assert reason == "cannot start a desk: node.db: no room on the disk; nothing was written"
        assert "subscription is BACKOFF" in [line.message for line in caplog.records if line.levelname == "WARNING"]
        assert len(await taker.take(1)) == 1


async def test_a_window_of_many_events_is_taken_up(tmp_path: Path) -> None:
    """A node does not start again once a consumer had very many events."""
    numbers = tuple(range(1 << 20, (1 << 20) + 40_000))

    async with running(tmp_path) as node:
        node.grow(2)
        await node.subscribe(granularity="transaction", window=65_536)
        progress = Progress(numbers[0] - 1, numbers[-1], numbers)
        path = page_path(node.store.directory.lanes, "one", 0)
        LanePage.create(path, progress, head=2, slot_count=65_536, is_packed=True).close()
    async with running(tmp_path) as node:
        assert node.status.in_hand == numbers


async def test_what_could_not_begin_can_be_created_again(tmp_path: Path) -> None:
    """Its row stayed, so the same request was refused until the node started again."""
    async with running(tmp_path) as node:
        path = page_path(node.store.directory.lanes, "one", 0)
        path.symlink_to(path)
        with pytest.raises(OSError, match=r"one\.0"):
            await node.subscribe()
        path.unlink(missing_ok=True)
        assert await node.subscribe()
