"""The event log as subscribers read it: in the node's process, or in a plugin's own."""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from bigchaindb.errors import HistoryLost, StoreDamaged
from bigchaindb.eventlog.selection import Selection
from bigchaindb.ledger.effects import LoggedEvent
from bigchaindb.ledger.ports import Announcement, Record
from bigchaindb.store.checksums import TRANSACTIONS, damaged
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import translated
from bigchaindb.store.event_rows import first_at_height, read_entry, read_records, read_row, time_at
from bigchaindb.store.migrations import open_ledger
from bigchaindb.store.scanning import pass_over
from bigchaindb.store.selecting import Filter
from bigchaindb.store.summaries import read_summaries
from bigchaindb.store.tip import read_tip

SCAN_COUNT_MAX: Final = 8_192
"""Events that one call of `selected` reads: 4 MiB of them take milliseconds."""
SCAN_BYTES_MAX: Final = 4 * 2**20
"""Bytes of event bodies that it reads."""
SUMMARY_COUNT_MAX: Final = 512
"""Events that are read in short at once."""
PIECE_COUNT_FIRST: Final = 32
"""Events that it reads at first, doubled each time: where most events match, few are wanted of one call."""
PIECE_BYTES_MAX: Final = 256 * 1024
"""Bytes of event bodies that it reads at once, but for a first one that is larger."""

_TRANSACTIONS: Final = f"""
SELECT {TRANSACTIONS.row} FROM {TRANSACTIONS.tables} WHERE t.seq BETWEEN ? AND ? ORDER BY t.seq
"""  # noqa: S608 - names of our own


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

    @property
    def connection(self) -> sqlite3.Connection:
        """What it reads by; it belongs to the same thread."""
        return self._connection

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def head(self) -> int:
        """See `LogReader`."""
        with self.reading():
            return self._head()

    def first(self) -> int:
        """Return the first position: nothing is ever removed (P7)."""
        return 1

    def records(self, after: int, through: int, *, count_max: int, bytes_max: int) -> list[Record]:
        """See `LogReader`."""
        with self.reading():
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
        found: list[Record] = []
        count_first = max(1, count_max) if selection is None else PIECE_COUNT_FIRST
        with self.reading():
            through = min(through, self._head(), after + SCAN_COUNT_MAX)
            for records, position in self._pieces(Filter(selection, types), after, through, count_first):
                for record in records:
                    bytes_max -= len(record.body)
                    if found and bytes_max < 0:
                        return found, found[-1].position
                    found.append(record)
                    if len(found) >= count_max:
                        return found, record.position
                after = position
        return found, after

    def summaries(
        self, after: int, through: int, *, types: int = -1, count_max: int, bytes_max: int
    ) -> tuple[list[Record], int]:
        """See `LogReader`."""
        found: list[Record] = []
        with self.reading():
            through = min(through, self._head(), after + SCAN_COUNT_MAX)
            begin = after
            while after < through and len(found) < count_max:
                last = min(through, after + min(count_max - len(found), SUMMARY_COUNT_MAX))
                try:
                    records, reached = read_summaries(self._connection, after, last, PIECE_BYTES_MAX, types)
                except StoreDamaged:
                    if after == begin:
                        raise
                    break  # the next call, which begins there, raises it
                for record in records:
                    bytes_max -= len(record.body)
                    if found and bytes_max < 0:
                        return found, found[-1].position
                    found.append(record)
                after = reached
        return found, after

    def _pieces(self, wanted: Filter, after: int, through: int, count: int) -> Iterator[tuple[Sequence[Record], int]]:
        """Return what matches, piece by piece, each with the last position that was looked at."""
        begin, looked_bytes, may_pass_over = after, 0, wanted.is_sparse
        while after < through and looked_bytes < SCAN_BYTES_MAX:
            bound = min(PIECE_BYTES_MAX, SCAN_BYTES_MAX - looked_bytes)
            if may_pass_over:
                passed = pass_over(self._connection, wanted, after, through, bound)
                looked_bytes += passed.bytes_count
                if passed.position > after:
                    after, count = passed.position, PIECE_COUNT_FIRST
                    yield (), after
                if passed.is_clear:
                    continue
            try:
                piece = self._piece(after, min(through, after + count), bound)
            except StoreDamaged:
                if after == begin:
                    raise
                return  # the next call, which begins there, raises it
            records = [record for record in piece if wanted.passes(record.type, record.body)]
            after = piece[-1].position
            yield records, after
            looked_bytes += sum(len(record.body) for record in piece)
            may_pass_over = wanted.is_sparse and not records  # another may follow at once: looking twice costs more
            count *= 2

    def first_at(self, *, height: int | None = None, time: int | None = None) -> int:
        """See `LogReader`."""
        with self.reading():
            head, before = self._head(), 0
            if height is not None:
                before = first_at_height(self._connection, height, head) - 1
            if time is not None:
                key = partial(time_at, self._connection)
                before = bisect_left(range(1, head + 1), time, before, key=key)
        return before + 1

    def announcements(self, position: int) -> list[Announcement]:
        """See `LogReader`."""
        with self.reading():
            if (row := read_row(self._connection, position)) is None:
                return []
            first, count = row.first_seq, row.transaction_count
            transactions = self._connection.execute(_TRANSACTIONS, (first, first + count - 1)).fetchall()
            if len(transactions) != count:
                raise damaged("transactions", f"{first} to {first + count - 1}", "are not all there")
            for one in transactions:
                TRANSACTIONS.expect(*one)
        block = row.block_id.hex()
        return [Announcement(id_.hex(), (asset or id_).hex(), row.height, block) for _, id_, asset, *_ in transactions]

    def entry(self, position: int) -> LoggedEvent | None:
        """See `LogReader`."""
        with self.reading():
            return read_entry(self._connection, position)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for one read, whose errors become ours."""
        with self._damages.noted(), translated(self._name):
            yield self._connection

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
