"""Ends a node whose data directory is no longer its own: its lock file was removed or replaced, or the folder moved.

From then on another node can own the directory, and two must never write it. So nothing more is committed or cleaned
up: the process ends at once, as by SIGKILL, which leaves every file whole.
"""

import logging
import os
import threading
import time
from typing import Final

from bigchaindb.store.directory import DirectoryLock

CHECK_S: Final = 1.0
"""Time between two checks of the lock's file: one `stat` each."""
EXIT_CODE: Final = 1
FLUSH_S_MAX: Final = 1.0
"""Time for the log's last line: standard error may be a pipe that nobody reads."""

_log: Final = logging.getLogger(__name__)


def watch(lock: DirectoryLock) -> None:
    """Watch the lock from now on, in a thread: the event loop may be busy."""
    threading.Thread(target=_watch, args=(lock,), name="ownership", daemon=True).start()


def _watch(lock: DirectoryLock) -> None:
    defect: Exception | None = None
    try:
        if not _is_lost(lock):
            return
    except Exception as error:  # noqa: BLE001 - nobody would see another node in the directory
        defect = error
    telling = threading.Thread(target=_tell, args=(lock, defect), daemon=True)
    telling.start()
    telling.join(FLUSH_S_MAX)
    os._exit(EXIT_CODE)


def _is_lost(lock: DirectoryLock) -> bool:
    """Wait until the lock is lost; False if it was closed, as the node has stopped."""
    while True:
        time.sleep(CHECK_S)
        try:
            if not lock.is_held():
                return True
        except OSError:  # the lock is closed, or the disk fails, which others report
            if lock.is_closed:
                return False


def _tell(lock: DirectoryLock, defect: Exception | None) -> None:
    text = (
        "the lock of the data directory was removed or replaced while the node ran, so another node may use the "
        "directory: this one stops at once; what was committed is safe. Find out who did it, then start one node"
    )
    if defect is not None:
        text = (
            "a defect has ended the watch over the lock of the data directory, so another node could use the directory "
            "unseen: this one stops at once; what was committed is safe; start the node again, and report the defect"
        )
    _log.critical("%s", text, extra={"lock": str(lock.path)}, exc_info=defect)
    logging.shutdown()
