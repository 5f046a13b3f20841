"""Finding transactions and outputs in batches: what validation asks, and what a commit needs to know of what it spends.

The hot path: recent transactions are found in memory, all others by one statement whatever the size of the batch, its
keys handed over as a JSON array.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from bigchaindb.ledger.view import HeldOutput, LoadedView, Needs
from bigchaindb.store.keys import OUTPUT_BITS, OUTPUT_COUNT_MAX, key_of
from bigchaindb.store.pages import array_of
from bigchaindb.store.recent import Generation, Place
from bigchaindb.transaction.model import OutputRef

_LOCATE: Final = """
SELECT t.id, t.seq, coalesce(t.asset, t.id) FROM json_each(?) AS wanted
CROSS JOIN transaction_index AS i ON i.key = wanted.value CROSS JOIN transactions AS t ON t.seq = i.seq
"""
_OUTPUTS: Final = """
SELECT o.output, o.amount, o.fingerprint, (SELECT id FROM transactions WHERE seq = o.spent_by)
FROM json_each(?) AS wanted CROSS JOIN outputs AS o ON o.output = wanted.value
"""


def load_view(connection: sqlite3.Connection, generations: tuple[Generation, ...], needs: Needs) -> LoadedView:
    """Load what `needs` names.

    Args:
        connection: with an open snapshot.
        generations: of that snapshot; rows of a commit that it does not have yet may be among them.
        needs: of at most some thousand transactions.
    """
    ((height, last_seq),) = connection.execute("SELECT height, transaction_count FROM tip").fetchall()
    ids = needs.transaction_ids
    wanted = ids | {ref.transaction_id for ref in needs.outputs}
    places = locate(connection, generations, wanted)
    committed = {id_: place for id_, place in places.items() if place.seq <= last_seq}
    outputs = _outputs(connection, needs.outputs, committed) if committed else {}
    return LoadedView(height, ids & committed.keys(), outputs)


def locate(connection: sqlite3.Connection, generations: tuple[Generation, ...], ids: Iterable[str]) -> dict[str, Place]:
    """Find those of `ids`, each 64 hex digits, that are in the index or in memory."""
    places, keys = {}, []
    for text in ids:
        id_ = bytes.fromhex(text)
        for generation in generations:
            if (place := generation.transactions.get(id_)) is not None:
                places[text] = place
                break
        else:
            keys.append(key_of(id_))
    if keys:
        keys.sort()  # neighbours share pages
        for id_, seq, asset in connection.execute(_LOCATE, (array_of(keys),)).fetchall():
            places[id_.hex()] = Place(seq, asset)  # one of another id with an equal key is never asked for
    return places


def _outputs(
    connection: sqlite3.Connection, refs: Iterable[OutputRef], places: Mapping[str, Place]
) -> dict[OutputRef, HeldOutput]:
    wanted: dict[int, tuple[OutputRef, Place]] = {}
    for ref in refs:
        place = places.get(ref.transaction_id)
        if place is not None and 0 <= ref.output_index < OUTPUT_COUNT_MAX:  # beyond it stands the next transaction's
            wanted[place.seq << OUTPUT_BITS | ref.output_index] = (ref, place)
    if not wanted:
        return {}
    found = {}
    for number, amount, fingerprint, spender in connection.execute(_OUTPUTS, (array_of(sorted(wanted)),)).fetchall():
        ref, place = wanted[number]
        found[ref] = HeldOutput(amount, fingerprint, place.asset.hex(), spender and spender.hex())
    return found
