"""The event log as subscribers read it: in the node's process, or in a plugin's own.

No event's body is stored whole: a valid block's is its envelope around the transactions' bytes, joined here.
"""

import sqlite3
from pathlib import Path
from typing import Final

from bigchaindb.ledger.effects import LoggedEvent
from bigchaindb.ledger.ports import Announcement, Record
from bigchaindb.store.database import open_reader, translated

_HEAD: Final = "SELECT position FROM tip"
# The range is bounded by count, so that the sum over bytes looks at no more rows than may be given.
_EVENTS: Final = """
SELECT position, type, height, timestamp, digest, first_seq, transaction_count, head, tail FROM events
WHERE position BETWEEN ?1 + 1 AND ?2 AND (position = ?1 + 1 OR log_bytes <= ?3 +
    coalesce((SELECT log_bytes FROM events WHERE position = ?1), 0))
ORDER BY position
"""
_BODIES: Final = "SELECT body FROM transactions WHERE seq BETWEEN ? AND ? ORDER BY seq"
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
            events = self._connection.execute(_EVENTS, (after, last, bytes_max)).fetchall()
            first_seq = min((e[5] for e in events), default=0)
            last_seq = max((e[5] + e[6] - 1 for e in events), default=-1)
            bodies = [b for (b,) in self._connection.execute(_BODIES, (first_seq, last_seq)).fetchall()]
        return _assembled(events, bodies, first_seq)

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


def _assembled(
    events: list[tuple[int, int, int, int, bytes, int, int, bytes, bytes]], bodies: list[bytes], first_seq: int
) -> list[Record]:
    records = []
    for position, type_, height, time, digest, first, count, head, tail in events:
        start = first - first_seq
        body = head + b",".join(bodies[start : start + count]) + tail
        records.append(Record(position, type_, height, time, digest, body))
    return records
