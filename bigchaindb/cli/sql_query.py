"""A query over the file of the plugin `sqlite`, in this process: it reads, within bounds, and does nothing else.

Source: docs/decisions/0161-a-query-only-reads.md.
"""

import os
import re
import resource
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from bigchaindb.cli.output import say
from bigchaindb.errors import ConfigurationError, StoreError
from bigchaindb.sinks.sqlite_file import Progress, connect, is_begun, progress_of, unavailable

HEAP_BYTES_MAX: Final = 512 * 1024 * 1024
"""Of all that SQLite keeps, sorted rows among them, which therefore never fill a disk."""
MEMORY_BYTES_MAX: Final = 1024 * 1024 * 1024
"""Of the whole process: a row is there a second time as Python's, with up to four bytes a character."""
VALUE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of a text or a row: a block has 4 MiB unless set."""
PATTERN_BYTES_MAX: Final = 1_000
"""Of LIKE and GLOB, whose time grows with a power of it and is not interrupted."""
STEPS: Final = 1_000
"""Of SQLite's machine between two looks at the clock: some hundred microseconds, unless functions are slow."""
FETCHED_COUNT: Final = 200
FETCHED_BYTES: Final = 8 * 1024 * 1024
"""Rows are fetched together, to set up the watchdog once for many, up to so many and to about these bytes."""
GRACE_S: Final = 5.0
"""Beyond the limit, for a function that is not interrupted; then the process ends."""
TEXT_SHOWN_MAX: Final = 80

_ALLOWED: Final = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_REFUSED_FUNCTIONS: Final = {"load_extension", "fts3_tokenizer"}
_READING_PRAGMAS: Final = {
    "quick_check",
    "integrity_check",
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
}
_TABLE_FUNCTIONS: Final = "SELECT 1 FROM json_each('[]'), json_tree('[]')"
_VERB: Final = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?(?:\*/|$))*(\w*)", re.DOTALL)
_REFUSALS: Final = {sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY}
_REFUSING_WORDS: Final = ("prohibited", "not authorized", "within a transaction")
_NAMES: Final = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY rowid"


