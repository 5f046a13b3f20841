"""Events in short, read without their transactions: 400 bytes of a block of 750 kB."""

import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from bigchaindb.errors import StoreDamaged
from bigchaindb.events import EventTypes
from bigchaindb.ledger.ports import Record
from bigchaindb.ledger.summaries import summary_of_envelope, summary_of_event
from bigchaindb.store.checksums import EVENTS, damaged, envelope_sum, is_whole
from bigchaindb.store.event_rows import EventRow, read_record, row_of

_ROWS: Final = f"""
SELECT {EVENTS.row} FROM {EVENTS.tables} WHERE e.position BETWEEN ? AND ? ORDER BY e.position
"""  # noqa: S608 - names of our own
# The head of a rejected proposal's event is all of it, so that each is read by itself.
_ENVELOPES: Final = f"""
SELECT e.position, e.head, e.tail, es.envelope_checksum FROM {EVENTS.tables}
WHERE e.position BETWEEN ? AND ? AND (e.reason IS NULL OR ?)
"""  # noqa: S608 - as above


class _Envelope(NamedTuple):
    head: bytes
    tail: bytes
    checksum: int | None


_NONE: Final = _Envelope(b"", b"", None)


def read_summaries(
    connection: sqlite3.Connection, after: int, last: int, bytes_max: int, types: int = EventTypes.ALL
) -> tuple[list[Record], int]:
    """Read the events of positions `after` < p ≤ `last` whose type is in `types`; the body of each is its summary.

    Those before one that is damaged or missing are returned: the next call, which begins there, raises it.

    Args:
        connection: to the ledger.
        after: the position before the first.
        last: the last position.
        bytes_max: most bytes of whole bodies to read, where there is no other way; one may be larger.
        types: a mask of `bigchaindb.events.EventTypes`.

    Returns:
        the events, and the last position that was looked at.

    Raises:
        StoreDamaged: the first is not what was written, or missing.
    """
    found, reached = list[Record](), after
    envelopes = _envelopes(connection, after + 1, last, are_all=False)
    try:
        for row, body_bytes in _rows(connection, after, last):
            if row.type & types:
                if envelopes.get(row.position, _NONE).checksum is None:
                    if bytes_max < body_bytes and found:
                        break
                    bytes_max -= body_bytes
                    envelopes |= _envelopes(connection, row.position, row.position, are_all=True)
                summary = _summary(connection, row, body_bytes, envelopes[row.position])
                found.append(Record(row.position, row.type, row.height, row.timestamp, row.digest, summary))
            reached = row.position
    except StoreDamaged:
        if reached == after:
            raise
    return found, reached


def _rows(connection: sqlite3.Connection, after: int, last: int) -> Iterator[tuple[EventRow, int]]:
    """Yield the rows of events, each with the bytes of its body."""
    rows = connection.execute(_ROWS, (after, last)).fetchall()
    log_bytes = 0 if after == 0 else None
    for expected, columns in zip(range(max(after, 1), last + 1), rows, strict=False):
        row = row_of(columns)
        if row.position != expected:
            raise damaged("events", expected, "is missing")
        if log_bytes is not None:
            yield row, row.log_bytes - log_bytes
        log_bytes = row.log_bytes
    if len(rows) <= last - max(after, 1):
        raise damaged("events", max(after, 1) + len(rows), "is missing")


def _envelopes(connection: sqlite3.Connection, first: int, last: int, *, are_all: bool) -> dict[int, _Envelope]:
    rows = connection.execute(_ENVELOPES, (first, last, are_all)).fetchall()
    return {position: _Envelope(*rest) for position, *rest in rows}


def _summary(connection: sqlite3.Connection, row: EventRow, body_bytes: int, envelope: _Envelope) -> bytes:
    head, tail, checksum = envelope
    if checksum is None:
        return summary_of_event(read_record(connection, row.position).body)
    if not is_whole(checksum, envelope_sum, row.position, head, tail):
        raise damaged("events", row.position)
    return summary_of_envelope(head + tail, row.transaction_count if row.reason is None else None, body_bytes)
