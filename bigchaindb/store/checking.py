"""Reading all that is stored again: `bigchaindb check`, and what a backup and a restore do with a copy.

Read-only, in short reads, beside a running node as well: later commits are left for the next check.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any, Final, NamedTuple

from bigchaindb.errors import StoreDamaged
from bigchaindb.store import node_rows
from bigchaindb.store.beside import known_chain
from bigchaindb.store.checking_file import check_header, check_pages, indexes_of_events
from bigchaindb.store.checking_search import check_search
from bigchaindb.store.checksums import ONE_ROW_COLUMNS, is_whole, read_one
from bigchaindb.store.database import Progress, open_copy, open_reader, translated
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.keys import NAMED, key_of, keys_of, output_number, owner_hash
from bigchaindb.store.naming import NAMES, named_by
from bigchaindb.store.neighbours import INDEXES, leads_on, rows_from
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
_NAMED: Final = f"SELECT {NAMES.row} FROM {NAMES.tables} WHERE n.seq = ?"  # noqa: S608 - names of our own
_INDEX_ROWS: Final = 10_000
"""Rows of an index that are read at once."""
_HEIGHT: Final = """
SELECT count(*) FROM events INDEXED BY valid_height WHERE height = ? AND position = ? AND reason IS NULL
"""
_INVALID: Final = """
SELECT count(*) FROM events INDEXED BY invalid_position WHERE reason IS NOT NULL AND position BETWEEN ? AND ?
"""


class CheckedLedger(NamedTuple):
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


def check_directory(directory: DataDirectory, progress: Progress, *, is_copy: bool = False) -> CheckedLedger:
    """Read all of ledger.db and node.db again.

    Args:
        directory: of a node, running or not, or a copy of one.
        progress: is told how many events of how many are read.
        is_copy: nobody has the files open and nobody writes them: no file is made beside them.

    Raises:
        StoreError: the files cannot be read; damage is no error here.
    """
    checking = _Checking(progress)
    if is_copy:
        checking.damages += check_header(directory.ledger)
    with (
        checking.noting("sqlite_schema"),
        closing((open_copy if is_copy else open_reader)(directory.ledger)) as connection,
    ):
        with checking.noting("file"):
            cover(connection)
            checking.run(connection)
        if checking.damages and (pages := list(check_pages(connection))):
            is_lost = any(one.table == "sqlite_schema" for one in pages)  # nothing else could be read
            named = [one for one in checking.damages if one.table == "header" or not (is_lost or one.table == "file")]
            checking.damages[:] = [*named, *pages]
    checking.damages += _check_node(directory, is_copy=is_copy)
    return checking.result()


def _check_node(directory: DataDirectory, *, is_copy: bool) -> Iterator[Damage]:
    """Read all of node.db again: its pages and indexes by SQLite's own check, its rows by their checksums."""
    if not directory.node.exists():
        return
    if is_copy:
        yield from check_header(directory.node)
    try:
        with (
            closing((open_copy if is_copy else open_reader)(directory.node)) as connection,
            translated(directory.node.name),
        ):
            for (text,) in connection.execute("PRAGMA integrity_check").fetchall():
                if text != "ok":
                    yield Damage("file", "-", text, directory.node.name)
            node_rows.require_tables(connection)
            is_whole = True
            for table in node_rows.summed_tables(connection):
                for one in node_rows.compare(connection, table).damages:
                    is_whole = False
                    yield Damage(table.name, one.error.row, "is not what its checksum is of", directory.node.name)
            for name in node_rows.lanes_gone(connection) if is_whole else ():  # a damaged name is no other lane's
                yield Damage("lanes", repr(name), "is gone", directory.node.name)
    except StoreDamaged as error:
        yield Damage("file", "-", str(error), directory.node.name)


def check_copy(copy: DataDirectory, chain_id: str, progress: Progress) -> tuple[CheckedLedger, Sequence[str]]:
    """Check a copy, which a backup does before it is one and a restore before it counts, and its chain.

    Args:
        copy: nobody has its files open.
        chain_id: that stands beside the ledger.
        progress: is told how far the ledger is.

    Returns:
        What the ledger holds, and a line for each damage.

    Raises:
        StoreError: a file cannot be read; damage is no error here.
    """
    checked = check_directory(copy, progress, is_copy=True)
    damages = list(map(str, checked.damages))
    with suppress(StoreDamaged):
        if (known := known_chain(copy, is_copy=True)) not in {None, chain_id}:
            damages.append(f"chain_id: is {chain_id}, and the ledger is of chain {known}")
    return checked, damages


