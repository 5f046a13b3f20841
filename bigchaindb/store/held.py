"""The outputs that an index leads to, newest first: numbers in pieces, and the rows behind them.

Each statement is a short read of its own. What lies beyond the head at the beginning is left out, so that many pieces
are one answer, whatever is committed meanwhile.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from bigchaindb.store.checksums import (
    OUTPUTS,
    SPENDS,
    TRANSACTIONS,
    damaged,
    join_transaction,
    output_sum,
    spent_sum,
    transaction_sum,
)
from bigchaindb.store.keys import OUTPUT_BITS, OUTPUT_COUNT_MAX, key_of, owner_hashes
from bigchaindb.store.neighbours import FIRST, INDEXES, expect_neighbours
from bigchaindb.store.pages import array_of, bodies_of
from bigchaindb.store.views import indexed_transaction

PIECE_COUNT_MAX: Final = 1_000
"""Rows of one statement: some milliseconds."""

_HELD: Final = f"""
SELECT wanted.value, {OUTPUTS.columns}, {OUTPUTS.checksum}, o.spent_by, {SPENDS.checksum}, {TRANSACTIONS.row}
FROM json_each(?) AS wanted LEFT JOIN outputs AS o ON o.output = wanted.value
{join_transaction(f"(wanted.value >> {OUTPUT_BITS})")} ORDER BY wanted.value DESC
"""  # noqa: S608 - names of our own
_OF_ASSET: Final = f"""
SELECT wanted.value, {TRANSACTIONS.row} FROM json_each(?) AS wanted {join_transaction("wanted.value")}
ORDER BY wanted.value DESC
"""  # noqa: S608 - as above
_OF_TRANSACTION: Final = "SELECT output FROM outputs WHERE output >= ? AND output < ? ORDER BY output DESC LIMIT ?"


class _WithOutputs(Struct):
    outputs: list[msgspec.Raw]


_decode: Final = msgspec.json.Decoder(_WithOutputs).decode


class Held(NamedTuple):
    """A row of `outputs`.

    Attributes:
        number: of the output.
        amount: shares.
        fingerprint: of its condition.
        owners: hashes of its owners' keys, in order.
        spent_by: seq of the transaction that spends it; None: none does.
        id: of its transaction.
        asset: id of the asset.
        position: of the event of its transaction's block.
    """

    number: int
    amount: int
    fingerprint: bytes
    owners: Sequence[bytes]
    spent_by: int | None
    id: bytes
    asset: bytes
    position: int

    @property
    def seq(self) -> int:
        """Of its transaction."""
        return self.number >> OUTPUT_BITS


def seq_bound(number: int) -> int:
    """Return the seq from which no transaction has an output below a number."""
    return -(-number >> OUTPUT_BITS)


def descending(
    connection: sqlite3.Connection,
    index: str,
    hash_: bytes,
    below: int,
    recent: Sequence[int],
    count: int,
    above: int = FIRST,
    bits: int = 0,
) -> Iterator[list[int]]:
    """Yield the numbers of one index key below a bound, in pieces; those of another hash with that key come too.

    Args:
        connection: reads.
        index: the table.
        hash_: of the key.
        below: the bound.
        recent: the numbers in the node's memory that are below it, ascending: all, or more than are taken of this.
        count: of the first piece; each one is twice as large as the one before, within `PIECE_COUNT_MAX`.
        above: the number before the first.
        bits: lowest bits of a number that may be passed over: one number at least comes of those that differ in them
            alone.

    Raises:
        StoreDamaged: a row of the index may be hidden.
    """
    column, key = INDEXES[index], key_of(hash_)
    left = list(recent)
    while left:
        yield left[-count:][::-1]
        del left[-count:]
        count = min(2 * count, PIECE_COUNT_MAX)
    if recent:
        below = recent[0]
    statement = (
        f"SELECT {column} FROM {index} WHERE key = ? AND {column} < ? AND {column} > ? ORDER BY {column} DESC LIMIT ?"  # noqa: S608 - names of our own
    )
    expect_neighbours(connection, index, key, below - 1)
    while numbers := [number for (number,) in connection.execute(statement, (key, below, above, count)).fetchall()]:
        yield numbers
        below = numbers[-1] >> bits << bits
        count = min(2 * count, PIECE_COUNT_MAX)
    expect_neighbours(connection, index, key, below - 1)  # where the last search ended


def of_owner(
    connection: sqlite3.Connection, owner: bytes, below: int, recent: Sequence[int], count: int = PIECE_COUNT_MAX
) -> Iterator[list[Held]]:
    """Yield the outputs of an owner below a number, newest first; arguments and errors are those of `descending`."""
    for numbers in descending(connection, "owner_index", owner, below, recent, count):
        yield [one for one in held(connection, numbers) if _is_owned(one, owner)]


def of_asset(
    connection: sqlite3.Connection,
    asset: bytes,
    create_seq: int,
    below: int,
    recent: Sequence[int],
    count: int = PIECE_COUNT_MAX,
) -> Iterator[list[Held]]:
    """Yield the outputs of an asset's transactions below a number, newest first; else as `of_owner`."""
    seqs = _transactions(connection, asset, create_seq, below, recent, count)
    return of_transactions(connection, seqs, below, count)


