"""What a plugin holds: events in the slots of its lane page, and who may settle them when.

No lock, no waiting, no clock that wakes anybody: a plugin's queue does that. What changes the state is a run of plain
stores, as a signal handler may raise anywhere else. Source: decisions 0015 and 0025; promises P3, P6 and P10.
"""

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from time import monotonic, monotonic_ns
from typing import Final

from bigchaindb.events import AnswerTo, Event
from bigchaindb.subscribers.hands import (
    UNDECIDED,
    Hand,
    Taken,
    Undone,
    first_due,
    with_undone,
    without_position,
)
from bigchaindb.subscribers.lane_page import RETURNING, LanePage, Word
from bigchaindb.subscribers.plugins import EXPLICIT, NEXT_GET, Wants
from bigchaindb.subscribers.reading import Reading

_POSITION: Final = RETURNING - 1
_ACKED: Final = int(Word.ACKED)
_HANDED: Final = int(Word.HANDED)
_SHOWN_MAX: Final = 5


class Window:
    """Used under the queue's lock.

    Attributes:
        hands: of the threads that took something.
        again: what comes again, ascending: it was in hand when the process before ended, or was nacked.
        out: what the plugin will answer for, by position; with `EXPLICIT` alone.
        returning: positions that were parked and come again, and are not settled; the cursor does not know them.
        plugin_keeps_events: the plugin still referenced an event after asking for later ones.
    """

    __slots__ = (
        "_ack_lag",
        "_answer_to",
        "_bytes_max",
        "_chain_id",
        "_is_explicit",
        "_is_plain",
        "_keeps_for_lag",
        "_last",
        "_out_bytes",
        "_out_positions",
        "_reading",
        "_suspects",
        "_words",
        "again",
        "hands",
        "out",
        "plugin_keeps_events",
        "returning",
        "slots",
    )

    def __init__(
        self,
        page: LanePage,
        reading: Reading,
        wants: Wants,
        answer_to: AnswerTo,
        *,
        chain_id: str,
        bytes_max: int,
        attempts: Mapping[int, int],
        one_at_a_time: bool,
    ) -> None:
        """Go on where `page` says: what was in hand when the process before ended comes first, then what is read.

        Args:
            page: its slots are the window.
            reading: what is taken next, once nothing comes again.
            wants: says when an event is settled.
            answer_to: what the plugin's answers go to.
            chain_id: begins the events' ids.
            bytes_max: bytes of events that are out; one may be larger.
            attempts: which delivery the next one is, for positions in hand; 1 for others.
            one_at_a_time: until what is in hand now is settled, only one event may be out.
        """
        self._words = page.words
        self._reading = reading
        self._answer_to = answer_to
        self._chain_id = chain_id
        self._bytes_max = bytes_max
        self._is_explicit = wants.acknowledge == EXPLICIT
        self._is_plain = wants.acknowledge == NEXT_GET and wants.ack_lag == 0
        self._keeps_for_lag = wants.acknowledge == NEXT_GET and wants.ack_lag > 0
        self._ack_lag = wants.ack_lag
        self.slots = page.slots
        self.hands: list[Hand] = []
        held = [(self._words[slot], slot) for slot in page.slots if self._words[slot]]
        self.again = with_undone(
            Undone(word & _POSITION, slot, attempts.get(word & _POSITION, 1)) for word, slot in held
        )
        self.out: dict[int, Taken] = {}
        # Of what is out, kept beside it: with each event a plugin takes or answers, both are asked for.
        self._out_positions: list[int] = []  # ascending
        self._out_bytes = 0
        self.plugin_keeps_events = False
        self.returning = frozenset(word & _POSITION for word, _ in held if word & RETURNING)
        self._suspects = frozenset(one.position for one in self.again) if one_at_a_time else frozenset[int]()
        self._last = page.words[_HANDED]  # position: reserved or passed over

    # Taking

    def reserve(self, hand: Hand) -> None:
        """Make the next event this thread's.

        Raises:
            HistoryLost: it is not in the log any more.
        """
        if self.again and (entry := first_due(self.again, monotonic())) is not None:
            self._reserve_again(hand, entry)
            return
        words, reading = self._words, self._reading
        record = reading.buffer[reading.next]
        slot = hand.slot
        if words[slot]:
            slot = self._free_slot(slot)
        position, event_type, height, time, _, body = record
        event = Event(event_type, body=body, chain_id=self._chain_id, position=position, height=height, time=time)
        events, slots = (*hand.events, event), (*hand.slots, slot)
        following = reading.next + 1
        buffered_count = len(reading.buffer)
        taken, place = None, 0
        if self._is_explicit:
            taken = self._answerable(event, slot)
            place = bisect_left(self._out_positions, position)
        added = (position,)
        now = monotonic_ns()
        # No calls below: a signal handler could run between them (decision 0015).
        words[slot + 1] = now
        words[slot] = position  # P6: in hand first
        hand.slot = slot
        hand.slots = slots
        hand.events = events
        if taken is not None:
            self.out[position] = taken
            self._out_positions[place:place] = added
            self._out_bytes += taken.body_bytes
        reading.next = following
        self._last = words[_HANDED] = reading.read if following == buffered_count else position

    def _reserve_again(self, hand: Hand, entry: Undone) -> None:
        """Make an event this thread's that stands in a slot already."""
        position, slot, attempt, _ = entry
        record = self._reading.one(position)
        event = Event(
            record.type,
            body=record.body,
            chain_id=self._chain_id,
            position=position,
            height=record.height,
            time=record.time,
            attempt=attempt,
        )
        rest = without_position(self.again, position)
        events, slots = (*hand.events, event), (*hand.slots, slot)
        taken, place = None, 0
        if self._is_explicit:
            taken = self._answerable(event, slot)
            place = bisect_left(self._out_positions, position)
        added = (position,)
        now = monotonic_ns()
        # No calls below, as in `reserve`.
        self._words[slot + 1] = now
        hand.slot = slot
        hand.slots = slots
        hand.events = events
        if taken is not None:
            self.out[position] = taken
            self._out_positions[place:place] = added
            self._out_bytes += taken.body_bytes
        self.again = rest

    def pass_over(self) -> None:
        """Note how far was read, when nothing of that matched: it is settled once nothing before it is in hand."""
        self._last = self._words[_HANDED] = self._reading.read
        self._words[_ACKED] = self._cursor()  # E6

    def _answerable(self, event: Event, slot: int) -> Taken:
        """Mark the event as one that the plugin answers for."""
        event._answer_to = self._answer_to  # noqa: SLF001 - the queue's own mark
        return Taken(slot, event.attempt, len(event.body), threading.current_thread().name)

    def give_back(self, hand: Hand, count: int) -> None:
        """Release for any thread what is reserved for this one beyond `count` events and was not given to it."""
        assert not hand.given
        while len(hand.events) > count:
            event, slot = hand.events[-1], hand.slots[-1]
            again = with_undone(self.again, Undone(event.position, slot, event.attempt))
            events, slots = hand.events[:-1], hand.slots[:-1]
            taken = self.out.get(event.position)
            place = bisect_left(self._out_positions, event.position)
            # No calls below, as in `reserve`.
            self._words[slot + 1] = 0
            self.again = again
            if taken is not None:
                del self.out[event.position]
                del self._out_positions[place]
                self._out_bytes -= taken.body_bytes
            hand.events = events
            hand.slots = slots

    # Settling

    def settle(self, hand: Hand) -> None:
        """Settle what was reserved for the thread last, all of it."""
        words = self._words
        if hand.sample is not None and hand.keeps_events():
            self.plugin_keeps_events = True
        if len(hand.slots) > 1:
            self._clear(hand)
        elif hand.slots:
            words[hand.slots[0]] = 0
        hand.slots = ()
        hand.events = ()
        hand.given = False
        words[_ACKED] = self._cursor()  # E6

    def _clear(self, hand: Hand) -> None:
        # A signal handler may raise in the middle: what others put into a slot since is theirs.
        for event, slot in zip(hand.events, hand.slots, strict=True):
            if self._words[slot] & _POSITION == event.position:
                self._words[slot] = 0

    def leave(self, hand: Hand) -> None:
        """Settle or keep the events that the thread was given, by the mode, as it asks for more."""
        if self._is_plain:
            self.settle(hand)
            return
        kept = hand.kept
        if self._keeps_for_lag:
            kept = (*kept, *((event.position, slot) for event, slot in zip(hand.events, hand.slots, strict=True)))
        # No calls below.
        hand.kept = kept
        hand.slots = ()
        hand.events = ()
        hand.given = False
        if kept:
            self.settle_kept(hand, self._ack_lag)

    def settle_kept(self, hand: Hand, count: int) -> None:
        """Settle what the thread keeps beyond the last `count`."""
        while len(hand.kept) > count:
            slot, rest = hand.kept[0][1], hand.kept[1:]
            # No calls below.
            self._words[slot] = 0
            hand.kept = rest
        self._words[_ACKED] = self._cursor()  # E6

    def settle_out(self, positions: list[int]) -> None:
        """Settle events that are out."""
        for position in positions:
            taken = self.out[position]
            place = bisect_left(self._out_positions, position)
            # No calls below.
            self._words[taken.slot] = 0
            del self.out[position]
            del self._out_positions[place]
            self._out_bytes -= taken.body_bytes
        self._words[_ACKED] = self._cursor()  # E6

    def out_through(self, position: int) -> list[int]:
        """Return the positions up to this one that are out, ascending."""
        return self._out_positions[: bisect_right(self._out_positions, position)]

    def is_out(self, event: Event) -> bool:
        """Whether this delivery is not answered yet."""
        taken = self.out.get(event.position)
        return taken is not None and taken.attempt == event.attempt

    def withdraw(self, event: Event) -> None:
        """Take an event back from the plugin until the supervisor has decided. It stays in its slot."""
        taken = self.out[event.position]
        again = with_undone(self.again, Undone(event.position, taken.slot, event.attempt, UNDECIDED))
        place = bisect_left(self._out_positions, event.position)
        # No calls below. The cursor does not pass it, and no crash is its fault any more.
        self._words[taken.slot + 1] = 0
        self.again = again
        del self.out[event.position]
        del self._out_positions[place]
        self._out_bytes -= taken.body_bytes

    def settle_again(self, entry: Undone) -> None:
        """Settle an event that was to come again, as the node says: it need not be reported."""
        rest, returning = without_position(self.again, entry.position), self.returning - {entry.position}
        # No calls below.
        self._words[entry.slot] = 0
        self.again = rest
        self.returning = returning
        self._words[_ACKED] = self._cursor()  # E6

    def settled_returns(self) -> frozenset[int]:
        """Return what of `returning` is settled by now."""
        return self.returning.difference([self._words[slot] & _POSITION for slot in self.slots])

    def _cursor(self) -> int:
        """Return the position up to which everything is settled."""
        if self._is_plain and len(self.hands) == 1 and not self.hands[0].events and not self.again:
            return self._last
        again = (one.position for one in self.again)
        in_hand = () if self._is_explicit else sorted(position for hand in self.hands for position in hand.positions)
        held = (self._out_positions, again, in_hand)  # each ascending: a long one costs no more than a short one
        return min(next((one for one in part if one not in self.returning), self._last + 1) for part in held) - 1

    # Bounds

    def is_full(self) -> bool:
        """Whether an event of the log would have to wait."""
        return not self.has_room() or not self.has_slot()

    def has_room(self) -> bool:
        """Whether the bound on bytes allows one more event to be out."""
        return self.room_bytes() > 0

    def room_bytes(self) -> int:
        """Return how many more bytes may be out; the last event may be larger. 0 if it has to wait for others."""
        if self._is_explicit:
            out_count, out_bytes = len(self.out), self._out_bytes
        else:
            out = [event for hand in self.hands for event in hand.events]
            out_count, out_bytes = len(out), sum(len(event.body) for event in out)
        if out_count == 0:
            return self._bytes_max
        return 0 if self._goes_singly() else max(0, self._bytes_max - out_bytes)

    def may_follow(self, room_bytes: int) -> bool:
        """Whether the next event that was read may be reserved behind another, with so much room left."""
        is_next = self._reading.count > 0 and not self.again
        return is_next and room_bytes > 0 and not self._suspects and self.has_slot()

    def _goes_singly(self) -> bool:
        """Whether only one event may be out. Never with `ack_lag`: a thread would not settle the events it keeps."""
        if not self._suspects or self._ack_lag:
            return False
        self._suspects &= {self._words[slot] & _POSITION for slot in self.slots}
        return bool(self._suspects)

    def has_slot(self) -> bool:
        """Whether there is a slot for an event that is in none yet."""
        used = len(self.out) + len(self.again)
        if not self._is_explicit:
            used += sum(len(hand.events) + len(hand.kept) for hand in self.hands)
        return used < len(self.slots)

    def _free_slot(self, start: int) -> int:
        """Return a free slot of the page, the next one from `start` on."""
        slots = self.slots
        index = slots.index(start)
        return next(slot for part in (slots[index:], slots[:index]) for slot in part if not self._words[slot])

    def holders(self) -> str:
        """Return which thread holds which positions, in words."""
        held: dict[str, list[int]] = {}
        for position, taken in self.out.items():
            held.setdefault(taken.thread, []).append(position)
        if not self._is_explicit:
            for hand in self.hands:
                held.setdefault(hand.thread.name, []).extend(hand.positions)
        threads = {name: sorted(positions) for name, positions in held.items() if positions}
        told = [f"thread {name!r} holds {_listed(positions)}" for name, positions in threads.items()]
        if waiting := [one.position for one in self.again]:
            told.append(f"{_listed(waiting)} wait to be delivered again")
        return "; ".join(told)


def _listed(positions: list[int]) -> str:
    """Name positions, and count them where there are many."""
    shown = ", ".join(map(str, positions[:_SHOWN_MAX]))
    more = f", … ({len(positions)})" if len(positions) > _SHOWN_MAX else ""
    return f"position{'s' if len(positions) > 1 else ''} {shown}{more}"
