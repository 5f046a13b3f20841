"""What a node does beside serving: older rows get checksums, and room is put by for a start on a full disk."""

import asyncio
import logging
import math
import time
from typing import Final

from bigchaindb.errors import StoreError, StoreFull
from bigchaindb.store import reserve
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.store import Store

RESERVE_S: Final = 60.0
"""Time between two attempts to put room by for a start on a full disk."""
UPGRADE_TELL_S: Final = 10.0
"""Time between two lines about how far checksums are written."""

_log: Final = logging.getLogger(__name__)


async def upgrade(store: Store) -> None:
    """Add checksums to the rows of an older version, in half of the time: a commit waits for one step at most."""
    left_count, told_s = store.writer.upgrade_count, -math.inf
    total = left_count
    while left_count:
        begun_s = time.monotonic()
        if begun_s - told_s >= UPGRADE_TELL_S:
            told_s = begun_s
            _log.info("rows of an earlier version get checksums", extra={"done": total - left_count, "events": total})
        try:
            left_count = await asyncio.to_thread(store.writer.upgrade)
        except StoreFull:
            await asyncio.sleep(UPGRADE_TELL_S)
        except StoreError as error:
            _log.error(
                "checksums of older rows could not be written; the next start tries again", extra={"why": str(error)}
            )
            return
        await asyncio.sleep(time.monotonic() - begun_s)
    if total:
        _log.info("all rows have checksums", extra={"events": total})


async def keep_reserve(directory: DataDirectory) -> None:
    """Put room by for a start on a full disk, and again whenever it was used."""
    while True:
        await asyncio.to_thread(reserve.put_by, directory)
        await asyncio.sleep(RESERVE_S)
