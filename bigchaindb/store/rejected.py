"""The node's log of rejected transactions, in node.db: those that it accepted and rejected later (P21).

It is this node's own, bounded, and the oldest rows go first. Rows become durable before anybody is told of them.
"""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from bigchaindb.errors import HistoryLost, UnknownPlace
from bigchaindb.eventlog.selection import Selection
from bigchaindb.ledger.block import NO_BLOCK_ID
from bigchaindb.ledger.effects import NO_DIGEST, LoggedEvent
from bigchaindb.ledger.ports import REJECTED as REJECTED_TYPE
from bigchaindb.ledger.ports import Announcement, Record, RejectedRow
from bigchaindb.store import node_rows
from bigchaindb.store.checksums import damaged
from bigchaindb.store.database import Readers, snapshot
from bigchaindb.store.node_db import NodeDb
from bigchaindb.store.node_rows import REJECTED
from bigchaindb.store.selecting import Filter

COUNT_MAX: Final = 100_000
BYTES_MAX: Final = 128 * 1024 * 1024
"""Bounds by default; a node passes `limits.rejected_log_count_max` and `limits.rejected_log_bytes_max`."""
ROW_BYTES: Final = 256
"""What a row counts besides its message and its body: ids, index, checksum."""
MESSAGE_CHARACTERS_MAX: Final = 1_000
LOOK_COUNT_MAX: Final = 256
LOOK_BYTES_MAX: Final = 1024 * 1024
"""Rows, and bytes of bodies, that one call of `selected` reads: a few milliseconds."""

_SUM: Final = f"""
SELECT coalesce(max(seq), 0), coalesce(min(begins) + sum(length(body) + length(CAST(message AS BLOB)) + {ROW_BYTES}), 0)
FROM rejected_transactions
"""  # noqa: S608 - a number of our own
_FIT: Final = "SELECT seq FROM rejected_transactions WHERE begins >= ? ORDER BY seq LIMIT 1"
_ENDS: Final = "SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM rejected_transactions"
_SIZE: Final = f"""
SELECT count(*), coalesce((
    SELECT begins + length(body) + length(CAST(message AS BLOB)) + {ROW_BYTES}
    FROM rejected_transactions ORDER BY seq DESC LIMIT 1
) - (SELECT begins FROM rejected_transactions ORDER BY seq LIMIT 1), 0)
FROM rejected_transactions
"""  # noqa: S608 - as above
_FIRST_AT: Final = "SELECT min(seq) FROM rejected_transactions WHERE at >= ?"
_SIZES: Final = """
SELECT seq, length(body) FROM rejected_transactions WHERE seq > ? AND seq <= ? ORDER BY seq {} LIMIT ?
"""


Row = tuple[Any, ...]


