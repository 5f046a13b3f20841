"""Opening SQLite by the rules of docs/decisions/0005: one connection writes and checkpoints, all others only read.

No code of this package may open a database file in any other way: closing any descriptor of it drops SQLite's locks,
and a committed block was lost that way. Sizes come from `stat`.
"""

import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from bigchaindb.errors import RESTORE, StoreDamaged, StoreError, StoreFull
from bigchaindb.files import sync
from bigchaindb.store import unreadable
from bigchaindb.store.damages import Damages
from bigchaindb.store.wal import require_whole

WRITER_CACHE_KIB: Final = 64 * 1024
"""Holds the young tiers and the inner pages of all indexes at 10^7 transactions."""
READER_CACHE_KIB: Final = 8 * 1024
"""Of each reading connection; it is dropped at every commit anyway."""
READER_WAIT_MS: Final = 2_000
"""Readers only ever wait for another's recovery of the log."""
READER_COUNT_MAX: Final = 16
"""Idle reading connections that are kept: more than threads that read at once."""

BACKUP_PAGES: Final = 2_000
"""Pages of a backup between two reports of its progress: a few hundredths of a second."""

_DAMAGE_TEXTS: Final = ("Could not decode to UTF-8", "invalid fts5 file format")
"""How the errors of a damaged text and of a damaged search table begin; neither has a code of its own."""

Progress = Callable[[int, int], None]
"""Is told how many of how many."""


def open_writer(path: Path, *, cache_kib: int = WRITER_CACHE_KIB) -> sqlite3.Connection:
    """Open the connection that writes and checkpoints; there must be no other. It may change threads between calls.

    Raises:
        StoreError: the file cannot be opened; StoreDamaged if it is no database, or its log is not whole.
    """
    require_whole(path)  # first: SQLite would read past what is damaged, and delete the log in the end
    _sync_log(path)
    # FULL: a commit returns when its frames are on the disk (P1, L5).
    return _open(path, "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0", cache_kib=cache_kib)


