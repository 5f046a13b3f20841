"""The queue that a plugin's `run` gets: reads the log in `get`, and settles the event before.

It is a `multiprocessing.queues.Queue` by type, as 2017's documentation says, and has neither pipe nor feeder thread:
the standard library's `__init__` is not called, and every public method is overridden.

How nothing is lost: an event is *reserved* for a thread (its position stands in the lane page, the thread's `Hand`
holds it), then *given* (the last thing that `get` does), and *settled* when that thread asks for the next, or when the
plugin says so. Whatever raises out of `get` before it was given, a signal handler for instance, leaves it reserved, and
the next `get` gives it.

Source: docs/reference/contract/event-plugin-api.md, section 5; promises P3 to P6 and P10; decisions 0015 and 0025.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from math import isfinite
from multiprocessing.queues import Queue
from queue import Empty
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, Any, Final, NoReturn, SupportsIndex

from bigchaindb.errors import Closed, EventError, HistoryLost, Unavailable
from bigchaindb.events import Event
from bigchaindb.ledger.ports import LogReader
from bigchaindb.subscribers import orders as wire
from bigchaindb.subscribers.async_events import AsyncEvents
from bigchaindb.subscribers.hands import (
    UNDECIDED,
    Hand,
    Taken,
    Undone,
    first_due,
    next_due_s,
    with_undone,
    without_position,
)
from bigchaindb.subscribers.lane_page import RETURNING, LanePage, Word
from bigchaindb.subscribers.plugins import DELIVERY, EXPLICIT, NEXT_GET, Wants, describe
from bigchaindb.subscribers.reading import MIB, Reading

DELAY_S_MAX: Final = 7 * 86_400.0
"""The longest delay that a plugin may ask for: what waits for more than a week is better parked."""
ERROR_CHARACTERS_MAX: Final = 500
"""Of a plugin's own words: as much as is kept of any error."""
FULL_S: Final = 30.0
"""How long a full window may keep the plugin waiting before a warning says who holds what."""
_SHOWN_MAX: Final = 5
_EVERYTHING: Final = Wants()

_POSITION: Final = RETURNING - 1
_ACKED: Final = int(Word.ACKED)
_HANDED: Final = int(Word.HANDED)
_HEAD: Final = int(Word.HEAD)

_KEEPS: Final = (
    "this plugin keeps events after asking for the next: set ack_lag or explicit; what it was given before "
    "counts as done, and does not come again after a crash"
)


if TYPE_CHECKING:
    _StandardQueue = Queue[Event]
else:
    _StandardQueue = Queue  # 3.11's cannot be subscripted


def _nobody(_: wire.Report) -> None:
    """Take a report where there is no supervisor."""


