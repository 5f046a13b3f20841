"""The event log as subscribers read it: in the node's process, or in a plugin's own.

The body of a valid block's event is not stored whole: it is the envelope around the transactions' bytes, joined by the
database itself, which costs two thirds of joining them here.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from bigchaindb.errors import HistoryLost, StoreDamaged
from bigchaindb.eventlog.selection import Selection
from bigchaindb.ledger.effects import LoggedEvent
from bigchaindb.ledger.ports import Announcement, Record
from bigchaindb.store.checksums import (
    EVENT_COLUMNS,
    EVENT_SUM,
    EVENT_TABLES,
    RECORD_SUM,
    TRANSACTION_COLUMNS,
    TRANSACTION_SUM,
    checksum_of,
    damaged,
    expect,
    is_whole,
    record_sum,
    transaction_sum,
)
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import translated
from bigchaindb.store.migrations import open_ledger
from bigchaindb.store.selecting import Filter
from bigchaindb.store.tip import read_tip

LOOK_COUNT_MAX: Final = 8_192
"""Events that one call of `selected` reads: 4 MiB of them take milliseconds."""
LOOK_BYTES_MAX: Final = 4 * 2**20
"""Bytes of event bodies that it reads."""
PIECE_COUNT_FIRST: Final = 32
"""Events that it reads at first, doubled each time: where most events match, few are wanted of one call."""
PIECE_BYTES_MAX: Final = 256 * 1024
"""Bytes of event bodies that it reads at once, but for a first one that is larger."""

BODY_SQL: Final = """
CAST(e.head || coalesce((SELECT group_concat(body, ',') FROM (
    SELECT body FROM transactions WHERE seq BETWEEN e.first_seq AND e.first_seq + e.transaction_count - 1 ORDER BY seq
)), '') || e.tail AS BLOB)
"""
"""The body of an event, from its row."""
# The range is bounded by count first, so that the condition on bytes reads no more rows than may be returned.
_RECORDS: Final = f"""
SELECT e.position, e.type, e.height, e.timestamp, e.digest, {BODY_SQL}, {RECORD_SUM} FROM {EVENT_TABLES}
WHERE e.position BETWEEN ?1 + 1 AND ?2 AND (e.position = ?1 + 1 OR e.log_bytes <= ?3 +
    coalesce((SELECT log_bytes FROM events WHERE position = ?1), 0))
