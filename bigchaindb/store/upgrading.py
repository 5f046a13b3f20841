"""Writes checksums for rows of an older version, while the node serves: some events at a time, between commits.

What was damaged before cannot be seen by a checksum that is made of it, so each row is proven first (`proving.py`). A
row that is damaged gets a checksum that nothing has, so that no read ever serves it.
"""

import sqlite3
from contextlib import suppress
from typing import Any, Final

from bigchaindb.errors import StoreDamaged
from bigchaindb.store.checksums import damaged, read_one, seal_one
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import batch
from bigchaindb.store.event_rows import read_row
from bigchaindb.store.proving import Damage, Locate, Proved, Walk, prove

STEP_COUNT_MAX: Final = 256
"""Events of one step."""
STEP_BYTES_MAX: Final = 128 * 1024
"""Bytes of event bodies after which a step ends: some hundredths of a second, for which a commit may have to wait."""

_SAVE: Final = "UPDATE unchecked SET done_seq = ?, done_position = ?"
_END: Final = "UPDATE unchecked SET done_seq = 0, done_position = 0, last_seq = 0, last_position = 0"


class Upgrading:
    """Walks from the first event to the last that an older version has written. Belongs to the writer's thread."""

    def __init__(self, connection: sqlite3.Connection, damages: Damages, locate: Locate) -> None:
        """Go on where the last run of the node has stopped.

        Args:
            connection: the one that writes.
            damages: takes note of what is damaged.
            locate: finds the transactions whose outputs are spent, damaged ones as well.
        """
        self._connection = connection
        self._damages = damages
        self._locate = locate
        state: tuple[Any, ...] = read_one(connection, "unchecked")
        self._done_seq, self._done_position, self._last_seq, self._last_position = state
        self._walk = Walk(self._done_position, self._done_seq)
        if self._done_position:
            self._walk.digest = self._walk.log_bytes = None  # of a damaged row nothing goes on
            with suppress(StoreDamaged):
                if (row := read_row(connection, self._done_position)) is not None:
                    self._walk.digest, self._walk.log_bytes = row.digest, row.log_bytes

    @property
    def left_count(self) -> int:
        """Events whose rows have no checksums yet."""
        return int(self._last_position - self._done_position)

    def step(self) -> int:
        """Write the checksums of some events, durably and in one fsync; return how many rows were written."""
        walk = self._walk
        rows: list[Proved] = []
        body_bytes = 0
        before = (walk.position, walk.seq, walk.digest, walk.log_bytes)
        while len(rows) < STEP_COUNT_MAX and body_bytes < STEP_BYTES_MAX and walk.position < self._last_position:
            rows.append(prove(self._connection, walk, self._locate))
            body_bytes += rows[-1].body_bytes
        changes = self._connection.total_changes
        try:
            with batch(self._connection):
                self._write(rows)
        except BaseException:
            walk.position, walk.seq, walk.digest, walk.log_bytes = before
            raise
        self._done_position, self._done_seq = walk.position, walk.seq
        for one in (damage for proved in rows for damage in proved.damages):
            self._note(one)
        return self._connection.total_changes - changes

    def _write(self, rows: list[Proved]) -> None:
        many, is_end = self._connection.executemany, self._walk.position >= self._last_position
        for proved in rows:
            many("INSERT OR REPLACE INTO transaction_checksums VALUES (?, ?, ?)", proved.transactions)
            many("INSERT OR REPLACE INTO event_checksums VALUES (?, ?, ?, ?, ?, ?)", proved.event)
            many("UPDATE outputs SET checksum = ? WHERE output = ?", proved.outputs)
            many("UPDATE outputs SET spent_checksum = ? WHERE output = ?", proved.spends)
        if is_end:
            self._connection.execute(_END)
        else:
            self._connection.execute(_SAVE, (self._walk.seq, self._walk.position))
        seal_one(self._connection, "unchecked")

    def _note(self, damage: Damage) -> None:
        self._damages.note(damaged(damage.table, damage.row, damage.reason))
