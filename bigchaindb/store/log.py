"""The event log as subscribers read it: in the node's process, or in a plugin's own.

The body of a valid block's event is not stored whole: it is the envelope around the transactions' bytes, joined by the
database itself, which costs two thirds of joining them here.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from bigchaindb.errors import HistoryLost
from bigchaindb.eventlog.selection import ALL, Selection
from bigchaindb.ledger.effects import LoggedEvent
from bigchaindb.ledger.ports import Announcement, Record
from bigchaindb.store.database import open_reader, translated
from bigchaindb.store.selecting import matching

LOOK_COUNT_MAX: Final = 8_192
"""Events that one call of `selected` looks at: with 4 MiB of them it is a matter of milliseconds."""
LOOK_COUNT_MIN: Final = 256
"""Events that it looks at where their types alone count: a mask that few events match must not take a call for each."""
LOOK_BYTES_MAX: Final = 4 * 2**20
"""Bytes of event bodies that it looks at."""

_HEAD: Final = "SELECT position FROM tip"
BODY_SQL: Final = """
CAST(head || coalesce((SELECT group_concat(body, ',') FROM (
    SELECT body FROM transactions WHERE seq BETWEEN first_seq AND first_seq + transaction_count - 1 ORDER BY seq
)), '') || tail AS BLOB)
"""
"""The body of an event, from its row."""
# The range is bounded by count beforehand: the condition on bytes looks at no more rows than may be given.
_RECORDS: Final = f"""
SELECT position, type, height, timestamp, digest, {BODY_SQL} FROM events
WHERE position BETWEEN ?1 + 1 AND ?2 AND (position = ?1 + 1 OR log_bytes <= ?3 +
    coalesce((SELECT log_bytes FROM events WHERE position = ?1), 0))
