"""Passing over events of which none matches, at the price of their transactions' bytes alone. Decision: 0068.

To read an event whole joins its body, compares it and makes a record of it. Most events of a filter need none of that:
what matches holds all needles in the bytes of one transaction, and those have a checksum of their own.
"""

import sqlite3
from typing import Final, NamedTuple
from zlib import crc32

from bigchaindb.errors import StoreDamaged
from bigchaindb.events import EventTypes
from bigchaindb.store.checksums import BODY_SUM, TRANSACTIONS
from bigchaindb.store.event_rows import read_row
from bigchaindb.store.selecting import Filter

TRANSACTIONS_MAX: Final = 8
"""Transactions of an event, on average, up to which it is cheaper to read them one by one than joined."""
STRETCH_COUNT_MAX: Final = 512
"""Events that are looked at at once: those of small transactions fill a piece of 256 KiB."""

# What is missing in a stretch shows in its count, so that its ends alone are compared.
_STRETCH: Final = f"""
SELECT count(*), max(position), total(type <> {int(EventTypes.BLOCK_VALID)} OR reason IS NOT NULL) FROM events
WHERE position BETWEEN :after + 1 AND :last AND (position = :after + 1 OR log_bytes <= :bytes_max +
    coalesce((SELECT log_bytes FROM events WHERE position = :after), 0))
"""  # noqa: S608 - a number of our own
_BODIES: Final = f"""
SELECT {BODY_SUM}, t.body FROM {TRANSACTIONS.tables} WHERE t.seq BETWEEN ? AND ? ORDER BY t.seq
"""  # noqa: S608 - names of our own
_TRANSACTION: Final = f"SELECT {TRANSACTIONS.row} FROM {TRANSACTIONS.tables} WHERE t.seq = ?"  # noqa: S608 - as above


class Passed(NamedTuple):
    """What was passed over.

    Attributes:
        position: up to here no event matches; the one to begin at where nothing can be told.
        bytes_count: of the events that were looked at.
        is_clear: whether all that was looked at was passed over; else the next event is to be read whole.
    """

    position: int
    bytes_count: int
    is_clear: bool = False


def pass_over(connection: sqlite3.Connection, wanted: Filter, after: int, last: int, bytes_max: int) -> Passed:
    """Pass over valid blocks that hold no match, by bytes that are compared.

    Where anything is damaged, missing, or has no checksum yet, nothing is passed over: the events are to be read whole,
    which names it.

    Args:
        connection: to the ledger.
        wanted: what an event must have.
        after: the position before the first event.
        last: the last event, at most.
        bytes_max: how many bytes of bodies to read at most; more of the first event.
    """
    try:
        if (stretch := _stretch(connection, after, last, bytes_max)) is not None:
            return _scan(connection, wanted, stretch)
    except (StoreDamaged, TypeError):  # the latter: a column of another type
        pass
    return Passed(after, 0)


class _Stretch(NamedTuple):
    """Valid blocks behind position `after` up to `end`, their transactions, and the bytes of their bodies."""

    after: int
    end: int
    seqs: range
    bytes_count: int


def _stretch(connection: sqlite3.Connection, after: int, last: int, bytes_max: int) -> _Stretch | None:
    bounds = {"after": after, "last": min(last, after + STRETCH_COUNT_MAX), "bytes_max": bytes_max}
    ((count, end, other_count),) = connection.execute(_STRETCH, bounds).fetchall()
    if not count or count != end - after or other_count:
        return None
    before, final = read_row(connection, after), read_row(connection, end)
    assert final is not None, end
    seq, log_bytes = (1, 0) if before is None else (before.first_seq + before.transaction_count, before.log_bytes)
    seqs = range(seq, final.first_seq + final.transaction_count)
    if not 0 < len(seqs) <= TRANSACTIONS_MAX * count:
        return None
    return _Stretch(after, end, seqs, final.log_bytes - log_bytes)


def _scan(connection: sqlite3.Connection, wanted: Filter, stretch: _Stretch) -> Passed:
    after, end, seqs, stretch_bytes = stretch
    rows = connection.execute(_BODIES, (seqs[0], seqs[-1])).fetchall()
    if len(rows) != len(seqs):
        return Passed(after, 0)
    bytes_count = 0
    for seq, (checksum, body) in zip(seqs, rows, strict=True):
        if checksum != crc32(body):
            return Passed(after, 0)
        if wanted.may_match(body):
            ((*columns, row_checksum),) = connection.execute(_TRANSACTION, (seq,)).fetchall()
            TRANSACTIONS.expect(*columns, row_checksum)
            return Passed(min(max(columns[-1] - 1, after), end - 1), bytes_count)
        bytes_count += len(body)
    return Passed(end, stretch_bytes, is_clear=True)