class Query:
    """A file that is open for queries, at one moment.

    Attributes:
        progress: how far the file is; None before its first event.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, timeout_s: float) -> None:
        self._connection = connection
        self._path = path
        self._timeout_s = self._left_s = timeout_s
        self._until = float("inf")
        self.progress: Progress | None = None

    def begin(self) -> None:
        """Take the moment, and refuse everything but queries from now on.

        Raises:
            StoreError: the file is none of the plugin's.
        """
        if not is_begun(self._connection, self._path):
            raise StoreError(f"`{self._path}` holds no tables yet; see `bigchaindb plugins status`")
        self._connection.text_factory = lambda text: text.decode(errors="replace")  # JSON may spell half a character
        self._connection.execute("BEGIN")
        self.progress = progress_of(self._connection)
        for pragma in ("query_only = 1", "temp_store = MEMORY", f"hard_heap_limit = {HEAP_BYTES_MAX}"):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self._connection.execute(_TABLE_FUNCTIONS)  # the authorizer refuses what their first use declares
        self._connection.set_authorizer(_authorized)
        self._connection.set_progress_handler(self._is_late, STEPS)

    def schema(self) -> list[str]:
        """Return the statements that made the tables, views and indexes."""
        query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
        return [statement for (statement,) in self._connection.execute(query).fetchall()]

    def run(self, statement: str) -> tuple[list[str], Iterator[Sequence[Any]]]:
        """Return the columns of a query, and its rows as they are found.

        Raises:
            ConfigurationError: it is no query, is wrong, or takes too long or too much memory.
            StoreError: the file cannot be read.
        """
        try:
            statement.encode()
        except UnicodeEncodeError:
            raise ConfigurationError("the statement is no text in UTF-8; write it in UTF-8") from None
        with self._told(statement):
            cursor = self._connection.execute(statement)
        if cursor.description is None:
            raise ConfigurationError("the statement is empty; write a query such as SELECT count(*) FROM blocks")
        return [column[0] for column in cursor.description], self._rows(cursor, statement)

    def _rows(self, cursor: sqlite3.Cursor, statement: str) -> Iterator[Sequence[Any]]:
        while True:
            with self._told(statement):
                rows = _some(cursor)
            if not rows:
                return
            yield from rows

    def _is_late(self) -> bool:
        return time.monotonic() > self._until

    @contextmanager
    def _told(self, statement: str) -> Iterator[None]:
        """Count the time, which does not pass while rows are printed, and turn errors into sentences."""
        if self._left_s <= 0:
            raise ConfigurationError(self._too_long())
        begin = time.monotonic()
        self._until = begin + self._left_s
        watchdog = threading.Timer(self._left_s + GRACE_S, self._end)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError) as error:
            raise self._error(error, statement) from error
        finally:
            watchdog.cancel()
            self._left_s -= time.monotonic() - begin

    def _end(self) -> None:
        say(f"bigchaindb: {self._too_long()}")
        os._exit(1)

    def _too_long(self) -> str:
        return (
            f"the query took longer than {self._timeout_s:g} s and was ended; ask for less, name a place in the "
            "plugin's option indexes, or pass a longer --timeout"
        )

    def _error(self, error: Exception, statement: str) -> Exception:
        """Return the error for people; what is wrong with the file itself is told as the plugin tells it."""
        text = str(error)
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        is_about_the_query = code in (0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH)
        for is_it, said in (
            (code == sqlite3.SQLITE_INTERRUPT, self._too_long),
            (isinstance(error, MemoryError) or code in (sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG), _too_large),
            (code in _REFUSALS or any(words in text for words in _REFUSING_WORDS), lambda: _refused(statement, text)),
            ("one statement at a time" in text, lambda: "there are several statements; pass them one by one"),
            ("bindings" in text, lambda: "the query has a placeholder (?, :name) and no value for it; write the value"),
            ("no such table" in text, lambda: f"{_shown(text)}; the tables are: {self._names()}"),
            (is_about_the_query, lambda: f"{_shown(text)}; see `bigchaindb sql --schema`"),
        ):
            if is_it:
                return ConfigurationError(said())
        return unavailable(self._path, error) if isinstance(error, sqlite3.Error) else error

    def _names(self) -> str:
        self._until = float("inf")
        return ", ".join(name for (name,) in self._connection.execute(_NAMES).fetchall())


@contextmanager
def opened(path: Path, timeout_s: float) -> Iterator[Query]:
    """Open a file for queries.

    Raises:
        StoreError: there is no such file.
        Unavailable: it is something else, or cannot be read.
    """
    if not path.is_file():  # to open a pipe would wait for ever
        raise StoreError(f"there is no file `{path}`; pass --file, or see `bigchaindb plugins status`")
    if not os.access(path, os.R_OK):
        raise StoreError(f"`{path}` may not be read by this user; run as its owner")
    try:
        with closing(connect(path, "ro")) as connection:
            query = Query(connection, path, timeout_s)
            query.begin()
            yield query
    except sqlite3.Error as error:
        raise unavailable(path, error) from error


@contextmanager
def bounded_memory(bytes_max: int = MEMORY_BYTES_MAX) -> Iterator[None]:
    """Refuse this process more memory than that.

    Raises:
        ConfigurationError: it would need more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (min(one for one in (soft, hard, bytes_max) if one >= 0), hard))
    try:
        yield
    except MemoryError:
        raise ConfigurationError(_too_large()) from None
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _some(cursor: sqlite3.Cursor) -> list[Sequence[Any]]:
    """Fetch the next rows, at least one if there is one: all of them are in memory beside what SQLite keeps."""
    rows: list[Sequence[Any]] = []
    size = 0
    while len(rows) < FETCHED_COUNT and size < FETCHED_BYTES and (row := cursor.fetchone()) is not None:
        rows.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
    return rows


def _authorized(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in _ALLOWED:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and second not in _REFUSED_FUNCTIONS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and first in _READING_PRAGMAS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _too_large() -> str:
    return (
        f"the query needs more than {HEAP_BYTES_MAX >> 20} MiB ({MEMORY_BYTES_MAX >> 20} MiB with its rows), or has a "
        f"value above {VALUE_BYTES_MAX >> 20} MiB; ask for less"
    )


def _refused(statement: str, text: str) -> str:
    match = _VERB.match(statement)
    verb = match[1] if match else statement
    cure = "leave that out" if verb.upper() == "SELECT" else "begin it with SELECT or WITH"
    return (
        f"only queries are run, and this statement is refused ({_shown(verb)}: {_shown(text)}); {cure}, or write to a "
        "copy of the file"
    )


def _shown(text: str) -> str:
    return text if len(text) <= TEXT_SHOWN_MAX else f"{text[:TEXT_SHOWN_MAX]}…"
