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
    while True:
        time.sleep(CHECK_S)
        try:
            if not lock.is_held():
                break
        except OSError:  # the lock is closed as the node has stopped, or the disk fails, which others report
            if lock.is_closed:
                return
    telling = threading.Thread(target=_tell, args=(lock,), daemon=True)
    telling.start()
    telling.join(FLUSH_S_MAX)
    os._exit(EXIT_CODE)


def _tell(lock: DirectoryLock) -> None:
    _log.critical(
        "the lock of the data directory was removed or replaced while the node ran, so another node may use the "
        "directory: this one stops at once; what was committed is safe. Find out who did it, then start one node",
        extra={"lock": str(lock.path)},
    )
    logging.shutdown()
