"""Rows of the event log, each compared with its checksum.

The body of a valid block's event is not stored whole: it is the envelope around the transactions' bytes.
"""

import sqlite3
from bisect import bisect_left
from functools import partial
from typing import Any, Final, NamedTuple

from bigchaindb.ledger.effects import LoggedEvent
from bigchaindb.ledger.ports import Record
from bigchaindb.store.checksums import EVENTS, RECORDS, damaged, record_sum
from bigchaindb.store.tip import read_tip

# The range is bounded by count first, so that the condition on bytes reads no more rows than may be returned.
_RECORDS: Final = f"""
SELECT {RECORDS.row} FROM {RECORDS.tables}
WHERE e.position BETWEEN :after + 1 AND :last AND (e.position = :after + 1 OR e.log_bytes <= :bytes_max +
    coalesce((SELECT log_bytes FROM events WHERE position = :after), 0))
ORDER BY e.position
"""  # noqa: S608 - names of our own
# A rejected proposal may be logged many heights late, with any time. So that both ascend with the position, it
# counts with the time of the valid block before it, and with the greatest height that was logged since that one.
_SINCE_VALID: Final = f"""
SELECT {EVENTS.row} FROM {EVENTS.tables} WHERE e.position BETWEEN coalesce((
    SELECT position FROM events WHERE reason IS NULL AND position <= :last ORDER BY position DESC LIMIT 1
), 1) AND :last ORDER BY e.position
"""  # noqa: S608 - as above
_ROWS: Final = f"""
SELECT {EVENTS.row} FROM {EVENTS.tables} WHERE e.position BETWEEN ? AND ? ORDER BY e.position
"""  # noqa: S608 - as above
_ROW: Final = f"SELECT {EVENTS.row} FROM {EVENTS.tables} WHERE e.position = ?"  # noqa: S608 - as above


class EventRow(NamedTuple):
    """The columns of an event, but for its body."""

    position: int
    type: int
    height: int
    timestamp: int
    log_bytes: int
    first_seq: int
    transaction_count: int
    digest: bytes
    block_id: bytes
    reason: str | None

    @property
    def entry(self) -> LoggedEvent:
        """The row as the ledger knows it."""
        return LoggedEvent(self.position, self.type, self.height, self.block_id.hex(), self.reason, self.digest)


def first_at_height(connection: sqlite3.Connection, height: int, head: int) -> int:
    """Return the position of the first event of at least that height, `head` + 1 if none is.

    Raises:
        StoreDamaged: a row that was looked at is not what was written.
    """
    return bisect_left(range(1, head + 1), height, key=partial(_height_at, connection)) + 1


def _height_at(connection: sqlite3.Connection, position: int) -> int:
    return max(row.height for row in _since_valid(connection, position))


def time_at(connection: sqlite3.Connection, position: int) -> int:
    """Return the time with which an event counts: that of the valid block up to it. Raises: as `first_at_height`."""
    first = _since_valid(connection, position)[0]
    return first.timestamp if first.reason is None else 0


def _since_valid(connection: sqlite3.Connection, position: int) -> list[EventRow]:
    """Read the last valid block's event up to a position of the log, and what follows it up to there.

    Raises:
        StoreDamaged: a row is not what was written, or missing.
    """
    rows = list(map(row_of, connection.execute(_SINCE_VALID, {"last": position}).fetchall()))
    if not rows or rows[-1].position != position or len(rows) != position - rows[0].position + 1:
        raise damaged("events", f"up to {position}", "are not all there")
    return rows


def row_of(columns: tuple[Any, ...]) -> EventRow:
    """Return the row that `EVENTS.row` selects, compared with its checksum; raises StoreDamaged: it differs."""
    EVENTS.expect(*columns)
    return EventRow(*columns[:-1])


def read_row(connection: sqlite3.Connection, position: int) -> EventRow | None:
    """Read the event at `position` without its body; None if the log does not reach there.

    Raises:
        StoreDamaged: it is not what was written, or missing.
    """
    rows = connection.execute(_ROW, (position,)).fetchall()
    if not rows and 0 < position <= read_tip(connection)[0].position:  # committed since, or missing
        rows = connection.execute(_ROW, (position,)).fetchall()
        if not rows:
            raise damaged("events", position, "is missing")
    return row_of(rows[0]) if rows else None


def read_rows(connection: sqlite3.Connection, after: int, last: int) -> list[EventRow]:
    """Read the events of positions `after` < p ≤ `last` without their bodies.

    Raises:
        StoreDamaged: one is not what was written, or missing.
    """
    rows = list(map(row_of, connection.execute(_ROWS, (after + 1, last)).fetchall()))
    if [row.position for row in rows] != list(range(after + 1, last + 1)):
        raise damaged("events", f"{after + 1} to {last}", "are not all there")
    return rows


def read_entry(connection: sqlite3.Connection, position: int) -> LoggedEvent | None:
    """Read the row of the log at `position`. Raises: as `read_row`."""
    row = read_row(connection, position)
    return None if row is None else row.entry


def read_records(connection: sqlite3.Connection, after: int, last: int, bytes_max: int) -> list[Record]:
    """Read the events of positions `after` < p ≤ `last`: one if there is any, then up to `bytes_max` of bodies.

    Where one is damaged or missing only those before it are returned: the next call, which begins there, raises the
    one and shows the other. A damaged `log_bytes` makes the query miss a row whose record is whole.

    Raises:
        StoreDamaged: the first is not what was written.
    """
    records: list[Record] = []
    rows = connection.execute(_RECORDS, {"after": after, "last": last, "bytes_max": bytes_max}).fetchall()
    for position, type_, height, time, digest, body, checksum in rows:
        try:  # in place: `is_whole`, and a slice for it, would cost a plugin a twentieth of its time
            is_whole = checksum is None or checksum == record_sum(position, type_, height, time, digest, body)
        except TypeError:
            is_whole = False
        if records and position != records[-1].position + 1:
            break
        if is_whole:
            records.append(Record(position, type_, height, time, digest, body))
        elif records:
            break
        else:
            raise damaged("events", position)
    return records


def read_record(connection: sqlite3.Connection, position: int) -> Record:
    """Read the event at `position`, which the log holds.

    Raises:
        StoreDamaged: it is not what was written, or missing.
    """
    records = read_records(connection, position - 1, position, 0)
    if not records:
        raise damaged("events", position, "is missing")
    return records[0]