class RejectedWriter:
    """Appends to the log, within a batch of node.db; belongs to one thread."""

    def __init__(self, db: NodeDb, *, count_max: int = COUNT_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._db = db
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._end = 0, 0  # of the last batch, if it was committed

    def add(self, rejected: Sequence[RejectedRow]) -> int:
        """Append rows, durably, in one fsync; return the last position. Raises: as `NodeDb.batch`."""
        with self._db.batch(sum(len(one.body) for one in rejected)) as connection:
            return self.insert(connection, rejected)

    def insert(self, connection: sqlite3.Connection, rejected: Sequence[RejectedRow]) -> int:
        """Append rows and delete the oldest beyond the bounds, within a batch; return the last position."""
        [(last,)] = connection.execute("SELECT coalesce(max(seq), 0) FROM rejected_transactions").fetchall()
        last, end = self._end if self._end[0] == last else _end(connection)
        rows, now_s = [], time.time()
        for one in rejected:
            last, message = last + 1, one.message[:MESSAGE_CHARACTERS_MAX]
            rows.append((last, now_s, one.id, one.asset, one.error, message, one.body, end))
            end += _size(message, one.body)
        self._end = last, end
        node_rows.put(connection, REJECTED, rows)
        [(fits,)] = connection.execute(_FIT, (end - self._bytes_max,)).fetchall() or [(last,)]
        oldest = max(fits, last - self._count_max + 1)
        connection.execute("DELETE FROM rejected_transactions WHERE seq < ?", (oldest,))
        return last


class RejectedLog:
    """Implements `bigchaindb.ledger.ports.LogReader`: a row is an event without a block. Any thread may call it."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def first(self) -> int:
        """Return the first position that is left; of an empty log, 1."""
        return self._ends()[0]

    def head(self) -> int:
        """See `LogReader`."""
        return self._ends()[1]

    def size(self) -> tuple[int, int]:
        """Return how many rows there are, and their bytes as the bounds count them."""
        with self._readers.connection() as connection:
            [(count, size)] = connection.execute(_SIZE).fetchall()
        return count, size

    def of(self, transaction_id: str) -> RejectedRow | None:
        """Return the last rejection of a transaction; None if the log has none."""
        with self._readers.connection() as connection:
            rows = _read(connection, "WHERE id = ? ORDER BY seq DESC LIMIT 1", transaction_id)
        return RejectedRow(*rows[0][2:7]) if rows else None

    def entry(self, position: int) -> LoggedEvent | None:
        """See `LogReader`. The place before the first row is the beginning of the log, whatever was deleted there."""
        digest = NO_DIGEST
        if position != self.first() - 1:
            with self._readers.connection() as connection:
                rows = _read(connection, "WHERE seq = ?", position)
            if not rows:
                return None
            digest = _digest(*rows[0][:3])
        return LoggedEvent(position, REJECTED_TYPE, 0, NO_BLOCK_ID, None, digest)

    def first_at(self, *, height: int | None = None, time: int | None = None) -> int:
        """See `LogReader`.

        Raises:
            UnknownPlace: rows have no height.
        """
        if height is not None:
            raise UnknownPlace(f"height:{height}: rejected transactions are of no block; name a position or a token")
        with self._readers.connection() as connection:
            [(found,)] = connection.execute(_FIRST_AT, (time or 0,)).fetchall()
        return self.head() + 1 if found is None else int(found)

    def announcements(self, position: int) -> list[Announcement]:  # noqa: ARG002 - none has any
        """See `LogReader`."""
        return []

    def records(self, after: int, through: int, *, count_max: int, bytes_max: int) -> list[Record]:
        """See `LogReader`."""
        return self.selected(after, through, None, count_max=count_max, bytes_max=bytes_max)[0]

    def selected(
        self,
        after: int,
        through: int,
        selection: Selection | None,
        *,
        types: int = -1,  # noqa: ARG002 - there is one type
        count_max: int,
        bytes_max: int,
    ) -> tuple[list[Record], int]:
        """See `LogReader`; `after` -1 is the beginning, whichever row is the first by then."""
        found, last = _matching(self._piece(after, through, bytes_max), selection, count_max)
        return found, max(after, 0) if last is None else last

    def newest(
        self, before: int, after: int, selection: Selection | None, *, count_max: int, bytes_max: int
    ) -> tuple[list[Record], int]:
        """Return the newest records that match of `after` < p ≤ `before`, newest first, and the place where to go on.

        At least one row is looked at, unless none is left; then the place is `after`, or before the first row.
        """
        found, last = _matching(self._piece_down(after, before, bytes_max), selection, count_max)
        return found, max(before if last is None else last - 1, after, self.first() - 1)

    def summaries(
        self, after: int, through: int, *, types: int = -1, count_max: int, bytes_max: int
    ) -> tuple[list[Record], int]:
        """See `LogReader`; a rejected transaction is never asked for in short."""
        raise NotImplementedError

    def close(self) -> None:
        """Close nothing: the connections are the store's."""

    def _ends(self) -> tuple[int, int]:
        with self._readers.connection() as connection:
            [(first, last)] = connection.execute(_ENDS).fetchall()
        return first, last

    def _piece(self, after: int, through: int, bytes_max: int) -> list[Row]:
        """Return the next rows; one at least, unless the log ends there."""
        first, rows = self._rows(after, through, bytes_max)
        expected = after + 1 if after >= 0 else first
        for position, (seq, *_) in enumerate(rows, expected):
            if seq != position:
                raise _missing(position, first, through)
        if not rows and expected <= through:
            raise _missing(expected, first, through)
        return rows

    def _piece_down(self, after: int, through: int, bytes_max: int) -> list[Row]:
        """Return the next rows, newest first; one at least, unless none is left."""
        first, rows = self._rows(after, through, bytes_max, is_down=True)
        for position, (seq, *_) in zip(range(through, 0, -1), rows, strict=False):
            if seq != position:
                raise _missing(position, first, through)
        if not rows and through >= max(first, after + 1):
            raise _missing(through, first, through)
        return rows

    def _rows(self, after: int, through: int, bytes_max: int, *, is_down: bool = False) -> tuple[int, list[Row]]:
        """Return the first position that is left, and the rows that one look has room for."""
        room, order, looked = min(bytes_max, LOOK_BYTES_MAX), "DESC" if is_down else "ASC", list[int]()
        with self._readers.connection() as connection, snapshot(connection):  # the oldest rows go at any time
            [(first, _)] = connection.execute(_ENDS).fetchall()
            for seq, size in connection.execute(_SIZES.format(order), (after, through, LOOK_COUNT_MAX)).fetchall():
                room -= size
                if room < 0 and looked:
                    break
                looked.append(seq)
            ends = (min(looked), max(looked)) if looked else (0, -1)
            return first, _read(connection, f"WHERE seq BETWEEN ? AND ? ORDER BY seq {order}", *ends, is_down=is_down)


def _matching(rows: Iterable[Row], selection: Selection | None, count_max: int) -> tuple[list[Record], int | None]:
    """Return the records that match, and the position of the last row that was looked at; None: of no row."""
    wanted, found, last = Filter(selection, -1), list[Record](), None
    for row in rows:
        last = row[0]
        if wanted.matches(row[6]):
            found.append(_record(*row))
            if len(found) >= count_max:
                break
    return found, last


def _missing(position: int, first: int, head: int) -> Exception:
    """Return the error of a row that is not there: it was deleted for newer ones, or is damaged (P8)."""
    if position < first:
        return HistoryLost(position, head)
    return damaged(REJECTED.name, position, "is missing", file="node.db")


def _read(connection: sqlite3.Connection, where: str, *arguments: object, is_down: bool = False) -> list[Row]:
    """Return rows; those before a damaged one, or its error if it is the first."""
    found = node_rows.compare(connection, REJECTED, where, arguments)
    if not found.damages:
        return found.whole
    first = sorted((one.row[0] for one in found.damages), reverse=is_down)[0]
    rows = [row for row in found.whole if (row[0] > first if is_down else row[0] < first)]
    if not rows:
        raise found.damages[0].error
    return rows


def _end(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the last position, and the bytes of all rows up to it: of the last row, unless that one is damaged."""
    found = node_rows.compare(connection, REJECTED, "ORDER BY seq DESC LIMIT 1")
    if found.whole:
        [(seq, *_, message, body, begins)] = found.whole
        return seq, begins + _size(message, body)
    [(last, end)] = connection.execute(_SUM).fetchall()
    return last, end


def _size(message: str, body: bytes) -> int:
    return len(message.encode()) + len(body) + ROW_BYTES


def _digest(seq: int, at: float, id_: str) -> bytes:
    return sha256(f"{seq} {at!r} {id_}".encode()).digest()


def _record(*row: Any) -> Record:  # noqa: ANN401 - columns
    seq, at, id_, _, error, message, body, _ = row
    why = msgspec.json.encode({"error": error, "message": message})[:-1]
    return Record(seq, REJECTED_TYPE, 0, int(at), _digest(seq, at, id_), b'%b,"transaction":%b}' % (why, body))
