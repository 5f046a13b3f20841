"""A disk that really fills up under subscriptions: what is refused changes nothing, and what ended goes on by itself.

Source: docs/reference/promises.md, P2; docs/reference/subscriptions.md.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bigchaindb.errors import StoreFull
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Order, Pause, Restart, Resume, Seek
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.subscribed import Node, running
from tests.support.takers import Taker, deliveries


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", size_bytes=16 << 20) as mounted:
        yield mounted


def written(node: Node) -> str:
    row = node.store.node.lane("one")
    assert row is not None
    return row.state


async def test_a_change_or_a_pause_that_is_refused_interrupts_nobody(disk: SmallDisk) -> None:
    """Who was told that nothing was written has ended the run of everybody who consumes."""
    async with running(disk.path / "data") as node:
        node.grow(6)
        await node.subscribe()
        taker = Taker(node.desks, "one")
        held = deliveries(await taker.take(2))
        await node.until(lambda status: status.state is State.LIVE)
        disk.fill()
        with pytest.raises(StoreFull):
            await node.subscribe(window=7, is_change=True)
        with pytest.raises(StoreFull):
            await node.desks.order("one", Pause())
        assert node.desks.subscriptions["one"].window_count == 1024
        assert (node.status.state, taker.revoked) == (State.LIVE, [])
        assert taker.seat.ack(held) == []
        assert [one.number for one in deliveries(await taker.take(4))] == [3, 4, 5, 6]
        disk.make_room()
        await node.subscribe(window=7, is_change=True)
        assert node.desks.subscriptions["one"].window_count == 7


@pytest.mark.parametrize("order", [Restart(), Seek("genesis")])
async def test_an_order_that_finds_no_room_says_why_and_the_run_goes_on_once_there_is(
    disk: SmallDisk, order: Order
) -> None:
    """A subscription stays stopped after an order that was answered as carried out, or as a defect of the node."""
    async with running(disk.path / "data") as node:
        node.grow(2)
        await node.subscribe()
        taker = Taker(node.desks, "one")
        first = deliveries(await taker.take(1))
        disk.fill()
        with pytest.raises(StoreFull, match="no room on the disk"):
            await node.desks.order("one", order)
        await taker.until(revoked=1)
        disk.make_room()
        again = deliveries(await taker.take(2))
        assert again == [(first[0].number, 2), (2, 1)]


@pytest.mark.parametrize("order", [Restart(), Resume()])
async def test_the_end_of_a_pause_is_written_down_although_nobody_consumes(disk: SmallDisk, order: Order) -> None:
    """A pause that a person has ended is there again after a crash."""
    async with running(disk.path / "data") as node:
        await node.subscribe()
        await node.desks.order("one", Pause())
        disk.fill()
        with pytest.raises(StoreFull):
            await node.desks.order("one", order)
        assert (node.status.state, written(node)) == (State.PAUSED, "PAUSED")
        disk.make_room()
        assert (await node.desks.order("one", order)).state is State.STOPPED
        assert written(node) == "STOPPED"
