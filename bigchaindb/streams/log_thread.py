"""A reader of the log beside the event loop: a reader belongs to one thread, so each gets a thread of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from bigchaindb.ledger.ports import LogReader

T = TypeVar("T")


class LogThread:
    """One reader of the log and the thread that it belongs to; the reader is opened by the first read."""

    def __init__(self, open_reader: Callable[[], LogReader], name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._open_reader = open_reader
        self._reader: LogReader | None = None

    async def run(self, read: Callable[[LogReader], T]) -> T:
        """Return the result of `read`, which must be short; reads run in the order of their calls."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: read(self._own_reader()))

    def close(self) -> None:
        """Wait for the running read; start no other. Safe to call twice."""
        with suppress(RuntimeError):  # raised if it is closed already
            self._executor.submit(self._close_reader)
        self._executor.shutdown()

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _own_reader(self) -> LogReader:
        if self._reader is None:
            self._reader = self._open_reader()
        return self._reader
