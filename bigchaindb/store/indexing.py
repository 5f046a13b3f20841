"""Moving the rows of `recent.py` into the index tables, a little after each block.

A generation takes new rows until it is full and is sealed then; its rows move in key order while the next one fills, so
that each move fills its pages with several rows. Figures: docs/decisions/0006.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final

from bigchaindb.errors import StoreDamaged
from bigchaindb.store.checksums import EVENTS, OUTPUTS, TRANSACTIONS, Kind, damaged, is_whole, read_one, seal_one
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import batch, translated
from bigchaindb.store.keys import OUTPUT_BITS, key_of
from bigchaindb.store.naming import NAMES
from bigchaindb.store.recent import Generation, Recent
from bigchaindb.store.tip import read_tip

GENERATION_ROWS: Final = 65_536
"""Index rows of a generation: two of them are 30 MB. At 10^6 transactions a page takes four rows of each."""
MOVE_COUNT: Final = 64
"""Moves of one generation: each 1,000 rows, some milliseconds."""

_SEAL: Final = "UPDATE indexing SET sealed_seq = ?, sealed_position = ?, move_count = 0"
_DONE: Final = "UPDATE indexing SET done_seq = sealed_seq, done_position = sealed_position"
_SPENT: Final = """
SELECT output FROM outputs WHERE output >= ? AND output < ? AND (spent_by IS NOT NULL OR spent_checksum IS NOT NULL)
"""
_READ: Final = {
    # S608: names of our own.
    TRANSACTIONS: f"SELECT {TRANSACTIONS.row} FROM {TRANSACTIONS.tables} WHERE t.seq > ? AND t.seq <= ? ORDER BY t.seq",  # noqa: S608
    OUTPUTS: f"""
        SELECT {OUTPUTS.columns}, t.id, {OUTPUTS.checksum} FROM {OUTPUTS.tables}
        LEFT JOIN transactions AS t ON t.seq = o.output >> {OUTPUT_BITS}
        WHERE o.output >= ? AND o.output < ? ORDER BY o.output
    """,  # noqa: S608
    NAMES: f"SELECT {NAMES.row} FROM {NAMES.tables} WHERE n.seq > ? AND n.seq <= ? ORDER BY n.seq",  # noqa: S608
    EVENTS: f"SELECT {EVENTS.row} FROM {EVENTS.tables} WHERE e.position > ? AND e.position <= ? ORDER BY e.position",  # noqa: S608
}


class Indexing:
    """Keeps indexes and memory in step. Belongs to the writer's thread, but for `recent`.

    Attributes:
        recent: the rows in memory.
        has_moved: whether the index tables hold any.
    """

    def __init__(self, connection: sqlite3.Connection, damages: Damages, *, generation_rows: int) -> None:
        self._connection = connection
        self._damages = damages
        self._generation_rows = generation_rows
        self._sealed: _Sealed | None = None
        self._moved = 0
        self._named_last = 0
        self.recent = Recent((Generation(),))
        self.load()

    def load(self) -> None:
        """Read what the index tables do not hold: at start, and after a commit that failed."""
        state: tuple[Any, ...] = read_one(self._connection, "indexing")
        done_seq, done_position, sealed_seq, sealed_position, self._moved = state
        self.has_moved = done_seq > 0 or self._moved > 0
        naming: tuple[Any, ...] = read_one(self._connection, "naming")
        self._named_last = naming[-1]
        tip, counts = read_tip(self._connection)
        open_ = self._generation((sealed_seq, counts.transactions), (sealed_position, tip.position))
        if (done_seq, done_position) == (sealed_seq, sealed_position):
            self._sealed = None
            self.recent.generations = (open_,)
        else:
            sealed = self._generation((done_seq, sealed_seq), (done_position, sealed_position))
            self._sealed = _Sealed(sealed)
            self.recent.generations = (sealed, open_)

    def step(self, seq: int, position: int) -> int:
        """Seal or move if it is due; return how many rows were written.

        Args:
            seq: the last committed transaction's.
            position: the last event's.
        """
        open_ = self.recent.open
        if self.recent.is_damaged:
            return 0  # what is missing in memory must not be missing in the tables as well
        if self._sealed is not None:
            return self._move(self._sealed, min(MOVE_COUNT, MOVE_COUNT * open_.row_count // self._generation_rows))
        if open_.row_count >= self._generation_rows:
            with batch(self._connection):
                self._connection.execute(_SEAL, (seq, position))
                seal_one(self._connection, "indexing")
            self._sealed, self._moved = _Sealed(open_), 0
            self.recent.generations = (open_, Generation())
        return 0

    def _move(self, sealed: "_Sealed", due: int) -> int:
        if due <= self._moved:  # less only if generations have grown since those moves
            return 0
        self.has_moved = True
        before = self._connection.total_changes
        with batch(self._connection):
            for number in range(self._moved, due):
                sealed.write(self._connection, number)
            self._connection.execute("UPDATE indexing SET move_count = ?", (due,))
            if due == MOVE_COUNT:
                self._connection.execute(_DONE)
            seal_one(self._connection, "indexing")
        self._moved = due
        if due == MOVE_COUNT:
            self._sealed = None
            self.recent.generations = (self.recent.open,)
        return self._connection.total_changes - before

    def _generation(self, seqs: tuple[int, int], positions: tuple[int, int]) -> Generation:
        generation = Generation()
        numbers = [(seq + 1) << OUTPUT_BITS for seq in seqs]
        transactions = self._whole(generation, TRANSACTIONS, *seqs)
        generation.add_transactions((seq, id_, asset) for seq, id_, asset, _ in transactions)
        outputs = self._whole(generation, OUTPUTS, *numbers)
        generation.add_outputs(row[:4] for row in outputs)
        begin = max(seqs[0], min(seqs[1], self._named_last))  # those before are in the table from the beginning
        generation.add_named(row[:2] for row in self._whole(generation, NAMES, begin, seqs[1]))
        for position, *_, block_id, reason in self._whole(generation, EVENTS, *positions):
            generation.add_block(block_id, position, is_valid=reason is None)
        if generation.damage is None and len(transactions) != seqs[1] - seqs[0]:
            generation.damage = damaged("transactions", f"{seqs[0] + 1} to {seqs[1]}", "are not all there")
        if generation.damage is not None:
            self._damages.note(generation.damage)
        else:
            for (number,) in self._connection.execute(_SPENT, numbers).fetchall():
                generation.unspent.pop(number, None)
        return generation

    def _whole(self, generation: Generation, kind: Kind, low: int, high: int) -> list[tuple[Any, ...]]:
        """Read the rows of a table that are what was written; of others the generation takes note."""
        rows = []
        for *row, checksum in self._readable(generation, kind, low, high):
            if is_whole(checksum, kind.compute, *row):
                rows.append(tuple(row))
            elif generation.damage is None:
                generation.damage = damaged(kind.table, row[0])
        return rows

    def _readable(self, generation: Generation, kind: Kind, low: int, high: int) -> list[tuple[Any, ...]]:
        """Read the rows that lie in pages which can be read: a start serves those."""
        try:
            with translated("ledger.db"):
                return self._connection.execute(_READ[kind], (low, high)).fetchall()
        except StoreDamaged:
            if high - low <= (1 << OUTPUT_BITS if kind is OUTPUTS else 1):  # one transaction, or one event
                generation.damage = generation.damage or damaged(kind.table, high, "stands where nothing can be read")
                return []
        middle = (low + high) // 2
        return self._readable(generation, kind, low, middle) + self._readable(generation, kind, middle, high)


class _Sealed:
    """A generation in key order. The same rows give the same moves, so a restart goes on where it was."""

    def __init__(self, generation: Generation) -> None:
        transactions, blocks = generation.transactions, generation.blocks
        self._numbers: tuple[tuple[str, list[bytes], Callable[[bytes], Sequence[int]]], ...] = (
            ("transaction_index", sorted(transactions), lambda id_: (transactions[id_].seq,)),
            ("asset_index", sorted(generation.transfers), generation.transfers.__getitem__),
            ("owner_index", sorted(generation.outputs), generation.outputs.__getitem__),
            ("owner_index", sorted(generation.named), generation.named.__getitem__),
            ("block_index", sorted(blocks), lambda id_: (blocks[id_],)),
        )

    def write(self, connection: sqlite3.Connection, number: int) -> None:
        """Write the rows of one move."""
        for table, hashes, numbers_of in self._numbers:
            part = hashes[len(hashes) * number // MOVE_COUNT : len(hashes) * (number + 1) // MOVE_COUNT]
            rows = [(key_of(hash_), one) for hash_ in part for one in numbers_of(hash_)]
            # Two owners of one output may have the same index key, and share the row then.
            connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", rows)  # noqa: S608 - names of our own
