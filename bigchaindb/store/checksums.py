"""What stored rows must still be: a checksum of each, written in its commit and compared by every read.

`ledger.db` has those of `transactions` and `events` in tables of their own; `outputs`, the tables of one row and those
of `node.db` (`node_rows.py`) have them beside their columns. A checksum that is None is not written yet
(`upgrading.py`); one that is missing where it must be reads as -1, which none is. Figures: docs/decisions/0040.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from zlib import crc32

from bigchaindb.errors import RESTORE, StoreDamaged

NO_CHECKSUM: Final = -1
"""Reads where a checksum must be and none is: CRC-32 gives no negative number."""


def due_sum(column: str, number: str, kind: str) -> str:
    """Return the SQL for a checksum: that of `column`, else None before the row `number` has got one, else -1.

    Args:
        column: with the alias of its table.
        number: what stands for the row's `seq` or `position`.
        kind: which of them.
    """
    due = f"SELECT {NO_CHECKSUM} FROM unchecked WHERE {number} NOT BETWEEN done_{kind} + 1 AND last_{kind}"  # noqa: S608 - names of our own
    return f"coalesce({column}, ({due}))"


def checksum_of(*columns: object) -> int:
    """Return the checksum of any row: CRC-32 of its columns' `repr`, which tells types apart and joins unambiguously.

    The tables whose rows are many have faster ones of their own, below.
    """
    return crc32(repr(columns).encode())


def transaction_sum(seq: int, id_: bytes, asset: bytes | None, position: int) -> int:
    """Return the checksum of a transaction's columns, but for its body."""
    return crc32(b"%d %d %b%b" % (seq, position, id_, b"-" if asset is None else asset))


def output_sum(output: int, amount: int, fingerprint: bytes, owners: bytes, id_: bytes) -> int:
    """Return the checksum of an output that stays as it is; `id_` is its transaction's."""
    return crc32(b"%d %d %b%b%b" % (output, amount, id_, fingerprint, owners))


def spent_sum(output: int, spent_by: int) -> int:
    """Return the checksum of who has spent an output."""
    return crc32(b"%d %d" % (output, spent_by))


def record_sum(position: int, type_: int, height: int, timestamp: int, digest: bytes, body: bytes) -> int:
    """Return the checksum of what a subscriber gets of an event, its whole body included."""
    return crc32(body, crc32(b"%d %d %d %d %b" % (position, type_, height, timestamp, digest)))


def envelope_sum(position: int, head: bytes, tail: bytes) -> int:
    """Return the checksum of what stands before and behind the transactions in an event's body."""
    return crc32(tail, crc32(head, crc32(b"%d " % position)))


def is_whole(checksum: int | None, compute: Callable[..., int], *columns: Any) -> bool:  # noqa: ANN401 - of a row
    """Whether a row is what its checksum is of, or has none yet; columns of another type are not."""
    if checksum is None:
        return True
    try:
        return checksum == compute(*columns)
    except TypeError:
        return False


class Kind(NamedTuple):
    """Rows that have checksums.

    Attributes:
        table: theirs.
        tables: SQL: what columns and checksum are read from.
        columns: SQL: what the checksum is of, in its order, the number of the row first.
        checksum: SQL.
        compute: the checksum of `columns`.
    """

    table: str
    tables: str
    columns: str
    checksum: str
    compute: Callable[..., int]

    @property
    def row(self) -> str:
        """SQL: the columns, then the checksum."""
        return f"{self.columns}, {self.checksum}"

    def expect(self, *row: Any) -> None:  # noqa: ANN401 - columns
        """Compare the columns of a row with the checksum behind them.

        Raises:
            StoreDamaged: they differ.
        """
        if not is_whole(row[-1], self.compute, *row[:-1]):
            raise damaged(self.table, row[0])


