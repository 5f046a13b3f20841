"""Opens the store of a node that starts, and waits for room on a full disk."""

import asyncio
import logging
from typing import Final

from bigchaindb.config import Limits, Settings
from bigchaindb.errors import StoreError
from bigchaindb.service import ServiceManager
from bigchaindb.store import reserve
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.store import Store

LOCK_WAIT_S: Final = 2.0
"""A command that reads the data of a stopped node holds the lock for a moment: a start waits for it."""
FULL_RETRY_S: Final = 1.0
"""Time between two attempts to start on a full disk."""

_log: Final = logging.getLogger(__name__)


async def open_store(
    settings: Settings, limits: Limits, ordered: asyncio.Task[None], manager: ServiceManager
) -> Store | None:
    """Open the store; on a full disk wait for room. None: the order to stop came first.

    A node that ended here would be restarted again and again until its service manager gives up, and would then not
    start once there is room.
    """
    directory = DataDirectory(settings.database.path)
    is_told = False
    manager.starts("the ledger is opened")
    while not ordered.done():
        is_full = directory.path.exists() and reserve.spend(directory)
        try:
            store = Store(
                directory.path,
                wal_bytes_max=limits.wal_bytes_max,
                lock_wait_s=LOCK_WAIT_S,
            )
        except (StoreError, OSError) as error:
            if not is_full:
                raise
            if not is_told:
                _log.error("the disk is full, the node waits for room to start", extra=_full(directory, error))
                manager.starts("the disk is full, and it waits for room")
            is_told = True
            await asyncio.wait({ordered}, timeout=FULL_RETRY_S)
        else:
            if reserve.free_bytes(directory) < limits.disk_free_bytes_min:
                _log.error("the disk is full, the node serves reads and takes no transaction", extra=_full(directory))
            return store
    return None


def _full(directory: DataDirectory, error: Exception | None = None) -> dict[str, object]:
    about = {} if error is None else {"error": str(error)}
    return {"path": str(directory.path), "free_bytes": reserve.free_bytes(directory), **about}
