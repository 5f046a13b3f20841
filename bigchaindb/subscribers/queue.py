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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from math import isfinite
from multiprocessing.queues import Queue
from queue import Empty
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NoReturn, SupportsIndex

from bigchaindb.errors import Closed, EventError, HistoryLost, StoreDamaged, Unavailable
from bigchaindb.eventlog import facts
from bigchaindb.events import Event
from bigchaindb.ledger.ports import LogReader
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.hands import Hand, first_due, next_due_s, with_undone
from bigchaindb.subscribers.lane_page import LanePage, Word
from bigchaindb.subscribers.plugins import DELIVERY, EXPLICIT, NEXT_GET, Wants, describe, one_line
from bigchaindb.subscribers.reading import MIB, Reading
from bigchaindb.subscribers.window import Window

DELAY_S_MAX: Final = 7 * 86_400.0
"""The longest delay that a plugin may ask for: what waits for more than a week is better parked."""
FULL_S: Final = 30.0
"""How long a full window may keep the plugin waiting before a warning says who holds what."""
ENDED: Final = "the queue has ended"
"""The code of the `SystemExit` by which the queue ends `run`: the plugin did not return, it may have done nothing."""
_EVERYTHING: Final = Wants()

_HANDED: Final = int(Word.HANDED)
_HEAD: Final = int(Word.HEAD)

_KEEPS: Final = (
    "this plugin keeps events after asking for the next: set ack_lag or explicit; what it was given before "
    "counts as done, and does not come again after a crash"
)
_SHARED: Final = (
    'set "queue": "pipe" in the plugin\'s settings (events_plugins), for a queue that child processes share'
)
_WOULD_BLOCK: Final = (
    "queue.get: it would block the event loop that `async def run` is on, and all its tasks with it: take events with "
    "`async for event in queue`, or with `await loop.run_in_executor(None, queue.get)`"
)