class LogQueue(_StandardQueue):
    """The reading side of `multiprocessing.Queue` over the event log."""

    def __init__(
        self,
        page: LanePage,
        log: LogReader,
        *,
        chain_id: str,
        wants: Wants = _EVERYTHING,
        window_bytes_max: int = 8 * MIB,
        attempts: Mapping[int, int] | None = None,
        one_at_a_time: bool = False,
        report: Callable[[wire.Report], None] = _nobody,
    ) -> None:
        """Go on where `page` says.

        Args:
            page: of this epoch; this object alone writes its progress. Its slots are the window.
            log: used under the lock of this object, by one thread at a time.
            chain_id: begins the events' ids.
            wants: what the plugin says of the events that it is to get.
            window_bytes_max: bytes read and not settled, P10; one event may be larger.
            attempts: which delivery the next one is, for positions in hand.
            one_at_a_time: until what is in hand now is settled, give an event only when no other is out.
            report: takes what the plugin says of its events; from any thread, and never waits.
        """
        # Queue.__init__ is not called: it would make a pipe and a feeder thread.
        self._page = page
        self._words = page.words
        self._reading = Reading(
            page.words, log, event_types=wants.event_types, selection=wants.select, after=page.words[_HANDED]
        )
        self._chain_id = chain_id
        self._acknowledge = wants.acknowledge
        self._ack_lag = wants.ack_lag
        self._is_plain = wants.acknowledge == NEXT_GET and wants.ack_lag == 0
        self._window_bytes_max = window_bytes_max
        self._report = report
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting_count = 0
        self._local = threading.local()
        self._hands: list[Hand] = []
        # What was in hand when the process before ended comes first, then what is read.
        held = [(self._words[slot], slot) for slot in page.slots if self._words[slot]]
        delivered = attempts or {}
        self._again = with_undone(
            Undone(word & _POSITION, slot, delivered.get(word & _POSITION, 1)) for word, slot in held
        )
        self._returning = frozenset(word & _POSITION for word, _ in held if word & RETURNING)
        self._suspects = frozenset(one.position for one in self._again) if one_at_a_time else frozenset[int]()
        self._out: dict[int, Taken] = {}  # by position; with EXPLICIT alone
        self._last = page.words[_HANDED]  # position: reserved or passed over
        self._closed = False
        self._lost: HistoryLost | None = None
        self._full_since_s: float | None = None
        self._warnings: list[str] = []
        self._warned: set[str] = set()
        self._fd: int | None = None
        self._fd_readable = False
        self._async_events: AsyncEvents | None = None
        _queues.add(self)

    # Reading

    def get(self, block: bool = True, timeout: float | None = None) -> Event:  # noqa: FBT001, FBT002 - stdlib's
        """Settle what this thread took before, if the mode says so, and take the next event.

        Raises:
            Empty: there is none now, or was none within `timeout` seconds.
            Closed: the queue has ended. Let it end `run`; asked again, `SystemExit` does.
            HistoryLost: the log is another than the one the cursor knew.
            EventError: threads that keep events with `ack_lag` fill the window between them.
        """
        hand = getattr(self._local, "hand", None) or self._new_hand()
        reading = self._reading
        is_plain = self._is_plain
        with self._lock:
            if hand.given:
                if is_plain:
                    self._settle(hand)
                else:
                    self._leave(hand)
            if self._closed:
                self._refuse(hand)
            if not hand.events:
                if reading.next == len(reading.buffer) or len(self._hands) > 1 or self._again or not is_plain:
                    self._wait(hand, timeout if block else 0.0)
                self._reserve(hand)
            elif len(hand.events) > 1:
                self._give_back(hand, 1)
            event = hand.events[0]
            if not is_plain and self._acknowledge == DELIVERY:
                self._settle(hand)
                return event
            if self._fd is not None:
                self._update_fd()
        hand.given = True  # last: what interrupts before leaves it to the next call
        return event

    def get_nowait(self) -> Event:
        """Do as `get`, without waiting."""
        return self.get(block=False)

    def get_many(self, count_max: int, timeout: float | None = None) -> list[Event]:
        """Settle what this thread took before, wait for an event, and take up to `count_max` that are there.

        Returns:
            Ascending; as many as the window has room for; none if `timeout` seconds passed without one.

        Raises:
            Closed: as `get`.
            HistoryLost: as `get`.
            EventError: as `get`.
        """
        hand = getattr(self._local, "hand", None) or self._new_hand()
        with self._lock:
            if hand.given:
                self._leave(hand)
            if self._closed:
                self._refuse(hand)
            self._give_back(hand, count_max)
            with suppress(Empty):
                self._wait(hand, 0.0 if hand.events else timeout)
            while len(hand.events) < count_max and self._ready():
                self._reserve(hand)
            events = list(hand.events)
            if self._acknowledge == DELIVERY:
                self._settle(hand)
                return events
            if self._fd is not None:
                self._update_fd()
        hand.given = True  # last, as in `get`
        return events

    def empty(self) -> bool:
        """Say whether `get` would have to wait."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Say no: the log takes every event."""
        return False

    def qsize(self) -> int:
        """Count the events not yet taken; those of other types that lie far ahead are counted as well."""
        self._check_process()
        hand = getattr(self._local, "hand", None)
        with self._lock:
            kept = len(hand.events) if hand is not None and not hand.given else 0
            if not kept and not self._ready() and not self._window_is_full():
                return 0
            reading, now_s = self._reading, monotonic()
            due_count = sum(one.due_s <= now_s for one in self._again)
            return kept + due_count + reading.count + self._words[_HEAD] - reading.read

    def __iter__(self) -> Iterator[Event]:
        """Give events until the queue has ended."""
        while True:
            try:
                event = self.get()
            except Closed:
                return
            yield event

    def __aiter__(self) -> AsyncEvents:
        """Give events to a coroutine until the queue has ended, on whatever loop it runs."""
        self._check_process()
        if self._async_events is None:
            self._async_events = AsyncEvents(self, is_shareable=self._acknowledge != NEXT_GET)
        return self._async_events

    def fileno(self) -> int:
        """Give a descriptor that is readable while `get` would not have to wait: for `select`, never for reading."""
        self._check_process()
        with self._lock:
            if self._fd is None:
                self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._update_fd()
            return self._fd

    # Answers of a plugin with `acknowledge = "explicit"`; `Event` has them as well

    def ack(self, event: Event) -> None:
        """Settle an event. See `Event.ack`."""
        self._check_process()
        with self._lock:
            if self._is_out(event):
                self._settle_out([event.position])

    def ack_through(self, position: int) -> None:
        """Settle all that was given up to this position and is not answered, whichever thread took it.

        Raises:
            EventError: the plugin's `acknowledge` is not "explicit", or this is not the plugin's process.
        """
        self._check_process()
        if self._acknowledge != EXPLICIT:
            raise EventError('queue.ack_through: set the plugin\'s property acknowledge to "explicit", or leave it out')
        with self._lock:
            reserved = {event.position for hand in self._hands if not hand.given for event in hand.events}
            self._settle_out([one for one in self._out if one <= position and one not in reserved])

    def nack(self, event: Event, delay: float | None = None, error: str | BaseException | None = None) -> None:
        """Deliver an event again later. See `Event.nack`."""
        if delay is not None and not (isfinite(delay) and 0 <= delay <= DELAY_S_MAX):
            raise EventError(f"event.nack: delay is {delay!r}, and must be 0 to {DELAY_S_MAX:.0f} seconds or None")
        if self._withdraw(event):
            text = describe(error) if isinstance(error, BaseException) else _line(error or "the plugin nacked it")
            is_unavailable = isinstance(error, Unavailable)
            self._report(wire.Nacked(event.position, event.attempt, text, delay, is_unavailable))

    def park(self, event: Event, reason: str) -> None:
        """Set an event aside. See `Event.park`."""
        if self._withdraw(event):
            self._report(wire.ParkAsked(event.position, event.attempt, _line(reason)))

    # Ending

    def close(self) -> None:
        """End the queue for this process: every further `get` raises `Closed`."""
        self._check_process()
        self._closed = True  # whoever reads on for events that match has the lock, and looks at it
        with self._lock:
            self._changed.notify_all()
            self._update_fd()

    def join_thread(self) -> None:
        """Do nothing: there is no thread."""

    def cancel_join_thread(self) -> None:
        """Do nothing: there is no thread."""

    # What a plugin's own queue is not for

    def put(self, obj: Any, block: bool = True, timeout: float | None = None) -> NoReturn:  # noqa: ANN401, ARG002, FBT001, FBT002 - stdlib's
        """Refuse."""
        raise EventError("queue.put: a plugin's queue is the ledger's event log, which only commits add to")

    def put_nowait(self, obj: Any) -> NoReturn:  # noqa: ANN401 - stdlib's
        """Refuse."""
        self.put(obj)

    @property
    def _reader(self) -> NoReturn:
        raise EventError("queue._reader: there is no pipe; wait for queue.fileno() instead")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise EventError("queue: it belongs to the plugin's process and cannot be sent to another; send events")

    def __repr__(self) -> str:
        return f"<LogQueue acked={self._page.acked} head={self._words[_HEAD]}>"

    # For the host

    def wake(self) -> None:
        """Look again at the head and at what is due: something moved."""
        with self._lock:
            if self._waiting_count:
                self._changed.notify_all()
            self._update_fd()

    def due_in_s(self) -> float | None:
        """Give the seconds until `wake` is to be called, as an event comes again; None if none will by itself."""
        due_s = next_due_s(self._again)
        return None if due_s is None else max(0.0, due_s - monotonic())

    def settle(self) -> None:
        """Settle what this thread was given, if it need not be answered: `run` has returned."""
        hand = getattr(self._local, "hand", None)
        if hand is None or self._acknowledge != NEXT_GET:
            return
        with self._lock:
            if hand.given:
                self._settle(hand)
            self._settle_kept(hand, 0)

    def answered(self, answer: wire.Answer) -> None:
        """Take what the supervisor says of an event that was nacked, or that was to be parked."""
        with self._lock:
            entry = next((one for one in self._again if one.position == answer.position), None)
            if entry is None:
                return
            match answer:
                case wire.Again(_, attempt, delay_s):
                    entry = entry._replace(attempt=attempt, due_s=monotonic() + delay_s)
                    self._again = with_undone(self._again, entry)
                case wire.Settle():
                    rest = without_position(self._again, entry.position)
                    self._words[entry.slot] = 0
                    self._again = rest
            self._moved()

    def warnings(self) -> list[str]:
        """Give what the plugin's author should know and was not told yet."""
        with self._lock:
            since_s = self._full_since_s
            if since_s is not None and monotonic() - since_s >= FULL_S:
                self._warn(
                    "full",
                    f"the plugin waits for an event while it holds as many as it may, for {FULL_S:.0f} s now: "
                    f"{self._holders()}; settle them, or raise the window",
                )
            warnings = self._warnings
            self._warnings = []
        return warnings

    def fault(self) -> HistoryLost | EventError | None:
        """Give what must end this process though `run` goes on: lost history, or a thread that ended with an event.

        The main thread is not looked at: how it ended, `run` says.
        """
        if self._lost is not None:
            return self._lost
        if self._acknowledge != NEXT_GET:
            return None  # another thread may answer
        with self._lock:
            for hand in self._hands:
                if hand.thread.is_alive() or hand.thread is threading.main_thread():
                    continue
                if hand.given or hand.kept:
                    return EventError(
                        f"thread {hand.thread.name!r} ended with position {hand.positions[0]} in hand: "
                        "let the thread that takes an event ask for the next one, or run return"
                    )
        return None

    # Under the lock: taking

    def _wait(self, hand: Hand, limit_s: float | None) -> None:
        """Return once an event can be reserved."""
        deadline = None
        if self._is_plain and hand.sample is None and _KEEPS not in self._warned:
            hand.sample = []
        while not self._ready():
            if self._closed:
                self._refuse(hand)
            self._check_window()
            remaining = None
            if limit_s is not None:
                deadline = monotonic() + limit_s if deadline is None else deadline
                remaining = deadline - monotonic()
                if limit_s <= 0 or remaining <= 0:
                    raise Empty
            due_in_s = self.due_in_s()
            if due_in_s is not None:
                remaining = due_in_s if remaining is None else min(due_in_s, remaining)
            self._waiting_count += 1
            try:
                self._changed.wait(remaining)
            finally:
                self._waiting_count -= 1
        self._full_since_s = None

    def _refuse(self, hand: Hand) -> NoReturn:
        if hand.refused:  # a loop with `except Exception: pass` would spin for ever
            raise SystemExit
        hand.refused = True
        raise self._lost or Closed("the queue has ended: the node stops, or the plugin closed it")

    def _ready(self) -> bool:
        """Say whether an event can be reserved; read the log if it may hold one."""
        if self._closed or not self._has_room():
            return False
        if self._again and first_due(self._again, monotonic()):
            return True
        reading = self._reading
        with suppress(HistoryLost):  # whoever asks for an event is told
            while not reading.count and reading.is_behind and not self._closed:
                self._fill()
        return reading.count > 0 and not self._closed and self._has_slot()

    def _fill(self) -> None:
        """Read on. What does not match is passed over: it is settled once nothing before it is in hand."""
        reading = self._reading
        try:
            reading.fill()
        except HistoryLost as error:
            self._lose(error)
        if not reading.count:
            self._last = self._words[_HANDED] = reading.read
            self._words[_ACKED] = self._cursor()  # E6

    def _lose(self, error: HistoryLost) -> NoReturn:
        self._lost = error
        self._closed = True
        raise error

    def _reserve(self, hand: Hand) -> None:
        """Make the next event this thread's."""
        if self._again and (entry := first_due(self._again, monotonic())) is not None:
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
        taken = None if self._is_plain else self._taken(event, slot)
        now = monotonic_ns()
        # Stores alone from here on: neither a signal handler nor another thread runs between them.
        words[slot + 1] = now
        words[slot] = position  # P6: in hand first
        hand.slot = slot
        hand.slots = slots
        hand.events = events
        if taken is not None:
            self._out[position] = taken
        reading.next = following
        self._last = words[_HANDED] = reading.read if following == buffered_count else position

    def _reserve_again(self, hand: Hand, entry: Undone) -> None:
        """Make an event this thread's that stands in a slot already."""
        position, slot, attempt, _ = entry
        try:
            record = self._reading.one(position)
        except HistoryLost as error:
            self._lose(error)
        event = Event(
            record.type,
            body=record.body,
            chain_id=self._chain_id,
            position=position,
            height=record.height,
            time=record.time,
            attempt=attempt,
        )
        rest = without_position(self._again, position)
        events, slots = (*hand.events, event), (*hand.slots, slot)
        taken = self._taken(event, slot)
        now = monotonic_ns()
        # Stores alone, as in `_reserve`.
        self._words[slot + 1] = now
        hand.slot = slot
        hand.slots = slots
        hand.events = events
        if taken is not None:
            self._out[position] = taken
        self._again = rest

    def _taken(self, event: Event, slot: int) -> Taken | None:
        """Let the plugin answer for the event, if that is the mode."""
        if self._acknowledge != EXPLICIT:
            return None
        event._answer_to = self  # noqa: SLF001 - the queue's own mark
        return Taken(slot, event.attempt, len(event.body), threading.current_thread().name)

    # Under the lock: settling

    def _settle(self, hand: Hand) -> None:
        """Settle what was reserved for the thread last, all of it."""
        words = self._words
        if hand.sample is not None and hand.keeps_events():
            self._warn(_KEEPS, _KEEPS)
        if len(hand.slots) > 1:
            self._clear(hand)
        elif hand.slots:
            words[hand.slots[0]] = 0
        hand.slots = ()
        hand.events = ()
        hand.given = False
        words[_ACKED] = self._cursor()  # E6
        if self._waiting_count:
            self._changed.notify_all()  # the window has room

    def _clear(self, hand: Hand) -> None:
        # A signal handler may raise in the middle: what others put into a slot since is theirs.
        for event, slot in zip(hand.events, hand.slots, strict=True):
            if self._words[slot] & _POSITION == event.position:
                self._words[slot] = 0

    def _leave(self, hand: Hand) -> None:
        """Do as the mode says with what the thread was given, as it asks for more."""
        if self._is_plain:
            self._settle(hand)
            return
        kept = hand.kept
        if self._acknowledge == NEXT_GET:
            kept = (*kept, *((event.position, slot) for event, slot in zip(hand.events, hand.slots, strict=True)))
        # Stores alone.
        hand.kept = kept
        hand.slots = ()
        hand.events = ()
        hand.given = False
        self._settle_kept(hand, self._ack_lag)

    def _settle_kept(self, hand: Hand, count: int) -> None:
        """Settle what the thread keeps beyond the last `count`."""
        if len(hand.kept) <= count:
            return
        while len(hand.kept) > count:
            slot, rest = hand.kept[0][1], hand.kept[1:]
            # Stores alone.
            self._words[slot] = 0
            hand.kept = rest
        self._moved()

    def _settle_out(self, positions: list[int]) -> None:
        for position in positions:
            slot = self._out[position].slot
            # Stores alone.
            self._words[slot] = 0
            del self._out[position]
        self._moved()

    def _is_out(self, event: Event) -> bool:
        """Say whether this delivery is not answered yet."""
        taken = self._out.get(event.position)
        return taken is not None and taken.attempt == event.attempt

    def _withdraw(self, event: Event) -> bool:
        """Take an event back from the plugin until the supervisor has decided; False if it was answered before."""
        self._check_process()
        with self._lock:
            if not self._is_out(event):
                return False
            slot = self._out[event.position].slot
            again = with_undone(self._again, Undone(event.position, slot, event.attempt, UNDECIDED))
            # Stores alone. It stays in its slot, so the cursor does not pass it; no crash is its fault any more.
            self._words[slot + 1] = 0
            self._again = again
            del self._out[event.position]
            self._moved()
        return True

    def _moved(self) -> None:
        """Let the page, and whoever waits, know that something was settled or is due."""
        self._words[_ACKED] = self._cursor()  # E6
        if self._waiting_count:
            self._changed.notify_all()
        self._update_fd()

    def _cursor(self) -> int:
        """Give the position up to which everything is settled."""
        if self._is_plain and len(self._hands) == 1 and not self._hands[0].events and not self._again:
            return self._last
        held = [*self._out, *(one.position for one in self._again)]
        if self._acknowledge != EXPLICIT:
            held += [position for hand in self._hands for position in hand.positions]
        if self._returning:
            held = [position for position in held if position not in self._returning]
        return min(held) - 1 if held else self._last

    # Under the lock: the window

    def _window_is_full(self) -> bool:
        return not self._has_room() or not self._has_slot()

    def _has_room(self) -> bool:
        """Say whether one more event may be out, as far as its size matters."""
        if self._acknowledge == EXPLICIT:
            out_count, out_bytes = len(self._out), sum(taken.body_bytes for taken in self._out.values())
        else:
            out = [event for hand in self._hands for event in hand.events]
            out_count, out_bytes = len(out), sum(len(event.body) for event in out)
        if out_count == 0:
            return True
        return out_bytes < self._window_bytes_max and not self._goes_singly()

    def _goes_singly(self) -> bool:
        """Say whether only one event may be out. Not with `ack_lag`: what a thread keeps it would never settle."""
        if not self._suspects or self._ack_lag:
            return False
        self._suspects &= {self._words[slot] & _POSITION for slot in self._page.slots}
        return bool(self._suspects)

    def _has_slot(self) -> bool:
        """Say whether there is room for an event that is in no slot yet."""
        used = len(self._out) + len(self._again)
        if self._acknowledge != EXPLICIT:
            used += sum(len(hand.events) + len(hand.kept) for hand in self._hands)
        return used < len(self._page.slots)

    def _free_slot(self, start: int) -> int:
        """Give a free slot of the page, the next one behind `start`."""
        slots = self._page.slots
        index = slots.index(start)
        return next(slot for part in (slots[index:], slots[:index]) for slot in part if not self._words[slot])

    def _check_window(self) -> None:
        """Note since when a full window makes threads wait, and refuse to wait for what cannot end."""
        if not self._window_is_full():
            self._full_since_s = None
            return
        if self._ack_lag and len(self._hands) * self._ack_lag >= len(self._page.slots):
            raise EventError(
                f"queue: {len(self._hands)} threads that each keep {self._ack_lag} events (ack_lag) fill the window "
                f"of {len(self._page.slots)}: raise the window, or lower ack_lag"
            )
        if self._full_since_s is None:
            self._full_since_s = monotonic()

    def _holders(self) -> str:
        """Say which thread holds which positions."""
        held: dict[str, list[int]] = {}
        for position, taken in self._out.items():
            held.setdefault(taken.thread, []).append(position)
        if self._acknowledge != EXPLICIT:
            for hand in self._hands:
                held.setdefault(hand.thread.name, []).extend(hand.positions)
        threads = {name: sorted(positions) for name, positions in held.items() if positions}
        told = [f"thread {name!r} holds {_listed(positions)}" for name, positions in threads.items()]
        if waiting := [one.position for one in self._again]:
            told.append(f"{_listed(waiting)} wait to be delivered again")
        return "; ".join(told)

    def _warn(self, what: str, text: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            self._warnings.append(text)

    def _update_fd(self) -> None:
        """Let the descriptor say what `get` would do."""
        if self._fd is None:
            return
        readable = self._closed or self._ready()
        if readable and not self._fd_readable:
            os.eventfd_write(self._fd, 1)
        elif self._fd_readable and not readable:
            with suppress(BlockingIOError):  # read already, by a call that a signal handler cut short
                os.eventfd_read(self._fd)
        self._fd_readable = readable

    # Threads and processes

    def _new_hand(self) -> Hand:
        self._check_process()
        with self._lock:
            self._forget_ended_threads()
            hand = Hand(self._page.slots[len(self._hands) % len(self._page.slots)])
            self._hands.append(hand)
        self._local.hand = hand
        return hand

    def _forget_ended_threads(self) -> None:
        """Drop their hands; what was reserved for one and not given is for anybody."""
        ended = [hand for hand in self._hands if not hand.thread.is_alive() and not hand.kept]
        if self._acknowledge == EXPLICIT:
            for hand in ended:
                if hand.given:
                    self._leave(hand)
        ended = [hand for hand in ended if not hand.given]
        for hand in ended:
            self._give_back(hand, 0)
        self._hands = [hand for hand in self._hands if hand not in ended]

    def _give_back(self, hand: Hand, count: int) -> None:
        """Let anybody take what is reserved for the thread beyond `count` events, and was not given to it."""
        assert not hand.given
        while len(hand.events) > count:
            event, slot = hand.events[-1], hand.slots[-1]
            again = with_undone(self._again, Undone(event.position, slot, event.attempt))
            events, slots = hand.events[:-1], hand.slots[:-1]
            # Stores alone, as in `_reserve`.
            self._words[slot + 1] = 0
            self._again = again
            if event.position in self._out:
                del self._out[event.position]
            hand.events = events
            hand.slots = slots

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise EventError(
                f"queue: it belongs to process {self._pid}, which runs the plugin; hand events on to this one instead"
            )


def _line(text: str) -> str:
    """Give the words of a plugin as one line of bounded length."""
    return str(text).partition("\n")[0][:ERROR_CHARACTERS_MAX]


def _listed(positions: list[int]) -> str:
    """Name positions, and count them where there are many."""
    shown = ", ".join(map(str, positions[:_SHOWN_MAX]))
    more = f", … ({len(positions)})" if len(positions) > _SHOWN_MAX else ""
    return f"position{'s' if len(positions) > 1 else ''} {shown}{more}"


_queues: Final[weakref.WeakSet[LogQueue]] = weakref.WeakSet()


def _after_fork() -> None:
    """Let a forked process see no hand, so that `get` asks which process it is in, before it asks for a lock."""
    for queue in _queues:
        queue._local = threading.local()  # noqa: SLF001 - the module's own


os.register_at_fork(after_in_child=_after_fork)
