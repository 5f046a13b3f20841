"""Distinguishes a disk that cannot read a file from a file that is damaged: SQLite calls both "malformed".

SQLite turns the system's EIO into SQLITE_CORRUPT, and people would look for a damaged ledger instead of a dying disk.
"""

import os
import time
from functools import cache
from pathlib import Path
from typing import Final

READ_BYTES: Final = 1024 * 1024
READ_S_MAX: Final = 5.0
"""Longest read of the file: the caller that met the error waits for it, once in the life of a process."""
ADVICE: Final = (
    "look at the machine's log (`dmesg`) and at the disk; move database.path to one that works, then run "
    "`bigchaindb check`, and restore a backup if it finds damage"
)

_paths: Final[dict[str, Path]] = {}


def note(path: Path) -> None:
    """Remember where a database is, for errors know its name alone."""
    _paths[path.name] = path


def reason(name: str) -> str | None:
    """Return why a database that is called damaged cannot be read, None if the disk reads it."""
    return None if (path := _paths.get(name)) is None else _reason(path)


@cache
def _reason(path: Path) -> str | None:
    # Never closed: closing any descriptor of the file would drop SQLite's locks (decision 0005).
    position, deadline_s = 0, time.monotonic() + READ_S_MAX
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        while time.monotonic() < deadline_s and (piece := os.pread(descriptor, READ_BYTES, position)):
            position += len(piece)
    except OSError as error:
        return f"the disk cannot read it at byte {position:,}: {error.strerror}; {ADVICE}"
    return None
