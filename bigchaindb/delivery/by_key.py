"""A way through a plugin's queue for targets that answer request by request: many at once, in order by key.

A message that is refused holds back the later ones of its keys, and nothing else, until its event has come again or a
person or the policy has decided about it. Belongs to a plugin with `acknowledge = "explicit"`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from bigchaindb.delivery.messages import Message
from bigchaindb.delivery.ordering import Entry, Ordering
from bigchaindb.delivery.passing import WINDOW_BYTES_MAX, delivered, first_of
from bigchaindb.events import Event, EventQueue

AHEAD: Final = 16
"""Messages read ahead for each that may be on its way: so many keys hold up none of the others."""
AHEAD_COUNT_MAX: Final = 4_096
REQUEST_BYTES_MAX: Final = 1024 * 1024
"""Of the messages of one request; one message may be larger. Receivers commonly take a few MiB."""
LOOK_S: Final = 0.25
"""How often to look whether a refused event was set aside or passed over."""

Send = Callable[[Sequence[Message]], Awaitable[None]]


async def forward_by_key(
    queue: EventQueue,
    messages: Callable[[Event], Sequence[Message]],
    keys: Callable[[Message], Iterable[str]],
    send: Send,
    *,
    parallel: int,
    batch: int = 1,
    bytes_max: int = WINDOW_BYTES_MAX,
) -> None:
    """Send messages, each behind the earlier ones of its keys, and acknowledge each event once all of it is there.

    Returns when the queue has ended and all that may be sent is confirmed. An error other than `ValueError` ends it,
    and leaves what is not acknowledged to the next process.

    Args:
        queue: what `run` got.
        messages: returns those of an event.
        keys: returns what must stay in order with a message; messages without a common key may overtake each other.
        send: returns once all messages of a request are safe; raises `ValueError` if the target refuses them: then the
            messages are sent one by one, and the event of one that is refused alone is nacked.
        parallel: requests on their way at once.
        batch: messages of a request at most.
        bytes_max: bytes of the messages in hand; one may be larger.
    """
    await _Forwarding(queue, messages, keys, send, parallel, batch, bytes_max).run()


class _Sent:
    """An event of which not everything is there.

    Attributes:
        event: its last delivery.
        left: how many of its messages are not confirmed.
        refused: those that wait for the event to come again.
        given_up: those that went with the event when it was set aside; if it returns they are sent.
    """

    __slots__ = ("event", "given_up", "left", "refused")

    def __init__(self, event: Event, left: int) -> None:
        self.event = event
        self.left = left
        self.refused: list[Entry] = []
        self.given_up: list[Message] = []


class _Forwarding:
    def __init__(
        self,
        queue: EventQueue,
        messages: Callable[[Event], Sequence[Message]],
        keys: Callable[[Message], Iterable[str]],
        send: Send,
        parallel: int,
        batch: int,
        bytes_max: int,
    ) -> None:
        self._queue = queue
        self._messages = messages
        self._keys = keys
        self._send = send
        self._parallel = parallel
        self._batch = batch
        self._bytes_max = bytes_max
        self._ahead_max = min(AHEAD * parallel * batch, AHEAD_COUNT_MAX)
        self._ordering = Ordering()
        self._sent: dict[int, _Sent] = {}
        self._requests = 0
        self._count = self._bytes = 0
        self._per_event = 1
        self._changed = asyncio.Event()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as self._tasks:
                looking = self._tasks.create_task(self._look())
                async for event in delivered(self._queue, self):
                    self._take(event)
                while self._requests:
                    await self._change()
                looking.cancel()
        except BaseExceptionGroup as group:
            raise first_of(group) from None

    async def events_room(self) -> int:
        """Wait until there is room for a further event; return how many of the size of the last one it is for.

        There is some when nothing is on its way: all that waits is held back by an event that has to come again.
        """
        while self._requests and (self._count >= self._ahead_max or self._bytes >= self._bytes_max):
            await self._change()
        return max(1, (self._ahead_max - self._count) // self._per_event)

    def _take(self, event: Event) -> None:
        sent = self._sent.get(event.position)
        if sent is not None:  # again, since a part of it was refused: the rest is there or on its way
            refused, given_up = sent.refused, sent.given_up
            sent.event, sent.refused, sent.given_up = event, [], []
            self._ordering.put_back(refused)
            sent.left += len(given_up)
            self._add(given_up)
        elif found := self._messages(event):
            self._sent[event.position] = _Sent(event, len(found))
            self._per_event = len(found)
            self._add(found)
        else:
            event.ack()
        self._begin()

    def _add(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._ordering.add(message, self._keys(message))
            self._count += 1
            self._bytes += len(message.data)

    def _begin(self) -> None:
        """Begin as many requests as there may be."""
        while self._requests < self._parallel and self._ordering.has_ready:
            entries = self._ordering.take(self._batch, REQUEST_BYTES_MAX)
            self._requests += 1
            self._tasks.create_task(self._request(entries))

    async def _request(self, entries: Sequence[Entry]) -> None:
        try:
            await self._send([entry.message for entry in entries])
        except ValueError as error:
            if len(entries) == 1:
                self._refuse(entries[0], error)
            else:
                await self._one_by_one(entries)
        else:
            for entry in entries:
                self._confirm(entry)
        self._requests -= 1
        self._begin()
        self._changed.set()

    async def _one_by_one(self, entries: Sequence[Entry]) -> None:
        """Find out which messages of a request the target refuses; what stands behind those waits."""
        waiting, held = list[Entry](), set[object]()
        for entry in entries:
            if not held.isdisjoint(entry.keys):
                held.update(entry.keys)
                waiting.append(entry)
                continue
            try:
                await self._send([entry.message])
            except ValueError as error:
                held.update(entry.keys)
                self._refuse(entry, error)
            else:
                self._confirm(entry)
        self._ordering.put_back(waiting)

    def _confirm(self, entry: Entry) -> None:
        self._leave(entry)
        sent = self._sent[entry.message.position]
        sent.left -= 1
        if not sent.left:
            del self._sent[entry.message.position]
            self._queue.ack_many([sent.event])

    def _refuse(self, entry: Entry, error: ValueError) -> None:
        """Keep the keys of a message, and ask for its event again."""
        sent = self._sent[entry.message.position]
        sent.refused.append(entry)
        if len(sent.refused) == 1:
            sent.event.nack(error=error)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._leave_decided()
            self._begin()
            self._changed.set()

    def _leave_decided(self) -> None:
        """Leave behind what was decided about refused events."""
        refused = [position for position, sent in self._sent.items() if sent.refused]
        held = {*self._queue.in_hand()} if refused else set()
        for position in refused:
            if position in held:
                continue
            sent = self._sent[position]
            for entry in sent.refused:
                self._leave(entry)
            sent.left -= len(sent.refused)
            sent.given_up += [entry.message for entry in sent.refused]
            sent.refused = []
            if not sent.left:
                del self._sent[position]

    def _leave(self, entry: Entry) -> None:
        self._ordering.done(entry)
        self._count -= 1
        self._bytes -= len(entry.message.data)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
