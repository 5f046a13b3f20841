"""The file of the plugin `sqlite`: what it is found to be, and rows that go into it.

Rows and how far they reach are one transaction, which is on the disk before its events count as done. A block that is
there already is left alone, so whatever comes again changes nothing.
"""

import os
import sqlite3
import stat
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, Self
from urllib.parse import quote

import msgspec

from bigchaindb.delivery.rows import Rows, TransactionRow
from bigchaindb.events import Unavailable
from bigchaindb.sinks.paths import no_folder
from bigchaindb.sinks.sqlite_schema import (
    APPLICATION_ID,
    INDEX_PREFIX,
    INSERTS,
    TABLES,
    VERSION,
    VIEWS,
    index_statements,
)

LOCKED_S_MAX: Final = 10.0
"""Time to wait for another program that has locked the file; readers lock nothing."""
CACHE_KIB: Final = 32 * 1024
"""Of pages: ids fall anywhere into their index."""
WAL_BYTES_KEPT: Final = 64 * 1024 * 1024
"""What a log file keeps once a slow reader, while which it grows, is gone."""
SEQS_MAX: Final = 50_000
"""Transactions whose number is remembered: most spend what is young. About 10 MB."""
PAGE_BYTES_MIN: Final = 512
"""SQLite takes a shorter file for an empty one, and would write over it."""
NO_ROOM_BYTES: Final = 64 * 1024
_NOTED: Final = "SELECT position, event_id, height, block_count, chain_id, plugin FROM progress"


