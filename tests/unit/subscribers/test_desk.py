"""A desk deals out what its subscription selects, and loses nothing between two runs."""

from pathlib import Path

import pytest

from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Pause, Restart, Resume, Retry, Seek
from bigchaindb.eventlog.sharing import Delivery
from bigchaindb.subscribers import bodies
from bigchaindb.subscribers.consuming import End, Reason
from tests.support.subscribed import running
from tests.support.takers import FRAME_BYTES, Taker, deliveries, event


async def test_blocks_come_one_behind_the_other(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        node.grow(3)
        await node.subscribe()
        taker = Taker(node.desks, "one")
        given = await taker.take(3)
        assert [event(one)["sequence"] for one in given] == [f"{n:020d}" for n in (1, 2, 3)]
        assert taker.seat.ack(deliveries(given)) == []
        node.grow()
        (fourth,) = await taker.take(1)
        assert fourth.delivery == Delivery(4, 1)
        assert node.status.position == 3
        await taker.nothing()


async def test_transactions_come_each_on_its_own(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        node.grow(4)
        await node.subscribe(granularity="transaction")
        taker = Taker(node.desks, "one")
        given = await taker.take(20)
        assert [one.delivery.number for one in given] == [p << 20 | i for p in range(1, 5) for i in range(5)]
        assert node.status.waits_for == event(given[0])["partitionkey"]
        assert node.status.state is State.LIVE
        ids = [event(one)["subject"] for one in given]
        assert len({*ids}) == 20
        taker.seat.ack(deliveries(given)[:7])
        assert node.status.position == 1
        assert node.status.number == 2 << 20 | 1
        assert node.status.lag == 3
        taker.seat.leave(is_blameless=True)
        other = Taker(node.desks, "one")
        again = await other.take(13)
        assert deliveries(again) == [Delivery(one.delivery.number, 2) for one in given[7:]]
        assert [event(one) for one in again] == [event(one) for one in given[7:]]


async def test_what_was_in_hand_comes_first_in_the_next_run_of_the_node(tmp_path: Path) -> None:
    numbers: list[int] = []

    async with running(tmp_path) as node:
        node.grow(4)
        await node.subscribe(granularity="transaction", window=8)
        taker = Taker(node.desks, "one", room_count=4)
        given = await taker.take(4)
        numbers.extend(one.delivery.number for one in given)
        taker.seat.ack([given[1].delivery])
        await node.until(lambda status: len(status.in_hand) == 7)
    assert taker.ended is End.STOPPING
    async with running(tmp_path) as node:
        assert node.status.state is State.STOPPED
        assert node.store.node.troubles("one") == []  # the page has counted
        taker = Taker(node.desks, "one")
        given = await taker.take(8)
        assert deliveries(given)[:3] == [Delivery(numbers[0], 2), Delivery(numbers[2], 2), Delivery(numbers[3], 2)]
        assert [one.attempt for one in deliveries(given)[3:]] == [1] * 5
        taker.seat.ack(deliveries(given))
        taker.seat.ack(deliveries(await taker.take(8)))
        await taker.take(3)


async def test_p17_a_nacked_event_takes_the_later_ones_of_its_key_along(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        node.grow(4)
        await node.subscribe(order="log")
        taker = Taker(node.desks, "one")
        one, two, three, four = deliveries(await taker.take(4))
        assert node.status.waits_for == "log"
        assert taker.seat.nack([two, four], delay_s=0.01, error="no", is_unavailable=False) == [four]
        assert taker.revoked == [(three, Reason.ORDER)]
        assert taker.seat.ack([three, one, one]) == [three, one]
        assert deliveries(await taker.take(3)) == [Delivery(number, 2) for number in (2, 3, 4)]


async def test_a_parked_event_is_recorded_and_comes_back_when_a_person_wants_it(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        node.grow(3)
        await node.subscribe(granularity="transaction", order="none")
        taker = Taker(node.desks, "one")
        given = deliveries(await taker.take(15))
        assert await taker.seat.park([given[2]], error="no good") == []
        assert await taker.seat.park([given[2]], error="no good") == [given[2]]
        assert node.status.parked_count == 1
        assert taker.seat.ack([one for one in given if one != given[2]]) == []
        assert node.status.lag == 0
        await node.desks.order("one", Retry(None))
        (back,) = await taker.take(1)
        assert back.delivery == Delivery(given[2].number, 2)
        taker.seat.ack([back.delivery])
        await node.until(lambda status: status.parked_count == 0)


async def test_consumers_stay_while_orders_end_and_begin_runs(tmp_path: Path) -> None:
    async with running(tmp_path) as node:
        node.grow(3)
        await node.subscribe()
        taker = Taker(node.desks, "one")
        held = deliveries(await taker.take(3))
        await node.desks.order("one", Pause())
        assert taker.revoked == [(one, Reason.ENDED) for one in held]
        assert taker.seat.standing.state is State.PAUSED
        assert taker.seat.ack(held) == held
        await node.desks.order("one", Resume())
        assert deliveries(await taker.take(3)) == [Delivery(n, 2) for n in (1, 2, 3)]
        await node.desks.order("one", Seek("position:3"))
        assert deliveries(await taker.take(1)) == [Delivery(3, 1)]
        await node.desks.order("one", Restart())
        assert deliveries(await taker.take(1)) == [Delivery(3, 2)]
        await node.desks.delete("one")
        assert taker.ended is End.DELETED
        assert node.desks.status() == []


async def test_p18_an_answer_counts_for_the_delivery_that_it_was_given_alone(tmp_path: Path) -> None:
    """A late answer settles an event that another consumer works on."""
    async with running(tmp_path) as node:
        node.grow(2)
        await node.subscribe(order="none")
        slow, other = Taker(node.desks, "one", room_count=1), Taker(node.desks, "one", room_count=1)
        (first,) = deliveries(await slow.take(1))
        (second,) = deliveries(await other.take(1))
        assert slow.seat.ack([second]) == [second]
        assert slow.seat.nack([first], delay_s=0.0, error="no", is_unavailable=False) == []
        assert other.seat.ack([second]) == []
        (again,) = deliveries(await other.take(1))
        assert again == (first.number, 2)
        assert slow.seat.ack([first]) == [first]
        assert slow.seat.nack([first], delay_s=0.0, error="no", is_unavailable=False) == [first]
        assert await slow.seat.park([first], error="no") == [first]
        assert slow.seat.expire([first]) == [first]
        assert node.status.in_hand == (first.number,)
        assert other.seat.ack([again, again]) == [again]
        await node.until(lambda status: not status.in_hand)


async def test_p19_what_a_lost_consumer_had_is_with_another_at_once(tmp_path: Path) -> None:
    """An event is lost with a connection, or waits for a time that nobody asked for."""
    async with running(tmp_path) as node:
        node.grow(4)
        await node.subscribe(granularity="transaction")
        first = Taker(node.desks, "one", room_count=7)
        held = deliveries(await first.take(7))
        second = Taker(node.desks, "one")
        first.seat.leave(is_blameless=False)
        given = deliveries(await second.take(20))
        assert [one for one in given if one.attempt == 2] == [Delivery(one.number, 2) for one in held]
        assert len(given) == 20


async def test_p19_an_event_that_is_not_answered_in_time_goes_to_another(tmp_path: Path) -> None:
    """A consumer that hangs keeps an event for ever."""
    async with running(tmp_path) as node:
        node.grow(1)
        await node.subscribe(answer_s=1)
        hanging = Taker(node.desks, "one")
        (held,) = deliveries(await hanging.take(1))
        other = Taker(node.desks, "one")
        await hanging.until(revoked=1)
        assert hanging.revoked == [(held, Reason.LATE)]
        hanging.seat.leave(is_blameless=True)
        assert deliveries(await other.take(1)) == [Delivery(1, 2)]


async def test_p19_what_a_lost_consumer_never_got_is_not_blamed(tmp_path: Path) -> None:
    """After two losses a whole window is given one at a time, though nobody has seen it."""
    async with running(tmp_path) as node:
        node.grow(3)
        await node.subscribe(order="none")
        for attempt in (1, 2):
            lost = Taker(node.desks, "one")
            assert deliveries(await lost.take(1, bytes_max=1)) == [(1, attempt)]
            lost.seat.take(9, bytes_max=1)  # one more is out, and one is the consumer's that it never got
            lost.seat.leave(is_blameless=False)
        taker = Taker(node.desks, "one")
        for number in (1, 2):
            [alone] = deliveries(await taker.take(1))
            assert alone.number == number
            assert taker.seat.take(9, FRAME_BYTES) == []
            taker.seat.ack([alone])
        node.grow()
        assert [one.number for one in deliveries(await taker.take(2))] == [3, 4]


@pytest.mark.parametrize("is_in_memory", [True, False])
async def test_what_a_consumer_will_not_take_is_with_others_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_in_memory: bool
) -> None:
    """Whoever comes next waits for the leases of a pull that had no room for more."""
    if not is_in_memory:
        monkeypatch.setattr(bodies, "BYTES_MAX", 1)
    async with running(tmp_path) as node:
        node.grow(4)
        await node.subscribe(granularity="transaction", order="none")
        first = Taker(node.desks, "one")
        held = deliveries(await first.take(1))
        held += deliveries(first.seat.take(99, bytes_max=1))
        assert not first.seat.is_level
        first.seat.stop_taking()
        second = Taker(node.desks, "one")
        given = deliveries(await second.take(20 - len(held)))
        assert [*held, *given] == [Delivery(p << 20 | i, 1) for p in range(1, 5) for i in range(5)]
        assert node.status.consumers[0].in_hand_count == len(held)
        assert first.seat.ack(held) == second.seat.ack(given) == []
        await node.until(lambda status: not status.in_hand)


async def test_p17_what_a_consumer_will_not_take_waits_behind_what_it_has_of_the_key(tmp_path: Path) -> None:
    """A later event of a key is with another consumer while the first one works on an earlier."""
    async with running(tmp_path) as node:
        node.grow(4)
        await node.subscribe(order="log")
        first, second = Taker(node.desks, "one"), Taker(node.desks, "one")
        held = deliveries(await first.take(1)) + deliveries(first.seat.take(9, bytes_max=1))
        assert [one.number for one in held] == [1, 2]
        first.seat.stop_taking()
        await second.nothing()
        assert first.seat.nack(held[:1], delay_s=0, error="no", is_unavailable=True) == []
        assert deliveries(await second.take(4)) == [(1, 2), (2, 2), (3, 1), (4, 1)]