if TYPE_CHECKING:
    from bigchaindb.subscribers.async_events import AsyncEvents

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
            wants: the plugin's properties.
            window_bytes_max: bytes read and not settled, P10; one event may be larger.
            attempts: which delivery the next one is, for positions in hand.
            one_at_a_time: until what is in hand now is settled, give an event only when no other is out.
            report: takes the plugin's answers about its events; from any thread, and never waits.
        """
        # Queue.__init__ is not called: it would make a pipe and a feeder thread.
        self._page = page
        self._words = page.words
        self._reading = Reading(
            page.words, log, event_types=wants.event_types, selection=wants.select, after=page.words[_HANDED]
        )
        self._window = Window(
            page,
            self._reading,
            wants,
            self,
            chain_id=chain_id,
            bytes_max=window_bytes_max,
            attempts=attempts or {},
            one_at_a_time=one_at_a_time,
        )
        self._acknowledge = wants.acknowledge
        self._ack_lag = wants.ack_lag
        self._is_plain = wants.acknowledge == NEXT_GET and wants.ack_lag == 0
        self._report = report
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting_count = 0
        self._local = threading.local()
        self._closed = False
        self._lost: HistoryLost | StoreDamaged | None = None
        self._full_since_s: float | None = None
        self._warnings: list[str] = []
        self._warned: set[str] = set()
        self._fd: int | None = None
        self._fd_readable = False
        self._async_events: AsyncEvents | None = None
        self._loop_thread: threading.Thread | None = None
        _queues.add(self)

    # Reading

    def get(self, block: bool = True, timeout: float | None = None) -> Event:  # noqa: FBT001, FBT002 - stdlib's
        """Settle what this thread took before, if the mode says so, and take the next event.

        Raises:
            Empty: there is none now, or was none within `timeout` seconds.
            Closed: the queue has ended. Let it end `run`; asked again, `SystemExit` does.
            HistoryLost: the log is another than the one the cursor knew.
            StoreDamaged: the next event is not what was written.
            EventError: threads that keep events with `ack_lag` fill the window between them.
        """
        hand = getattr(self._local, "hand", None) or self._new_hand()
        reading = self._reading
        window = self._window
        is_plain = self._is_plain
        with self._lock:
            if hand.given:
                if is_plain:
                    window.settle(hand)
                else:
                    window.leave(hand)
                if window.returning or self._waiting_count:
                    self._settled()
            if self._closed:
                self._refuse(hand)
            if not hand.events:
                if reading.next == len(reading.buffer) or len(window.hands) > 1 or window.again or not is_plain:
                    self._wait(hand, timeout if block else 0.0)
                self._reserve(hand)
            elif len(hand.events) > 1:
                window.give_back(hand, 1)
            event = hand.events[0]
            if not is_plain and self._acknowledge == DELIVERY:
                window.settle(hand)
                self._moved()
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
                self._window.leave(hand)
                self._moved()
            self._refuse_if_closed(hand)
            self._window.give_back(hand, count_max)
            with suppress(Empty):
                self._wait(hand, 0.0 if hand.events else timeout)
            while len(hand.events) < count_max and self._ready():
                self._reserve_up_to(hand, count_max)
            if not hand.events:  # nobody holds the lock to close it: it may have been since `_wait`
                self._refuse_if_closed(hand)
            events = list(hand.events)
            if self._acknowledge == DELIVERY:
                self._window.settle(hand)
                self._moved()
                return events
            if self._fd is not None:
                self._update_fd()
        hand.given = bool(events)  # last, as in `get`
        return events

    def empty(self) -> bool:
        """Whether `get` would have to wait; never once the queue is closing, so that who polls learns of it."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Return False: the log takes every event."""
        return False

    def qsize(self) -> int:
        """Count the events not yet taken; those of other types that lie far ahead are counted as well.

        Once the queue is closing it is 1, which stands for the `Closed` that the next `get` raises.
        """
        self._check_process()
        if self._closed:
            return 1
        hand = getattr(self._local, "hand", None)
        with self._lock:
            kept = len(hand.events) if hand is not None and not hand.given else 0
            if not kept and not self._ready() and not self._window.is_full():
                return 0
            reading, now_s = self._reading, monotonic()
            due_count = sum(one.due_s <= now_s for one in self._window.again)
            return kept + due_count + reading.count + self._words[_HEAD] - reading.read

    def __iter__(self) -> Iterator[Event]:
        """Yield events until the queue has ended."""
        while True:
            try:
                event = self.get()
            except Closed:
                return
            yield event

    def __aiter__(self) -> "AsyncEvents":
        """Return an asynchronous iterator of events until the queue has ended, for a coroutine on any loop."""
        from bigchaindb.subscribers.async_events import AsyncEvents  # a fifth of a process's start, if it is not used

        self._check_process()
        if self._async_events is None:
            self._async_events = AsyncEvents(self, is_shareable=self._acknowledge != NEXT_GET)
        return self._async_events

    def fileno(self) -> int:
        """Return a descriptor that is readable while `get` would not have to wait: for `select`, never for reading."""
        self._check_process()
        with self._lock:
            if self._fd is None:
                self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._update_fd()
            return self._fd

    # Answers of a plugin with `acknowledge = "explicit"`; `Event` has them as well

    def ack(self, event: Event) -> None:
        """Settle an event. See `Event.ack`."""
        self._settle_out([event])

    def ack_many(self, events: Sequence[Event]) -> None:
        """Do as `Event.ack` of each, at the price of one.

        Raises:
            EventError: as `ack_through`.
        """
        self._check_explicit("ack_many")
        self._settle_out(events)

    def ack_through(self, position: int) -> None:
        """Acknowledge everything delivered up to this position, whichever thread took it.

        Raises:
            EventError: the plugin's `acknowledge` is not "explicit", or this is not the plugin's process.
        """
        self._check_explicit("ack_through")
        self._check_process()
        with self._lock:
            window = self._window
            reserved = {event.position for hand in window.hands if not hand.given for event in hand.events}
            window.settle_out([one for one in window.out_through(position) if one not in reserved])
            self._moved()

    def nack(self, event: Event, delay: float | None = None, error: str | BaseException | None = None) -> None:
        """Deliver an event again later. See `Event.nack`."""
        if delay is not None and not (isfinite(delay) and 0 <= delay <= DELAY_S_MAX):
            raise EventError(f"event.nack: delay is {delay!r}, and must be 0 to {DELAY_S_MAX:.0f} seconds or None")
        if self._withdraw(event):
            text = describe(error) if isinstance(error, BaseException) else one_line(error or "the plugin nacked it")
            is_unavailable = isinstance(error, Unavailable)
            self._report(facts.Nacked(event.position, event.attempt, text, delay, is_unavailable))

    def park(self, event: Event, reason: str) -> None:
        """Set an event aside. See `Event.park`."""
        if self._withdraw(event):
            self._report(facts.ParkAsked(event.position, event.attempt, one_line(reason)))

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
        raise EventError(
            f"queue: it belongs to the plugin's process and cannot be sent to another; send events, or {_SHARED}"
        )

    def __repr__(self) -> str:
        return f"<LogQueue acked={self._page.acked} head={self._words[_HEAD]}>"

    # For the host

    def wake(self) -> None:
        """Wake the threads that wait: the head moved, or an event is due."""
        with self._lock:
            if self._waiting_count:
                self._changed.notify_all()
            self._update_fd()

    def due_in_s(self) -> float | None:
        """Return the seconds until an event is due and `wake` has to be called; None if none will be by itself."""
        due_s = next_due_s(self._window.again)
        return None if due_s is None else max(0.0, due_s - monotonic())

    def settle(self, others: Collection[threading.Thread] = ()) -> None:
        """Settle what this thread and `others` were given, if it need not be answered: `run` has returned."""
        if self._acknowledge != NEXT_GET:
            return
        threads = {threading.current_thread(), *others}
        with self._lock:
            for hand in self._window.hands:
                if hand.thread in threads:
                    if hand.given:
                        self._window.settle(hand)
                    self._window.settle_kept(hand, 0)
            self._moved()

    def belong_to_loop(self) -> None:
        """Refuse from now on what would block this thread, which runs an event loop."""
        self._loop_thread = threading.current_thread()

    def answered(self, answer: facts.Answer) -> None:
        """Carry out the supervisor's answer about an event that was nacked, or that was to be parked."""
        with self._lock:
            window = self._window
            entry = next((one for one in window.again if one.position == answer.position), None)
            if entry is None:
                return
            match answer:
                case facts.Again(_, attempt, delay_s):
                    entry = entry._replace(attempt=attempt, due_s=monotonic() + delay_s)
                    window.again = with_undone(window.again, entry)
                case facts.Settle():
                    window.settle_again(entry)
            self._moved()

    def warnings(self) -> list[str]:
        """Return the warnings for the plugin's author since the last call."""
        with self._lock:
            if self._window.plugin_keeps_events:
                self._warn("keeps", _KEEPS)
            since_s = self._full_since_s
            if since_s is not None and monotonic() - since_s >= FULL_S:
                self._warn(
                    "full",
                    f"the plugin waits for an event while it holds as many as it may, for {FULL_S:.0f} s now: "
                    f"{self._window.holders()}; settle them, or raise the window",
                )
            warnings = self._warnings
            self._warnings = []
        return warnings

    def fault(self) -> StoreDamaged | EventError | None:
        """Return what must end this process though `run` goes on: lost history, or a thread that ended with an event.

        Not for the main thread: the end of `run` shows how that ended.
        """
        if self._lost is not None:
            return self._lost
        if self._acknowledge != NEXT_GET:
            return None  # another thread may answer
        with self._lock:
            for hand in self._window.hands:
                if hand.thread.is_alive() or hand.thread is threading.main_thread():
                    continue
                if hand.given or hand.kept:
                    return EventError(
                        f"thread {hand.thread.name!r} ended with position {hand.positions[0]} in hand: "
                        "let the thread that takes an event ask for the next one, or run return"
                    )
        return None

    def _check_explicit(self, call: str) -> None:
        if self._acknowledge != EXPLICIT:
            raise EventError(f'queue.{call}: set the plugin\'s property acknowledge to "explicit", or leave it out')

    def _settle_out(self, events: Sequence[Event]) -> None:
        self._check_process()
        with self._lock:
            positions = list(dict.fromkeys(event.position for event in events if self._window.is_out(event)))
            if positions:
                self._window.settle_out(positions)
                self._moved()

    # Under the lock

    def _wait(self, hand: Hand, limit_s: float | None) -> None:
        """Return once an event can be reserved."""
        deadline = None
        if limit_s != 0.0 and hand.thread is self._loop_thread:
            raise EventError(_WOULD_BLOCK)
        if self._is_plain and hand.sample is None and not self._window.plugin_keeps_events:
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
                    self._update_fd()
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

    def _refuse_if_closed(self, hand: Hand) -> None:
        if self._closed:
            self._refuse(hand)

    def _refuse(self, hand: Hand) -> NoReturn:
        if hand.refused:  # a loop with `except Exception: pass` would spin for ever
            raise SystemExit(ENDED)
        hand.refused = True
        raise self._lost or Closed("the queue has ended: the node stops, or the plugin closed it")

    def _ready(self) -> bool:
        """Whether an event can be reserved; reads the log if it may hold one."""
        window = self._window
        if self._closed or not window.has_room():
            return False
        if window.again and first_due(window.again, monotonic()):
            return True
        reading = self._reading
        with suppress(HistoryLost, StoreDamaged):  # the next `get` raises it
            while not reading.count and reading.is_behind and not self._closed:
                self._fill()
        return reading.count > 0 and not self._closed and window.has_slot()

    def _fill(self) -> None:
        """Read on."""
        reading = self._reading
        try:
            reading.fill()
        except (HistoryLost, StoreDamaged) as error:
            self._lose(error)
        if not reading.count:
            self._window.pass_over()

    def _reserve(self, hand: Hand) -> None:
        try:
            self._window.reserve(hand)
        except (HistoryLost, StoreDamaged) as error:
            self._lose(error)

    def _reserve_up_to(self, hand: Hand, count: int) -> None:
        """Reserve one event, and those behind it that need no look at what others hold."""
        room_bytes = self._window.room_bytes()
        while True:
            self._reserve(hand)
            room_bytes -= len(hand.events[-1].body)
            if len(hand.events) >= count or not self._window.may_follow(room_bytes):
                return

    def _lose(self, error: HistoryLost | StoreDamaged) -> NoReturn:
        self._lost = error
        self._closed = True
        raise error

    def _withdraw(self, event: Event) -> bool:
        """Take an event back from the plugin until the supervisor has decided; False if it was answered before."""
        self._check_process()
        with self._lock:
            if not self._window.is_out(event):
                return False
            self._window.withdraw(event)
            self._moved()
        return True

    def _moved(self) -> None:
        """Wake the threads that wait: an event was settled, or is due."""
        self._settled()
        self._update_fd()

    def _settled(self) -> None:
        """Wake the threads that wait for room; report settled events that had been parked, which no cursor shows."""
        window = self._window
        for position in window.settled_returns() if window.returning else ():
            self._report(facts.ReturnSettled(position))
            window.returning -= {position}
        if self._waiting_count:
            self._changed.notify_all()

    def _check_window(self) -> None:
        """Note since when a full window makes threads wait, and refuse a wait that cannot end."""
        if not self._window.is_full():
            self._full_since_s = None
            return
        thread_count, slot_count = len(self._window.hands), len(self._window.slots)
        if self._ack_lag and thread_count * self._ack_lag >= slot_count:
            raise EventError(
                f"queue: {thread_count} threads that each keep {self._ack_lag} events (ack_lag) fill the window of "
                f"{slot_count}: raise the window, or lower ack_lag"
            )
        if self._full_since_s is None:
            self._full_since_s = monotonic()

    def _warn(self, what: str, text: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            self._warnings.append(text)

    def _update_fd(self) -> None:
        """Make the descriptor readable or not, as `get` would return or wait."""
        if self._fd is None:
            return
        readable = self._ready() or self._closed or self._asking_makes_room()
        if readable and not self._fd_readable:
            os.eventfd_write(self._fd, 1)
        elif self._fd_readable and not readable:
            with suppress(BlockingIOError):  # read already, by a call that a signal handler cut short
                os.eventfd_read(self._fd)
        self._fd_readable = readable

    def _asking_makes_room(self) -> bool:
        """Whether only events that a thread was given keep it from the next: its next `get` would settle them."""
        window, reading = self._window, self._reading
        if self._acknowledge != NEXT_GET or not window.is_full() or not any(hand.events for hand in window.hands):
            return False
        return reading.count > 0 or reading.is_behind or first_due(window.again, monotonic()) is not None

    # Threads and processes

    def _new_hand(self) -> Hand:
        self._check_process()
        with self._lock:
            self._forget_ended_threads()
            window = self._window
            hand = Hand(window.slots[len(window.hands) % len(window.slots)])
            window.hands.append(hand)
        self._local.hand = hand
        return hand

    def _forget_ended_threads(self) -> None:
        """Drop their hands; what was reserved for one and not given is for anybody."""
        window = self._window
        ended = [hand for hand in window.hands if not hand.thread.is_alive() and not hand.kept]
        if self._acknowledge == EXPLICIT:
            for hand in ended:
                if hand.given:
                    window.leave(hand)
        ended = [hand for hand in ended if not hand.given]
        for hand in ended:
            window.give_back(hand, 0)
        window.hands = [hand for hand in window.hands if hand not in ended]

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise EventError(
                f"queue: it belongs to process {self._pid}, which runs the plugin; hand events on to this one instead, "
                f"or {_SHARED}"
            )


_queues: Final[weakref.WeakSet[LogQueue]] = weakref.WeakSet()


def _after_fork() -> None:
    """Hide all hands from a forked process, so that `get` checks the process before it takes the lock."""
    for queue in _queues:
        queue._local = threading.local()  # noqa: SLF001 - the module's own


os.register_at_fork(after_in_child=_after_fork)