_OF_EVENT: Final = ("events", "events AS e LEFT JOIN event_checksums AS es ON es.position = e.position")
EVENTS: Final = Kind(
    *_OF_EVENT,
    "e.position, e.type, e.height, e.timestamp, e.log_bytes, e.first_seq, e.transaction_count, e.digest, e.block_id, "
    "e.reason",
    due_sum("es.row_checksum", "e.position", "position"),
    checksum_of,
)
_GATHERED: Final = """(SELECT group_concat(body, ',') FROM (
    SELECT body FROM transactions WHERE seq BETWEEN e.first_seq AND e.first_seq + e.transaction_count - 1 ORDER BY seq
))"""
BODY_OF_EVENT: Final = f"CAST(e.head || coalesce({_GATHERED}, '') || e.tail AS BLOB)"
"""SQL: joined by the database itself, which costs two thirds of joining it here."""
RECORDS: Final = Kind(
    "events",
    # A transaction that is alone in its block comes by a join: a subquery for each event costs twice that.
    f"{_OF_EVENT[1]} LEFT JOIN transactions AS t ON e.transaction_count = 1 AND t.seq = e.first_seq",
    "e.position, e.type, e.height, e.timestamp, e.digest, "
    f"CAST(e.head || coalesce(t.body, {_GATHERED}, '') || e.tail AS BLOB)",
    due_sum("es.record_checksum", "e.position", "position"),
    record_sum,
)
TRANSACTIONS: Final = Kind(
    "transactions",
    "transactions AS t LEFT JOIN transaction_checksums AS ts ON ts.seq = t.seq",
    "t.seq, t.id, t.asset, t.position",
    due_sum("ts.row_checksum", "t.seq", "seq"),
    transaction_sum,
)
BODY_SUM: Final = due_sum("ts.body_checksum", "t.seq", "seq")
OUTPUTS: Final = Kind(
    "outputs",
    "outputs AS o",
    "o.output, o.amount, o.fingerprint, o.owners",  # and the id of the transaction behind them
    due_sum("o.checksum", "(o.output >> 20)", "seq"),
    output_sum,
)
SPENDS: Final = Kind(
    "outputs", "outputs AS o", "o.output, o.spent_by", due_sum("o.spent_checksum", "o.spent_by", "seq"), spent_sum
)
"""Of an output that is unspent the checksum is None: it is compared with nothing."""


def join_transaction(seq: str) -> str:
    """Return the SQL that joins the transaction whose number is the column `seq`."""
    return f"LEFT JOIN transactions AS t ON t.seq = {seq} LEFT JOIN transaction_checksums AS ts ON ts.seq = {seq}"


def expect_body(table: str, row: object, checksum: int | None, body: object) -> bytes:
    """Compare a body with its checksum, and return it.

    Raises:
        StoreDamaged: they differ.
    """
    if not isinstance(body, bytes) or (checksum is not None and checksum != crc32(body)):
        raise damaged(table, row)
    return body


def damaged(table: str, row: object, what: str = "is not what was written", *, file: str = "ledger.db") -> StoreDamaged:
    """Return the error of one row."""
    return StoreDamaged(
        f"{file}: {table} {row} {what}; run `bigchaindb check`, and {RESTORE}", table=table, row=str(row)
    )


ONE_ROW_COLUMNS: Final = {
    "tip": (
        "height, block_id, timestamp, app_hash, position, digest, block_count, transaction_count, output_count, "
        "log_bytes"
    ),
    "indexing": "done_seq, done_position, sealed_seq, sealed_position, move_count",
    "local": "node_id, run, chain_id",
    "network": "state",
    "unchecked": "done_seq, done_position, last_seq, last_position",
    "naming": "done_seq, last_seq",
}
"""The tables of one row that have their checksum beside their columns."""
_READ_ONE: Final = {
    # S608: names of our own.
    table: f"SELECT {columns}, checksum FROM {table} WHERE one = 1"  # noqa: S608
    for table, columns in ONE_ROW_COLUMNS.items()
}
_SEAL_ONE: Final = {
    table: f"UPDATE {table} SET checksum = checksum_of({columns})"  # noqa: S608
    for table, columns in ONE_ROW_COLUMNS.items()
}


def read_one(connection: sqlite3.Connection, table: str) -> tuple[object, ...]:
    """Return the columns of a table of one row.

    Raises:
        StoreDamaged: they are not what was written.
    """
    rows = connection.execute(_READ_ONE[table]).fetchall()
    if len(rows) != 1 or rows[0][-1] != checksum_of(*rows[0][:-1]):
        raise damaged(table, 1)
    return tuple(rows[0][:-1])


def seal_one(connection: sqlite3.Connection, table: str) -> None:
    """Write the checksum of a table of one row anew, within the batch that changed it."""
    connection.create_function("checksum_of", -1, checksum_of, deterministic=True)
    connection.execute(_SEAL_ONE[table])
