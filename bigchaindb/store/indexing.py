"""Moving the rows of `recent.py` into the index tables, a little after each block.

A generation takes new rows until it is full and is sealed then; its rows move in key order while the next one fills, so
that each move fills its pages with several rows. Figures: docs/decisions/0006.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final, TypeVar

from bigchaindb.store.database import batch
from bigchaindb.store.keys import OUTPUT_BITS, key_of
from bigchaindb.store.recent import Generation, Recent

GENERATION_ROWS: Final = 65_536
"""Index rows of a generation: two of them are 30 MB. At 10^6 transactions a page takes four rows of each."""
MOVE_COUNT: Final = 64
"""Moves of one generation: each 1,000 rows, some milliseconds."""

_STATE: Final = "SELECT done_seq, done_position, sealed_seq, sealed_position, move_count FROM indexing"
_SEAL: Final = "UPDATE indexing SET sealed_seq = ?, sealed_position = ?, move_count = 0"
_DONE: Final = "UPDATE indexing SET done_seq = sealed_seq, done_position = sealed_position"
_TRANSACTIONS: Final = "SELECT seq, id, asset FROM transactions WHERE seq > ? AND seq <= ?"
_OUTPUTS: Final = "SELECT output, owners FROM outputs WHERE output >= ? AND output < ?"
_BLOCKS: Final = "SELECT block_id, position, reason IS NULL FROM events WHERE position > ? AND position <= ?"

T = TypeVar("T")


class Indexing:
    """Keeps indexes and memory in step. Belongs to the writer's thread, but for `recent`.

    Attributes:
        recent: the rows in memory.
    """

    def __init__(self, connection: sqlite3.Connection, *, generation_rows: int) -> None:
        self._connection = connection
        self._generation_rows = generation_rows
        self._sealed: _Sealed | None = None
        self._moved = 0
        self.recent = Recent((Generation(),))
        self.load()

    def load(self) -> None:
        """Read what the index tables do not hold: at start, and after a commit that failed."""
        done_seq, done_position, sealed_seq, sealed_position, self._moved = self._connection.execute(_STATE).fetchone()
        seq, position = self._connection.execute("SELECT transaction_count, position FROM tip").fetchone()
        open_ = self._generation((sealed_seq, seq), (sealed_position, position))
        if (done_seq, done_position) == (sealed_seq, sealed_position):
            self._sealed = None
            self.recent.generations = (open_,)
        else:
            sealed = self._generation((done_seq, sealed_seq), (done_position, sealed_position))
            self._sealed = _Sealed(sealed)
            self.recent.generations = (sealed, open_)

    def step(self, seq: int, position: int) -> int:
        """Seal or move if it is due; give how many rows were written.

        Args:
            seq: the last committed transaction's.
            position: the last event's.
        """
        open_ = self.recent.open
        if self._sealed is not None:
            return self._move(self._sealed, min(MOVE_COUNT, MOVE_COUNT * open_.row_count // self._generation_rows))
        if open_.row_count >= self._generation_rows:
            with batch(self._connection):
                self._connection.execute(_SEAL, (seq, position))
            self._sealed, self._moved = _Sealed(open_), 0
            self.recent.generations = (open_, Generation())
        return 0

    def _move(self, sealed: "_Sealed", due: int) -> int:
        if due <= self._moved:  # less only if generations have grown since those moves
            return 0
        before = self._connection.total_changes
        with batch(self._connection):
            for number in range(self._moved, due):
                sealed.write(self._connection, number)
            self._connection.execute("UPDATE indexing SET move_count = ?", (due,))
            if due == MOVE_COUNT:
                self._connection.execute(_DONE)
        self._moved = due
        if due == MOVE_COUNT:
            self._sealed = None
            self.recent.generations = (self.recent.open,)
        return self._connection.total_changes - before

    def _generation(self, seqs: tuple[int, int], positions: tuple[int, int]) -> Generation:
        generation = Generation()
        numbers = [(seq + 1) << OUTPUT_BITS for seq in seqs]
        generation.add_transactions(self._connection.execute(_TRANSACTIONS, seqs).fetchall())
        generation.add_outputs(self._connection.execute(_OUTPUTS, numbers).fetchall())
        for block_id, position, is_valid in self._connection.execute(_BLOCKS, positions).fetchall():
            generation.add_block(block_id, position, is_valid=bool(is_valid))
        return generation


class _Sealed:
    """A generation in key order. The same rows give the same moves, so a restart goes on where it was."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._ids = sorted(generation.transactions)
        self._assets = sorted(generation.transfers)
        self._owners = sorted(generation.outputs)
        self._blocks = sorted(generation.blocks)

    def write(self, connection: sqlite3.Connection, number: int) -> None:
        """Write the rows of one move."""
        generation = self._generation
        ids = [(key_of(id_), generation.transactions[id_].seq) for id_ in _part(self._ids, number)]
        connection.executemany("INSERT INTO transaction_index VALUES (?, ?)", ids)
        assets = [(key_of(asset), seq) for asset in _part(self._assets, number) for seq in generation.transfers[asset]]
        connection.executemany("INSERT INTO asset_index VALUES (?, ?)", assets)
        owners = [
            (key_of(owner), output) for owner in _part(self._owners, number) for output in generation.outputs[owner]
        ]
        connection.executemany("INSERT INTO owner_index VALUES (?, ?)", owners)
        blocks = [(key_of(block), generation.blocks[block]) for block in _part(self._blocks, number)]
        connection.executemany("INSERT INTO block_index VALUES (?, ?)", blocks)


def _part(all_: Sequence[T], number: int) -> Sequence[T]:
    return all_[len(all_) * number // MOVE_COUNT : len(all_) * (number + 1) // MOVE_COUNT]
