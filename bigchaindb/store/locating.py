"""Where in the log the block of a transaction is, for a process beside the node."""

from contextlib import closing
from pathlib import Path
from typing import Final

from bigchaindb.store.database import translated
from bigchaindb.store.keys import id_bytes, key_of
from bigchaindb.store.migrations import open_ledger

# The index ends at `done_seq`; what came later is in the node's memory, and few rows here.
_POSITION: Final = """
SELECT t.position FROM transaction_index AS i JOIN transactions AS t ON t.seq = i.seq WHERE i.key = ? AND t.id = ?
UNION ALL
SELECT position FROM transactions WHERE seq > (SELECT done_seq FROM indexing) AND id = ?
"""


def position_of(ledger: Path, transaction_id: str) -> int | None:
    """Return the position of the event whose block holds a transaction; None if no block does, or it is no id.

    It is a hint: the event there shows whether the transaction is in it.

    Raises:
        StoreError: the file cannot be read.
    """
    if (id_ := id_bytes(transaction_id)) is None:
        return None
    with closing(open_ledger(ledger)) as reader, translated(ledger.name):
        rows = reader.execute(_POSITION, (key_of(id_), id_, id_)).fetchall()
    return int(rows[0][0]) if rows else None