class Progress(NamedTuple):
    """How far a file is.

    Attributes:
        position: of the last event.
        event_id: of that event.
        height: of the last valid block.
        block_count: events that are there.
        chain_id: of the ledger.
        plugin: that writes it.
    """

    position: int
    event_id: str
    height: int
    block_count: int
    chain_id: str
    plugin: str


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file that is there by its absolute path, to read it (`ro`) or to write it (`rw`)."""
    return sqlite3.connect(
        f"file://{quote(os.fsencode(path))}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=LOCKED_S_MAX,
        check_same_thread=False,
    )


def is_begun(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether a database has our tables; False if it is empty.

    Raises:
        Unavailable: it is something else, or of another version.
        sqlite3.Error: it cannot be read.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application == APPLICATION_ID:
        if version > VERSION:
            raise Unavailable(
                f"{path}: a later version of this plugin made it (tables {version}, and this one knows {VERSION}); "
                "install that version, or give another path"
            )
        if version < VERSION:
            raise Unavailable(
                f"{path}: an earlier version of this plugin made it (tables {version}, and this one writes {VERSION}); "
                "give another path, and seek to genesis to fill it"
            )
        return True
    if application or connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise _foreign(path)
    return False


def progress_of(connection: sqlite3.Connection) -> Progress | None:
    """Return how far a begun file is; None before its first event.

    Raises:
        sqlite3.Error: it cannot be read, or holds something else there.
    """
    row = connection.execute(_NOTED).fetchone()
    try:
        return None if row is None else msgspec.convert(row, Progress)
    except msgspec.ValidationError as error:
        damaged = sqlite3.DatabaseError(f"progress: {error}")
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damaged from error


def read_progress(path: Path) -> Progress | None:
    """Return how far a file is, without changing it; None: it has no event yet.

    Raises:
        Unavailable: it cannot be read, or is something else.
    """
    _require_file(path)
    try:
        with closing(connect(path, "ro")) as connection:
            return progress_of(connection) if is_begun(connection, path) else None
    except sqlite3.Error as error:
        raise unavailable(path, error) from error


class RowsFile:
    """The file, open to be written."""

    def __init__(self, path: Path, plugin: str, places: Iterable[str]) -> None:
        """Open or make the file, and make and drop indexes.

        Args:
            path: of the file; its folder must be there.
            plugin: whose file it is.
            places: of the indexes.

        Raises:
            Unavailable: it cannot be used, or is something else; then it is as before.
        """
        self._path, self._plugin = path, plugin
        self._log = path.with_name(f"{path.name}-wal")
        self._seqs: dict[str, int] = {}
        _make(path)
        self._require_ours(read_progress(path))
        try:
            self._connection = connect(path, "rw")
            try:
                self._begin(index_statements(places))
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            raise unavailable(path, error) from error

    def write(self, events: Sequence[tuple[str, Rows]]) -> None:
        """Write the rows of events that are not there yet, and how far that is, in one transaction.

        After an error the object is good for nothing.

        Args:
            events: the id and the rows of each.

        Raises:
            Unavailable: there is no room, or the file cannot be written; none of the rows is.
        """
        if _identity(self._path) != self._opened:
            raise Unavailable(
                f"{self._path}: was deleted or replaced while it was written; put it back, or seek to genesis to fill "
                "a new one"
            )
        if _identity(self._log) != self._opened_log:  # whose rows, up to here, reach the file when it is closed now
            raise Unavailable(
                f"{self._log}: was deleted or replaced while it was written; leave it beside {self._path}"
            )
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                noted = progress_of(self._connection)
                self._require_ours(noted)  # another plugin may have begun beside us, with the first row of all
                fresh = self._fresh(events)
                self._insert([rows for _, rows in fresh])
                self._note(fresh, noted)
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.IntegrityError as error:
            raise self._other_history(f"{error}") from error
        except sqlite3.Error as error:
            raise unavailable(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, indexes: dict[str, str]) -> None:
        ask = self._connection.execute
        self._opened = _identity(self._path)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # a commit is on the disk when it returns
            f"cache_size = -{CACHE_KIB}",
            f"journal_size_limit = {WAL_BYTES_KEPT}",
        ):
            ask(f"PRAGMA {pragma}").fetchall()
        ask("BEGIN IMMEDIATE")
        if not is_begun(self._connection, self._path):
            for statement in f"{TABLES}{VIEWS}".split(";\n")[:-1]:
                ask(statement)
            ask(f"PRAGMA application_id = {APPLICATION_ID}")
            ask(f"PRAGMA user_version = {VERSION}")
        found = dict(ask("SELECT name, sql FROM sqlite_master WHERE type = 'index'").fetchall())
        for name, statement in found.items():
            if name.startswith(INDEX_PREFIX) and indexes.get(name) != statement:
                ask(f'DROP INDEX "{name}"')
        for name, statement in indexes.items():
            if found.get(name) != statement:
                ask(statement)
        ask("COMMIT")
        self._opened_log = _identity(self._log)

    def _require_ours(self, noted: Progress | None) -> None:
        if noted is not None and noted.plugin != self._plugin:
            raise Unavailable(
                f"{self._path}: the plugin {noted.plugin!r} writes it; give each plugin a path of its own"
            )

    def _fresh(self, events: Sequence[tuple[str, Rows]]) -> list[tuple[str, Rows]]:
        """Return the events that are not there, each once."""
        fresh: dict[int, tuple[str, Rows]] = {}
        for id_, rows in events:
            position, block_id = rows.block.position, rows.block.id
            found = self._connection.execute("SELECT id, reason FROM blocks WHERE position = ?", (position,)).fetchone()
            if found is None:
                fresh[position] = (id_, rows)
            elif found[0] != block_id:
                raise self._other_history(f"position {position} is block {found[0]} there and {block_id} in the log")
            elif (found[1] is None) is not (rows.block.reason is None):
                was, is_ = ("valid" if reason is None else "invalid" for reason in (found[1], rows.block.reason))
                raise self._other_history(f"position {position} is {was} there and {is_} in the log")
        return list(fresh.values())

    def _insert(self, found: Sequence[Rows]) -> None:
        many = self._connection.executemany
        transactions = [row for rows in found for row in rows.transactions]
        self._arrive(transactions)
        seq_of = self._seq_of
        many(INSERTS["blocks"], [rows.block for rows in found])
        many(
            INSERTS["transactions"],
            [
                (row.seq, row.id, row.operation, seq_of(row.asset_id), row.position, row.metadata, row.data)
                for row in transactions
            ],
        )
        many(
            INSERTS["inputs"],
            [
                (seq, index, None if spent_id is None else seq_of(spent_id), spent_index, keys)
                for rows in found
                for seq, index, spent_id, spent_index, keys in rows.inputs
            ],
        )
        many(INSERTS["outputs"], [row for rows in found for row in rows.outputs])
        many(INSERTS["output_owners"], [row for rows in found for row in rows.owners])
        for id_ in [*islice(self._seqs, max(0, len(self._seqs) - SEQS_MAX))]:  # one by one, each skips all before it
            del self._seqs[id_]

    def _arrive(self, transactions: Sequence[TransactionRow]) -> None:
        """Take the numbers of transactions, also into rows that named them before they were there."""
        ask = self._connection.execute
        is_any_absent = ask("SELECT 1 FROM absent").fetchone() is not None
        for row in transactions:
            self._seqs[row.id] = row.seq
            if not is_any_absent:
                continue
            for (number,) in ask("SELECT number FROM absent WHERE id = ?", (row.id,)).fetchall():
                ask("UPDATE transactions SET asset = ? WHERE asset = ?", (row.seq, number))
                ask("UPDATE inputs SET spends = ? WHERE spends = ?", (row.seq, number))
                ask("DELETE FROM absent WHERE number = ?", (number,))

    def _seq_of(self, id_: str) -> int:
        """Return the number of a transaction; one below 0 if it is not there."""
        if (seq := self._seqs.get(id_)) is None:
            ask = self._connection.execute
            row = ask("SELECT seq FROM transactions WHERE id = ?", (id_,)).fetchone()
            row = row or ask("SELECT number FROM absent WHERE id = ?", (id_,)).fetchone()
            if row is None:
                row = ask("SELECT coalesce(min(number), 0) - 1 FROM absent").fetchone()
                ask("INSERT INTO absent VALUES (?, ?)", (*row, id_))
            seq = self._seqs[id_] = int(row[0])
        return seq

    def _note(self, fresh: Sequence[tuple[str, Rows]], noted: Progress | None) -> None:
        """Note how far the file is; an event that returns behind later ones takes nothing back."""
        if not fresh:
            return
        event_id, rows = max(fresh, key=lambda one: one[1].block.position)
        chain_id, position = event_id.rpartition(":")[0], rows.block.position
        if noted is not None and noted.chain_id != chain_id:
            raise Unavailable(
                f"{self._path}: holds the ledger {noted.chain_id}, these events are of {chain_id}; give another path"
            )
        height = max((rows.block.height for _, rows in fresh if rows.block.reason is None), default=0)
        now = Progress(position, event_id, height, len(fresh), chain_id, self._plugin)
        if noted is not None:
            last = max(noted, now)
            now = last._replace(height=max(noted.height, height), block_count=noted.block_count + len(fresh))
        self._connection.execute("DELETE FROM progress")
        self._connection.execute("INSERT INTO progress VALUES (?, ?, ?, ?, ?, ?)", now)

    def _other_history(self, what: str) -> Unavailable:
        return Unavailable(
            f"{self._path}: holds another history than the log ({what}): the ledger was restored or is another one; "
            "move the file away with its -wal and -shm, and seek to genesis to fill a new one"
        )


def unavailable(path: Path, error: sqlite3.Error) -> Unavailable:
    """Return the error for people: what SQLite found, and what helps."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) and _free_bytes(path) < NO_ROOM_BYTES:
        return Unavailable(f"{path}: no space left on its disk; free some")
    match code:
        case sqlite3.SQLITE_NOTADB:
            return _foreign(path)
        case sqlite3.SQLITE_CORRUPT:
            return Unavailable(
                f"{path}: is damaged ({error}); move it away with its -wal and -shm, and seek to genesis to fill a new "
                "one"
            )
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Unavailable(f"{path}: another program keeps it locked ({error}); end its transaction")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return Unavailable(
                f"{path}: may not be used ({error}); make the file and its folder readable and writable for this user"
            )
    is_there = path.parent.is_dir()
    return Unavailable(f"{path}: {error}; see whether its disk works" if is_there else no_folder(path))


