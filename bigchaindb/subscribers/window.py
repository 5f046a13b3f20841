"""What a plugin has in hand: events in the slots of its lane page, and who may settle them when.

No lock, no waiting, no clock that wakes anybody: `Gate` does that. What changes the state is a run of plain stores, as
a signal handler may raise anywhere else. Source: decisions 0015 and 0025; promises P3, P6 and P10.
"""

from collections.abc import Mapping
from time import monotonic, monotonic_ns
from typing import Final

from bigchaindb.eventlog.retrying import UNDECIDED
from bigchaindb.events import AnswerTo, Event
from bigchaindb.subscribers.hands import (
    Hand,
    Redelivery,
    Unanswered,
    answerable,
    first_due,
    with_redelivery,
    without_position,
)
from bigchaindb.subscribers.lane_page import POSITION, RETURNING, LanePage, Word, check_of, with_count
from bigchaindb.subscribers.plugins import EXPLICIT, NEXT_GET, Wants
from bigchaindb.subscribers.reading import Reading

_CURSOR: Final = int(Word.CURSOR)
_REACHED: Final = int(Word.REACHED)
_CHECK: Final = int(Word.CHECK)
_HELD_CHECK: Final = int(Word.HELD_CHECK)


class Window:
    """Used under the lock of `Gate`.

    Attributes:
        answer_to: what the plugin's answers go to, with `EXPLICIT`.
        hands: of the threads that took something.
        is_plain: an event is settled as soon as its thread asks for more.
        keeps_events: as of a hand, for those that are gone.
        redeliveries: events that are delivered again, ascending; each is in its slot already.
        unanswered: what the plugin will answer for, by position, ascending; with `EXPLICIT` alone.
        returning: positions that were parked and are delivered again, not settled; the cursor does not know them.
    """

    def __init__(
        self,
        page: LanePage,
        reading: Reading,
        wants: Wants,
        *,
        bytes_max: int,
        attempts: Mapping[int, int],
        one_at_a_time: bool,
    ) -> None:
        """Go on where `page` says: first what was in hand when the process before ended, then what is read.

        Args:
            page: its slots are the window.
            reading: has the next event, once no redelivery is due.
            wants: says when an event is settled.
            bytes_max: bytes of events in hand; one may be larger.
            attempts: number of the next delivery, for positions in hand; 1 for others.
            one_at_a_time: until what is in hand now is settled, only one event is delivered at a time.
        """
        self._page, self._words, self._key = page, page.words, page.key
        self._reading = reading
        self._bytes_max = bytes_max
        self._is_explicit, self._ack_lag = wants.acknowledge == EXPLICIT, wants.ack_lag
        self.is_plain = wants.acknowledge == NEXT_GET and wants.ack_lag == 0
        self.slots = page.slots
        self.answer_to: AnswerTo | None = None
        self.hands: list[Hand] = []
        self.keeps_events = False
        used = [(self._words[slot], slot) for slot in page.slots if self._words[slot]]
        self.redeliveries = with_redelivery(
            Redelivery(word & POSITION, slot, attempts.get(word & POSITION, 1)) for word, slot in used
        )
        self.unanswered: dict[int, Unanswered] = {}
        self._unanswered_bytes = 0  # kept beside it: each delivery asks for the sum
        self.returning = frozenset(word & POSITION for word, _ in used if word & RETURNING)
        self._suspects = frozenset(one.position for one in self.redeliveries) if one_at_a_time else frozenset[int]()
        self._reached = page.words[_REACHED]

    # Delivering

    def reserve(self, hand: Hand) -> None:
        """Reserve the next event for a thread.

        Raises:
            HistoryLost: it is not in the log any more.
        """
        if self.redeliveries and (due := first_due(self.redeliveries, monotonic())) is not None:
            self._reserve_again(hand, due)
            return
        words, reading, slot = self._words, self._reading, hand.slot
        buffer, event = reading.buffer, reading.buffer[-1]
        if words[slot]:
            slot = self._page.free_slot(slot)
        position = event.position
        events, slots = (*hand.events, event), (*hand.slots, slot)
        reached = reading.read if len(buffer) == 1 else position
        unanswered = answerable(event, slot, self.answer_to) if self._is_explicit else None
        now = monotonic_ns()
        # No calls below: a signal handler could run between them (decision 0015).
        words[_CHECK] = words[_HELD_CHECK] = 0
        words[slot + 1] = now
        words[slot] = position  # P6: in hand first
        hand.slot = slot
        hand.slots = slots
        hand.events = events
        if unanswered is not None:
            self.unanswered[position] = unanswered
            self._unanswered_bytes += unanswered.body_bytes
        del buffer[-1]
        self._reached = words[_REACHED] = reached
        self._seal()

    def go_on(self, hand: Hand) -> bool:
        """Settle what was delivered to the thread and reserve the next event in one pass, if the window `is_plain`.

        Returns:
            False, with nothing done, where more is to be looked at: by `leave`, and by `reserve`.
        """
        buffer, is_alone = self._reading.buffer, len(self.hands) == len(hand.slots) == 1
        if not (is_alone and buffer) or self.redeliveries or self.returning or hand.sample is not None:
            return False
        words, slot, event = self._words, hand.slots[0], buffer[-1]
        position, events = event.position, (event,)
        reached = self._reading.read if len(buffer) == 1 else position
        now, key, cursor = monotonic_ns(), self._key, self._reached
        held_check, check = check_of(key, position), check_of(key, reached, cursor)
        # No calls below, as in `reserve`.
        words[_CHECK] = words[_HELD_CHECK] = 0
        words[slot + 1] = now
        words[slot] = position  # the one before is settled by that
        words[_CURSOR] = cursor  # E6
        hand.events = events
        hand.is_delivered = False
        del buffer[-1]
        self._reached = words[_REACHED] = reached
        words[_HELD_CHECK] = held_check
        words[_CHECK] = check
        return True

    def _reserve_again(self, hand: Hand, due: Redelivery) -> None:
        """Reserve an event that stands in a slot already."""
        position, slot, attempt, _ = due
        event = self._reading.one(position, attempt)
        rest = without_position(self.redeliveries, position)
        events, slots = (*hand.events, event), (*hand.slots, slot)
        all_unanswered, body_bytes = self.unanswered, 0
        if self._is_explicit:
            unanswered = answerable(event, slot, self.answer_to)
            all_unanswered = dict(sorted({**all_unanswered, position: unanswered}.items()))
            body_bytes = unanswered.body_bytes
        now = monotonic_ns()
        # No calls below, as in `reserve`.
        self._words[slot + 1] = now
        hand.slot = slot
        hand.slots = slots
        hand.events = events
        self.unanswered = all_unanswered
        self._unanswered_bytes += body_bytes
        self.redeliveries = rest

    def pass_over(self) -> None:
        """Note how far was read, when nothing of that matched: it is settled once nothing before it is in hand."""
        self._words[_CHECK] = 0
        self._reached = self._words[_REACHED] = self._reading.read
        self._move_cursor()

    def give_back(self, hand: Hand, count: int) -> None:
        """Release for any thread what is reserved for this one beyond `count` events and was not delivered."""
        assert not hand.is_delivered
        while len(hand.events) > count:
            event, slot = hand.events[-1], hand.slots[-1]
            redeliveries = with_redelivery(self.redeliveries, Redelivery(event.position, slot, event.attempt))
            events, slots = hand.events[:-1], hand.slots[:-1]
            unanswered = self.unanswered.get(event.position)
            # No calls below, as in `reserve`.
            self._words[slot + 1] = 0
            self.redeliveries = redeliveries
            if unanswered is not None:
                del self.unanswered[event.position]
                self._unanswered_bytes -= unanswered.body_bytes
            hand.events = events
            hand.slots = slots

    # Settling

    def settle(self, hand: Hand) -> None:
        """Settle what was reserved for the thread last, all of it."""
        words = self._words
        if hand.sample is not None:
            hand.go_on_sampling()
        words[_HELD_CHECK] = 0
        _clear(words, hand)
        hand.slots = ()
        hand.events = ()
        hand.is_delivered = False
        self._move_cursor()

    def leave(self, hand: Hand) -> None:
        """Settle or keep the events that were delivered to the thread, by the mode, as it asks for more."""
        if self.is_plain:
            self.settle(hand)
            return
        lagging = hand.lagging
        if self._ack_lag:
            lagging = (*lagging, *((event.position, slot) for event, slot in zip(hand.events, hand.slots, strict=True)))
        # No calls below.
        hand.lagging = lagging
        hand.slots = ()
        hand.events = ()
        hand.is_delivered = False
        if lagging:
            self.settle_lagging(hand, self._ack_lag)

    def settle_lagging(self, hand: Hand, count: int) -> None:
        """Settle what the thread keeps beyond the last `count`."""
        while len(hand.lagging) > count:
            slot, rest = hand.lagging[0][1], hand.lagging[1:]
            # No calls below.
            self._words[_HELD_CHECK] = 0
            self._words[slot] = 0
            hand.lagging = rest
        self._move_cursor()

    def settle_unanswered(self, positions: list[int]) -> None:
        """Settle events that the plugin has answered for."""
        for position in positions:
            unanswered = self.unanswered[position]
            # No calls below.
            self._words[_HELD_CHECK] = 0
            self._words[unanswered.slot] = 0
            del self.unanswered[position]
            self._unanswered_bytes -= unanswered.body_bytes
        self._move_cursor()

    def withdraw(self, event: Event) -> None:
        """Take an event back from the plugin until the supervisor has decided. It stays in its slot."""
        unanswered = self.unanswered[event.position]
        undecided = Redelivery(event.position, unanswered.slot, event.attempt, UNDECIDED)
        counted = with_count(self._words[unanswered.slot], event.attempt)
        redeliveries = with_redelivery(self.redeliveries, undecided)
        # No calls below. The cursor does not pass it, and no crash is its fault any more.
        self._words[_HELD_CHECK] = 0
        self._words[unanswered.slot] = counted
        self._words[unanswered.slot + 1] = 0
        self.redeliveries = redeliveries
        del self.unanswered[event.position]
        self._unanswered_bytes -= unanswered.body_bytes

    def settle_redelivery(self, entry: Redelivery) -> None:
        """Settle an event that was to be delivered again, as the node says: it need not be reported."""
        rest, returning = without_position(self.redeliveries, entry.position), self.returning - {entry.position}
        # No calls below.
        self._words[_HELD_CHECK] = 0
        self._words[entry.slot] = 0
        self.redeliveries = rest
        self.returning = returning
        self._move_cursor()

    def settled_returns(self) -> frozenset[int]:
        """Return what of `returning` is settled by now."""
        return self.returning.difference(self._page.in_hand())

    def _move_cursor(self) -> None:
        """Write down the position up to which everything is settled."""
        cursor = self._cursor()
        self._words[_CHECK] = 0
        self._words[_REACHED], self._words[_CURSOR] = self._reached, cursor  # E6; the file may have been written to
        self._seal()

    def _seal(self) -> None:
        """Write the checks, that of the slots where one of them at most is used: to sum up a window takes too long."""
        words, hands = self._words, self.hands
        if self.is_plain and len(hands) == 1 and len(hands[0].slots) <= 1 and not self.redeliveries:
            words[_HELD_CHECK] = check_of(self._key, *(words[slot] for slot in hands[0].slots if words[slot]))
        words[_CHECK] = check_of(self._key, words[_REACHED], words[_CURSOR])

    def _cursor(self) -> int:
        """Return the position up to which everything is settled."""
        if self.is_plain and len(self.hands) == 1 and not self.hands[0].events and not self.redeliveries:
            return self._reached
        delivered = self.unanswered if self._is_explicit else sorted(p for hand in self.hands for p in hand.positions)
        waiting = (one.position for one in self.redeliveries)
        in_hand = (delivered, waiting)  # each ascending: a long one costs no more than a short one
        return min(next((p for p in part if p not in self.returning), self._reached + 1) for part in in_hand) - 1

    # Bounds

    def is_full(self) -> bool:
        """Whether an event of the log would have to wait."""
        return self.room_bytes() == 0 or not self.has_slot()

    def room_bytes(self) -> int:
        """Return how many more bytes may be delivered; the last event may be larger. 0 if it has to wait for others."""
        count, held_bytes = len(self.unanswered), self._unanswered_bytes
        if not self._is_explicit:
            events = [event for hand in self.hands for event in hand.events]
            count, held_bytes = len(events), sum(len(event.body) for event in events)
        if count == 0:
            return self._bytes_max
        return 0 if self._goes_singly() else max(0, self._bytes_max - held_bytes)

    def may_hold_up(self, position: int) -> bool:
        """Whether all that the plugin has not answered may wait for an event that it nacked: without it no room comes.

        The lowest may be all that the plugin waits for, so that one is delivered beyond the bound.
        """
        return position < next(iter(self.unanswered), 0)

    def may_follow(self, room_bytes: int) -> bool:
        """Whether the next event that was read may be reserved behind another, with so much room left."""
        is_next = bool(self._reading.buffer) and not self.redeliveries
        return is_next and room_bytes > 0 and not self._suspects and self.has_slot()

    def _goes_singly(self) -> bool:
        """Whether only one event is delivered at a time. Never with `ack_lag`: a thread would settle none it keeps."""
        if not self._suspects or self._ack_lag:
            return False
        self._suspects = self._suspects.intersection(self._page.in_hand())
        return bool(self._suspects)

    def has_slot(self) -> bool:
        """Whether there is a slot for an event that is in none yet."""
        used = len(self.unanswered) + len(self.redeliveries)
        if not self._is_explicit:
            used += sum(len(hand.events) + len(hand.lagging) for hand in self.hands)
        return used < len(self.slots)


def _clear(words: memoryview, hand: Hand) -> None:
    """Empty the slots of what a thread has reserved; a signal handler may raise in the middle."""
    for event, slot in zip(hand.events, hand.slots, strict=True):
        if words[slot] & POSITION == event.position:  # what others put into a slot since is theirs
            words[slot] = 0
