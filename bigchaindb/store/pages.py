"""Long lists in pieces: each piece one short read, bounded by rows and by bytes, so that nobody pins the log (S1)."""

import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from typing import Final

import orjson

from bigchaindb.store.checksums import BODY_SUM, TRANSACTIONS, damaged, expect_body
from bigchaindb.store.database import Readers
from bigchaindb.store.neighbours import FIRST, INDEXES, expect_neighbours

PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bytes of bodies in one page, at least one body: what one block may hold."""
_FETCH_ROWS: Final = 10_000

_SIZES: Final = """
SELECT t.seq, length(t.body) FROM json_each(?) AS wanted CROSS JOIN transactions AS t ON t.seq = wanted.value
"""
_BODIES: Final = f"""
SELECT {TRANSACTIONS.row}, {BODY_SUM}, t.body FROM json_each(?) AS wanted
CROSS JOIN transactions AS t ON t.seq = wanted.value LEFT JOIN transaction_checksums AS ts ON ts.seq = t.seq
"""  # noqa: S608 - names of our own


def numbers(
    readers: Readers, index: str, key: int, recent: Sequence[int], end: int, page_count_max: int
) -> Iterator[list[int]]:
    """Return all numbers below `end` of one index key, ascending: those of the table, then those that are in memory.

    Args:
        readers: of the ledger.
        index: the table.
        key: what to look up; the numbers of another hash with an equal key come too.
        recent: taken before `end`.
        end: beyond the last committed number.
        page_count_max: numbers in a page.

    Raises:
        StoreDamaged: a row of the index may be hidden.
    """
    column = INDEXES[index]
    # S608: names of our own.
    statement = (
        f"SELECT {column} FROM {index} WHERE key = ? AND {column} > ? AND {column} < ? ORDER BY {column} LIMIT ?"  # noqa: S608
    )
    after, below = FIRST, min([end, *recent[:1]])
    while True:
        with readers.connection() as connection:
            page = [n for (n,) in connection.execute(statement, (key, after, below, page_count_max)).fetchall()]
            expect_neighbours(connection, index, key, after)
        if not page:
            break
        yield page
        after = page[-1]
    committed = [n for n in recent if n < end]
    for start in range(0, len(committed), page_count_max):
        yield committed[start : start + page_count_max]


def cut(readers: Readers, seqs: Sequence[int]) -> Iterator[list[int]]:
    """Cut a page of transactions so that the bodies of a piece fit into `PAGE_BYTES_MAX`."""
    with readers.connection() as connection:
        sizes = dict(connection.execute(_SIZES, (array_of(seqs),)).fetchall())
        if missing := set(seqs) - sizes.keys():
            raise damaged("transactions", min(missing), "is missing")
    page: list[int] = []
    room = PAGE_BYTES_MAX
    for seq in seqs:
        room -= sizes[seq]
        if page and room < 0:
            yield page
            page, room = [], PAGE_BYTES_MAX - sizes[seq]
        page.append(seq)
    if page:
        yield page


def bodies_of(connection: sqlite3.Connection, seqs: Sequence[int]) -> list[bytes]:
    """Read the bodies of transactions in the order of `seqs`.

    Raises:
        StoreDamaged: one is not what was written, or is not there.
    """
    bodies = {}
    for *row, body_checksum, body in connection.execute(_BODIES, (array_of(seqs),)).fetchall():
        TRANSACTIONS.expect(*row)
        bodies[row[0]] = expect_body("transactions", row[0], body_checksum, body)
    if missing := set(seqs) - bodies.keys():
        raise damaged("transactions", min(missing), "is missing")
    return [bodies[seq] for seq in seqs]


def hits(connection: sqlite3.Connection, table: str, expression: str, limit: int, *, ranked: bool) -> "array[int]":
    """Return the seqs of the rows that match, best first or, unless `ranked`, in commit order; `limit` 0 is all."""
    order = "rank, rowid" if ranked else "rowid"
    # S608: the table is one of ours.
    statement = f"SELECT rowid FROM {table} WHERE {table} MATCH ? ORDER BY {order} LIMIT ?"  # noqa: S608
    cursor = connection.execute(statement, (expression, limit or -1))
    seqs = array("q")
    while rows := cursor.fetchmany(_FETCH_ROWS):  # to the end: no cursor outlives the call
        seqs.extend(seq for (seq,) in rows)
    return seqs


def array_of(numbers: Sequence[int]) -> str:
    """Write numbers as the JSON array that a statement takes a batch by."""
    return orjson.dumps(list(numbers)).decode()