def _foreign(path: Path) -> Unavailable:
    return Unavailable(f"{path}: is no file of this plugin, nor is the node's own ledger.db; give another path")


def _identity(path: Path) -> tuple[int, int]:
    """Return what tells the file at a path from another one; no descriptor of it may be opened and closed."""
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_dev, about.st_ino


def _free_bytes(path: Path) -> int:
    try:
        about = os.statvfs(path.parent)
    except OSError:  # the folder has vanished, or its disk
        return NO_ROOM_BYTES
    return about.f_bavail * about.f_frsize


def _require_file(path: Path) -> None:
    try:
        about = path.stat()
    except OSError as error:
        raise Unavailable(f"{path}: {os.strerror(error.errno or 0)}; correct the path or its permissions") from error
    if not stat.S_ISREG(about.st_mode):
        raise Unavailable(f"{path}: is a folder, a device or a pipe; give the path of a file")
    if 0 < about.st_size < PAGE_BYTES_MIN:
        raise _foreign(path)


def _make(path: Path) -> None:
    """Make the file if it is missing, for its owner alone; its companions of SQLite get the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except FileNotFoundError as error:
        raise Unavailable(no_folder(path)) from error
    except OSError as error:
        raise Unavailable(f"{path}: {os.strerror(error.errno or 0)}; correct the path or its permissions") from error
