"""Passes the frames of a WebSocket client on in turns of the loop, for clients whose messages have work done.

A read may hold tens of thousands of small frames: carried out at once, they would hold up everybody else for a
quarter of a second. There is no budget for frames that have an effect; a client whose frames have none, such as pings
or answers that are stale, waits between two turns, and its system keeps what it sends meanwhile.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final

from bigchaindb.serving.frame_budget import FrameBudget

TURN_FRAME_COUNT: Final = 32
"""Frames in a turn: half a millisecond of the loop."""
BUSY_SHARE: Final = 0.1
"""Of the loop's time for frames that have no effect, of all clients together."""


class Pace:
    """When clients may go on whose frames have no effect: one after the other. Belongs to the event loop."""

    def __init__(self) -> None:
        self._free_s = 0.0

    def next_s(self, took_s: float) -> float:
        """Return how long a client waits whose turn took so long."""
        now_s = perf_counter()
        self._free_s = max(self._free_s, now_s) + took_s / BUSY_SHARE
        return self._free_s - now_s


class Turns:
    """The unread bytes of a client. Belongs to the event loop."""

    def __init__(self, transport: asyncio.Transport, pace: Pace, feed: Callable[[bytes], bool]) -> None:
        """Pass bytes on to `feed`, which returns whether they had an effect."""
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._feed = feed
        self._budget = FrameBudget(TURN_FRAME_COUNT)
        self._turn = 0
        self._held = b""
        self._next: asyncio.Handle | None = None
        self._is_on_hold = False
        self._is_closed = False

    @property
    def held_bytes(self) -> int:
        """Bytes that were read and not passed on."""
        return len(self._held)

    def receive(self, data: bytes) -> None:
        """Take bytes that were read."""
        if not self._is_closed:
            self._held += data
            if self._next is None and not self._is_on_hold:
                self._go_on()

    def hold(self) -> None:
        """Pass nothing on until `let_go`, and read nothing."""
        self._is_on_hold = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._pause()

    def let_go(self) -> None:
        """Go on."""
        self._is_on_hold = False
        if self._next is None:
            self._go_on()

    def close(self) -> None:
        """Pass nothing more on."""
        self._is_closed = True
        self._held = b""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _go_on(self) -> None:
        self._next = None
        if self._is_closed or self._transport.is_closing():
            return
        self._turn += 1
        size, is_over = self._budget.admit(self._held, self._turn)  # each turn is a window of its own
        passed, self._held = self._held[:size], self._held[size:]
        begun_s = perf_counter()
        had_effect = self._feed(passed) if passed else True
        if self._is_closed or self._is_on_hold or self._transport.is_closing():
            return
        if not had_effect:
            self._wait(self._pace.next_s(perf_counter() - begun_s))
        elif is_over:
            self._wait(0.0)
        else:
            self._transport.resume_reading()

    def _wait(self, wait_s: float) -> None:
        self._pause()
        self._next = self._loop.call_later(wait_s, self._go_on)

    def _pause(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()
