"""Ends a node whose data directory is no longer its own: its lock file was removed or replaced, or the folder moved.

From then on another node can take the directory, and two must never write one. So nothing is committed or tidied any
more: the process ends at once, as by SIGKILL, after which every file is whole.
"""

import logging
import os
import threading
import time
from typing import Final

from bigchaindb.store.directory import DirectoryLock

LOOK_S: Final = 1.0
"""Time between two looks at the lock's file: one `stat`."""
EXIT_CODE: Final = 1
FLUSH_S_MAX: Final = 1.0
"""Time for the log's last line: standard error may be a pipe that nobody reads."""

_log: Final = logging.getLogger(__name__)


def watch(lock: DirectoryLock) -> None:
    """Watch the lock from now on, in a thread: the event loop may be busy."""
    threading.Thread(target=_look, args=(lock,), name="ownership", daemon=True).start()


def _look(lock: DirectoryLock) -> None:
    while True:
        time.sleep(LOOK_S)
        try:
            if not lock.is_held():
                break
        except OSError:  # closed: the node has stopped; or the disk does not answer, which others report
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
