"""Deals the events of one subscription out to its consumers, in order for each key. Pure: no clock, socket or log.

An event is *waiting* or *out* with a consumer until it is settled; both are in hand for the lane. Of each key the
events that are out come before those that wait, and all are with one consumer, the holder of the key: what is taken
back takes the later ones of its key along. No change costs more for how much is in hand, but for the logarithm
of a queue.

All events of a key that are out are with one consumer, given in the log's order. An answer counts once, for
the delivery that it was given. A consumer's end costs no event. Source: decision 0096; promise P2 and invariant
E6 in docs/reference/promises.md.
"""

from collections import deque
from collections.abc import Hashable, Iterable
from heapq import heappop, heappush
from typing import NamedTuple

from bigchaindb.eventlog.retrying import UNDECIDED
from bigchaindb.eventlog.sharing_lists import SLACK_COUNT, Consumer, Key, SharedEvent, WaitingQueue


class Delivery(NamedTuple):
    """One delivery of one event: what an answer is for.

    Attributes:
        number: of the event.
        attempt: of the delivery, from 1; no two of an event that reached a consumer have the same.
    """

    number: int
    attempt: int


class TakenBack(NamedTuple):
    """What consumers have no longer; an answer for it is stale.

    Attributes:
        deliveries: ascending; none if the answer was stale itself.
        undecided: the one among them that waits for `again` or `settle`. The others are given again in their turn.
    """

    deliveries: tuple[Delivery, ...] = ()
    undecided: Delivery | None = None


