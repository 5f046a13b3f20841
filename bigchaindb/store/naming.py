"""Which keys a transaction names without giving them an output: who signs a CREATE, spends, or is named to no effect.

The index of owners has a row of each, with a marker bit, so that it knows all transactions that a filter by owner may
want. Of what an older version wrote the rows are made while the node serves: some transactions at a time, between
commits. Until then such a filter scans.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any, Final
from zlib import crc32

import msgspec
from msgspec import Struct

from bigchaindb.store.checksums import OUTPUTS, Kind, damaged, read_one, seal_one
from bigchaindb.store.database import batch
from bigchaindb.store.keys import NAMED, OUTPUT_BITS, joined_keys, key_of, keys_of, owner_hash, owner_hashes
from bigchaindb.store.pages import bodies_of, fitting
from bigchaindb.transaction.model import Transaction

STEP_COUNT_MAX: Final = 128
"""Transactions of one step: some milliseconds, for which a commit may have to wait."""

_OUTPUTS: Final = f"""
SELECT {OUTPUTS.columns}, t.id, {OUTPUTS.checksum} FROM {OUTPUTS.tables}
LEFT JOIN transactions AS t ON t.seq = o.output >> {OUTPUT_BITS} WHERE o.output >= ? AND o.output < ?
"""  # noqa: S608 - names of our own
_SAVE: Final = "UPDATE naming SET done_seq = ?"


def named_sum(seq: int, keys: bytes) -> int:
    """Return the checksum of a row of `named`."""
    return crc32(b"%d %b" % (seq, keys))


NAMES: Final = Kind("named", "named AS n", "n.seq, n.keys", "n.checksum", named_sum)


class _Output(Struct, gc=False):
    public_keys: list[str] | None = None


class _Input(Struct, gc=False):
    owners_before: list[str] | None = None


class _Parts(Struct, gc=False):
    inputs: list[_Input | None]
    outputs: list[_Output]


_decode: Final = msgspec.json.Decoder(_Parts).decode


def named_by(transaction: Transaction) -> bytes:
    """Return the keys that a transaction names and gives no output, as `named.keys` holds them."""
    names = {key for one in transaction.inputs for key in one.owners_before}
    names.update(*(one.public_keys for one in transaction.outputs))
    names.difference_update(*(one.owners for one in transaction.outputs))
    return joined_keys(map(owner_hash, names))


def is_complete(connection: sqlite3.Connection) -> bool:
    """Whether the index of owners knows all transactions.

    Raises:
        StoreDamaged: the row that says so is not what was written.
    """
    done_seq, last_seq = read_one(connection, "naming")
    return done_seq == last_seq


class Naming:
    """Walks through the transactions that an older version has written. Belongs to the writer's thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Go on where the last run of the node has stopped."""
        self._connection = connection
        state: tuple[Any, ...] = read_one(connection, "naming")
        self._done_seq, self._last_seq = state

    @property
    def left_count(self) -> int:
        """Transactions whose rows are not made yet."""
        return int(self._last_seq - self._done_seq)

    def step(self) -> int:
        """Make the rows of some transactions, durably and in one fsync; return how many rows were written.

        Raises:
            StoreDamaged: a transaction or an output is not what was written: nothing of the step is kept.
        """
        first = self._done_seq + 1
        seqs = range(first, min(self._last_seq, self._done_seq + STEP_COUNT_MAX) + 1)
        served = fitting(self._connection, seqs)
        rows = [(seq, keys, named_sum(seq, keys)) for seq, keys in self._named(served) if keys]
        index_rows = sorted((key_of(key), NAMED | seq) for seq, keys, _ in rows for key in keys_of(keys))
        changes = self._connection.total_changes
        with batch(self._connection):
            self._connection.executemany("INSERT INTO named VALUES (?, ?, ?)", rows)
            self._connection.executemany("INSERT INTO owner_index VALUES (?, ?)", index_rows)
            self._connection.execute(_SAVE, (served[-1],))
            seal_one(self._connection, "naming")
        self._done_seq = served[-1]
        return self._connection.total_changes - changes

    def _named(self, seqs: list[int]) -> Iterable[tuple[int, bytes]]:
        owners: dict[int, set[bytes]] = {}
        bounds = (seqs[0] << OUTPUT_BITS, (seqs[-1] + 1) << OUTPUT_BITS)
        for row in self._connection.execute(_OUTPUTS, bounds).fetchall():
            OUTPUTS.expect(*row)
            output, _, _, joined, *_ = row
            owners.setdefault(output >> OUTPUT_BITS, set()).update(owner_hashes(joined))
        for seq, body in zip(seqs, bodies_of(self._connection, seqs), strict=True):
            try:
                parts = _decode(body)
            except msgspec.MsgspecError as error:
                raise damaged("transactions", seq, f"is no transaction: {error}") from error
            names = {key for one in parts.inputs if one is not None for key in one.owners_before or ()}
            names.update(*(one.public_keys or () for one in parts.outputs))
            yield seq, joined_keys({owner_hash(name) for name in names} - owners.get(seq, set()))
