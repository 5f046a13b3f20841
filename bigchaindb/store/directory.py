"""The data directory: its layout, its mode, and the lock that makes one process its owner."""

import fcntl
import os
import socket
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from bigchaindb.errors import DirectoryInUse, StartupError
from bigchaindb.owners import refusal_to_make

TRY_S: Final = 0.05
"""How often a lock that is waited for is tried."""
MODE: Final = 0o700
"""Nobody else: the directory holds keys, and sockets that obey every process that may open them."""

_NO_FOLDER: Final = "database.path: cannot use '{path}': it is no directory; name a folder, or move that file away"


class DataDirectory:
    """Paths below one data directory. Source: details.md of the design, kept in docs/reference.

    Attributes:
        path: of the directory.
        lock: locked by the process that owns the directory; holds its id.
        ledger: equal on all nodes.
        node: known to this node alone.
        lanes: the lane pages.
        damage: names the row that was found damaged first, from then until a person has restored the data.
        control: the socket over which the command line speaks with the running node.
        reserve: room that a start on a full disk takes: see `bigchaindb.store.reserve`.
    """

    def __init__(self, path: Path) -> None:
        """Name the files below `path`; none is opened."""
        self.path = path
        self.lock = path / "lock"
        self.ledger = path / "ledger.db"
        self.node = path / "node.db"
        self.lanes = path / "lanes"
        self.damage = path / "damaged"
        self.control = path / "control.sock"
        self.reserve = path / "reserve"

    @property
    def has_ledger(self) -> bool:
        """Whether there is a ledger; an empty file is none, as SQLite writes a first page before anything else."""
        return self.ledger.is_file() and self.ledger.stat().st_size > 0

    def remains(self) -> Sequence[Path]:
        """Return what proves that there was a ledger, where there is none: all of it is made after `ledger.db`."""
        return () if self.has_ledger else self._traces(self.node, self.ledger.with_name(f"{self.ledger.name}-wal"))

    def made_later(self) -> Sequence[Path]:
        """Return those of the files that are made after a whole `ledger.db` and are there."""
        return self._traces(self.node)

    def _traces(self, *files: Path) -> Sequence[Path]:
        own = [path for path in files if path.is_file() and path.stat().st_size]
        return (*own, *sorted(self.lanes.glob("*.*"))[:1])


def require_folder(path: Path) -> None:
    """Require that a data directory is a folder or can become one, as far as this process may look.

    Raises:
        StartupError: it is something else, lies below something else, or has no possible path.
    """
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, PermissionError):
        return
    except OSError as error:
        raise _unusable(path, error) from error
    if not is_folder:
        raise StartupError(_NO_FOLDER.format(path=path))


def prepare(path: Path) -> DataDirectory:
    """Make the data directory if it is not there.

    Raises:
        StartupError: it cannot be made, or others than its owner may enter it.
    """
    try:
        path.mkdir(mode=MODE, parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileExistsError as error:
        raise StartupError(_NO_FOLDER.format(path=path)) from error
    except OSError as error:
        raise _unusable(path, error) from error
    if mode & 0o077:
        raise StartupError(
            f"database.path: {str(path)!r} has mode {mode:04o} and holds keys; run: chmod 700 {str(path)!r}"
        )
    return DataDirectory(path)


def _unusable(path: Path, error: OSError) -> StartupError:
    why = refusal_to_make(path) if isinstance(error, PermissionError) else None
    if isinstance(error, NotADirectoryError):
        file = next((place for place in path.parents if place.exists() and not place.is_dir()), path)
        why = f"`{file}` is no directory; name another folder, or move that file away"
    why = why or f"{error.strerror}; set database.path to a folder that this user may make"
    return StartupError(f"database.path: cannot use '{path}': {why}")


class DirectoryLock:
    """Owns a data directory until `close` or the end of the process, however it ends.

    Attributes:
        path: of the locked file.
    """

    def __init__(self, directory: DataDirectory, *, wait_s: float = 0.0) -> None:
        """Take the lock.

        Args:
            directory: that is to be owned.
            wait_s: how long to wait for another process to release it.

        Raises:
            DirectoryInUse: another process has it; names that process.
        """
        self.path = directory.lock
        self._fd = -1
        deadline_s = time.monotonic() + wait_s
        while (owner := self._take(directory.control)) is not None:
            if time.monotonic() >= deadline_s:
                self.close()
                raise DirectoryInUse(
                    f"{str(directory.path)!r} is in use by {owner}; stop it, or name another database.path"
                )
            time.sleep(TRY_S)
        os.ftruncate(self._fd, 0)
        # A full disk must not keep a node from starting: the id is for people.
        with suppress(OSError):
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def is_held(self) -> bool:
        """Whether the lock's file is still the one that is locked: another process can take any other."""
        try:
            at = self.path.stat()
        except FileNotFoundError:
            return False
        held = os.fstat(self._fd)
        return (at.st_dev, at.st_ino) == (held.st_dev, held.st_ino)

    @property
    def is_closed(self) -> bool:
        """Whether the directory was given up."""
        return self._fd < 0

    def close(self) -> None:
        """Release the directory; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _take(self, control: Path) -> str | None:
        """Try to take the lock; return who has it, None if this process has it now."""
        self.close()
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"process {os.read(self._fd, 20).decode(errors='replace').strip() or 'unknown'}"
        if not self.is_held():
            return "a process that replaced its lock at this moment"
        if _answers(control):  # its lock was removed, and it has not noticed yet
            return f"a node that answers on {control.name} although its lock was removed"
        return None


def _answers(control: Path) -> bool:
    """Whether a process listens on a socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        try:
            connection.connect(os.fspath(control))
        except BlockingIOError:  # its queue is full: the process is stopped, or busy
            return True
        except OSError:  # no file, nobody, or a path that is too long for a node to listen on
            return False
        return True
