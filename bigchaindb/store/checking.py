"""Reading all that is stored again: `bigchaindb check`, and what a backup and a restore do with a copy.

Read-only, in short reads, beside a running node as well: later commits are left for the next check.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

from bigchaindb.errors import StoreDamaged
from bigchaindb.store.checking_node import check_node
from bigchaindb.store.checking_search import check_search
from bigchaindb.store.checksums import ONE_ROW_COLUMNS, read_one
from bigchaindb.store.database import Progress, open_copy, translated
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.keys import key_of, output_number, owner_hash, owner_hashes
from bigchaindb.store.migrations import open_ledger
from bigchaindb.store.older import cover
from bigchaindb.store.proving import Damage, Proved, Walk, locate_any, prove
from bigchaindb.store.tip import read_tip
from bigchaindb.transaction import Transaction

DAMAGES_MAX: Final = 1_000
"""Rows that one check names: a file of which more is damaged needs no longer list."""

_RECENT: Final = "SELECT id, seq FROM transactions WHERE seq > ?"
_BLOCK: Final = """
SELECT count(*) FROM block_index AS i JOIN events AS e ON e.position = i.position WHERE i.key = ? AND e.block_id = ?
"""
_INDEXES: Final = {
    "transaction_index": ("seq", "SELECT i.key, i.seq, t.id FROM", "transactions AS t ON t.seq = i.seq"),
    "asset_index": ("seq", "SELECT i.key, i.seq, t.asset FROM", "transactions AS t ON t.seq = i.seq"),
    "owner_index": ("output", "SELECT i.key, i.output, o.owners FROM", "outputs AS o ON o.output = i.output"),
    "block_index": ("position", "SELECT i.key, i.position, e.block_id FROM", "events AS e ON e.position = i.position"),
}
"""Of each index the column that numbers its rows, and how to read the hash that a row is of."""
_INDEX_ROWS: Final = 10_000
"""Rows of an index that are read at once."""
_HEIGHT: Final = "SELECT count(*) FROM events WHERE height = ? AND position = ? AND reason IS NULL"


class Checked(NamedTuple):
    """What a check has found.

    Attributes:
        height: of the last block.
        position: of the last event.
        transaction_count: transactions that were read.
        damages: rows that are damaged; none: all is whole.
        is_cut: whether more may be damaged: `DAMAGES_MAX` are named.
        unchecked_count: events that an older version wrote and have no checksums yet, which were proven without.
    """

    height: int
    position: int
    transaction_count: int
    damages: tuple[Damage, ...]
    is_cut: bool
    unchecked_count: int


def check_directory(directory: DataDirectory, progress: Progress, *, is_copy: bool = False) -> Checked:
    """Read all of ledger.db and node.db again.

    Args:
        directory: of a node, running or not, or a copy of one.
        progress: is told how many events of how many are read.
        is_copy: nobody has the files open and nobody writes them: no file is made beside them. An older version may
            have written them.

    Raises:
        StoreError: the files cannot be read; damage is no error here.
    """
    checking = _Checking(progress)
    try:
        with (
            closing((open_copy if is_copy else open_ledger)(directory.ledger)) as connection,
            translated(directory.ledger.name),
        ):
            cover(connection)
            checking.run(connection)
    except StoreDamaged as error:  # pages that cannot be read at all
        checking.damages.append(Damage(error.table or "file", error.row or "-", str(error)))
    checking.damages += check_node(directory, is_copy=is_copy)
    return checking.result()


class _Checking:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._walk = Walk()
        self._height = self._position = self._unchecked_count = 0
        self._indexed = (0, 0)
        self._recent: dict[bytes, int] = {}
        self.damages: list[Damage] = []

    def result(self) -> Checked:
        return Checked(
            self._height,
            self._position,
            self._walk.seq,
            tuple(self.damages[:DAMAGES_MAX]),
            len(self.damages) >= DAMAGES_MAX,
            self._unchecked_count,
        )

    def run(self, connection: sqlite3.Connection) -> None:
        tables = {table: self._one_row(connection, table) for table in ONE_ROW_COLUMNS}
        tip, counts = read_tip(connection)  # damaged: how far to read is not known
        self._height, self._position = tip.height, tip.position
        done_seq, done_position = (tables["indexing"] or (0, 0))[:2]
        self._indexed = (done_seq, done_position)
        if unchecked := tables["unchecked"]:
            self._unchecked_count = unchecked[3] - unchecked[1]
        self._recent = dict(connection.execute(_RECENT, (done_seq,)).fetchall())
        while self._walk.position < tip.position and len(self.damages) < DAMAGES_MAX:
            proved = prove(connection, self._walk, partial(locate_any, connection, self._recent.get))
            self.damages += proved.damages
            self._indexes(connection, proved)
            self._progress(self._walk.position, tip.position)
        for table in _INDEXES:
            with self._noting(table):
                self._index(connection, table)
        if self.damages:
            return
        walk = self._walk
        found = (walk.digest, walk.block_count, walk.seq, walk.output_count, walk.log_bytes)
        if found != (tip.digest, counts.blocks, counts.transactions, counts.outputs, counts.log_bytes):
            self.damages.append(Damage("tip", "1", "is not what the log adds up to"))
        for table in ("assets_search", "metadata_search"):
            with self._noting(table):
                self.damages += check_search(connection, table, counts.transactions)

    def _one_row(self, connection: sqlite3.Connection, table: str) -> tuple[Any, ...] | None:
        try:
            return read_one(connection, table)
        except StoreDamaged as error:
            self.damages.append(Damage(table, "1", str(error)))
            return None

    @contextmanager
    def _noting(self, table: str) -> Iterator[None]:
        try:
            with translated("ledger.db"):
                yield
        except StoreDamaged as error:
            self.damages.append(Damage(error.table or table, error.row or "-", str(error)))

    def _indexes(self, connection: sqlite3.Connection, proved: Proved) -> None:
        """Compare the index rows of an event that have left the node's memory."""
        done_seq, done_position = self._indexed
        for seq, transaction in proved.parsed:
            if seq <= done_seq:
                for table, key, number in _index_rows(seq, transaction):
                    column = "output" if table == "owner_index" else "seq"
                    # S608: names of our own.
                    statement = f"SELECT count(*) FROM {table} WHERE key = ? AND {column} = ?"  # noqa: S608
                    if connection.execute(statement, (key, number)).fetchall() != [(1,)]:
                        self.damages.append(Damage(table, f"{key}, {number}", "is missing"))
        position = self._walk.position
        if not proved.damages and position <= done_position:
            self._block_index(connection, position)

    def _index(self, connection: sqlite3.Connection, table: str) -> None:
        """Compare each row of an index with the row that it leads to."""
        column, select, joined = _INDEXES[table]
        # S608: names of our own.
        statement = f"""
            {select} {table} AS i LEFT JOIN {joined} WHERE (i.key, i.{column}) > (?, ?)
            ORDER BY i.key, i.{column} LIMIT {_INDEX_ROWS}
        """
        after: tuple[Any, ...] = (-(1 << 63), -1)
        while (rows := connection.execute(statement, after).fetchall()) and len(self.damages) < DAMAGES_MAX:
            for key, number, hash_ in rows:
                hashes = owner_hashes(hash_) if isinstance(hash_, bytes) else []
                if key not in map(key_of, hashes):
                    self.damages.append(Damage(table, f"{key}, {number}", "leads to no row of that hash"))
            after = rows[-1][:2]

    def _block_index(self, connection: sqlite3.Connection, position: int) -> None:
        ((id_, height, reason),) = connection.execute(
            "SELECT block_id, height, reason FROM events WHERE position = ?", (position,)
        ).fetchall()
        if connection.execute(_BLOCK, (key_of(id_), id_)).fetchall() == [(0,)]:
            self.damages.append(Damage("block_index", f"{key_of(id_)}, {position}", "is missing"))
        if reason is None and connection.execute(_HEIGHT, (height, position)).fetchall() != [(1,)]:
            self.damages.append(Damage("valid_height", str(height), "is missing"))


def _index_rows(seq: int, transaction: Transaction) -> Iterator[tuple[str, int, int]]:
    yield "transaction_index", key_of(bytes.fromhex(transaction.id)), seq
    if transaction.asset_id != transaction.id:
        yield "asset_index", key_of(bytes.fromhex(transaction.asset_id)), seq
    for index, output in enumerate(transaction.outputs):
        for owner in output.owners:
            yield "owner_index", key_of(owner_hash(owner)), output_number(seq, index)
