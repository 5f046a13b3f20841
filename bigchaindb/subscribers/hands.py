"""What the threads of a plugin hold, as values and small records: the parts that a plugin's queue is made of.

Source: decision 0015; promises P3 and P6.
"""

import threading
import weakref
from collections.abc import Iterable
from typing import Final, NamedTuple

from bigchaindb.eventlog.retrying import UNDECIDED
from bigchaindb.events import AnswerTo, Event

NOW: Final = 0.0
_SAMPLE_COUNT: Final = 2


class Hand:
    """What one thread holds. Belongs to the `Thread` object, as numbers of threads are used again.

    Attributes:
        events: reserved for the thread, ascending.
        slots: where each stands in the lane page.
        slot: the one it used last, most likely free.
        is_delivered: `get` returned them, so the thread's next call settles them.
        lagging: position and slot of what was delivered before and is not settled, with `ack_lag`; in that order.
        is_refused: `Closed` was raised to the thread once.
        sample: the events that it settled since the log was last read; None: nothing is sampled.
        keeps_events: the plugin still referenced an event after it had asked for later ones.
    """

    __slots__ = ("events", "is_delivered", "is_refused", "keeps_events", "lagging", "sample", "slot", "slots", "thread")

    def __init__(self, slot: int) -> None:
        """Hold nothing, for the thread that runs."""
        self.thread = threading.current_thread()
        self.slot = slot
        self.events: tuple[Event, ...] = ()
        self.slots: tuple[int, ...] = ()
        self.is_delivered = False
        self.lagging: tuple[tuple[int, int], ...] = ()
        self.is_refused = False
        self.sample: list[weakref.ref[Event]] | None = None
        self.keeps_events = False

    @property
    def positions(self) -> list[int]:
        """All that it holds."""
        return [*(position for position, _ in self.lagging), *(event.position for event in self.events)]

    def go_on_sampling(self) -> None:
        """Note the event that is settled now; once two are noted, look whether the plugin still refers to them."""
        sample = self.sample
        if sample is None or not self.events:
            return
        if len(sample) < _SAMPLE_COUNT:
            sample.append(weakref.ref(self.events[-1]))
            return
        self.sample = None  # one in each read of the log is enough
        self.keeps_events = self.keeps_events or all(event() is not None for event in sample)


class Unanswered(NamedTuple):
    """A delivery that a plugin will answer for: `explicit` alone.

    Attributes:
        attempt: its number; an answer to another delivery says nothing of this one.
        thread: the name of the one that took it.
    """

    slot: int
    attempt: int
    body_bytes: int
    thread: str


def answerable(event: Event, slot: int, answer_to: AnswerTo | None) -> Unanswered:
    """Mark an event as one that the plugin answers for, to `answer_to`."""
    assert answer_to is not None
    event._answer_to = answer_to  # noqa: SLF001 - the queue's own mark
    return Unanswered(slot, event.attempt, len(event.body), threading.current_thread().name)


class Redelivery(NamedTuple):
    """An event that is delivered again: it was in hand when the process before ended, or was nacked.

    Attributes:
        attempt: number of the next delivery.
        due_s: not before this monotonic time; `NOW`, or `UNDECIDED`.
    """

    position: int
    slot: int
    attempt: int
    due_s: float = NOW


# Lists of redeliveries are never changed in place: whoever is interrupted leaves the old one or the new one.


def with_redelivery(redeliveries: Iterable[Redelivery], *added: Redelivery) -> list[Redelivery]:
    """Return all entries, ascending by position; of two for a position the added one."""
    return sorted({one.position: one for one in (*redeliveries, *added)}.values())


def without_position(redeliveries: Iterable[Redelivery], position: int) -> list[Redelivery]:
    """Return the entries of other positions."""
    return [one for one in redeliveries if one.position != position]


def first_due(redeliveries: Iterable[Redelivery], now_s: float) -> Redelivery | None:
    """Return the lowest entry that is due."""
    return next((one for one in redeliveries if one.due_s <= now_s), None)


def next_due_s(redeliveries: Iterable[Redelivery]) -> float | None:
    """Return when the next entry is due; None if none becomes due by itself."""
    return min((one.due_s for one in redeliveries if one.due_s != UNDECIDED), default=None)
