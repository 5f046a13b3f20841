"""What a desk reads of the log for its consumers: what comes again together, as far as there is room."""

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.subscribers import bodies, desk, desk_reader
from bigchaindb.subscribers.consumers import Seat
from bigchaindb.subscribers.consuming import Reason
from bigchaindb.subscribers.desk_log import DeskLog, Item
from tests.support.subscribed import running
from tests.support.takers import FRAME_BYTES, Taker, deliveries


async def test_many_that_come_again_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of a thousand was read and split once for each 64 of them."""
    monkeypatch.setattr(desk, "DEAL_COUNT", 4)
    reads: list[int] = []
    recall = DeskLog.recall

    async def count(self: DeskLog, wanted: Subscription, numbers: Sequence[int], **others: Any) -> list[Item]:
        reads.append(len(numbers))
        return await recall(self, wanted, numbers, **others)

    monkeypatch.setattr(DeskLog, "recall", count)
    async with running(tmp_path) as node:
        node.grow(4)
        await node.subscribe(granularity="transaction", order="none")
        taker = Taker(node.desks, "one")
        given = deliveries(await taker.take(20))
        assert taker.seat.nack(given, delay_s=0.0, error="busy", is_unavailable=True) == []
        assert deliveries(await taker.take(20)) == [(number, 2) for number, _ in given]
        assert reads == [20]


async def test_what_comes_again_is_read_as_far_as_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer may have had gigabytes: who takes them over may be slow."""
    monkeypatch.setattr(bodies, "BYTES_MAX", 2)
    monkeypatch.setattr(desk_reader, "FRAME_BYTES", 1)
    async with running(tmp_path) as node:
        node.grow(12)
        await node.subscribe(order="none")
        taker = Taker(node.desks, "one")
        await taker.take(12)
        taker.seat.leave(is_blameless=True)
        slow = Taker(node.desks, "one", room_count=6)
        await slow.take(1)
        other = Taker(node.desks, "one")
        given = await other.take(6)
        assert isinstance(slow.seat, Seat)
        assert slow.seat.desk is not None
        await asyncio.sleep(0.05)
        assert len(slow.seat.desk.reader.bodies._bodies) <= 2
        given += await slow.take(5)
        assert len({*deliveries(given)}) == 11


@pytest.mark.parametrize("bytes_max", [2, 8_000])
@pytest.mark.parametrize("order", ["log", "none"])
async def test_a_large_event_that_comes_again_reaches_who_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str, bytes_max: int
) -> None:
    """While the log has more: its body fills the room for what is read ahead, and must stay all the same."""
    monkeypatch.setattr(bodies, "BYTES_MAX", bytes_max)
    async with running(tmp_path) as node:
        node.grow(6)
        await node.subscribe(order=order)
        taker = Taker(node.desks, "one")
        await taker.take(6)
        taker.seat.leave(is_blameless=True)
        node.grow(6)
        given = await Taker(node.desks, "one").take(12)
        assert [one.number for one in deliveries(given)] == list(range(1, 13))


@pytest.mark.parametrize("members", [{}, {"granularity": "transaction"}, {"types": ["invalid"]}])
async def test_what_is_just_decided_is_not_read(tmp_path: Path, members: dict[str, Any]) -> None:
    """A consumer at the head waits for a thread, and so does each of a thousand commits a second."""
    async with running(tmp_path) as node:
        node.grow(1)
        await node.subscribe(**members)
        early = Taker(node.desks, "one")
        await node.until(lambda status: status.state is State.LIVE)
        disk_answers = threading.Event()
        subscriptions = node.desks._subscriptions
        assert subscriptions is not None
        (log,) = (one for one in subscriptions._logs.values() if one.reader_count)
        assert log._live._thread is not None
        log._live._thread.submit(disk_answers.wait)
        try:
            node.grow(2)
            await node.until(lambda _: early.seat.standing.lag == 0)
        finally:
            disk_answers.set()


def damage(ledger: Path, position: int) -> None:
    """Change the log's row of an event, as a disk does it; no node runs."""
    with closing(sqlite3.connect(ledger)) as connection, connection:
        changed = connection.execute("UPDATE events SET height = height + 64 WHERE position = ?", (position,))
        assert changed.rowcount == 1


async def test_a_damaged_row_stops_the_lane_and_loses_nothing(tmp_path: Path) -> None:
    """A damaged event is delivered, or passed over as if it had never been."""
    async with running(tmp_path) as node:
        node.grow(5)
        await node.subscribe()
    damage(tmp_path / "ledger.db", 3)
    async with running(tmp_path) as node:
        taker = Taker(node.desks, "one")
        given = deliveries(await taker.take(2))
        await node.until(lambda status: status.state is State.FAILED)
        assert taker.revoked == [(one, Reason.ENDED) for one in given]
        standing = taker.seat.standing
        assert standing.state is State.FAILED
        assert "events" in standing.reason
        assert [one.state for one in taker.standings][-1] is State.FAILED
        assert (node.status.position, node.status.pid) == (0, None)
        assert taker.seat.take(5, FRAME_BYTES) == []
