"""Parked events are recorded before anything is settled, however long the disk is full (P2)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from bigchaindb.errors import StoreError
from bigchaindb.eventlog.lane import Trouble
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.lane_notes import log
from bigchaindb.subscribers.lane_work import Work, noted
from bigchaindb.subscribers.machine import in_thread

RETRY_S: Final = 1.0
"""Time between two tries."""


class ParkRecords:
    """The parked events of one lane, as they are written down. Belongs to the event loop.

    Attributes:
        count: of the events that are parked.
        work: of the lane.
    """

    def __init__(self, name: str, work: Work, files: LaneFiles, thread: Executor, *, count: int) -> None:
        self.count = count
        self.work = work
        self._name = name
        self._files = files
        self._thread = thread
        self._tasks: dict[asyncio.Task[None], None] = {}  # while empty, a quarter of a set

    def record(self, position: int, trouble: Trouble, on_recorded: Callable[[int], None]) -> None:
        """Begin to write down that an event is parked; call `on_recorded` with its position once that is durable."""
        task = asyncio.create_task(self._record(position, trouble, on_recorded))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    @property
    def is_writing(self) -> bool:
        """Whether something is being written."""
        return bool(self._tasks)

    async def all_recorded(self) -> None:
        """Wait until nothing is being written."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def abandon(self) -> None:
        """Write nothing further: the node ends, and what is not recorded stays in hand."""
        for task in self._tasks:
            task.cancel()

    async def recount(self) -> None:
        """Count what is on disk.

        Raises:
            StoreError: it cannot be read.
        """
        self.count = await in_thread(self._thread, self._files.parked_count, self._name)

    async def _record(self, position: int, trouble: Trouble, on_recorded: Callable[[int], None]) -> None:
        while True:
            try:
                await in_thread(self._thread, self._files.park, self._name, position, trouble)
                await self.recount()
                break
            except StoreError as error:
                log.error(
                    "cannot record that an event is parked", extra={**noted(self.work, self._name), "error": str(error)}
                )
                await asyncio.sleep(RETRY_S)
        fields = noted(self.work, self._name, position) | {"attempts": trouble.attempts, "error": trouble.error}
        log.error("event is parked, see `bigchaindb plugins parked`", extra=fields)
        on_recorded(position)
