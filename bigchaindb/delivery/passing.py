"""Ways through a plugin's queue for those who pass events on: many at once, each done when it is safe over there.

Neither is needed to write a plugin; they get right what is easily got wrong: bounds, ends, and blame.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Final, Protocol

from bigchaindb.delivery.messages import Message
from bigchaindb.events import Closed, Event, EventQueue, Unavailable

WINDOW_COUNT_MAX: Final = 128
"""Messages sent and not confirmed. Half of what a lane gives out at once: to wait for the queue costs system calls."""
WINDOW_BYTES_MAX: Final = 8 * 1024 * 1024
"""Their bytes; one message may be larger."""


def batches(queue: EventQueue, count_max: int = WINDOW_COUNT_MAX) -> Iterator[list[Event]]:
    """Yield the events that are there, at least one at a time, until the queue has ended.

    For a plugin with `acknowledge = "next_get"`: asking for the next batch acknowledges this one.

    Args:
        queue: what `run` got.
        count_max: events in a batch; their bytes are bounded by the lane's window.
    """
    while True:
        try:
            events = queue.get_many(count_max)
        except Closed:
            return
        yield events


async def forward(
    queue: EventQueue,
    messages: Callable[[Event], Sequence[Message]],
    send: Callable[[Message], Awaitable[None]],
    *,
    count_max: int = WINDOW_COUNT_MAX,
    bytes_max: int = WINDOW_BYTES_MAX,
) -> None:
    """Send messages in order, many at a time, and acknowledge each event when all up to its last are confirmed.

    For a plugin with `acknowledge = "explicit"`. Returns when the queue has ended and all that was sent is confirmed.
    The first error of `send` ends it, and leaves what is not confirmed to the next process.

    Args:
        queue: what `run` got.
        messages: returns those of an event.
        send: called in order, each call begun before the next; returns once the message is safe.
        count_max: messages sent and not confirmed.
        bytes_max: their bytes; one message may be larger.
    """
    room, unconfirmed = _Room(count_max, bytes_max), _Unconfirmed(queue)
    try:
        async with asyncio.TaskGroup() as tasks:
            async for event in delivered(queue, room):
                found = messages(event)
                unconfirmed.add(event, len(found))
                room.expect(len(found))
                for message in found:
                    await room.enter(len(message.data))
                    tasks.create_task(_send(send, message, unconfirmed, room))
    except BaseExceptionGroup as group:
        raise first_of(group) from None
    finally:
        unconfirmed.acknowledge()


async def delivered(queue: EventQueue, room: "Room") -> AsyncIterator[Event]:
    """Yield events, at once what is there and likely fits: what is in hand at a crash comes again one by one."""
    async for event in queue:
        yield event
        try:
            while events := queue.get_many(await room.events_room(), 0.0):
                for more in events:
                    yield more
        except Closed:
            return


class Room(Protocol):
    """Room for events that are taken."""

    async def events_room(self) -> int:
        """Wait until there is some; return how many events it is for, at least 1."""
        ...


class _Unconfirmed:
    """Events in order, each with how many of its messages are not confirmed."""

    def __init__(self, queue: EventQueue) -> None:
        self._queue = queue
        self._counts: dict[int, int] = {}
        self._events: deque[Event] = deque()
        self._is_due = False

    def add(self, event: Event, count: int) -> None:
        self._counts[event.position] = count
        self._events.append(event)
        if not count:
            self._acknowledge_soon()

    def confirm_one(self, position: int) -> None:
        self._counts[position] -= 1
        if not self._counts[position] and position == self._events[0].position:
            self._acknowledge_soon()

    def _acknowledge_soon(self) -> None:
        """Acknowledge together what this turn of the loop brings: brokers confirm many messages at a time."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self.acknowledge)

    def acknowledge(self) -> None:
        """Acknowledge what nothing older waits before: after a failure all from there on comes again, in order."""
        self._is_due = False
        done: list[Event] = []
        while self._events and not self._counts[self._events[0].position]:
            done.append(self._events.popleft())
            del self._counts[done[-1].position]
        if done:
            self._queue.ack_many(done)


class _Room:
    """Room for what is sent and not confirmed; for one task that enters."""

    def __init__(self, count_max: int, bytes_max: int) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._count = 0
        self._bytes = 0
        self._left = asyncio.Event()
        self._per_event = count_max

    async def events_room(self) -> int:
        """Wait until a quarter is free; return how many events the size of the last one fit in, at least 1."""
        while self._count * 4 > self._count_max * 3:
            self._left.clear()
            await self._left.wait()
        return max(1, (self._count_max - self._count) // self._per_event)

    def expect(self, per_event: int) -> None:
        """Expect so many messages of each further event."""
        self._per_event = max(1, per_event)

    async def enter(self, size: int) -> None:
        while self._count > 0 and (self._count == self._count_max or self._bytes + size > self._bytes_max):
            self._left.clear()
            await self._left.wait()
        self._count += 1
        self._bytes += size

    def leave(self, size: int) -> None:
        self._count -= 1
        self._bytes -= size
        self._left.set()


async def _send(
    send: Callable[[Message], Awaitable[None]], message: Message, unconfirmed: _Unconfirmed, room: _Room
) -> None:
    try:
        await send(message)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # A library cancels so what waits on a connection that is gone: it would look as if nothing had failed.
        raise Unavailable("the connection was lost while messages were on their way") from None
    room.leave(len(message.data))
    unconfirmed.confirm_one(message.position)


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a group: the others are most often its echo."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
