"""What stored rows must still be: a checksum of each, written in its commit and compared by every read.

`ledger.db` has those of `transactions` and `events` in tables of their own; `outputs`, the tables of one row and those
of `node.db` (`node_rows.py`) have them beside their columns. A checksum that is None is not written yet
(`upgrading.py`); one that is missing where it must be reads as -1, which none is. Figures: docs/decisions/0040.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, Final
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


EVENT_COLUMNS: Final = (
    "e.position, e.type, e.height, e.timestamp, e.log_bytes, e.first_seq, e.transaction_count, e.digest, e.block_id, "
    "e.reason"
)
"""The columns of `events AS e` that its checksum is of, in its order."""
EVENT_SUM: Final = due_sum("es.row_checksum", "e.position", "position")
RECORD_SUM: Final = due_sum("es.record_checksum", "e.position", "position")
EVENT_TABLES: Final = "events AS e LEFT JOIN event_checksums AS es ON es.position = e.position"
"""What these are read from."""
TRANSACTION_COLUMNS: Final = "t.seq, t.id, t.asset, t.position"
"""The columns of `transactions AS t` that its checksum is of, in its order."""
TRANSACTION_SUM: Final = due_sum("ts.row_checksum", "t.seq", "seq")
BODY_SUM: Final = due_sum("ts.body_checksum", "t.seq", "seq")
OUTPUT_COLUMNS: Final = "o.output, o.amount, o.fingerprint, o.owners"
"""The columns of `outputs AS o` that its checksum is of, in its order; the id of the transaction comes behind them."""
OUTPUT_SUM: Final = due_sum("o.checksum", "(o.output >> 20)", "seq")
SPENT_SUM: Final = due_sum("o.spent_checksum", "o.spent_by", "seq")
"""None of an output that is unspent: its spender is compared with nothing."""


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


def is_whole(checksum: int | None, compute: Callable[..., int], *columns: Any) -> bool:  # noqa: ANN401 - of a row
    """Whether a row is what its checksum is of, or has none yet; columns of another type are not."""
    if checksum is None:
        return True
    try:
        return checksum == compute(*columns)
    except TypeError:
        return False


def expect(table: str, checksum: int | None, compute: Callable[..., int], number: int, *columns: Any) -> None:  # noqa: ANN401 - as above
    """Compare a row with its checksum.

    Args:
        table: of the row.
        checksum: None: it is not written yet.
        compute: one of the functions above.
        number: the row's.
        columns: the others of what `compute` takes.

    Raises:
        StoreDamaged: they differ.
    """
    if not is_whole(checksum, compute, number, *columns):
        raise damaged(table, number)


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
