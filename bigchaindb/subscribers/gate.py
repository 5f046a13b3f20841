"""Whether a `get` may return, and the threads that wait until it may.

Source: decision 0015; promises P3, P8 and P10.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from time import monotonic
from typing import Final, NoReturn

from bigchaindb.errors import Closed, EventError, HistoryLost, StoreDamaged
from bigchaindb.eventlog import facts
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.hands import Hand, first_due, next_due_s
from bigchaindb.subscribers.plugins import NEXT_GET, Wants
from bigchaindb.subscribers.reading import Reading
from bigchaindb.subscribers.window import Window

ENDED: Final = "the queue has ended"
"""The code of the `SystemExit` by which the queue ends `run`: the plugin did not return, it may have done nothing."""
_WOULD_BLOCK: Final = (
    "queue.get: it would block the event loop that `async def run` is on, and all its tasks with it: take events with "
    "`async for event in queue`, or with `await loop.run_in_executor(None, queue.get)`"
)


class Gate:
    """Opens for one event at a time. What it does not say otherwise of a method is used under `lock`.

    Attributes:
        lock: of everything that a plugin's queue knows. A signal handler may ask for a count, or close the queue, while
            its own thread holds it.
        is_held_here: whether this thread holds it: a signal handler may not take events then.
        is_closed: the queue has ended.
        lost: why, if the log is not what it was.
        blocked_count: threads that wait for an event.
        full_since_s: since when a full window makes a thread wait, on the monotonic clock; None: it does not.
        fd: the descriptor, once there is one.
        loop_thread: one that must not be blocked, if there is one.
    """

    def __init__(self, window: Window, reading: Reading, wants: Wants, report: Callable[[wire.Report], None]) -> None:
        self.lock = threading.RLock()
        # `threading.Condition` asks the same; a lock has no public question.
        self.is_held_here: Callable[[], bool] = self.lock._is_owned  # type: ignore[attr-defined]  # noqa: SLF001
        self.is_closed = False
        self.lost: HistoryLost | StoreDamaged | None = None
        self.blocked_count = 0
        self.full_since_s: float | None = None
        self.loop_thread: threading.Thread | None = None
        self._changed = threading.Condition(self.lock)
        self._window = window
        self._reading = reading
        self._report = report
        self._is_next_get = wants.acknowledge == NEXT_GET
        self._ack_lag = wants.ack_lag
        self.fd: int | None = None
        self._is_fd_readable = False

    def wait(self, hand: Hand, limit_s: float | None) -> None:
        """Return once an event can be reserved.

        Raises:
            Empty: none can, within `limit_s` seconds.
            Closed: the queue has ended; or another error that ends it, as in `refuse`.
            EventError: the thread would wait for ever, or must not.
        """
        if limit_s != 0.0 and hand.thread is self.loop_thread:
            raise EventError(_WOULD_BLOCK)
        if self._window.is_plain and not self._reading.buffer and hand.sample is None and not hand.keeps_events:
            hand.sample = []
        deadline = None
        while not self.is_open():
            self.refuse_if_closed(hand)
            self._check_window()
            remaining = None
            if limit_s is not None:
                deadline = monotonic() + limit_s if deadline is None else deadline
                remaining = deadline - monotonic()
                if limit_s <= 0 or remaining <= 0:
                    self.update_fd()
                    raise Empty
            due_in_s = self.due_in_s()
            if due_in_s is not None:
                remaining = due_in_s if remaining is None else min(due_in_s, remaining)
            self.blocked_count += 1
            try:
                self._changed.wait(remaining)
            finally:
                self.blocked_count -= 1
        self.full_since_s = None

    def is_open(self) -> bool:
        """Whether an event can be reserved; reads the log if it may hold one."""
        window, reading = self._window, self._reading
        if self.is_closed:
            return False
        due = first_due(window.redeliveries, monotonic()) if window.redeliveries else None
        if window.room_bytes() == 0:
            return due is not None and window.may_hold_up(due.position)
        if due is not None:
            return True
        with suppress(HistoryLost, StoreDamaged):  # the next `get` raises it
            while not reading.buffer and reading.is_behind and not self.is_closed:
                self._fill()
        return bool(reading.buffer) and not self.is_closed and window.has_slot()

    def _fill(self) -> None:
        try:
            self._reading.fill()
        except (HistoryLost, StoreDamaged) as error:
            self._lose(error)
        if not self._reading.buffer:
            self._window.pass_over()

    def reserve(self, hand: Hand) -> None:
        """Reserve the next event for the thread, which `wait` or `is_open` has allowed."""
        try:
            self._window.reserve(hand)
        except (HistoryLost, StoreDamaged) as error:
            self._lose(error)

    def reserve_up_to(self, hand: Hand, count: int) -> None:
        """Reserve one event as `reserve`, and those behind it that need no look at what others hold."""
        room_bytes = self._window.room_bytes()
        while True:
            self.reserve(hand)
            room_bytes -= len(hand.events[-1].body)
            if len(hand.events) >= count or not self._window.may_follow(room_bytes):
                return

    def _lose(self, error: HistoryLost | StoreDamaged) -> NoReturn:
        self.lost = error
        self.is_closed = True
        raise error

    def refuse_if_closed(self, hand: Hand) -> None:
        """Raise as `refuse` once the queue has ended."""
        if self.is_closed:
            self.refuse(hand)

    def refuse(self, hand: Hand) -> NoReturn:
        """Raise how the queue ended; a second time to the same thread, `SystemExit`."""
        if hand.is_refused:  # a loop with `except Exception: pass` would spin for ever
            raise SystemExit(ENDED)
        hand.is_refused = True
        raise self.lost or Closed("the queue has ended: the node stops, or the plugin closed it")

    def refuse_within(self, limit_s: float | None) -> NoReturn:
        """Refuse a signal handler that asks for an event in the middle of a call of its own thread.

        Raises:
            Empty: it does not insist, and nothing comes meanwhile: as the standard library's queue.
            EventError: it would wait for ever.
        """
        if limit_s is None:
            raise EventError(
                "queue.get: a signal handler asks for an event while its thread is in a call of the queue, and would "
                "wait for ever: use get_nowait there, and expect Empty"
            )
        raise Empty

    def close(self) -> None:
        """End the queue; without the lock."""
        self.is_closed = True  # a thread that reads on for events that match has the lock, and looks at this
        with self.lock:
            self._changed.notify_all()
            self.update_fd()

    def wake(self) -> None:
        """Wake the threads that wait: the head moved, or an event is due. Without the lock."""
        with self.lock:
            if self.blocked_count:
                self._changed.notify_all()
            self.update_fd()

    def moved(self) -> None:
        """Wake the threads that wait: an event was settled, or is due."""
        self.settled()
        self.update_fd()

    def settled(self) -> None:
        """Wake the threads that wait for room; report settled events that had been parked, which no cursor shows."""
        window = self._window
        for position in window.settled_returns() if window.returning else ():
            self._report(facts.ReturnSettled(position))
            window.returning -= {position}
        if self.blocked_count:
            self._changed.notify_all()

    def due_in_s(self) -> float | None:
        """Return the seconds until a redelivery is due; None if none will be by itself. Needs no lock."""
        due_s = next_due_s(self._window.redeliveries)
        return None if due_s is None else max(0.0, due_s - monotonic())

    def _check_window(self) -> None:
        """Note since when a full window makes threads wait, and refuse a wait that cannot end."""
        if not self._window.is_full():
            self.full_since_s = None
            return
        thread_count, slot_count = len(self._window.hands), len(self._window.slots)
        if self._ack_lag and thread_count * self._ack_lag >= slot_count:
            raise EventError(
                f"queue: {thread_count} threads that each keep {self._ack_lag} events (ack_lag) fill the window of "
                f"{slot_count}: raise the window, or lower ack_lag"
            )
        if self.full_since_s is None:
            self.full_since_s = monotonic()

    # The descriptor

    def fileno(self) -> int:
        """Return a descriptor that is readable while `get` would not have to wait."""
        if self.fd is None:
            self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.update_fd()
        return self.fd

    def update_fd(self) -> None:
        """Make the descriptor, if there is one, readable or not, as `get` would return or wait."""
        if self.fd is None:
            return
        is_readable = self.is_open() or self.is_closed or self._asking_makes_room()
        if is_readable and not self._is_fd_readable:
            os.eventfd_write(self.fd, 1)
        elif self._is_fd_readable and not is_readable:
            with suppress(BlockingIOError):  # read already, by a call that a signal handler cut short
                os.eventfd_read(self.fd)
        self._is_fd_readable = is_readable

    def _asking_makes_room(self) -> bool:
        """Whether only events that were delivered to a thread keep it from the next: its next `get` settles them."""
        window, reading = self._window, self._reading
        if not self._is_next_get or not window.is_full() or not any(hand.events for hand in window.hands):
            return False
        return bool(reading.buffer) or reading.is_behind or first_due(window.redeliveries, monotonic()) is not None
