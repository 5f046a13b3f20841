"""Room that is put by for a start on a full disk.

Without any room SQLite cannot even read: it needs a file for the index of its log of writes, and the start barrier
commits a row. So some megabytes are kept in a file, and a start that finds less than that free deletes it first.
"""

import os
from contextlib import suppress
from typing import Final

from bigchaindb.store.directory import DataDirectory

RESERVE_BYTES: Final = 8 * 1024 * 1024
"""The index of a log of 256 MiB has 0.5 MiB, a start commits some pages, and each plugin's page has up to 0.1 MiB."""
ROOM_FACTOR: Final = 4
"""Room is put by only where so many times as much is free: it must not be what fills a small disk."""


def free_bytes(directory: DataDirectory) -> int:
    """Return what this user may still write on the disk of a data directory. Raises OSError."""
    about = os.statvfs(directory.path)
    return about.f_bavail * about.f_frsize


def is_full(directory: DataDirectory) -> bool:
    """Whether less room is left than a start may need."""
    return free_bytes(directory) < RESERVE_BYTES


def put_by(directory: DataDirectory) -> None:
    """Make the reserve, unless it is there or there is little room; at worst there is none."""
    if directory.reserve.exists() or free_bytes(directory) < ROOM_FACTOR * RESERVE_BYTES:
        return
    with suppress(OSError):  # a file system may have no way to do it, and then a full one only waits
        descriptor = os.open(directory.reserve, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        finally:
            os.close(descriptor)


def spend(directory: DataDirectory) -> bool:
    """Free the reserve's room for the start that follows, where there is no other; return whether the disk is full."""
    if not is_full(directory):
        return False
    directory.reserve.unlink(missing_ok=True)
    return True