class _Checking:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._walk = Walk()
        self._height = self._position = self._unchecked_count = 0
        self._indexed = (0, 0)
        self._named = (0, 0)
        self._recent: dict[bytes, int] = {}
        self.damages: list[Damage] = []

    def result(self) -> CheckedLedger:
        return CheckedLedger(
            self._height,
            self._position,
            self._walk.seq,
            tuple(self.damages[:DAMAGES_MAX]),
            len(self.damages) >= DAMAGES_MAX,
            self._unchecked_count,
        )

    def run(self, connection: sqlite3.Connection) -> None:
        tables: dict[str, tuple[Any, ...]] = {}
        for table in ONE_ROW_COLUMNS:
            with self.noting(table):
                tables[table] = read_one(connection, table)
        tip, counts = read_tip(connection)  # damaged: how far to read is not known
        self._height, self._position = tip.height, tip.position
        done_seq, done_position = tables.get("indexing", (0, 0))[:2]
        self._indexed = (done_seq, done_position)
        self._named = tables.get("naming", (0, 1 << 62))
        if unchecked := tables.get("unchecked"):
            self._unchecked_count = unchecked[3] - unchecked[1]
        with self.noting("transactions"):
            self._recent = dict(connection.execute(_RECENT, (done_seq,)).fetchall())
        while self._walk.position < tip.position and len(self.damages) < DAMAGES_MAX:
            proved = prove(connection, self._walk, partial(locate_any, connection, self._recent.get))
            self.damages += proved.damages
            self._indexes(connection, proved)
            self._progress(self._walk.position, tip.position)
        for table in INDEXES:
            with self.noting(table):
                self._index(connection, table)
        if self.damages:
            return
        walk = self._walk
        self._invalid(connection, 1, walk.position, walk.position - walk.block_count)
        found = (walk.digest, walk.block_count, walk.seq, walk.output_count, walk.log_bytes)
        if found != (tip.digest, counts.blocks, counts.transactions, counts.outputs, counts.log_bytes):
            self.damages.append(Damage("tip", "1", "is not what the log adds up to"))
        for table in ("assets_search", "metadata_search"):
            with self.noting(table):
                self.damages += check_search(connection, table, counts.transactions)

    @contextmanager
    def noting(self, table: str) -> Iterator[None]:
        """Note damage that ends the reads within; each once."""
        try:
            with translated("ledger.db"):
                yield
        except StoreDamaged as error:
            damage = Damage(error.table or table, error.row or "-", str(error))
            if damage not in self.damages:
                self.damages.append(damage)

    def _indexes(self, connection: sqlite3.Connection, proved: Proved) -> None:
        """Compare the index rows of an event that have left the node's memory."""
        done_seq, done_position = self._indexed
        for seq, transaction in proved.parsed:
            if seq <= done_seq:
                for table, key, number in _index_rows(seq, transaction):
                    self._index_row(connection, table, key, number)
            self._names(connection, seq, named_by(transaction))
        position = self._walk.position
        if not proved.damages:
            self._block_index(connection, position, is_indexed=position <= done_position)

    def _index_row(self, connection: sqlite3.Connection, table: str, key: int, number: int) -> None:
        # S608: names of our own.
        statement = f"SELECT count(*) FROM {table} WHERE key = ? AND {INDEXES[table]} = ?"  # noqa: S608
        with self.noting(table):
            if connection.execute(statement, (key, number)).fetchall() != [(1,)]:
                self.damages.append(Damage(table, f"{key}, {number}", "is missing"))

    def _names(self, connection: sqlite3.Connection, seq: int, keys: bytes) -> None:
        """Compare the keys that a transaction names with what is stored of them, if it is."""
        named_seq, last_seq = self._named
        if named_seq < seq <= last_seq:
            return
        with self.noting(NAMES.table):
            rows = connection.execute(_NAMED, (seq,)).fetchall()
            if [row[1] for row in rows] != ([keys] if keys else []):
                self.damages.append(Damage(NAMES.table, str(seq), "is not what its transaction says"))
            elif not all(is_whole(row[-1], NAMES.compute, *row[:-1]) for row in rows):
                self.damages.append(Damage(NAMES.table, str(seq), "is not what its checksum is of"))
        if seq <= max(named_seq, self._indexed[0]):
            for key in keys_of(keys):
                self._index_row(connection, "owner_index", key_of(key), NAMED | seq)

    def _index(self, connection: sqlite3.Connection, table: str) -> None:
        """Compare each row of an index with the row that it leads to."""
        at = f"i.key, i.{INDEXES[table]}"
        statement = f"{rows_from(table)} WHERE ({at}) > (?, ?) ORDER BY {at} LIMIT {_INDEX_ROWS}"
        after: tuple[Any, ...] = (-(1 << 63), -1)
        while (rows := connection.execute(statement, after).fetchall()) and len(self.damages) < DAMAGES_MAX:
            for key, number, hash_ in rows:
                if not leads_on(key, number, hash_):
                    self.damages.append(Damage(table, f"{key}, {number}", "leads to no row of that hash"))
            after = rows[-1][:2]

    def _block_index(self, connection: sqlite3.Connection, position: int, *, is_indexed: bool) -> None:
        ((id_, height, reason),) = connection.execute(
            "SELECT block_id, height, reason FROM events WHERE position = ?", (position,)
        ).fetchall()
        with self.noting("block_index"):
            if is_indexed and connection.execute(_BLOCK, (key_of(id_), id_)).fetchall() == [(0,)]:
                self.damages.append(Damage("block_index", f"{key_of(id_)}, {position}", "is missing"))
        if reason is not None:
            self._invalid(connection, position, position, 1)
        with self.noting("valid_height"):
            if reason is None and connection.execute(_HEIGHT, (height, position)).fetchall() != [(1,)]:
                self.damages.append(Damage("valid_height", str(height), "is missing"))

    def _invalid(self, connection: sqlite3.Connection, first: int, last: int, count: int) -> None:
        """Count the rows of the index of rejected proposals, which an older version does not have."""
        if "invalid_position" not in dict(indexes_of_events(connection)):
            return
        with self.noting("invalid_position"):
            if connection.execute(_INVALID, (first, last)).fetchall() != [(count,)]:
                reason = f"is not the {count} rejected proposals of the log"
                self.damages.append(Damage("invalid_position", f"{first} to {last}", reason))


def _index_rows(seq: int, transaction: Transaction) -> Iterator[tuple[str, int, int]]:
    yield "transaction_index", key_of(bytes.fromhex(transaction.id)), seq
    if transaction.asset_id != transaction.id:
        yield "asset_index", key_of(bytes.fromhex(transaction.asset_id)), seq
    for index, output in enumerate(transaction.outputs):
        for owner in output.owners:
            yield "owner_index", key_of(owner_hash(owner)), output_number(seq, index)
