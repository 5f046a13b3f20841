"""The queue that a plugin's `run` gets: reads the log in `get`, and settles the event before.

It is a `multiprocessing.queues.Queue` by type, as 2017's documentation says, and has neither pipe nor feeder thread:
the standard library's `__init__` is not called, and every public method is overridden.

How nothing is lost: an event is *reserved* for a thread (its position stands in the lane page, the thread's `Hand`
holds it), then *delivered* (the last thing that `get` does), and *settled* when that thread asks for the next, or when
the plugin answers. Whatever raises out of `get` before that, a signal handler for instance, leaves the event reserved,
and the next `get` delivers it.

`LogQueue` is what the plugin and its host call. Behind it: `Window` knows where each event is, `Gate` when one may be
taken, `Threads` who takes it, `Answers` what the plugin says of it; `Reading` reads the log ahead.

Source: docs/reference/contract/event-plugin-api.md, section 5; promises P3 to P6 and P10; decisions 0015 and 0025.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.queues import Queue
from queue import Empty
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NoReturn, SupportsIndex

from bigchaindb.errors import Closed, EventError, StoreDamaged
from bigchaindb.events import Event
from bigchaindb.ledger.ports import LogReader
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.advice import Advice
from bigchaindb.subscribers.answers import Answers
from bigchaindb.subscribers.gate import Gate
from bigchaindb.subscribers.lane_page import LanePage, Word
from bigchaindb.subscribers.plugins import DELIVERY, EXPLICIT, NEXT_GET, Wants
from bigchaindb.subscribers.reading import MIB, Reading
from bigchaindb.subscribers.threads import PIPE_HINT, Threads
from bigchaindb.subscribers.window import Window

_EVERYTHING: Final = Wants()

if TYPE_CHECKING:
    from bigchaindb.subscribers.async_events import AsyncEvents

    _StandardQueue = Queue[Event]
else:
    _StandardQueue = Queue  # 3.11's cannot be subscripted


def _nobody(_: wire.Report) -> None:
    """Take a report where there is no supervisor."""


class LogQueue(_StandardQueue):
    """The reading side of `multiprocessing.Queue` over the event log.

    Attributes:
        chain_id: begins the events' ids.
        plugin: the name by which the plugin is enabled.
        answers: take the answers of the plugin, and the supervisor's to those.
    """

    def __init__(
        self,
        page: LanePage,
        log: LogReader,
        *,
        chain_id: str,
        plugin: str = "",
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
            plugin: the name by which the plugin is enabled.
            wants: the plugin's properties.
            window_bytes_max: bytes read and not settled, P10; one event may be larger.
            attempts: number of the next delivery, for positions in hand.
            one_at_a_time: until what is in hand now is settled, deliver one event at a time.
            report: takes the plugin's answers about its events; from any thread, and never waits.
        """
        # Queue.__init__ is not called: it would make a pipe and a feeder thread.
        self.chain_id = chain_id
        self.plugin = plugin
        self._page = page
        self._reading = Reading(
            page.words,
            log,
            chain_id=chain_id,
            event_types=wants.event_types,
            selection=wants.select,
            after=page.words[Word.REACHED],
        )
        self._window = Window(
            page,
            self._reading,
            wants,
            bytes_max=window_bytes_max,
            attempts=attempts or {},
            one_at_a_time=one_at_a_time,
        )
        self._gate = Gate(self._window, self._reading, wants, report)
        self._threads = Threads(self._gate, self._window, wants.acknowledge)
        self.answers = Answers(self._gate, self._window, report, self._threads.check_process)
        self._advice = Advice(self._gate, self._window)
        self._acknowledge = wants.acknowledge
        self._lock = self._gate.lock
        self._async_events: AsyncEvents | None = None

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
        hand = getattr(self._threads.local, "hand", None) or self._threads.new_hand()
        gate, window = self._gate, self._window
        if gate.is_held_here():
            gate.refuse_within(timeout if block else 0.0)
        with self._lock:
            if not window.is_plain or not hand.is_delivered or gate.is_closed or not window.go_on(hand):
                if hand.is_delivered:
                    window.leave(hand)
                    if window.returning or gate.blocked_count:
                        gate.settled()
                if gate.is_closed:
                    gate.refuse(hand)
                if not hand.events:
                    gate.wait(hand, timeout if block else 0.0)
                    gate.reserve(hand)
                elif len(hand.events) > 1:
                    window.give_back(hand, 1)
            event = hand.events[0]
            if self._acknowledge == DELIVERY:
                window.settle(hand)
                gate.moved()
                return event
            if gate.fd is not None:
                gate.update_fd()
        hand.is_delivered = True  # last: what interrupts before leaves it to the next call
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
        hand = getattr(self._threads.local, "hand", None) or self._threads.new_hand()
        gate = self._gate
        if gate.is_held_here():
            gate.refuse_within(timeout)
        with self._lock:
            if hand.is_delivered:
                self._window.leave(hand)
                gate.moved()
            gate.refuse_if_closed(hand)
            self._window.give_back(hand, count_max)
            with suppress(Empty):
                gate.wait(hand, 0.0 if hand.events else timeout)
            while len(hand.events) < count_max and gate.is_open():
                gate.reserve_up_to(hand, count_max)
            if not hand.events:  # nobody holds the lock to close it: it may have been since `wait`
                gate.refuse_if_closed(hand)
            events = list(hand.events)
            if self._acknowledge == DELIVERY:
                self._window.settle(hand)
                gate.moved()
                return events
            gate.update_fd()
        hand.is_delivered = bool(events)  # last, as in `get`
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
        self._threads.check_process()
        if self._gate.is_closed:
            return 1
        hand, reading = getattr(self._threads.local, "hand", None), self._reading
        is_between = self._gate.is_held_here()  # what was not taken is at most counted twice then
        with self._lock:
            reserved = len(hand.events) if hand is not None and not hand.is_delivered else 0
            if not is_between and not reserved and not self._gate.is_open() and not self._window.is_full():
                return 0
            now_s = monotonic()
            due_count = sum(one.due_s <= now_s for one in self._window.redeliveries)
            return reserved + due_count + len(reading.buffer) + self._page.words[Word.HEAD] - reading.read

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

        self._threads.check_process()
        if self._async_events is None:
            self._async_events = AsyncEvents(self, is_shareable=self._acknowledge != NEXT_GET)
        return self._async_events

    def fileno(self) -> int:
        """Return a descriptor that is readable while `get` would not have to wait: for `select`, never for reading."""
        self._threads.check_process()
        with self._lock:
            return self._gate.fileno()

    # Answers for several events of a plugin with `acknowledge = "explicit"`; `Event` has those for one

    def ack_many(self, events: Sequence[Event]) -> None:
        """Do as `Event.ack` of each, at the price of one.

        Raises:
            EventError: as `ack_through`.
        """
        self._check_explicit("ack_many")
        self.answers.ack_many(events)

    def ack_through(self, position: int) -> None:
        """Acknowledge everything delivered up to this position, whichever thread took it.

        Raises:
            EventError: the plugin's `acknowledge` is not "explicit", or this is not the plugin's process.
        """
        self._check_explicit("ack_through")
        self.answers.ack_through(position)

    def holds(self, position: int) -> bool:
        """Whether the event at a position is in hand; see `EventQueue`."""
        return position in self.in_hand()

    def in_hand(self) -> Sequence[int]:
        """Return the positions of all events in hand; see `EventQueue`."""
        self._threads.check_process()
        with self._lock:
            return self._page.in_hand()

    @property
    def seek_count(self) -> int:
        """How often a person has sent the lane to another place; see `EventQueue`."""
        self._threads.check_process()
        return self._page.words[Word.SEEK_COUNT]

    def _check_explicit(self, call: str) -> None:
        if self._acknowledge != EXPLICIT:
            raise EventError(f'queue.{call}: set the plugin\'s property acknowledge to "explicit", or leave it out')

    # Ending

    def close(self) -> None:
        """End the queue for this process: every further `get` raises `Closed`."""
        self._threads.check_process()
        self._gate.close()

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
            f"queue: it belongs to the plugin's process and cannot be sent to another; send events, or {PIPE_HINT}"
        )

    def __repr__(self) -> str:
        return f"<LogQueue cursor={self._page.cursor} head={self._page.words[Word.HEAD]}>"

    # For the host

    def wake(self) -> None:
        """Wake the threads that wait: the head moved, or an event is due."""
        self._gate.wake()

    def due_in_s(self) -> float | None:
        """Return the seconds until an event is due and `wake` has to be called; None if none will be by itself."""
        return self._gate.due_in_s()

    def settle(self, others: Collection[threading.Thread] = ()) -> None:
        """Settle what was delivered to this thread and `others`, if it need not be answered: `run` has returned."""
        self._threads.settle(others)

    def belong_to_loop(self) -> None:
        """Refuse from now on what would block this thread, which runs an event loop."""
        self._gate.loop_thread = threading.current_thread()

    def warnings(self) -> list[str]:
        """Return the warnings for the plugin's author since the last call."""
        with self._lock:
            return self._advice.untold()

    def fault(self) -> StoreDamaged | EventError | None:
        """Return what must end this process while `run` goes on: lost history, or a thread that ended with an event."""
        return self._gate.lost or self._threads.fault()
