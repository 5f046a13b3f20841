"""Whether a database file as such is whole: its header, and the pages of each table and index."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bigchaindb.errors import StoreDamaged
from bigchaindb.store.database import translated
from bigchaindb.store.proving import Damage
from bigchaindb.store.wal import complaint

_HEADER_BYTES: Final = 100
_ALLOWED: Final[tuple[tuple[int, str, tuple[bytes, ...]], ...]] = (
    (0, "magic", (b"SQLite format 3\0",)),
    (16, "page size", (b"\x10\0",)),
    (18, "versions", (b"\1\1", b"\2\2")),  # a copy may be in either mode
    (20, "reserved bytes and fractions", (b"\0\x40\x20\x20",)),
    (44, "schema format", (b"\0\0\0\4",)),
    (56, "text encoding", (b"\0\0\0\1",)),
    (72, "reserved", (bytes(20),)),
)
"""Where what must stand in a header: https://www.sqlite.org/fileformat.html, section 1.3."""
_EVENT_INDEXES: Final = {"valid_height": "reason IS NULL", "invalid_position": "reason IS NOT NULL"}


def check_header(path: Path) -> Iterator[Damage]:
    """Compare the parts of a file's header that never change; SQLite itself reads past some of them.

    Never in a process that has the file open: closing it here would drop SQLite's locks (decision 0005).

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    for start, name, allowed in _ALLOWED:
        found = header[start : start + len(allowed[0])]
        if header and found not in allowed:
            reason = f"the {name} is {found.hex()}, not {' or '.join(one.hex() for one in allowed)}"
            yield Damage("header", f"byte {start}", reason, path.name)


def check_log(path: Path) -> Iterator[Damage]:
    """Compare the write-ahead log of a file with its checksums, of which SQLite takes the first wrong one for its end.

    Never in a process that has the file open, as above.
    """
    if (reason := complaint(path)) is not None:
        yield Damage("write-ahead log", "-", reason, path.name)


def check_pages(connection: sqlite3.Connection) -> Iterator[Damage]:
    """Walk through each table and index, and name those of which a page cannot be read."""
    try:
        with translated("ledger.db"):
            rows = connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND rootpage > 0")
            names = [f"main.{name} NOT INDEXED" for (name,) in rows.fetchall()]
            names += [f"main.events INDEXED BY {name} WHERE {where}" for name, where in indexes_of_events(connection)]
    except StoreDamaged as error:
        yield Damage("sqlite_schema", "-", str(error))
        return
    for name in names:
        try:
            with translated("ledger.db"):
                connection.execute(f"SELECT count(*) FROM {name}").fetchall()  # noqa: S608 - names of our own
        except StoreDamaged:
            words = name.split()
            table = words[3] if "BY" in words else words[0].removeprefix("main.")
            yield Damage(table, "-", "a page cannot be read")


def indexes_of_events(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the names of the indexes of events that the file has, each with the rows that it is of."""
    rows = connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'index'").fetchall()
    return [(name, where) for name, where in _EVENT_INDEXES.items() if (name,) in rows]
