"""Parked events are recorded before anything is settled, however long the disk is full (P2)."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from itertools import islice
from typing import Final

from bigchaindb.errors import OrderRefused, StoreError
from bigchaindb.eventlog.lane import Trouble
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.lane_notes import log
from bigchaindb.subscribers.lane_status import IN_WORDS
from bigchaindb.subscribers.lane_work import Work, noted
from bigchaindb.subscribers.machine import in_thread
from bigchaindb.subscribers.plugin_run import GRACE_S

RETRY_S: Final = 1.0
"""Time between two tries."""
RECORD_COUNT: Final = 256
"""Events that are written at once: what follows holds the loop for milliseconds."""


class ParkRecords:
    """The parked events of one lane, as they are written down. Belongs to the event loop.

    Attributes:
        count: of the events that are parked.
        work: of the lane.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        files: LaneFiles,
        thread: Executor,
        on_recorded: Callable[[Collection[int]], None],
        *,
        count: int,
    ) -> None:
        """Begin with nothing to write; `on_recorded` is told what is durable."""
        self.count = count
        self.work = work
        self._name = name
        self._files = files
        self._thread = thread
        self._on_recorded = on_recorded
        self._unwritten: dict[int, Trouble] = {}
        self._writing: asyncio.Task[None] | None = None

    def record(self, position: int, trouble: Trouble) -> None:
        """Begin to write down that an event is parked, with others of this moment."""
        self._unwritten[position] = trouble
        if not self.is_writing:
            self._writing = asyncio.create_task(self._write())

    @property
    def is_writing(self) -> bool:
        """Whether something is being written."""
        return self._writing is not None and not self._writing.done()

    async def all_recorded(self) -> None:
        """Wait until nothing is being written."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])

    async def require_recorded(self) -> None:
        """Wait for a while until nothing is being written.

        Raises:
            OrderRefused: the disk is full.
        """
        try:
            async with asyncio.timeout(GRACE_S):
                await self.all_recorded()
        except TimeoutError:
            title = f"{IN_WORDS[self.work.kind]} {self._name!r}"
            raise OrderRefused(f"{title}: an event is not yet recorded as parked; free space on its disk") from None

    def abandon(self) -> None:
        """Write nothing further: the node ends, and what is not recorded stays in hand."""
        self._unwritten.clear()
        if self._writing is not None:
            self._writing.cancel()

    async def recount(self) -> None:
        """Count what is on disk.

        Raises:
            StoreError: it cannot be read.
        """
        self.count = await in_thread(self._thread, self._files.node.parked_count, self._name)

    async def _write(self) -> None:
        while self._unwritten:
            troubles = dict(islice(self._unwritten.items(), RECORD_COUNT))
            try:
                await in_thread(self._thread, self._files.park, self._name, troubles)
                await self.recount()
            except StoreError as error:
                fields = noted(self.work, self._name) | {"error": str(error)}
                log.error("cannot record that an event is parked", extra=fields)
                await asyncio.sleep(RETRY_S)
                continue
            self._log(troubles)
            for position in troubles:
                del self._unwritten[position]
            self._on_recorded(troubles)

    def _log(self, troubles: Mapping[int, Trouble]) -> None:
        position, first = next(iter(troubles.items()))
        fields = noted(self.work, self._name, position) | {"attempts": first.attempts, "error": first.error}
        if len(troubles) == 1:
            log.error("event is parked, see `bigchaindb plugins parked`", extra=fields)
        else:
            fields["count"] = len(troubles)
            log.error("this event and others are parked, see `bigchaindb plugins parked`", extra=fields)
