"""Ways through a queue: what is confirmed is done, in whatever order, and nothing else is."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from bigchaindb.delivery import Message, Per, batches, forward, messages_of
from bigchaindb.events import Closed, Event, EventQueue, Unavailable
from bigchaindb.testing import MakeEvents, MakeQueue


class ListQueue:
    """A source that hands events to coroutines and takes their answers."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = list(events)
        self.acked: list[int] = []

    def __aiter__(self) -> "ListQueue":
        return self

    async def __anext__(self) -> Event:
        await asyncio.sleep(0)
        if not self.events:
            raise StopAsyncIteration
        return self.events.pop(0)

    def get_many(self, count_max: int, timeout: float) -> list[Event]:
        assert timeout <= 0, "the loop would stand still"
        taken, self.events = self.events[:count_max], self.events[count_max:]
        return taken

    def ack_many(self, events: Sequence[Event]) -> None:
        self.acked += [event.position for event in events]


class Target:
    """Confirms when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.confirmations: list[asyncio.Future[None]] = []

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        self.confirmations.append(asyncio.get_running_loop().create_future())
        await self.confirmations[-1]

    async def has(self, count: int) -> None:
        """Wait until that many were sent, and give more a chance."""
        async with asyncio.timeout(60):
            while len(self.sent) < count:  # noqa: ASYNC110 - each pass of the loop lets tasks go on
                await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)


def per_transaction(event: Event) -> Sequence[Message]:
    return messages_of(event, Per.TRANSACTION)


async def test_messages_are_sent_in_order_up_to_the_window(make_events: MakeEvents) -> None:
    queue, target = ListQueue(make_events(4, transactions=3)), Target()
    passing = asyncio.create_task(forward(cast(EventQueue, queue), per_transaction, target.send, count_max=5))
    await target.has(5)
    assert [(one.position, one.index) for one in target.sent] == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]
    target.confirmations[4].set_result(None)
    await target.has(6)
    assert len(target.sent) == 6
    sent = 0
    while sent < 12:
        for confirmation in target.confirmations[sent:]:
            if not confirmation.done():
                confirmation.set_result(None)
        sent = len(target.sent)
        await target.has(min(12, sent + 1))
    for confirmation in target.confirmations:
        if not confirmation.done():
            confirmation.set_result(None)
    await passing
    assert [one.sequence for one in target.sent] == sorted(one.sequence for one in target.sent)


async def test_no_more_is_in_hand_than_is_on_its_way(make_events: MakeEvents) -> None:
    """What is in hand when the process ends comes again one by one."""
    events = make_events(12, transactions=3)
    queue, target = ListQueue(events), Target()
    passing = asyncio.create_task(forward(cast(EventQueue, queue), per_transaction, target.send, count_max=6))
    await target.has(6)
    assert len(queue.events) == 12 - 2
    for confirmation in target.confirmations:
        confirmation.set_result(None)
    await target.has(12)
    assert len(queue.events) == 12 - 4
    target.confirmations[6].set_exception(Unavailable("down"))
    with pytest.raises(Unavailable, match="down"):
        await passing


async def test_an_event_is_done_when_all_up_to_its_last_message_are_confirmed(make_events: MakeEvents) -> None:
    """Earlier, the rest of the block would be lost with a crash; before an older one, that would come behind it."""
    queue, target = ListQueue(make_events(2, transactions=2)), Target()
    passing = asyncio.create_task(forward(cast(EventQueue, queue), per_transaction, target.send))
    await target.has(4)
    for index, acked in ((3, []), (0, []), (2, []), (1, [1, 2])):
        target.confirmations[index].set_result(None)
        await target.has(4)
        assert queue.acked == acked
    await passing


async def test_bytes_on_their_way_are_bounded_but_one_message_always_goes(make_events: MakeEvents) -> None:
    events = make_events(3)
    queue, target = ListQueue(events), Target()
    size = len(events[0].body)
    passing = asyncio.create_task(
        forward(cast(EventQueue, queue), lambda e: messages_of(e, Per.BLOCK), target.send, bytes_max=size - 1)
    )
    for count in (1, 2, 3):
        await target.has(count)
        assert len(target.sent) == count
        target.confirmations[-1].set_result(None)
    await passing
    assert queue.acked == [1, 2, 3]


async def test_the_first_error_ends_it_as_it_is(make_events: MakeEvents) -> None:
    """Wrapped in a group, a broker that is down would be taken for the fault of an event."""
    queue, target = ListQueue(make_events(5)), Target()
    passing = asyncio.create_task(forward(cast(EventQueue, queue), lambda e: messages_of(e, Per.BLOCK), target.send))
    await target.has(5)
    target.confirmations[0].set_result(None)
    target.confirmations[3].set_result(None)
    target.confirmations[2].set_exception(Unavailable("down"))
    with pytest.raises(Unavailable, match="down"):
        await passing
    assert queue.acked == [1]


async def test_a_message_whose_way_was_closed_is_not_confirmed(make_events: MakeEvents) -> None:
    """Libraries cancel what waits on a lost connection, which is no failure to a group of tasks."""
    queue, target = ListQueue(make_events(2)), Target()
    passing = asyncio.create_task(forward(cast(EventQueue, queue), lambda e: messages_of(e, Per.BLOCK), target.send))
    await target.has(2)
    target.confirmations[1].cancel()
    with pytest.raises(Unavailable, match="the connection was lost"):
        await passing
    assert queue.acked == []


async def test_an_event_without_messages_is_done_at_once(make_events: MakeEvents) -> None:
    queue = ListQueue(make_events(3))
    await forward(cast(EventQueue, queue), lambda _: [], Target().send)
    assert queue.acked == [1, 2, 3]


def test_a_batch_is_done_when_the_next_is_asked_for(make_queue: MakeQueue) -> None:
    queue = make_queue(blocks=7)
    seen: list[int] = []
    for events in batches(queue, 3):
        assert queue.acked == sum(seen)
        seen.append(len(events))
    assert (seen, queue.acked) == ([3, 3, 1], 7)
    with pytest.raises((Closed, SystemExit)):
        queue.get()
