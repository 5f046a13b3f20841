"""What a node does beside serving: older rows get what newer ones have, and room is put by for a full disk."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Final, NamedTuple

from bigchaindb.errors import StoreError, StoreFull
from bigchaindb.store import reserve
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.store import Store

RESERVE_S: Final = 60.0
"""Time between two attempts to put room by for a start on a full disk."""
UPGRADE: Final = "upgrade of older rows"
"""The name of this work for people."""
UPGRADE_TELL_S: Final = 10.0
"""Time between two lines about how far older rows are brought up to date."""

_log: Final = logging.getLogger(__name__)


class _Work(NamedTuple):
    """What is done to older rows, piece by piece: the lines of the log, and what they count."""

    doing: str
    done: str
    failed: str
    unit: str


_CHECKSUMS: Final = _Work(
    "rows of an earlier version get checksums",
    "all rows have checksums",
    "checksums of older rows could not be written; the next start tries again",
    "events",
)
_NAMES: Final = _Work(
    "transactions of an earlier version are indexed by the keys that they name",
    "all transactions are indexed by the keys that they name",
    "older transactions could not be indexed by the keys that they name, so that a filter by owner scans; "
    "the next start tries again",
    "transactions",
)


class Beside:
    """The background tasks of the node, and its threads. One that fails is logged at once.

    `health` names it until the next start, and a metric counts it. No end of a thread halts the node unseen: the thread
    of the log goes on after a defect, the one that watches the data directory ends the process, and what a pool of
    threads does fails where it is awaited.

    Attributes:
        failed: the tasks and threads that have failed, by name.
    """

    def __init__(self) -> None:
        """Begin with no work."""
        self.failed: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, works: Mapping[str, Coroutine[None, None, None]]) -> None:
        """Start works, each by the name that people read, and heed the threads that are there."""
        threading.excepthook = self._thread_ended
        for name, work in works.items():
            self._tasks.append(task := asyncio.create_task(work, name=name))
            task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Cancel what is left."""
        for task in self._tasks:
            task.cancel()
        threading.excepthook = threading.__excepthook__

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        self.failed.append(task.get_name())
        _log.error(
            "a background task of the node has failed; the node serves on, restart it to begin the task again",
            extra={"work": task.get_name(), "why": f"{type(error).__name__}: {error}"},
            exc_info=error,
        )

    def _thread_ended(self, ended: threading.ExceptHookArgs) -> None:
        if issubclass(ended.exc_type, SystemExit):
            return
        error = ended.exc_value or ended.exc_type()
        name = "thread" if ended.thread is None else f"thread {ended.thread.name}"
        self.failed.append(name)
        _log.critical(
            "a defect has ended a thread of the node, and what it did is not done any more; restart the node, and "
            "report the defect",
            extra={"work": name, "why": f"{type(error).__name__}: {error}"},
            exc_info=error,
        )


async def upgrade(store: Store, failed: Callable[[str], None]) -> None:
    """Bring the rows of an older version up to date: checksums first, by which all else is proven.

    Args:
        store: of the node.
        failed: called with the name of this work if rows are left that could not be brought up to date.
    """
    writer = store.writer
    if not (
        await _in_pieces(_CHECKSUMS, writer.upgrade_count, writer.upgrade)
        and await _in_pieces(_NAMES, writer.unnamed_count, writer.index_names)
    ):
        failed(UPGRADE)


async def _in_pieces(work: _Work, total: int, step: Callable[[], int]) -> bool:
    """Take steps until none is left, in half of the time: a commit waits for one step at most; return if all is done.

    Args:
        work: what the log says of it.
        total: how much is left.
        step: does a piece, and returns how much is left then.
    """
    left_count, told_s = total, -math.inf
    while left_count:
        begun_s = time.monotonic()
        if begun_s - told_s >= UPGRADE_TELL_S:
            told_s = begun_s
            _log.info(work.doing, extra={"done": total - left_count, work.unit: total})
        try:
            left_count = await asyncio.to_thread(step)
        except StoreFull:
            await asyncio.sleep(UPGRADE_TELL_S)
        except StoreError as error:
            _log.error(work.failed, extra={"why": str(error), "left": left_count, work.unit: total})
            return False
        await asyncio.sleep(time.monotonic() - begun_s)
    if total:
        _log.info(work.done, extra={work.unit: total})
    return True


async def keep_reserve(directory: DataDirectory) -> None:
    """Put room by for a start on a full disk, and again whenever it was used."""
    while True:
        await asyncio.to_thread(reserve.put_by, directory)
        await asyncio.sleep(RESERVE_S)
