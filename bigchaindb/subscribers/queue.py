"""The queue that a plugin's `run` gets: reads the log in `get`, and settles the event before.

It is a `multiprocessing.queues.Queue` by type, as 2017's documentation says, and has neither pipe nor feeder thread:
the standard library's `__init__` is not called, and every public method is overridden.

How nothing is lost: an event is *reserved* for a thread (its position stands in the lane page, the thread's `_Hand`
holds it), then *given* (the last thing that `get` does), and *settled* when that thread asks for the next. Whatever
raises out of `get` before it was given, a signal handler for instance, leaves it reserved, and the next `get` gives it.

Source: docs/reference/contract/event-plugin-api.md, section 5; promises P3 to P6 and P10; decision 0015.
"""

import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from multiprocessing.queues import Queue
from queue import Empty
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, Any, Final, NoReturn, SupportsIndex

from bigchaindb.errors import Closed, EventError, HistoryLost
from bigchaindb.events import Event, EventTypes
from bigchaindb.ledger.ports import LogReader, Record
from bigchaindb.subscribers.lane_page import LanePage, Word

MIB: Final = 1024 * 1024
READ_COUNT_MAX: Final = 256
"""Events that one read of the log brings: beyond it the cost of a statement no longer shows."""
READ_BYTES_MAX: Final = 1 * MIB
"""Bytes that one read of the log brings, but always one event: what the processor's cache holds."""

_ACKED: Final = int(Word.ACKED)
_HANDED: Final = int(Word.HANDED)
_HEAD: Final = int(Word.HEAD)
_READ_SINCE: Final = int(Word.READ_SINCE)


if TYPE_CHECKING:
    _StandardQueue = Queue[Event]
else:
    _StandardQueue = Queue  # 3.11's cannot be subscripted


class _Hand:
    """What one thread holds. Belongs to the `Thread` object, as numbers of threads are used again.

    Attributes:
        events: reserved for the thread, ascending.
        slots: where each stands in the lane page.
        slot: the one it used last, most likely free.
        given: `get` returned them, so the thread's next call settles them.
        refused: `Closed` was raised to the thread once.
    """

    __slots__ = ("events", "given", "refused", "slot", "slots", "thread")

    def __init__(self, slot: int) -> None:
        self.thread = threading.current_thread()
        self.slot = slot
        self.events: tuple[Event, ...] = ()
        self.slots: tuple[int, ...] = ()
        self.given = False
        self.refused = False