ORDER BY e.position
"""  # noqa: S608 - names of our own
# A rejected proposal may be logged many heights late, with any time. So that both ascend with the position, it
# counts with the time of the valid block before it, and with the greatest height that was logged since that one.
_SINCE_VALID: Final = f"""
SELECT {EVENT_COLUMNS}, {EVENT_SUM} FROM {EVENT_TABLES} WHERE e.position BETWEEN coalesce((
    SELECT position FROM events WHERE reason IS NULL AND position <= ?1 ORDER BY position DESC LIMIT 1
), 1) AND ?1 ORDER BY e.position
"""  # noqa: S608 - as above
_ROW: Final = f"SELECT {EVENT_COLUMNS}, {EVENT_SUM} FROM {EVENT_TABLES} WHERE e.position = ?"  # noqa: S608 - as above
_TRANSACTIONS: Final = f"""
SELECT {TRANSACTION_COLUMNS}, {TRANSACTION_SUM} FROM transactions AS t
LEFT JOIN transaction_checksums AS ts ON ts.seq = t.seq WHERE t.seq BETWEEN ? AND ? ORDER BY t.seq
"""  # noqa: S608 - as above


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


class Log:
    """Implements `bigchaindb.ledger.ports.LogReader` over a connection of its own. Belongs to one thread."""

    def __init__(self, ledger: Path, damages: Damages | None = None) -> None:
        """Open the log of the ledger file at `ledger`; a node must own it (durable before visible, P4).

        Args:
            ledger: the file.
            damages: takes note of what reads find damaged.

        Raises:
            StoreError: it cannot be read.
        """
        self._name = ledger.name
        self._damages = damages or Damages()
        self._connection = open_ledger(ledger)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def head(self) -> int:
        """See `LogReader`."""
        with self._reading():
            return self._head()

    def records(self, after: int, through: int, *, count_max: int, bytes_max: int) -> list[Record]:
        """See `LogReader`."""
        with self._reading():
            last = min(through, after + max(1, count_max))
            records = read_records(self._connection, after, last, bytes_max)
            if not records and after < min(last, self._head()):  # committed since, or missing
                records = read_records(self._connection, after, last, bytes_max)
                if not records:
                    raise HistoryLost(after + 1, self._head())
            return records

    def selected(
        self,
        after: int,
        through: int,
        selection: Selection | None,
        *,
        types: int = -1,
        count_max: int,
        bytes_max: int,
    ) -> tuple[list[Record], int]:
        """See `LogReader`."""
        wanted = Filter(selection, types)
        found: list[Record] = []
        begin = after
        with self._reading():
            through = min(through, self._head(), after + LOOK_COUNT_MAX)
            looked_bytes, count = 0, max(1, count_max) if selection is None else PIECE_COUNT_FIRST
            while after < through and looked_bytes < LOOK_BYTES_MAX:
                bound = min(PIECE_BYTES_MAX, LOOK_BYTES_MAX - looked_bytes)
                try:
                    piece = self._piece(after, min(through, after + count), bound)
                except StoreDamaged:
                    if after == begin:
                        raise
                    break  # the next call, which begins there, raises it
                for record in piece:
                    if wanted.passes(record.type, record.body):
                        bytes_max -= len(record.body)
                        if found and bytes_max < 0:
                            return found, found[-1].position
                        found.append(record)
                        if len(found) >= count_max:
                            return found, record.position
                    after = record.position
                    looked_bytes += len(record.body)
                count *= 2
        return found, after

    def first_at(self, *, height: int | None = None, time: int | None = None) -> int:
        """See `LogReader`."""
        with self._reading():
            head, before = self._head(), 0
            if height is not None:
                before = first_at_height(self._connection, height, head) - 1
            if time is not None:
                key = partial(_time_at, self._connection)
                before = bisect_left(range(1, head + 1), time, before, key=key)
        return before + 1

    def announcements(self, position: int) -> list[Announcement]:
        """See `LogReader`."""
        with self._reading():
            if (row := read_row(self._connection, position)) is None:
                return []
            first, count = row.first_seq, row.transaction_count
            transactions = self._connection.execute(_TRANSACTIONS, (first, first + count - 1)).fetchall()
            if len(transactions) != count:
                raise damaged("transactions", f"{first} to {first + count - 1}", "are not all there")
            for *columns, checksum in transactions:
                expect("transactions", checksum, transaction_sum, *columns)
        block = row.block_id.hex()
        return [Announcement(id_.hex(), (asset or id_).hex(), row.height, block) for _, id_, asset, *_ in transactions]

    def entry(self, position: int) -> LoggedEvent | None:
        """See `LogReader`."""
        with self._reading():
            return read_entry(self._connection, position)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._damages.noted(), translated(self._name):
            yield

    def _head(self) -> int:
        return read_tip(self._connection)[0].position

    def _piece(self, after: int, last: int, bytes_max: int) -> list[Record]:
        """Read the next events. What is missing cannot be told from what does not match, so it is loud (P8)."""
        records = read_records(self._connection, after, last, bytes_max)
        for expected, record in enumerate(records, after + 1):
            if record.position != expected:
                raise HistoryLost(expected, self._head())
        if not records:
            raise HistoryLost(after + 1, self._head())
        return records


def first_at_height(connection: sqlite3.Connection, height: int, head: int) -> int:
    """Return the position of the first event of at least that height, `head` + 1 if none is.

    Raises:
        StoreDamaged: a row that was looked at is not what was written.
    """
    return bisect_left(range(1, head + 1), height, key=partial(_height_at, connection)) + 1


def _height_at(connection: sqlite3.Connection, position: int) -> int:
    return max(row.height for row in _since_valid(connection, position))


def _time_at(connection: sqlite3.Connection, position: int) -> int:
    first = _since_valid(connection, position)[0]
    return first.timestamp if first.reason is None else 0


def _since_valid(connection: sqlite3.Connection, position: int) -> list[EventRow]:
    """Read the last valid block's event up to a position of the log, and what follows it up to there.

    Raises:
        StoreDamaged: a row is not what was written, or missing.
    """
    rows = list(map(_row, connection.execute(_SINCE_VALID, (position,)).fetchall()))
    if not rows or rows[-1].position != position or len(rows) != position - rows[0].position + 1:
        raise damaged("events", f"up to {position}", "are not all there")
    return rows


def _row(columns: tuple[Any, ...]) -> EventRow:
    *row, checksum = columns
    expect("events", checksum, checksum_of, *row)
    return EventRow(*row)


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
    return _row(rows[0]) if rows else None


def read_entry(connection: sqlite3.Connection, position: int) -> LoggedEvent | None:
    """Read the row of the log at `position`. Raises: as `read_row`."""
    row = read_row(connection, position)
    return None if row is None else row.entry


def read_records(connection: sqlite3.Connection, after: int, last: int, bytes_max: int) -> list[Record]:
    """Read the events of positions `after` < p ≤ `last`: one if there is any, then up to `bytes_max` of bodies.

    Where one is damaged only those before it are returned: the next call, which begins there, raises it.

    Raises:
        StoreDamaged: the first is not what was written.
    """
    records: list[Record] = []
    for row in connection.execute(_RECORDS, (after, last, bytes_max)).fetchall():
        if is_whole(row[-1], record_sum, *row[:-1]):
            records.append(Record._make(row[:-1]))
        elif records:
            break
        else:
            raise damaged("events", row[0])
    return records
