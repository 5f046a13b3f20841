"""The threads of a plugin that take events, and no other process's. Source: decision 0015; promises P3 and P6."""

import os
import threading
import weakref
from collections.abc import Collection
from typing import Final

from bigchaindb.errors import EventError
from bigchaindb.subscribers.gate import Gate
from bigchaindb.subscribers.hands import Hand
from bigchaindb.subscribers.plugins import EXPLICIT, NEXT_GET
from bigchaindb.subscribers.window import Window

PIPE_HINT: Final = (
    'set "queue": "pipe" in the plugin\'s settings (events_plugins), for a queue that child processes share'
)


class Threads:
    """Hands them out, one to each thread, and settles or releases what an ended one held.

    Attributes:
        local: has this thread's `hand` once `new_hand` was called; nobody's after a fork.
    """

    def __init__(self, gate: Gate, window: Window, acknowledge: str) -> None:
        """Belong to this process.

        Args:
            gate: its lock guards the hands.
            window: has the hands, and the slots behind them.
            acknowledge: the plugin's property.
        """
        self.local = threading.local()
        self._pid = os.getpid()
        self._gate = gate
        self._window = window
        self._acknowledge = acknowledge
        _all.add(self)

    def check_process(self) -> None:
        """Refuse a forked process.

        Raises:
            EventError: this is one.
        """
        if os.getpid() != self._pid:
            raise EventError(
                f"queue: it belongs to process {self._pid}, which runs the plugin; hand events on to this one instead, "
                f"or {PIPE_HINT}"
            )

    def new_hand(self) -> Hand:
        """Return a hand for this thread, which has none."""
        self.check_process()
        with self._gate.lock:
            self._forget_ended()
            window = self._window
            hand = Hand(window.slots[len(window.hands) % len(window.slots)])
            window.hands.append(hand)
        self.local.hand = hand
        return hand

    def settle(self, others: Collection[threading.Thread]) -> None:
        """Settle what was delivered to this thread and `others`, if it need not be answered."""
        self.check_process()
        if self._acknowledge != NEXT_GET:
            return
        threads = {threading.current_thread(), *others}
        with self._gate.lock:
            for hand in self._window.hands:
                if hand.thread in threads:
                    if hand.is_delivered:
                        self._window.settle(hand)
                    self._window.settle_lagging(hand, 0)
            self._gate.moved()

    def fault(self) -> EventError | None:
        """Return the error of a thread that ended with an event in hand.

        Not for the main thread: the end of `run` shows how that ended.
        """
        if self._acknowledge != NEXT_GET:
            return None  # another thread may answer
        with self._gate.lock:
            for hand in self._window.hands:
                if hand.thread.is_alive() or hand.thread is threading.main_thread():
                    continue
                if hand.is_delivered or hand.lagging:
                    return EventError(
                        f"thread {hand.thread.name!r} ended with position {hand.positions[0]} in hand: "
                        "let the thread that takes an event ask for the next one, or run return"
                    )
        return None

    def _forget_ended(self) -> None:
        """Drop the hands of ended threads; what was reserved for one and not delivered is for anybody."""
        window = self._window
        ended = [hand for hand in window.hands if not hand.thread.is_alive() and not hand.lagging]
        if self._acknowledge == EXPLICIT:
            for hand in ended:
                if hand.is_delivered:
                    window.leave(hand)
        ended = [hand for hand in ended if not hand.is_delivered]
        for hand in ended:
            window.give_back(hand, 0)
            window.keeps_events |= hand.keeps_events
        window.hands = [hand for hand in window.hands if hand not in ended]


_all: Final[weakref.WeakSet[Threads]] = weakref.WeakSet()


def _after_fork() -> None:
    """Hide all hands from a forked process, so that `get` checks the process before it takes the lock."""
    for threads in _all:
        threads.local = threading.local()


os.register_at_fork(after_in_child=_after_fork)
