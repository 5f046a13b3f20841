"""The data directory: its layout, its mode, and the lock that makes one process its owner."""

import fcntl
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bigchaindb.errors import DirectoryInUse, StartupError

LOOK_S: Final = 0.05
"""How often a lock that is waited for is tried."""
MODE: Final = 0o700
"""Nobody else: the directory holds keys, and sockets that obey whoever may open them."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Paths below one data directory. Source: details.md of the design, kept in docs/reference."""

    path: Path

    @property
    def lock(self) -> Path:
        """Locked by the process that owns the directory; holds its id."""
        return self.path / "lock"

    @property
    def ledger(self) -> Path:
        """What is equal on all nodes."""
        return self.path / "ledger.db"

    @property
    def node(self) -> Path:
        """What this node knows for itself."""
        return self.path / "node.db"

    @property
    def lanes(self) -> Path:
        """The lane pages."""
        return self.path / "lanes"

    @property
    def control(self) -> Path:
        """The socket over which the command line speaks with the running node."""
        return self.path / "control.sock"


def prepare(path: Path) -> DataDirectory:
    """Make the data directory if it is not there.

    Raises:
        StartupError: it cannot be made, or others than its owner may enter it.
    """
    try:
        path.mkdir(mode=MODE, parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileExistsError as error:
        raise StartupError(f"database.path: cannot use {str(path)!r}: it is no directory") from error
    except OSError as error:
        raise StartupError(f"database.path: cannot use {str(path)!r}: {error.strerror}") from error
    if mode & 0o077:
        raise StartupError(
            f"database.path: {str(path)!r} has mode {mode:04o} and holds keys; run: chmod 700 {str(path)!r}"
        )
    return DataDirectory(path)


class DirectoryLock:
    """Owns a data directory until `close` or the end of the process, however it ends."""

    def __init__(self, directory: DataDirectory, *, wait_s: float = 0.0) -> None:
        """Take the lock.

        Args:
            directory: that is to be owned.
            wait_s: how long to wait for another process to give it up.

        Raises:
            DirectoryInUse: another process has it; names that process.
        """
        self._fd = os.open(directory.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._is_owner = False
        deadline_s = time.monotonic() + wait_s
        while not self._try() and time.monotonic() < deadline_s:
            time.sleep(LOOK_S)
        if not self._is_owner:
            owner = os.read(self._fd, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise DirectoryInUse(
                f"{str(directory.path)!r} is in use by process {owner}; stop it, or name another database.path"
            )
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._is_owner = True
        return True

    def close(self) -> None:
        """Give the directory up; twice does no harm."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