class Sharing:
    """Events that were read and are not settled, and who has them."""

    def __init__(self, cursor: int, *, keeps_keys: bool = False) -> None:
        """Begin without a consumer, behind `cursor`.

        Args:
            cursor: up to where everything is settled.
            keeps_keys: a key stays with its consumer until that is lost, for subscriptions with one key; else until it
                has nothing of the key out.
        """
        self._keeps_keys = keeps_keys
        self._events: dict[int, SharedEvent] = {}
        self._keys: dict[Hashable, Key] = {}
        self._consumers: dict[Hashable, Consumer] = {}
        self._free = WaitingQueue(self._events)
        self._sleeping: list[tuple[float, int]] = []
        self._ascending: deque[int] = deque()
        self._reached = cursor
        self._read = 0

    # Reading

    @property
    def cursor(self) -> int:
        """Up to here everything is settled (E6)."""
        ascending, events = self._ascending, self._events
        while ascending and ascending[0] not in events:
            ascending.popleft()
        return ascending[0] - 1 if ascending else self._reached

    @property
    def obstacle(self) -> SharedEvent | None:
        """The lowest event in hand, if later ones of its key wait for it."""
        first = self._events.get(self.cursor + 1)
        return first if first is not None and first.after is not None else None

    @property
    def unsettled_count(self) -> int:
        """Events in hand: each takes a slot."""
        return len(self._events)

    def read(self, number: int, key: Hashable, *, attempt: int = 1, is_returning: bool = False) -> None:
        """Take an event that matches. What was in hand or returns comes first, then the log; ascending throughout.

        Args:
            number: of the event.
            key: events of one key are given in order.
            attempt: of its next delivery.
            is_returning: it was parked: the cursor has nothing to do with it.
        """
        assert number > self._read, (number, self._read)
        self._read = number
        one = self._keys.get(key)
        if one is None:
            one = self._keys[key] = Key(key)
        event = self._events[number] = SharedEvent(number, one, attempt)
        if not is_returning:
            self._reached = number
            self._ascending.append(number)
            if len(self._ascending) > 2 * len(self._events) + SLACK_COUNT:  # one that waits long holds no others up
                self._ascending = deque(other for other in self._ascending if other in self._events)
        if one.waiting is None:
            one.waiting = event
            self._offer(one)

    def passed(self, number: int) -> None:
        """Note that the log was read up to here."""
        assert number >= self._reached, (number, self._reached)
        self._reached = number

    # Consumers

    def attach(self, consumer: Hashable, room_count: int) -> None:
        """Add a consumer that may have so many events out."""
        assert consumer not in self._consumers, consumer
        self._consumers[consumer] = Consumer(room_count, WaitingQueue(self._events))

    def lose(self, consumer: Hashable, *, is_blameless: bool = False) -> TakenBack:
        """Remove a consumer; what it had goes to others at once.

        Args:
            consumer: to be removed.
            is_blameless: else an event that was given to it alone is undecided.
        """
        lost = self._consumers.pop(consumer)
        kept, lost.kept = lost.kept, set()
        firsts: dict[Key, SharedEvent] = {}
        undecided: Delivery | None = None
        for event in lost.out.values():
            firsts.setdefault(event.key, event)
            delivery = Delivery(event.number, event.attempt)
            if not is_blameless and event.lose():
                undecided = delivery
        deliveries = [one for event in firsts.values() for one in self._take_back(event)]
        for key in {*firsts, *kept}:
            self._release(key)
        return TakenBack(tuple(sorted(deliveries)), undecided)

    def take_back_unseen(self, consumer: Hashable, unseen: Iterable[Delivery]) -> list[Delivery]:
        """Take back what was given and has not reached a consumer, which takes nothing more. No attempt counts.

        Args:
            consumer: keeps no key but for what it has of it.
            unseen: ascending for each key; those of a key are the last that the consumer has. Stale ones are ignored.

        Returns:
            What was taken back, ascending.
        """
        taker = self._consumers[consumer]
        kept, taker.kept = taker.kept, set()
        firsts: dict[Key, SharedEvent] = {}
        for delivery in unseen:
            if (event := self._answered(consumer, delivery)) is not None:
                firsts.setdefault(event.key, event)
        deliveries = [one for event in firsts.values() for one in self._take_back(event, is_seen=False)]
        for key in {*firsts, *kept}:
            self._release(key)
        return sorted(deliveries)

    def may_give(self, consumer: Hashable) -> bool:
        """Whether `give` has something for a consumer now."""
        taker = self._consumers[consumer]
        if len(taker.out) >= taker.room_count or taker.has_one_alone():
            return False
        event = self._first(taker)
        return event is not None and not (event.is_alone and taker.out)

    def give(self, consumer: Hashable, count_max: int) -> list[Delivery]:
        """Hand the lowest events out that a consumer may have: of keys that it holds, or that nobody holds."""
        taker = self._consumers[consumer]
        given: list[Delivery] = []
        if taker.has_one_alone():
            return given
        room_count = min(count_max, taker.room_count - len(taker.out))
        while len(given) < room_count and (event := self._first(taker)) is not None:
            if event.is_alone and taker.out:  # nothing else until it has answered the others: else it never has
                self._reserve(event.key, taker)
                break
            self._hand_out(event, taker)
            given.append(Delivery(event.number, event.attempt))
            if event.is_alone:
                break
        return given

    # Answers

    def ack(self, consumer: Hashable, delivery: Delivery) -> bool:
        """Settle an event; False if the answer is stale: nothing changes."""
        event = self._answered(consumer, delivery)
        if event is None:
            return False
        self._consumers[consumer].take_from(event)
        self._settle(event)
        return True

    def nack(self, consumer: Hashable, delivery: Delivery) -> TakenBack:
        """Take an event back, to be decided: it is to come again later, or to be parked."""
        event = self._answered(consumer, delivery)
        if event is None:
            return TakenBack()
        event.due = UNDECIDED
        return self._taken_back(event, delivery)

    def overrun(self, consumer: Hashable, delivery: Delivery) -> TakenBack:
        """Take an event back that its consumer has had for too long: as if the consumer was lost with it."""
        event = self._answered(consumer, delivery)
        if event is None:
            return TakenBack()
        return self._taken_back(event, delivery if event.lose() else None)

    # The lane's word on what is undecided

    def again(self, number: int, due: float) -> bool:
        """Make an undecided event come again at the first `wake` with a time from `due` on; False if it is none."""
        event = self._events.get(number)
        if event is None or event.due != UNDECIDED:
            return False
        assert due < UNDECIDED, number
        event.due = due
        heappush(self._sleeping, (due, number))
        return True

    def settle(self, number: int) -> bool:
        """Settle an undecided event, which is parked or skipped; False if it is not undecided."""
        event = self._events.get(number)
        if event is None or event.due != UNDECIDED:
            return False
        self._settle(event)
        return True

    # Time

    @property
    def due(self) -> float | None:
        """When to call `wake` next; None if nothing waits for a time."""
        return self._sleeping[0][0] if self._sleeping else None

    def wake(self, now: float) -> None:
        """End the delays that are over."""
        while self._sleeping and self._sleeping[0][0] <= now:
            event = self._events[heappop(self._sleeping)[1]]
            event.due = None
            if event.key.waiting is event:
                self._offer(event.key)

    # Parts

    def _answered(self, consumer: Hashable, delivery: Delivery) -> SharedEvent | None:
        """Return the event that is out with this very delivery; None for any other answer."""
        giver = self._consumers.get(consumer)
        event = None if giver is None else giver.out.get(delivery.number)
        return None if event is None or event.attempt != delivery.attempt else event

    def _first(self, taker: Consumer) -> SharedEvent | None:
        own, free = taker.own.first(), self._free.first()
        if own is None or free is None:
            return own or free
        return own if own.number < free.number else free

    def _hand_out(self, event: SharedEvent, taker: Consumer) -> None:
        key = event.key
        assert key.holder in {None, taker}, event.number  # one consumer has all of a key
        assert event.queue is not None
        event.queue.pop()
        key.holder = taker
        key.out_count += 1
        key.waiting = event.after
        taker.out[event.number] = event
        if self._keeps_keys:
            taker.kept.add(key)
        elif event.is_alone:
            taker.kept.discard(key)
        self._offer(key)

    def _reserve(self, key: Key, taker: Consumer) -> None:
        """Keep a key whose first event is to be given alone for a consumer that is not ready for it yet."""
        key.holder = taker
        taker.kept.add(key)
        self._offer(key)

    def _offer(self, key: Key) -> None:
        """Queue the key's first waiting event where whoever may have it looks."""
        event = key.waiting
        if event is not None and event.due is None:
            (self._free if key.holder is None else key.holder.own).push(event)

    def _taken_back(self, event: SharedEvent, undecided: Delivery | None) -> TakenBack:
        deliveries = self._take_back(event)
        self._release(event.key)
        return TakenBack(tuple(deliveries), undecided)

    def _take_back(self, event: SharedEvent, *, is_seen: bool = True) -> list[Delivery]:
        """Take back an event and the later ones of its key, ascending."""
        key = event.key
        if key.waiting is not None:
            key.waiting.queue = None  # it is not the first any more
        assert key.holder is not None
        one, taken = key.last_out, list[Delivery]()
        while one is not None and one.number >= event.number:
            key.holder.take_from(one)
            taken.append(Delivery(one.number, one.attempt))
            one.attempt += is_seen
            one = one.before
        key.waiting = event
        taken.reverse()
        return taken

    def _settle(self, event: SharedEvent) -> None:
        del self._events[event.number]
        event.unlink()
        self._release(event.key)

    def _release(self, key: Key) -> None:
        """Free a key that its consumer has nothing of, and offer what waits."""
        if key.holder is not None and not key.out_count and key not in key.holder.kept:
            key.holder = None
        if key.last is None and key.holder is None:
            del self._keys[key.name]
        else:
            self._offer(key)