def _sync_log(path: Path) -> None:
    """Make durable what a kill left unsynced: otherwise a power cut at the next commit would look like damage."""
    try:
        sync(path.with_name(f"{path.name}-wal"))
    except (FileNotFoundError, PermissionError):  # SQLite names what may not be read
        pass
    except OSError as error:
        raise StoreError(
            f"{path.name}: its write-ahead log cannot be synced ({error.strerror}); {unreadable.ADVICE}"
        ) from error


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that can neither write nor checkpoint.

    Raises:
        StoreError: there is no such file, or it cannot be read.
    """
    return _open(path, parameters="?mode=ro", wait_ms=READER_WAIT_MS, cache_kib=READER_CACHE_KIB)


def open_copy(path: Path) -> sqlite3.Connection:
    """Open a connection that only reads to a file that nobody writes: it makes no file beside it, and sees none.

    Raises:
        StoreError: there is no such file, or it cannot be read.
    """
    return _open(path, parameters="?mode=ro&immutable=1", cache_kib=READER_CACHE_KIB)


def _open(path: Path, *pragmas: str, parameters: str = "", wait_ms: int = 0, cache_kib: int) -> sqlite3.Connection:
    unreadable.note(path)
    with translated(path.name):
        connection = sqlite3.connect(
            f"file:{quote(str(path))}{parameters}",
            uri=True,
            isolation_level=None,
            timeout=wait_ms / 1000,
            check_same_thread=False,
        )
        try:
            for pragma in (*pragmas, "mmap_size = 0", f"cache_size = -{cache_kib}", "temp_store = MEMORY"):
                connection.execute(f"PRAGMA {pragma}").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection


class Readers:
    """Reading connections for any number of threads; each serves one thread at a time."""

    def __init__(self, path: Path, damages: Damages | None = None) -> None:
        """Open none yet.

        Args:
            path: of the database.
            damages: takes note of what reads find damaged.
        """
        self._path = path
        self._damages = damages or Damages()
        self._idle: deque[sqlite3.Connection] = deque()
        self._lent: set[sqlite3.Connection] = set()
        self._closed = False
        self._interrupted = False

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for one short read.

        Raises:
            StoreError: the read failed, or was interrupted.
        """
        try:
            connection = self._idle.pop()  # the one used last
        except IndexError:
            connection = open_reader(self._path)
        self._lent.add(connection)
        try:
            if self._interrupted:  # asked once it is lent: `interrupt` would not reach what began between the two
                raise StoreError(f"{self._path.name}: no more reads, they were interrupted")
            with self._damages.noted(), translated(self._path.name):
                yield connection
        finally:
            self._take_back(connection)

    def interrupt(self) -> bool:
        """End the reads that run, with an error, and refuse all others; any thread may call it.

        Returns:
            Whether any may still run: one that was just about to begin was not reached.
        """
        self._interrupted = True
        running = list(self._lent)
        for connection in running:
            with contextlib.suppress(sqlite3.ProgrammingError):  # it came back and was closed meanwhile
                connection.interrupt()
        return bool(running)

    def close(self) -> None:
        """Close what is idle now; what is lent is closed when it comes back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take_back(self, connection: sqlite3.Connection) -> None:
        self._lent.discard(connection)
        if self._closed or len(self._idle) >= READER_COUNT_MAX:
            connection.close()
        else:
            self._idle.append(connection)


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold one state for all reads within; keep them short, an open one pins the write-ahead log."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:  # SQLite itself ends it after some errors
            connection.execute("COMMIT")


@contextmanager
def batch(connection: sqlite3.Connection) -> Iterator[None]:
    """Make all writes within durable in one fsync, or none of them (E1); errors are SQLite's, see `translated`."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # as above
            connection.execute("ROLLBACK")
        raise


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise SQLite's errors as ours.

    Raises:
        StoreFull: there was no room; of a batch nothing was written, and the connection is as before.
        StoreDamaged: stored rows contradict each other.
        StoreError: anything else, as a disk that cannot read or write; what of a batch is on the disk is unknown, so
            the node must stop.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code == sqlite3.SQLITE_IOERR_SHMSIZE:
            # No `StoreFull`: a commit asks for this room when its frames are on the disk already.
            raise StoreError(f"{what}: no room on the disk to work with it; make room and start again") from error
        match code & 0xFF:
            case sqlite3.SQLITE_FULL:
                raise StoreFull(f"{what}: no room on the disk; nothing was written") from error
            case sqlite3.SQLITE_IOERR:
                name = getattr(error, "sqlite_errorname", "SQLITE_IOERR")
                text = f"{what}: the disk failed to read or to write ({name}); {unreadable.ADVICE}"
                raise StoreError(text) from error
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                if (reason := unreadable.reason(what)) is not None:
                    raise StoreError(f"{what}: {reason}") from error
                raise StoreDamaged(f"{what}: {error}; stop, and {RESTORE}") from error
            case sqlite3.SQLITE_CONSTRAINT if what == "ledger.db":  # rows or segments that the tip knows nothing of
                raise StoreDamaged(f"{what}: {error}; run `bigchaindb check`, and {RESTORE}") from error
            case _ if str(error).startswith(_DAMAGE_TEXTS):
                raise StoreDamaged(f"{what}: {error}; stop, and {RESTORE}") from error
            case _:
                raise StoreError(f"{what}: {error}") from error


def backup(source: sqlite3.Connection, target: Path, progress: Progress) -> None:
    """Copy what a connection's open snapshot shows, of a database that others go on writing; the caller syncs the copy.

    Without the snapshot SQLite would begin again after each commit of another, and never end. While it is open the
    write-ahead log cannot start over. Figures: docs/decisions/0023.

    Args:
        source: within `snapshot`, and something was read: beginning alone takes none.
        target: a file that is not there yet.
        progress: is told now and then how many pages of how many are copied.

    Raises:
        StoreFull: there was no room.
        StoreError: the source cannot be read or the target not written.
    """

    def tell(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    with translated(target.name), closing(sqlite3.connect(target, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = OFF").fetchall()  # half a copy is thrown away anyway
        writer.execute("PRAGMA synchronous = OFF")
        source.backup(writer, pages=BACKUP_PAGES, progress=tell)
