"""What the events of a subscription stand in while they are in hand: a list for each key, and queues. Pure.

`bigchaindb.eventlog.sharing` keeps them; nothing else uses them. Source: decision 0096.
"""

from collections.abc import Hashable, Mapping
from heapq import heappop, heappush
from typing import Final

from bigchaindb.eventlog.retrying import UNDECIDED

ALONE_LOSS_COUNT: Final = 2
"""Consumers that were lost with an event before it is given alone. The first network fault slows nobody down, and a
poisonous event is soon the only suspect."""
SLACK_COUNT: Final = 64
"""Stale entries that are not worth a pass to remove them."""


class SharedEvent:
    """An event in hand, in its key's list.

    Attributes:
        attempt: of the delivery that is out; while it waits, of the next one.
        loss_count: consumers that were lost with it, or had it for too long.
        is_alone: it is given to a consumer that has nothing else.
        due: the time that it waits for, or `UNDECIDED`; None if it waits for none. Of its own: with one time for each
            key, an event whose parking is under way would be given again once an earlier one of its key was nacked.
        queue: where it stands; None if others of its key are before it, or it is not due.
        before: the event of its key before it.
        after: the one behind it.
    """

    __slots__ = ("after", "attempt", "before", "due", "is_alone", "key", "loss_count", "number", "queue")

    def __init__(self, number: int, key: "Key", attempt: int) -> None:
        self.number = number
        self.key = key
        self.attempt = attempt
        self.loss_count = 0
        self.is_alone = False
        self.due: float | None = None
        self.queue: WaitingQueue | None = None
        self.after: SharedEvent | None = None
        self.before = key.last
        if key.last is not None:
            key.last.after = self
        key.last = self

    def lose(self) -> bool:
        """Count a loss. Whether the event is to blame, as it was given alone: it is undecided from now on."""
        is_to_blame = self.is_alone
        if is_to_blame:
            self.due = UNDECIDED
        self.loss_count += 1
        self.is_alone = self.loss_count >= ALONE_LOSS_COUNT
        return is_to_blame

    def unlink(self) -> None:
        """Take it out of its key's list."""
        key, before, after = self.key, self.before, self.after
        if before is not None:
            before.after = after
        if after is None:
            key.last = before
        else:
            after.before = before
        if key.waiting is self:
            key.waiting = after


class Key:
    """A key of which an event is in hand, or which a consumer keeps.

    Attributes:
        holder: the consumer that has its events, or keeps it.
        out_count: its events that are out.
        waiting: the first of its events that is not out.
        last: the last of its events.
    """

    __slots__ = ("holder", "last", "name", "out_count", "waiting")

    def __init__(self, name: Hashable) -> None:
        self.name = name
        self.holder: Consumer | None = None
        self.out_count = 0
        self.waiting: SharedEvent | None = None
        self.last: SharedEvent | None = None

    @property
    def last_out(self) -> SharedEvent | None:
        """The last of its events that is out, if any is."""
        return self.last if self.waiting is None else self.waiting.before


class Consumer:
    """Whoever takes events.

    Attributes:
        room_count: the most events that are out with it.
        out: these events, by number, in the order of giving.
        own: first waiting events of keys that it holds.
        kept: keys that it holds whether it has events of theirs or not.
    """

    __slots__ = ("kept", "out", "own", "room_count")

    def __init__(self, room_count: int, own: "WaitingQueue") -> None:
        self.room_count = room_count
        self.out: dict[int, SharedEvent] = {}
        self.own = own
        self.kept: set[Key] = set()

    def has_one_alone(self) -> bool:
        """Whether what it has was given to it alone."""
        return len(self.out) == 1 and next(iter(self.out.values())).is_alone

    def take_from(self, event: SharedEvent) -> None:
        """Take an event away that it has."""
        del self.out[event.number]
        event.key.out_count -= 1


class WaitingQueue:
    """Events that may be given, lowest first. One that has left for another queue, or for none, stays as a number."""

    __slots__ = ("_count_max", "_events", "_numbers")

    def __init__(self, events: Mapping[int, SharedEvent]) -> None:
        self._events = events
        self._numbers: list[int] = []
        self._count_max = SLACK_COUNT

    def push(self, event: SharedEvent) -> None:
        """Add an event, unless it is there."""
        if event.queue is self:
            return
        event.queue = self
        heappush(self._numbers, event.number)
        if len(self._numbers) > self._count_max:
            events = self._events
            self._numbers = sorted({one for one in self._numbers if one in events and events[one].queue is self})
            self._count_max = 2 * len(self._numbers) + SLACK_COUNT

    def first(self) -> SharedEvent | None:
        """Return the lowest event, if there is any."""
        numbers, events = self._numbers, self._events
        while numbers:
            event = events.get(numbers[0])
            if event is not None and event.queue is self:
                return event
            heappop(numbers)
        return None

    def pop(self) -> None:
        """Remove the lowest event."""
        self._events[heappop(self._numbers)].queue = None
