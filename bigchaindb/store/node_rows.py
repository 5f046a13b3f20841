"""Rows of node.db: each has a checksum over all its columns, which every read compares. Decision: 0067."""

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

from bigchaindb.errors import RESTORE, StoreDamaged
from bigchaindb.store.checksums import checksum_of, damaged

SUMS_VERSION: Final = 4
"""The first version of node.db whose rows have checksums."""


class Table(NamedTuple):
    """A table of node.db.

    Attributes:
        name: of the table.
        columns: all but the checksum, in its order; the key first.
        key_count: columns of the key.
        floats: columns that SQLite returns as floats, whatever was written.
        since: the first version of node.db whose rows of it have checksums.
        has_bodies: whether its bytes are bodies, which may be long.
    """

    name: str
    columns: tuple[str, ...]
    key_count: int = 1
    floats: frozenset[str] = frozenset()
    since: int = SUMS_VERSION
    has_bodies: bool = False

    def sum_of(self, row: Sequence[object]) -> int:
        """Return the checksum of a row. A body counts by its own: its `repr` would hold up all threads for 9 ms."""
        if not self.has_bodies:
            return checksum_of(*row)
        return checksum_of(*(crc32(value) if isinstance(value, bytes) else value for value in row))


NODE: Final = Table("node", ("one", "id"))
LANES: Final = Table(
    "lanes",
    ("name", "epoch", "start_position", "acked", "acked_digest", "state", "state_since", "last_error", "updated_at"),
    floats=frozenset({"state_since", "updated_at"}),
)
RAN: Final = Table("ran", ("lane",))
TROUBLES: Final = Table(
    "troubles",
    ("lane", "position", "attempts", "failures", "since", "error", "parked_at", "returns_in"),
    key_count=2,
    floats=frozenset({"since", "parked_at"}),
)
OUTBOX: Final = Table("outbox", ("seq", "id", "body"))
REJECTIONS: Final = Table("rejections", ("height", "block", "record", "body"), key_count=2)
ACCESS_KEYS: Final = Table(
    "access_keys",
    ("id", "digest", "name", "scopes", "made", "expires", "revoked", "used_day", "exposed", "held"),
    since=5,
)
SUBSCRIPTIONS: Final = Table(
    "subscriptions", ("name", "definition", "created", "start"), floats=frozenset({"created"}), since=6
)
REJECTED: Final = Table(
    "rejected_transactions",
    ("seq", "at", "id", "asset", "error", "message", "body", "begins"),
    floats=frozenset({"at"}),
    since=7,
    has_bodies=True,
)
SEEKS: Final = Table("seeks", ("lane", "count"), since=8)
TABLES: Final = (NODE, LANES, RAN, TROUBLES, OUTBOX, REJECTIONS, ACCESS_KEYS, SUBSCRIPTIONS, REJECTED, SEEKS)


class Damaged(NamedTuple):
    """A row that is not what was written.

    Attributes:
        error: names it.
        row: its columns as they are.
        checksum: as it is.
    """

    error: StoreDamaged
    row: Sequence[Any]
    checksum: object

    def is_of(self, key: str) -> bool:
        """Whether the first column alone is damaged and was `key`: then the checksum proves the others."""
        return self.checksum == checksum_of(key, *self.row[1:])


class Compared(NamedTuple):
    """Rows that were read.

    Attributes:
        whole: those that are what was written.
        damages: the others.
    """

    whole: list[tuple[Any, ...]]
    damages: list[Damaged]

    def first_columns(self) -> list[Any]:
        """Return the first column of each row, damaged or not, ascending."""
        return sorted(row[0] for row in (*self.whole, *(one.row for one in self.damages)))


def compare(
    connection: sqlite3.Connection, table: Table, where: str = "", arguments: Sequence[object] = ()
) -> Compared:
    """Read rows of a table and compare them; those of an older version have nothing to be compared with."""
    connection.text_factory = _lossless
    is_summed = has_sums(connection)
    checksum = "checksum" if is_summed else "NULL"
    # S608: names of our own.
    statement = f"SELECT {', '.join(table.columns)}, {checksum} FROM {table.name} {where}"  # noqa: S608
    compared = Compared([], [])
    for *row, found in connection.execute(statement, arguments).fetchall():
        if is_summed and found != table.sum_of(row):
            error = damaged(table.name, _key(row[: table.key_count]), file="node.db")
            compared.damages.append(Damaged(error, row, found))
        else:
            compared.whole.append(tuple(row))
    return compared