class LogQueue(_StandardQueue):
    """The reading side of `multiprocessing.Queue` over the event log."""

    def __init__(
        self,
        page: LanePage,
        log: LogReader,
        *,
        chain_id: str,
        event_types: int = EventTypes.ALL,
        window_bytes_max: int = 8 * MIB,
        attempts: Mapping[int, int] | None = None,
    ) -> None:
        """Go on where `page` says.

        Args:
            page: of this epoch; this object alone writes its progress.
            log: used under the lock of this object, by one thread at a time.
            chain_id: begins the events' ids.
            event_types: a mask; other events are passed over.
            window_bytes_max: bytes read and not settled, P10; one event may be larger.
            attempts: which delivery the next one is, for positions in hand.
        """
        # Queue.__init__ is not called: it would make a pipe and a feeder thread.
        self._page = page
        self._words = page.words
        self._log = log
        self._chain_id = chain_id
        self._event_types = event_types
        self._window_bytes_max = window_bytes_max
        self._attempts = attempts or {}
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting_count = 0
        self._local = threading.local()
        self._hands: list[_Hand] = []
        # Positions in hand when the process before ended, and their slots: they come first, then what is in _buffer.
        self._again = sorted((self._words[slot], slot) for slot in page.slots if self._words[slot])
        self._buffer: list[Record] = []
        self._next = 0  # index in _buffer
        self._last = self._read = self._words[_HANDED]  # positions: reserved or passed over, read into _buffer
        self._closed = False
        self._lost: HistoryLost | None = None
        self._fd: int | None = None
        self._fd_readable = False
        _queues.add(self)

    # Reading

    def get(self, block: bool = True, timeout: float | None = None) -> Event:  # noqa: FBT001, FBT002 - stdlib's
        """Settle what this thread took before, and take the next event.

        Raises:
            Empty: there is none now, or was none within `timeout` seconds.
            Closed: the queue has ended. Let it end `run`; asked again, `SystemExit` does.
            HistoryLost: the log is another than the one the cursor knew.
        """
        hand = getattr(self._local, "hand", None) or self._new_hand()
        with self._lock:
            if hand.given:
                self._settle(hand)
            if self._closed:
                self._refuse(hand)
            if not hand.events:
                if self._next == len(self._buffer) or len(self._hands) > 1 or self._again:
                    self._wait(hand, timeout if block else 0.0)
                self._reserve(hand)
            elif len(hand.events) > 1:
                self._give_back(hand, 1)
            if self._fd is not None:
                self._update_fd()
        event = hand.events[0]
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
        """
        hand = getattr(self._local, "hand", None) or self._new_hand()
        with self._lock:
            if hand.given:
                self._settle(hand)
            if self._closed:
                self._refuse(hand)
            self._give_back(hand, count_max)
            with suppress(Empty):
                self._wait(hand, 0.0 if hand.events else timeout)
            while len(hand.events) < count_max and self._ready():
                self._reserve(hand)
            if self._fd is not None:
                self._update_fd()
        events = list(hand.events)
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
            unread = self._words[_HEAD] - self._read
            return kept + len(self._again) + len(self._buffer) - self._next + unread

    def __iter__(self) -> Iterator[Event]:
        """Give events until the queue has ended."""
        while True:
            try:
                event = self.get()
            except Closed:
                return
            yield event

    def fileno(self) -> int:
        """Give a descriptor that is readable while `get` would not have to wait: for `select`, never for reading."""
        self._check_process()
        with self._lock:
            if self._fd is None:
                self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._update_fd()
            return self._fd

    # Ending

    def close(self) -> None:
        """End the queue for this process: every further `get` raises `Closed`."""
        self._check_process()
        with self._lock:
            self._closed = True
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
        """Look at the head again: it moved."""
        with self._lock:
            if self._waiting_count:
                self._changed.notify_all()
            self._update_fd()

    def settle(self) -> None:
        """Settle what this thread was given: `run` has returned."""
        hand = getattr(self._local, "hand", None)
        if hand is not None and hand.given:
            with self._lock:
                self._settle(hand)

    def fault(self) -> HistoryLost | EventError | None:
        """Give what must end this process though `run` goes on: lost history, or a thread that ended with an event.

        The main thread is not looked at: how it ended, `run` says.
        """
        if self._lost is not None:
            return self._lost
        with self._lock:
            for hand in self._hands:
                if hand.given and not hand.thread.is_alive() and hand.thread is not threading.main_thread():
                    return EventError(
                        f"thread {hand.thread.name!r} ended with position {hand.events[0].position} in hand: "
                        "let the thread that takes an event ask for the next one, or run return"
                    )
        return None

    # Under the lock

    def _wait(self, hand: _Hand, limit_s: float | None) -> None:
        """Return once an event can be reserved."""
        deadline = None
        while not self._ready():
            if self._closed:
                self._refuse(hand)
            remaining = None
            if limit_s is not None:
                deadline = monotonic() + limit_s if deadline is None else deadline
                remaining = deadline - monotonic()
                if limit_s <= 0 or remaining <= 0:
                    raise Empty
            self._waiting_count += 1
            try:
                self._changed.wait(remaining)
            finally:
                self._waiting_count -= 1

    def _refuse(self, hand: _Hand) -> NoReturn:
        if hand.refused:  # a loop with `except Exception: pass` would spin for ever
            raise SystemExit
        hand.refused = True
        raise self._lost or Closed("the queue has ended: the node stops, or the plugin closed it")

    def _ready(self) -> bool:
        """Say whether an event can be reserved; read the log if it may hold one."""
        if self._closed or self._window_is_full():
            return False
        if self._again or self._buffered():
            return True
        with suppress(HistoryLost):  # whoever asks for an event is told
            while not self._buffered() and self._read < self._words[_HEAD]:
                self._fill()
        return self._buffered()

    def _buffered(self) -> bool:
        return self._next < len(self._buffer)

    def _fill(self) -> None:
        """Read on. What is of other types is passed over: it is settled once nothing before it is in hand."""
        records = self._records(self._read, self._words[_HEAD])
        matching = [record for record in records if record.type & self._event_types]
        self._buffer, self._next, self._read = matching, 0, records[-1].position
        if not matching:
            self._last = self._words[_HANDED] = self._read
            self._words[_ACKED] = self._cursor()  # E6

    def _records(self, after: int, through: int) -> list[Record]:
        self._words[_READ_SINCE] = monotonic_ns()
        try:
            records = self._log.records(after, through, count_max=READ_COUNT_MAX, bytes_max=READ_BYTES_MAX)
        finally:
            self._words[_READ_SINCE] = 0
        expected = after + 1
        for record in records:
            if record.position != expected:
                break
            expected += 1
        else:
            if records:
                return records
        self._lost = HistoryLost(expected, self._words[_HEAD])  # P8: a gap is loud
        self._closed = True
        raise self._lost

    def _reserve(self, hand: _Hand) -> None:
        """Make the next event this thread's."""
        words = self._words
        again = bool(self._again)
        rest = self._again[1:]
        if again:
            position, slot = self._again[0]
            record = self._records(position - 1, position)[0]
        else:
            record = self._buffer[self._next]
            slot = hand.slot
            if words[slot]:
                slot = self._free_slot()
        position, event_type, height, time, _, body = record
        event = Event(event_type, body=body, chain_id=self._chain_id, position=position, height=height, time=time)
        if again:
            event.attempt = self._attempts.get(position, 1)
        events, slots = (*hand.events, event), (*hand.slots, slot)
        buffered_count = len(self._buffer)
        now = monotonic_ns()
        # Stores alone from here on: neither a signal handler nor another thread runs between them.
        words[slot + 1] = now
        words[slot] = position  # P6: in hand first
        hand.slot = slot
        hand.slots = slots
        hand.events = events
        if again:
            self._again = rest
        else:
            self._next += 1
            self._last = words[_HANDED] = self._read if self._next == buffered_count else position

    def _settle(self, hand: _Hand) -> None:
        words = self._words
        for slot in hand.slots:
            words[slot] = 0
        hand.events = hand.slots = ()
        hand.given = False
        words[_ACKED] = self._cursor()  # E6
        if self._waiting_count:
            self._changed.notify_all()  # the window has room

    def _cursor(self) -> int:
        """Give the position up to which everything is settled."""
        if len(self._hands) == 1 and not self._hands[0].events and not self._again:
            return self._last
        held = [hand.events[0].position for hand in self._hands if hand.events]
        held += [position for position, _ in self._again[:1]]
        return min(held) - 1 if held else self._last

    def _window_is_full(self) -> bool:
        if len(self._hands) == 1 and not self._hands[0].events:
            return False
        held_bytes = sum(len(event.body) for hand in self._hands for event in hand.events)
        return held_bytes >= self._window_bytes_max or self._free_slot() == 0

    def _free_slot(self) -> int:
        """Give a free slot of the page, 0 if there is none."""
        return next((slot for slot in self._page.slots if not self._words[slot]), 0)

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

    def _new_hand(self) -> _Hand:
        self._check_process()
        with self._lock:
            self._forget_ended_threads()
            hand = _Hand(self._page.slots[len(self._hands) % len(self._page.slots)])
            self._hands.append(hand)
        self._local.hand = hand
        return hand

    def _forget_ended_threads(self) -> None:
        """Drop their hands; what was reserved for one and not given is for anybody."""
        ended = [hand for hand in self._hands if not hand.given and not hand.thread.is_alive()]
        for hand in ended:
            self._give_back(hand, 0)
        self._hands = [hand for hand in self._hands if hand not in ended]

    def _give_back(self, hand: _Hand, count: int) -> None:
        """Let anybody take what is reserved for the thread beyond `count` events, and was not given to it."""
        assert not hand.given
        if len(hand.events) <= count:
            return
        positions = [event.position for event in hand.events[count:]]
        again = sorted([*self._again, *zip(positions, hand.slots[count:], strict=True)])
        events, slots = hand.events[:count], hand.slots[:count]
        # Stores alone, as in _reserve.
        self._again = again
        hand.events = events
        hand.slots = slots

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise EventError(
                f"queue: it belongs to process {self._pid}, which runs the plugin; hand events on to this one instead"
            )


_queues: Final[weakref.WeakSet[LogQueue]] = weakref.WeakSet()


def _after_fork() -> None:
    """Let a forked process see no hand, so that `get` asks which process it is in, before it asks for a lock."""
    for queue in _queues:
        queue._local = threading.local()  # noqa: SLF001 - the module's own


os.register_at_fork(after_in_child=_after_fork)
