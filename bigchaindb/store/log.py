"""The event log as subscribers read it: in the node's process, or in a plugin's own.

The body of a valid block's event is not stored whole: it is the envelope around the transactions' bytes, joined by the
database itself, which costs two thirds of joining them here.
"""

import sqlite3
from pathlib import Path
from typing import Final

from bigchaindb.ledger.effects import LoggedEvent
from bigchaindb.ledger.ports import Announcement, Record
from bigchaindb.store.database import open_reader, translated

_HEAD: Final = "SELECT position FROM tip"
BODY_SQL: Final = """
CAST(head || coalesce((SELECT group_concat(body, ',') FROM (
    SELECT body FROM transactions WHERE seq BETWEEN first_seq AND first_seq + transaction_count - 1 ORDER BY seq
)), '') || tail AS BLOB)
"""
"""The body of an event, from its row."""
# The range is bounded by count beforehand: the condition on bytes looks at no more rows than may be given.
_RECORDS: Final = f"""
SELECT position, type, height, timestamp, digest, {BODY_SQL} FROM events
WHERE position BETWEEN ?1 + 1 AND ?2 AND (position = ?1 + 1 OR log_bytes <= ?3 +
    coalesce((SELECT log_bytes FROM events WHERE position = ?1), 0))
ORDER BY position
"""  # noqa: S608 - names of our own
_ENTRY: Final = "SELECT position, type, height, block_id, reason, digest FROM events WHERE position = ?"
_BLOCK: Final = "SELECT height, block_id, first_seq, transaction_count FROM events WHERE position = ?"
_IDS: Final = "SELECT id, coalesce(asset, id) FROM transactions WHERE seq BETWEEN ? AND ? ORDER BY seq"


class Log:
    """Implements `bigchaindb.ledger.ports.LogReader` over a connection of its own. Belongs to one thread."""

    def __init__(self, ledger: Path) -> None:
        """Open the log of the ledger file at `ledger`; a node must own it (durable before visible, P4).

        Raises:
            StoreError: it cannot be read.
        """
        self._name = ledger.name
        self._connection = open_reader(ledger)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def head(self) -> int:
        """See `LogReader`."""
        with translated(self._name):
            ((position,),) = self._connection.execute(_HEAD).fetchall()
        return int(position)

    def records(self, after: int, through: int, *, count_max: int, bytes_max: int) -> list[Record]:
        """See `LogReader`."""
        with translated(self._name):
            last = min(through, after + max(1, count_max))
            rows = self._connection.execute(_RECORDS, (after, last, bytes_max)).fetchall()
        return list(map(Record._make, rows))

    def announcements(self, position: int) -> list[Announcement]:
        """See `LogReader`."""
        with translated(self._name):
            blocks = self._connection.execute(_BLOCK, (position,)).fetchall()
            if not blocks:
                return []
            ((height, block_id, first, count),) = blocks
            ids = self._connection.execute(_IDS, (first, first + count - 1)).fetchall()
        block = block_id.hex()
        return [Announcement(id_.hex(), asset.hex(), height, block) for id_, asset in ids]

    def entry(self, position: int) -> LoggedEvent | None:
        """See `LogReader`."""
        with translated(self._name):
            return read_entry(self._connection, position)


def read_entry(connection: sqlite3.Connection, position: int) -> LoggedEvent | None:
    """Read the row of the log at `position`."""
    for row_position, type_, height, block_id, reason, digest in connection.execute(_ENTRY, (position,)).fetchall():
        return LoggedEvent(row_position, type_, height, block_id.hex(), reason, digest)
    return None
