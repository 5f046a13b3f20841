"""One log line for many incidents of a kind: strangers can cause them at will and must not fill a disk."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Final

PAUSE_S: Final = 10.0
"""Least time between two lines of a kind."""


class Summary:
    """Counts incidents; logs the first at once, further ones at most every `PAUSE_S`. Belongs to the event loop."""

    def __init__(self, write: Callable[[int, str], None]) -> None:
        """Count for `write`, which takes the number of incidents since its last line and a text of the last one."""
        self._write = write
        self._count = 0
        self._last = ""
        self._timer: asyncio.TimerHandle | None = None

    def note(self, what: str) -> None:
        """Count one incident."""
        self._count += 1
        self._last = what
        if self._timer is None:
            self._flush()

    def close(self) -> None:
        """Write the incidents that are not logged yet, and stop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._count:
            self._write(self._count, self._last)
            self._count = 0

    def _flush(self) -> None:
        self._timer = None
        if self._count:
            count, self._count = self._count, 0
            self._write(count, self._last)
            self._timer = asyncio.get_running_loop().call_later(PAUSE_S, self._flush, context=Context())