ORDER BY position
"""  # noqa: S608 - names of our own
_RECORDS_OF_TYPE: Final = f"""
SELECT position, type, height, timestamp, digest, {BODY_SQL} FROM events
WHERE position BETWEEN ? + 1 AND ? AND type & ? ORDER BY position LIMIT ?
"""  # noqa: S608 - as above
# A rejected proposal may be logged many heights late, and say any time. So that both ascend with the position, it
# counts with the time of the valid block before it, and with the greatest height that was logged since that one.
_VALID_BEFORE: Final = """
FROM events WHERE reason IS NULL AND position <= ?1 ORDER BY position DESC LIMIT 1
"""
_HEIGHT: Final = f"""
SELECT max(height) FROM events WHERE position BETWEEN coalesce((SELECT position {_VALID_BEFORE}), 1) AND ?1
"""  # noqa: S608 - names of our own
_TIME: Final = f"SELECT coalesce((SELECT timestamp {_VALID_BEFORE}), 0)"
_LOG_BYTES: Final = "SELECT coalesce((SELECT log_bytes FROM events WHERE position = ?), 0)"
_COUNT: Final = "SELECT count(*) FROM events WHERE position BETWEEN ?1 + 1 AND ?2"
_MISSING: Final = """
SELECT min(p) FROM (
    SELECT ?1 + 1 AS p UNION ALL SELECT position + 1 FROM events WHERE position BETWEEN ?1 + 1 AND ?2 - 1
) WHERE p NOT IN (SELECT position FROM events WHERE position BETWEEN ?1 + 1 AND ?2)
"""
_ENTRY: Final = "SELECT position, type, height, block_id, reason, digest FROM events WHERE position = ?"
_BLOCK: Final = "SELECT height, block_id, first_seq, transaction_count FROM events WHERE position = ?"
_IDS: Final = "SELECT id, coalesce(asset, id) FROM transactions WHERE seq BETWEEN ? AND ? ORDER BY seq"


class Log:
    """Implements `bigchaindb.ledger.ports.LogReader` over a connection of its own. Belongs to one thread."""

    def __init__(self, ledger: Path) -> None:
        """Open the log of the ledger file at `ledger`; a node must own it (durable before visible, P4).

        Raises:
            StoreError: it cannot be read.
        """
        self._name = ledger.name
        self._connection = open_reader(ledger)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def head(self) -> int:
        """See `LogReader`."""
        with translated(self._name):
            ((position,),) = self._connection.execute(_HEAD).fetchall()
        return int(position)

    def records(self, after: int, through: int, *, count_max: int, bytes_max: int) -> list[Record]:
        """See `LogReader`."""
        with translated(self._name):
            last = min(through, after + max(1, count_max))
            rows = self._connection.execute(_RECORDS, (after, last, bytes_max)).fetchall()
        return list(map(Record._make, rows))

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
        with translated(self._name):
            through = min(through, self.head(), after + LOOK_COUNT_MAX)
            if through <= after:
                return [], after
            count_max = max(1, count_max)
            if selection is None or selection == ALL:
                near = min(through, after + max(count_max, LOOK_COUNT_MIN))
                last = self._within(after, near, bytes_max)
                self._expect_all(after, last)
                return self._of_types(after, last, types, count_max)
            last = self._within(after, through, LOOK_BYTES_MAX)
            self._expect_all(after, last)
            positions = list(islice(matching(self._connection, after, last, selection, types), count_max))
            records = self._at(positions, bytes_max)
        if len(records) == len(positions) < count_max:
            return records, last
        return records, records[-1].position

    def first_at(self, *, height: int | None = None, time: int | None = None) -> int:
        """See `LogReader`."""
        with translated(self._name):
            positions = range(1, self.head() + 1)
            before = 0
            if height is not None:
                before = bisect_left(positions, height, key=lambda p: self._number(_HEIGHT, p))
            if time is not None:
                before = bisect_left(positions, time, before, key=lambda p: self._number(_TIME, p))
        return before + 1

    def announcements(self, position: int) -> list[Announcement]:
        """See `LogReader`."""
        with translated(self._name):
            blocks = self._connection.execute(_BLOCK, (position,)).fetchall()
            if not blocks:
                return []
            ((height, block_id, first, count),) = blocks
            ids = self._connection.execute(_IDS, (first, first + count - 1)).fetchall()
        block = block_id.hex()
        return [Announcement(id_.hex(), asset.hex(), height, block) for id_, asset in ids]

    def entry(self, position: int) -> LoggedEvent | None:
        """See `LogReader`."""
        with translated(self._name):
            return read_entry(self._connection, position)

    def _of_types(self, after: int, last: int, types: int, count_max: int) -> tuple[list[Record], int]:
        rows = self._connection.execute(_RECORDS_OF_TYPE, (after, last, types, count_max)).fetchall()
        records = list(map(Record._make, rows))
        return records, records[-1].position if len(records) == count_max else last

    def _expect_all(self, after: int, last: int) -> None:
        """Refuse to pass over what is not there: nobody could tell it from what does not match (P8)."""
        if self._number(_COUNT, after, last) != last - after:
            raise HistoryLost(self._number(_MISSING, after, last), self.head())

    def _at(self, positions: Sequence[int], bytes_max: int) -> list[Record]:
        """Read events, neighbours with one statement: at least one if any, then up to the bound."""
        records: list[Record] = []
        for first, last in _runs(positions):
            for row in self._connection.execute(_RECORDS, (first - 1, last, bytes_max)).fetchall():
                record = Record._make(row)
                bytes_max -= len(record.body)
                if records and bytes_max < 0:
                    return records
                records.append(record)
            if records[-1].position < last:
                return records
        return records

    def _within(self, after: int, through: int, bytes_max: int) -> int:
        """Give the last position up to which the events hold so many bytes: one event at least."""
        end = bytes_max + self._number(_LOG_BYTES, after)
        if self._number(_LOG_BYTES, through) <= end:
            return through
        count = bisect_right(range(after + 1, through), end, key=lambda p: self._number(_LOG_BYTES, p))
        return after + max(1, count)

    def _number(self, statement: str, *positions: int) -> int:
        ((number,),) = self._connection.execute(statement, positions).fetchall()
        return int(number)


def _runs(positions: Iterable[int]) -> list[tuple[int, int]]:
    """Cut ascending positions where one is missing; give the first and last of each piece."""
    runs: list[tuple[int, int]] = []
    for position in positions:
        if runs and runs[-1][1] == position - 1:
            runs[-1] = (runs[-1][0], position)
        else:
            runs.append((position, position))
    return runs


def read_entry(connection: sqlite3.Connection, position: int) -> LoggedEvent | None:
    """Read the row of the log at `position`."""
    for row_position, type_, height, block_id, reason, digest in connection.execute(_ENTRY, (position,)).fetchall():
        return LoggedEvent(row_position, type_, height, block_id.hex(), reason, digest)
    return None
