"""Events that a desk sets aside, and that come back: recorded together, out for nobody, and no end waits in vain."""

import asyncio
import threading
from pathlib import Path

import pytest

from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.sharing import Delivery
from bigchaindb.store import TroubleRow
from bigchaindb.subscribers import consumers, park_records
from tests.support.subscribed import running
from tests.support.takers import FRAME_BYTES, Taker, deliveries


async def test_an_event_that_ends_its_consumers_is_found_and_set_aside(tmp_path: Path) -> None:
    """A poisonous event ends every consumer that there is, for ever."""
    async with running(tmp_path) as node:
        node.grow(3)
        await node.subscribe(granularity="transaction", order="none", retry={"attempts": 2, "duration_s": 0})
        poison, settled = 1 << 20 | 2, 0
        while not node.status.parked_count:
            taker = Taker(node.desks, "one", room_count=4)
            await asyncio.sleep(0.01)
            given = deliveries(taker.seat.take(1, FRAME_BYTES))
            is_poisoned = poison in [one.number for one in given]
            settled += 0 if is_poisoned else len(given) - len(taker.seat.ack(given))
            taker.seat.leave(is_blameless=not is_poisoned)
        rest = Taker(node.desks, "one")
        given = deliveries(await rest.take(14 - settled))
        assert poison not in [one.number for one in given]
        assert rest.seat.ack(given) == []
        assert (node.status.lag, node.status.parked_count) == (0, 1)


async def test_many_that_are_set_aside_at_once_are_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """8,000 in one frame were as many transactions of the disk, and as many lines of the log."""
    async with running(tmp_path) as node:
        node.grow(4)
        await node.subscribe(granularity="transaction", order="none")
        taker = Taker(node.desks, "one")
        given = deliveries(await taker.take(20))
        written: list[int] = []
        park = node.store.node.park

        def count(*rows: TroubleRow) -> None:
            written.append(len(rows))
            park(*rows)

        monkeypatch.setattr(node.store.node, "park", count)
        monkeypatch.setattr(park_records, "RECORD_COUNT", 8)
        assert await taker.seat.park(given, error="no good") == []
        assert written == [8, 8, 4]
        assert (node.status.in_hand, node.status.parked_count, node.status.lag) == ((), 20, 0)
        parked = await node.desks.parked("one", 0, 99)
        assert [(one.position, one.attempts, one.error) for one in parked] == [(n, 1, "no good") for n, _ in given]
        lines = [one.__dict__ for one in caplog.records if "parked" in one.getMessage()]
        assert [(one["place"], one["count"]) for one in lines] == [("1:0", 8), ("2:3", 8), ("4:1", 4)]


async def test_a_run_does_not_end_while_an_event_is_being_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event stands in hand and is listed as parked, so that it comes without anybody's word."""
    monkeypatch.setattr(consumers, "LINGER_S", 0.05)
    monkeypatch.setattr(consumers, "AGAIN_S", 0.05)
    async with running(tmp_path) as node:
        node.grow(3)
        await node.subscribe(order="none")
        taker = Taker(node.desks, "one")
        one, two, three = deliveries(await taker.take(3))
        disk_answers = threading.Event()
        node.desks._lanes.shared.thread.submit(disk_answers.wait)
        parked = taker.seat.park([two], error="no good")
        taker.seat.ack([one, three])
        taker.seat.leave(is_blameless=True)
        await asyncio.sleep(0.3)
        assert node.status.state is not State.STOPPED
        disk_answers.set()
        assert await parked == []
        await node.until(lambda status: status.state is State.STOPPED)
        assert (node.status.in_hand, node.status.parked_count, node.status.lag) == ((), 1, 0)


async def test_an_event_that_came_back_is_out_for_nobody(tmp_path: Path) -> None:
    """The status names an event as in work that waits for its delay."""
    async with running(tmp_path) as node:
        node.grow(1)
        await node.subscribe()
        taker = Taker(node.desks, "one")
        (held,) = deliveries(await taker.take(1))
        await asyncio.sleep(0.05)
        assert node.status.oldest_s > 0
        taker.seat.nack([held], delay_s=60, error="no", is_unavailable=True)
        assert (node.status.oldest_s, node.status.in_hand) == (0, (1,))


class Unsearched(list[Delivery]):
    """A list that nobody looks through: for each of its elements that would take its length."""

    def __contains__(self, _: object) -> bool:
        raise AssertionError("it is looked through")


async def test_many_that_are_given_back_at_once_are_not_compared_with_each_other(tmp_path: Path) -> None:
    """8,000 nacks in a frame held the node's loop for seconds, and so did a lost consumer that had 50,000."""
    async with running(tmp_path) as node:
        node.grow(4)
        await node.subscribe(order="none")
        taker = Taker(node.desks, "one")
        given = Unsearched(deliveries(await taker.take(4)))
        late = Unsearched(given[2:])
        assert taker.seat.nack(given[:2], delay_s=9, error="no", is_unavailable=False) == []
        assert taker.seat.nack(given, delay_s=9, error="no", is_unavailable=False) == given[:2]
        assert taker.seat.expire(late) == late
