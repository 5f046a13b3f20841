"""Transactions that match a filter, newest first: those that an index names, or all, in bounded reads."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Final, NamedTuple, TypeVar
from zlib import crc32

from bigchaindb.errors import StoreDamaged
from bigchaindb.store.checksums import BODY_SUM, TRANSACTIONS, damaged, expect_body
from bigchaindb.store.pages import bodies_of, fitting
from bigchaindb.store.selecting import Filter

BATCH_COUNT_FIRST: Final = 64
"""Rows that are read at first, doubled each time: most pages want few."""
BATCH_COUNT_MAX: Final = 1_024
BATCH_BYTES_MAX: Final = 256 * 1024
"""Bytes of bodies that are read at once, but for the rest of `FETCH_COUNT`."""
FETCH_COUNT: Final = 32
"""Rows between two looks at their bytes: of the largest transactions some 32 MiB."""

_BODIES: Final = f"""
SELECT t.seq, {BODY_SUM}, t.body FROM {TRANSACTIONS.tables} WHERE t.seq BETWEEN ? AND ? ORDER BY t.seq DESC
"""  # noqa: S608 - names of our own

T = TypeVar("T")


class Looked(NamedTuple):
    """What a search has come to.

    Attributes:
        seq: of a transaction that matches; without a body: all above it was looked at.
        body: of the transaction.
    """

    seq: int
    body: bytes | None = None


def scanned(connection: sqlite3.Connection, wanted: Filter, high: int, low: int) -> Iterator[Looked]:
    """Yield the transactions low < s ≤ high that match, and behind each piece how far it came.

    Raises:
        StoreDamaged: one is not what was written; those above it were yielded.
    """
    count = BATCH_COUNT_FIRST
    while high > low:
        for seq, body in _down(connection, high, max(low, high - count)):
            if wanted.matches(body):
                yield Looked(seq, body)
            high = seq - 1
        count = min(2 * count, BATCH_COUNT_MAX)
        if high > low:
            yield Looked(high)


def _down(connection: sqlite3.Connection, high: int, low: int) -> list[tuple[int, bytes]]:
    """Read transactions from `high` down: one at least, then those within both bounds and above the first damaged."""
    found, room = list[tuple[int, bytes]](), BATCH_BYTES_MAX
    with closing(connection.execute(_BODIES, (low + 1, high))) as cursor:
        while room > 0 and (rows := cursor.fetchmany(FETCH_COUNT)):
            for seq, checksum, body in rows:
                if seq != high - len(found):
                    break
                if not isinstance(body, bytes) or (checksum is not None and checksum != crc32(body)):
                    break
                found.append((seq, body))
                room -= len(body)
            else:
                continue
            break
    if not found:
        raise damaged("transactions", high)
    return found


def chosen(connection: sqlite3.Connection, wanted: Filter, pieces: Iterable[list[int]], low: int) -> Iterator[Looked]:
    """Do as `scanned` with the transactions that an index names, descending, in pieces."""
    for seqs in pieces:
        rest = seqs
        while rest:
            served = fitting(connection, rest)
            try:
                bodies = bodies_of(connection, served)
            except StoreDamaged:
                served = served[:1]  # so that damage is met where it is
                bodies = bodies_of(connection, served)
            for seq, body in zip(served, bodies, strict=True):
                if wanted.matches(body):
                    yield Looked(seq, body)
            rest = rest[len(served) :]
            if served[-1] - 1 > low:
                yield Looked(served[-1] - 1)


def bodies_between(connection: sqlite3.Connection, begin: int, high: int) -> list[tuple[int, bytes]]:
    """Read the bodies of all transactions begin < s ≤ high, newest first.

    Raises:
        StoreDamaged: one is not what was written, or missing.
    """
    rows = connection.execute(_BODIES, (begin + 1, high)).fetchall()
    if len(rows) != high - begin:
        raise damaged("transactions", f"{begin + 1} to {high}", "are not all there")
    return [(seq, expect_body("transactions", seq, checksum, body)) for seq, checksum, body in rows]


def fitting_begin(connection: sqlite3.Connection, sizes: str, high: int, low: int) -> int:
    """Return the number before the first row that is read together with that of `high`: `low`, or a later one.

    Args:
        connection: reads.
        sizes: SQL for number and bytes of the rows between two numbers, descending.
        high: the last number.
        low: the number before the first that may be read.
    """
    room, begin = BATCH_BYTES_MAX, high
    for number, size in connection.execute(sizes, (low + 1, high)).fetchall():
        room -= size
        if room < 0 and begin < high:
            break
        begin = number - 1
    return min(begin, high - 1)


def together(read: Callable[[int, int], T], begin: int, high: int) -> T:
    """Read rows together; where one is damaged the last of them alone, so that damage is met where it is."""
    try:
        return read(begin, high)
    except StoreDamaged:
        if begin == high - 1:
            raise
        return read(high - 1, high)
