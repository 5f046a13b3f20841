"""Finding transactions and outputs in batches: what validation asks, and what a commit needs to know of what it spends.

The hot path: what memory knows of the newest transactions is read there. All else is found by one statement whatever
the size of the batch, its keys handed over as a JSON array.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bigchaindb.ledger.view import HeldOutput, LoadedView, Needs
from bigchaindb.store.checksums import OUTPUTS, SPENDS, TRANSACTIONS, damaged, join_transaction
from bigchaindb.store.keys import OUTPUT_BITS, OUTPUT_COUNT_MAX, key_of, output_number
from bigchaindb.store.neighbours import FIRST, expect_neighbours
from bigchaindb.store.pages import array_of
from bigchaindb.store.recent import Generation, Located, Recent
from bigchaindb.store.rows import Counts
from bigchaindb.transaction.model import OutputRef

_LOCATE: Final = f"""
SELECT i.key, i.seq, {TRANSACTIONS.row} FROM json_each(?) AS wanted
CROSS JOIN transaction_index AS i ON i.key = wanted.value {join_transaction("i.seq")}
"""  # noqa: S608 - names of our own
_OUTPUTS: Final = f"""
SELECT {OUTPUTS.row}, o.spent_by, {SPENDS.checksum}, {TRANSACTIONS.row}
FROM json_each(?) AS wanted CROSS JOIN outputs AS o ON o.output = wanted.value {join_transaction("o.spent_by")}
"""  # noqa: S608 - as above
_INDEXED: Final = """
SELECT 1 FROM json_each(?) AS wanted CROSS JOIN transaction_index AS i ON i.key = wanted.value LIMIT 1
"""
_LAST_OUTPUT: Final = "SELECT max(output) FROM outputs WHERE output BETWEEN ? AND ?"


def view_from_memory(
    generations: tuple[Generation, ...], needs: Needs, height: int, counts: Counts
) -> LoadedView | None:
    """Return the view of transactions that are new, and that spend what is new and unspent; None: it must be loaded.

    That the ids are in no index is for the caller to ask. What the transactions create themselves is no part of it.

    Args:
        generations: read after `counts`: what was committed by then is in them, or in the index tables.
        needs: as those of `load_view`.
        height: of the last commit.
        counts: after that.
    """
    recent = Recent(generations)
    refs = {ref for ref in needs.outputs if ref.transaction_id not in needs.transaction_ids}
    outputs = _unspent(recent, refs, counts)
    if len(outputs) < len(refs) or any(recent.known(bytes.fromhex(id_)) for id_ in needs.transaction_ids):
        return None
    return None if recent.is_damaged else LoadedView(height, frozenset(), outputs)


def _unspent(recent: Recent, refs: Iterable[OutputRef], counts: Counts) -> dict[OutputRef, HeldOutput]:
    """Return those outputs that memory knows to be unspent after `counts`."""
    if recent.is_damaged:
        return {}
    found = {}
    for ref in refs:
        place = recent.known(bytes.fromhex(ref.transaction_id))
        if place is not None and place.seq <= counts.transactions and 0 <= ref.output_index < OUTPUT_COUNT_MAX:
            held = recent.unspent(output_number(place.seq, ref.output_index))
            if held is not None:
                found[ref] = HeldOutput(*held, place.asset.hex(), None)
    return found


def are_indexed(connection: sqlite3.Connection, ids: Iterable[str]) -> bool:
    """Whether the index has a row of one of `ids`, or of an id whose key is equal."""
    keys = sorted(key_of(bytes.fromhex(id_)) for id_ in ids)  # neighbours share pages
    return bool(connection.execute(_INDEXED, (array_of(keys),)).fetchall())


def load_view(
    connection: sqlite3.Connection, generations: tuple[Generation, ...], needs: Needs, height: int, counts: Counts
) -> LoadedView:
    """Load what `needs` names.

    Args:
        connection: with an open snapshot, or the one that writes.
        generations: of that snapshot; rows of a commit that it does not have yet may be among them.
        needs: of at most some thousand transactions.
        height: of that snapshot.
        counts: of that snapshot.
    """
    ids = needs.transaction_ids
    unspent = _unspent(Recent(generations), needs.outputs, counts)
    refs = needs.outputs - unspent.keys()
    wanted = ids | {ref.transaction_id for ref in refs}
    places = locate(connection, generations, wanted)
    for id_ in sorted(wanted - ids - places.keys()):  # of those that are new themselves none is in an index
        expect_neighbours(connection, "transaction_index", key_of(bytes.fromhex(id_)), FIRST)
    committed = {id_: place for id_, place in places.items() if place.seq <= counts.transactions}
    outputs = _outputs(connection, refs, committed) if committed else {}
    return LoadedView(height, ids & committed.keys(), unspent | outputs)


def locate(
    connection: sqlite3.Connection, generations: tuple[Generation, ...], ids: Iterable[str]
) -> dict[str, Located]:
    """Find those of `ids`, each 64 hex digits, that are in the index or in memory.

    Raises:
        StoreDamaged: a row is not what was written.
    """
    places, keys = {}, []
    recent = Recent(generations)
    for text in ids:
        id_ = bytes.fromhex(text)
        if (place := recent.place(id_)) is not None:
            places[text] = place
        else:
            keys.append(key_of(id_))
    if keys:
        keys.sort()  # neighbours share pages
        for key, seq, *row in connection.execute(_LOCATE, (array_of(keys),)).fetchall():
            id_, asset = indexed_transaction("transaction_index", key, seq, row)
            places[id_.hex()] = Located(seq, asset or id_)  # one of another id with an equal key is never asked for
    return places


def indexed_transaction(index: str, key: int, seq: int, row: Sequence[Any]) -> tuple[bytes, bytes | None]:
    """Return the id and the asset of a transaction that an index row leads to.

    Args:
        index: the table.
        key: of its row.
        seq: of its row.
        row: the transaction's columns and checksum; the columns are None where there is none.

    Raises:
        StoreDamaged: the transaction is not what was written, or not what the index says.
    """
    number, id_, asset, *_ = row
    if number is None:
        raise damaged(index, f"{key}, {seq}", "leads to no transaction")
    TRANSACTIONS.expect(*row)
    if key_of(asset if index == "asset_index" else id_) != key:
        raise damaged(index, f"{key}, {seq}", "leads to another transaction")
    return id_, asset


def _outputs(
    connection: sqlite3.Connection, refs: Iterable[OutputRef], places: Mapping[str, Located]
) -> dict[OutputRef, HeldOutput]:
    wanted: dict[int, tuple[OutputRef, Located]] = {}
    for ref in refs:
        place = places.get(ref.transaction_id)
        if place is not None and 0 <= ref.output_index < OUTPUT_COUNT_MAX:  # beyond it stands the next transaction's
            wanted[place.seq << OUTPUT_BITS | ref.output_index] = (ref, place)
    if not wanted:
        return {}
    found = {}
    rows = connection.execute(_OUTPUTS, (array_of(sorted(wanted)),)).fetchall()
    for number, amount, fingerprint, owners, checksum, spent_by, spent_checksum, *spender in rows:
        ref, place = wanted[number]
        id_ = bytes.fromhex(ref.transaction_id)
        OUTPUTS.expect(number, amount, fingerprint, owners, id_, checksum)
        SPENDS.expect(number, spent_by, spent_checksum)
        spender_id = None if spent_by is None else _spender(number, spent_by, spender)
        found[ref] = HeldOutput(amount, fingerprint, place.asset.hex(), spender_id)
    for number in wanted.keys() - {number for number, *_ in rows}:
        _expect_none(connection, number)
    return found


def _spender(number: int, spent_by: int, row: Sequence[Any]) -> str:
    if row[0] is None:
        raise damaged("outputs", number, f"is spent by transaction {spent_by}, which is missing")
    TRANSACTIONS.expect(*row)
    id_: bytes = row[1]
    return id_.hex()


def _expect_none(connection: sqlite3.Connection, number: int) -> None:
    """Refuse to take an output for one that never was, where a later one of the same transaction is there."""
    last_number = number | OUTPUT_COUNT_MAX - 1
    ((last,),) = connection.execute(_LAST_OUTPUT, (number, last_number)).fetchall()
    if last is not None:
        raise damaged("outputs", number, "is missing")
