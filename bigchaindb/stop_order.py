"""The order to stop, as SIGINT and SIGTERM give it.

It is obeyed from the first moment of a start to the last of a stop: an order that comes early is not forgotten, and
one that comes again changes nothing. An event loop's own signal handlers are there for the loop's life only.
"""

import asyncio
import signal
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class StopOrder:
    """Whether the process was told to stop. Make it in the main thread, and only one."""

    def __init__(self) -> None:
        """Take the signals from now on."""
        self._given = False
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
        """Let no signal break off the little that is left of the process."""
        self._loop = None
        for signum in SIGNALS:
            signal.signal(signum, signal.SIG_IGN)

    def _give(self, _signum: int, _frame: FrameType | None) -> None:
        self._given = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._told.set)
