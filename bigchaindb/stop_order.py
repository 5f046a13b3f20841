"""The order to stop: SIGINT or SIGTERM.

It holds from the first moment of a start to the last of a stop: an early order is remembered, a second one changes
nothing, and the log says so. An event loop's own signal handlers live no longer than the loop.
"""

import asyncio
import logging
import signal
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_log: Final = logging.getLogger(__name__)


class StopOrder:
    """Whether the order to stop was given. Make only one, in the main thread."""

    def __init__(self) -> None:
        """Handle the signals from now on."""
        self._given = self._is_repeated = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()
        for signum in SIGNALS:
            signal.signal(signum, self._give)

    async def wait(self) -> None:
        """Wait for the order."""
        self._loop = asyncio.get_running_loop()
        if not self._given:
            await self._told.wait()

    def close(self) -> None:
        """Ignore the signals from now on, so that the last steps of the process are not interrupted."""
        self._loop = None
        for signum in SIGNALS:
            signal.signal(signum, signal.SIG_IGN)

    def _give(self, _signum: int, _frame: FrameType | None) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._repeat if self._given else self._told.set)
        self._given = True

    def _repeat(self) -> None:
        """Log the second order, and none of those that follow."""
        if not self._is_repeated:
            self._is_repeated = True
            _log.info("still stopping: accepted transactions are committed first; a further order changes nothing")