def put(
    connection: sqlite3.Connection, table: Table, rows: Iterable[Sequence[object]], *, conflict: str = "REPLACE"
) -> None:
    """Insert rows with their checksums.

    Args:
        connection: within a batch.
        table: of the rows.
        rows: their columns, in its order.
        conflict: REPLACE or IGNORE: what happens to a row where one of its key is there.
    """
    marks = ", ".join("?" * (len(table.columns) + 1))
    statement = f"INSERT OR {conflict} INTO {table.name} VALUES ({marks})"  # noqa: S608 - names of our own
    connection.executemany(statement, [sealed(table, row) for row in rows])


def sealed(table: Table, row: Sequence[Any]) -> tuple[object, ...]:
    """Return a row as it is read again, with its checksum behind it."""
    stored = [_stored(value, is_float=column in table.floats) for column, value in zip(table.columns, row, strict=True)]
    return (*stored, table.sum_of(stored))


def add_checksums(connection: sqlite3.Connection) -> None:
    """Write the checksums of all rows: the schema step, after which each row has one."""
    for table in TABLES:
        if table.since > SUMS_VERSION:  # a later step makes it
            continue
        where = " AND ".join(f"{column} = ?" for column in table.columns[: table.key_count])
        connection.executemany(
            f"UPDATE {table.name} SET checksum = ? WHERE {where}",  # noqa: S608 - names of our own
            [(checksum_of(*row), *row[: table.key_count]) for row in compare(connection, table).whole],
        )


def renew_id(connection: sqlite3.Connection) -> None:
    """Write another id into node.db, of an older version perhaps, within a batch: a ledger does not know it (P8)."""
    row = sealed(NODE, (1, secrets.token_hex(16)))
    marks = "?, ?, ?" if has_sums(connection) else "?, ?"
    connection.execute(f"INSERT OR REPLACE INTO node VALUES ({marks})", row[: marks.count("?")])  # noqa: S608 - marks alone


def has_sums(connection: sqlite3.Connection) -> bool:
    """Whether the rows of a node.db have checksums."""
    return _version(connection) >= SUMS_VERSION


def summed_tables(connection: sqlite3.Connection) -> Sequence[Table]:
    """Return the tables of a node.db, of an older version perhaps, whose rows have checksums."""
    version = _version(connection)
    return [table for table in TABLES if table.since <= version]


def lanes_gone(connection: sqlite3.Connection) -> Sequence[str]:
    """Return the names of lanes whose place only something else can have taken away: each was written with its row."""
    names = {"ran": "lane", "subscriptions": "name"}
    kept = [(table.name, names[table.name]) for table in summed_tables(connection) if table.name in names]
    found = (
        connection.execute(f"SELECT {name} FROM {table} WHERE {name} NOT IN (SELECT name FROM lanes)")  # noqa: S608
        for table, name in kept
    )
    return sorted({readable(name) for rows in found for (name,) in rows})


def require_tables(connection: sqlite3.Connection) -> None:
    """Require the tables of the file's version, which only something else can have taken away. Raises StoreDamaged."""
    expected = summed_tables(connection)  # before the tables are listed: another process may bring it up to date
    found = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for table in expected:
        if table.name not in found:
            raise StoreDamaged(f"node.db: there is no table {table.name}; stop, and {RESTORE}", table=table.name)


def hold_access_keys(connection: sqlite3.Connection) -> None:
    """Hold all access keys, within a batch: the data were restored, and a revocation may be missing."""
    held = [(*row[:-1], 1) for row in compare(connection, ACCESS_KEYS).whole]
    put(connection, ACCESS_KEYS, held)


def _version(connection: sqlite3.Connection) -> int:
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    return int(version)


def _stored(value: object, *, is_float: bool) -> object:
    match value:
        case int() if is_float:
            return float(value)
        case str():  # a member of an enumeration, perhaps
            return str(value)
        case _:
            return value


def _key(values: Sequence[object]) -> str:
    return ", ".join(value.hex() if isinstance(value, bytes) else readable(str(value)) for value in values)


def readable(text: str) -> str:
    """Return a text that is stored, with a replacement for each byte that is damaged."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _lossless(text: bytes) -> str:
    """Decode a text as it is stored: a byte that is damaged must end no read, and its checksum tells it."""
    return text.decode(errors="surrogateescape")
