"""Bodies of transactions, a page at a time: one short read, bounded by bytes, so that nobody pins the log (S1)."""

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import orjson

from bigchaindb.store.checksums import BODY_SUM, TRANSACTIONS, damaged, expect_body

PAGE_BYTES_MAX: Final = 256 * 1024
"""Bytes of bodies in one page, at least one body: what is passed on without a pause that others notice."""

_SIZES: Final = """
SELECT t.seq, length(t.body) FROM json_each(?) AS wanted CROSS JOIN transactions AS t ON t.seq = wanted.value
"""
_BODIES: Final = f"""
SELECT {TRANSACTIONS.row}, {BODY_SUM}, t.body FROM json_each(?) AS wanted
CROSS JOIN transactions AS t ON t.seq = wanted.value LEFT JOIN transaction_checksums AS ts ON ts.seq = t.seq
"""  # noqa: S608 - names of our own
_ROW: Final = f"SELECT {TRANSACTIONS.row} FROM {TRANSACTIONS.tables} WHERE t.seq = ?"  # noqa: S608 - as above


def fitting(connection: sqlite3.Connection, seqs: Sequence[int]) -> list[int]:
    """Return the first of these transactions, as many as fit into `PAGE_BYTES_MAX`, and one at least."""
    sizes = dict(connection.execute(_SIZES, (array_of(seqs),)).fetchall())
    if missing := set(seqs) - sizes.keys():
        raise damaged("transactions", min(missing), "is missing")
    ends = list(accumulate(sizes[seq] for seq in seqs))
    return list(seqs[: max(1, bisect_right(ends, PAGE_BYTES_MAX))])


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


def position_of(connection: sqlite3.Connection, seq: int) -> int:
    """Return the position of the event that a transaction is part of.

    Raises:
        StoreDamaged: its row is not what was written, or is not there.
    """
    for *columns, position, checksum in connection.execute(_ROW, (seq,)).fetchall():
        TRANSACTIONS.expect(*columns, position, checksum)
        return int(position)
    raise damaged("transactions", seq, "is missing")


def array_of(numbers: Sequence[int]) -> str:
    """Write numbers as the JSON array that a statement takes a batch by."""
    return orjson.dumps(list(numbers)).decode()
