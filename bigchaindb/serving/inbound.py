"""Holds back the frames that a WebSocket client sends beyond its budget, and reports clients that do not stop."""

import asyncio
from collections.abc import Callable
from typing import Final

from bigchaindb.serving.frame_budget import WINDOW_S, FrameBudget

OVER_S_MAX: Final = 5.0
"""Time beyond the budget after which a client counts as a flood; a library that sends its backlog stays below it."""


class Inbound:
    """Passes frames on within the budget. Belongs to the event loop.

    Bytes beyond it are kept and reading is paused, so they are at most those of one read, which the small buffer of
    the socket bounds (`Listener`, `receive_bytes`). Further bytes stay in the client's own system.
    """

    def __init__(
        self, transport: asyncio.Transport, feed: Callable[[bytes], None], on_flood: Callable[[], None]
    ) -> None:
        """Filter the bytes of a client before they reach a parser.

        Args:
            transport: of the client.
            feed: takes the bytes that pass.
            on_flood: called once, when the client has exceeded its budget for `OVER_S_MAX`.
        """
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._feed = feed
        self._on_flood = on_flood
        self._budget = FrameBudget()
        self._held = b""
        self._timer: asyncio.TimerHandle | None = None
        self._over_since_s = self._over_last_s = float("-inf")
        self._has_flooded = False

    @property
    def held_bytes(self) -> int:
        """Bytes that were read and not passed on."""
        return len(self._held)

    def receive(self, data: bytes) -> None:
        """Take bytes that were read."""
        self._held += data
        if self._timer is None:
            self._go_on()

    def close(self) -> None:
        """Pass nothing more on."""
        self._held = b""
        if self._timer is not None:
            self._timer.cancel()

    def _go_on(self) -> None:
        was_held, self._timer = self._timer is not None, None
        if self._transport.is_closing():
            return
        now_s = self._loop.time()
        size, is_over = self._budget.admit(self._held, now_s)
        passed, self._held = self._held[:size], self._held[size:]
        if is_over:
            self._hold(now_s)
        elif was_held:
            self._transport.resume_reading()
        if passed:
            self._feed(passed)

    def _hold(self, now_s: float) -> None:
        self._transport.pause_reading()
        self._timer = self._loop.call_at(self._budget.renewed_s, self._go_on)
        if now_s - self._over_last_s > 2 * WINDOW_S:  # A whole window was within the budget.
            self._over_since_s = now_s
        self._over_last_s = now_s
        if now_s - self._over_since_s >= OVER_S_MAX and not self._has_flooded:
            self._has_flooded = True
            self._on_flood()