def of_transactions(
    connection: sqlite3.Connection, seqs: Iterable[int], below: int, count: int = PIECE_COUNT_MAX
) -> Iterator[list[Held]]:
    """Yield the outputs of transactions, newest first, that are below a number, in pieces.

    Raises:
        StoreDamaged: an output is missing.
    """
    gathered: list[int] = []
    for seq in seqs:
        first = seq << OUTPUT_BITS
        end = min(below, first + OUTPUT_COUNT_MAX)
        while end > first:
            rows = connection.execute(_OF_TRANSACTION, (first, end, count)).fetchall()
            if not rows:
                _expect_none(connection, seq)
                break
            gathered += _without_gaps(first, [number for (number,) in rows], count)
            end = gathered[-1]
            if len(gathered) >= count:
                yield held(connection, gathered)
                gathered, count = [], min(2 * count, PIECE_COUNT_MAX)
    yield held(connection, gathered)


def _without_gaps(first: int, numbers: list[int], count: int) -> list[int]:
    """Return the numbers of outputs of one transaction, in a piece that is full or reaches the first."""
    is_whole = numbers == [*range(numbers[0], numbers[-1] - 1, -1)]
    if not is_whole or (len(numbers) < count and numbers[-1] != first):
        raise damaged("outputs", first, "and those behind it are not all there")
    return numbers


def _expect_none(connection: sqlite3.Connection, seq: int) -> None:
    """Require that a transaction has no outputs, as a CREATE may."""
    if _decode(bodies_of(connection, [seq])[0]).outputs:
        raise damaged("outputs", seq << OUTPUT_BITS, "and those behind it are missing")


def _transactions(
    connection: sqlite3.Connection, asset: bytes, create_seq: int, below: int, recent: Sequence[int], count: int
) -> Iterator[int]:
    """Yield the seqs of an asset's transactions that have outputs below a number, newest first."""
    end, key = seq_bound(below), key_of(asset)
    for seqs in descending(connection, "asset_index", asset, end, recent, count):
        rows = connection.execute(_OF_ASSET, (array_of(seqs),)).fetchall()
        found = [(seq, indexed_transaction("asset_index", key, seq, row)[1]) for seq, *row in rows]
        yield from (seq for seq, of_asset in found if of_asset == asset)
    yield create_seq


def held(connection: sqlite3.Connection, numbers: Sequence[int]) -> list[Held]:
    """Read outputs, newest first.

    Raises:
        StoreDamaged: one is not what was written, or is not there.
    """
    return [_held(*row) for row in connection.execute(_HELD, (array_of(numbers),)).fetchall()]


def _held(number: int, *row: Any) -> Held:  # noqa: ANN401 - a row
    output, amount, fingerprint, owners, checksum, spent_by, spent_checksum, *transaction = row
    seq, id_, asset, position, transaction_checksum = transaction
    try:  # in place: three times `Kind.expect` would cost as much as all else
        is_whole = (
            (checksum is None or checksum == output_sum(output, amount, fingerprint, owners, id_))
            and (spent_checksum is None or spent_checksum == spent_sum(output, spent_by))
            and (transaction_checksum is None or transaction_checksum == transaction_sum(seq, id_, asset, position))
        )
    except TypeError:
        is_whole = False
    if not is_whole or output is None or seq is None:
        _refuse(number, *row)
    return Held(output, amount, fingerprint, owner_hashes(owners), spent_by, id_, asset or id_, position)


def _refuse(number: int, *row: Any) -> None:  # noqa: ANN401 - as above
    """Raise the error of the damage that a row has."""
    output, amount, fingerprint, owners, checksum, spent_by, spent_checksum, *transaction = row
    if output is None:
        raise damaged("outputs", number, "is missing")
    if transaction[0] is None:
        raise damaged("transactions", number >> OUTPUT_BITS, "is missing")
    OUTPUTS.expect(output, amount, fingerprint, owners, transaction[1], checksum)
    SPENDS.expect(output, spent_by, spent_checksum)
    TRANSACTIONS.expect(*transaction)
    raise AssertionError(row)


def _is_owned(one: Held, owner: bytes) -> bool:
    """Whether an output is of an owner, and not of another one whose key is the same."""
    if owner in one.owners:
        return True
    if key_of(owner) not in map(key_of, one.owners):
        raise damaged("owner_index", f"{key_of(owner)}, {one.number}", "leads to another's output")
    return False
