"""The only writer of the ledger: makes decisions durable, one batch each, and tidies up after them."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from threading import RLock, get_ident
from typing import Final

from bigchaindb.ledger.effects import Effects, Tip
from bigchaindb.ledger.view import LoadedView, Needs
from bigchaindb.store.checksums import damaged
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import Readers, batch, snapshot, translated
from bigchaindb.store.indexing import GENERATION_ROWS, Indexing
from bigchaindb.store.naming import Naming
from bigchaindb.store.proving import locate_any
from bigchaindb.store.recent import Recent
from bigchaindb.store.rows import Rows, rows_of
from bigchaindb.store.tidying import Tidying
from bigchaindb.store.tip import read_network, read_tip, write_network, write_tip
from bigchaindb.store.upgrading import Upgrading
from bigchaindb.store.views import are_indexed, load_view, locate, view_from_memory

_UNLISTED: Final = "SELECT seq FROM transactions WHERE seq > (SELECT done_seq FROM indexing) AND id = ?"


class Writer:
    """Implements `bigchaindb.ledger.ports.NetworkStore` over the one connection that writes.

    `commit` and `tidy` belong to one thread; `tip`, `view` and `upgrade` may be called from any: what writes, `upgrade`
    as well, waits for the other.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        readers: Readers,
        path: Path,
        *,
        damages: Damages,
        wal_bytes_max: int,
        generation_rows: int = GENERATION_ROWS,
    ) -> None:
        self._connection = connection
        self._readers = readers
        self._damages = damages
        self._state = read_tip(connection)
        self._indexing = Indexing(connection, damages, generation_rows=generation_rows)
        self._tidying = Tidying(connection, path, wal_bytes_max=wal_bytes_max)
        self._upgrading = Upgrading(connection, damages, self._locate_any)
        self._naming = Naming(connection)
        self._writing = RLock()
        self._committer = 0  # no thread
        self._is_closed = False

    def tip(self) -> Tip:
        """See `LedgerStore`."""
        return self._state[0]

    def network(self) -> bytes | None:
        """See `NetworkStore`."""
        with self._readers.connection() as connection, translated("ledger.db"):
            return read_network(connection)

    @property
    def recent(self) -> Recent:
        """The index rows that are in memory."""
        return self._indexing.recent

    def view(self, needs: Needs) -> LoadedView:
        """See `LedgerStore`.

        What is new, and spends what is new, needs no state but the index of older ids, if there are any.
        The thread that commits reads over its own connection: 50 µs less, as that has the last block's pages in memory.
        """
        tip, counts = self._state  # before the generations, which so hold no less
        generations, ids = self.recent.generations, needs.transaction_ids
        view = view_from_memory(generations, needs, tip.height, counts)
        if view is not None and not (ids and self._indexing.has_moved):
            return view
        if get_ident() == self._committer:
            with self._writing, self._damages.noted(), translated("ledger.db"):  # no commit is under way
                if view is not None and not are_indexed(self._connection, ids):
                    return view
                return load_view(self._connection, generations, needs, tip.height, counts)
        with self._readers.connection() as connection:
            if view is not None and not are_indexed(connection, ids):
                return view
            while True:  # a second time only if a generation was replaced in this moment
                generations = self.recent.generations
                with snapshot(connection):
                    tip, counts = read_tip(connection)
                    view = load_view(connection, generations, needs, tip.height, counts)
                if generations is self.recent.generations:
                    return view

    def is_recent(self, transaction_id: str) -> bool:
        """See `LedgerStore`."""
        return self.recent.known(bytes.fromhex(transaction_id)) is not None

    def commit(self, effects: Effects) -> None:
        """See `LedgerStore`.

        Raises:
            StoreFull: there was no room; nothing was written.
            StoreError: what is on the disk is unknown: the node must stop.
        """
        positions = [one.event.position for one in effects.logged]
        tip, counts = self._state
        assert positions == [*range(tip.position + 1, effects.tip.position + 1)], (positions, tip)  # E2
        with self._writing, self._damages.noted(), translated("ledger.db"):
            rows = rows_of(effects, counts, self._spent_seqs(effects))
            self._remember(rows, effects)
            try:
                with batch(self._connection):  # E1: the block and its event, or neither
                    self._write(rows, effects)
            except BaseException:
                self._indexing.load()
                raise
            self._state = effects.tip, rows.counts
            self._committer = get_ident()
        self._tidying.committed(len(rows.transactions), rows.counts.log_bytes - counts.log_bytes)

    def tidy(self) -> bool:
        """See `LedgerStore`."""
        with self._writing, self._damages.noted(), translated("ledger.db"):
            tip, counts = self._state
            self._tidying.wrote(self._indexing.step(counts.transactions, tip.position))
            return self._tidying.tidy()

    def upgrade(self) -> int:
        """Write the checksums of some older rows, and return how many events are left. Any thread may call it.

        Raises:
            StoreFull: there was no room; nothing was written.
        """
        with self._writing, self._damages.noted(), translated("ledger.db"):
            if self._is_closed:
                return 0
            if self._upgrading.left_count:
                self._tidying.wrote(self._upgrading.step())
            left_count = self._upgrading.left_count
        self._tidy_behind()
        return left_count

    def index_names(self) -> int:
        """Index some older transactions by the keys that they name; return how many are left. Any thread may call it.

        Raises:
            StoreFull: there was no room; nothing was written.
            StoreDamaged: a transaction is not what was written; nothing was written.
        """
        with self._writing, self._damages.noted(), translated("ledger.db"):
            if self._is_closed:
                return 0
            if self._naming.left_count:
                assert not self._upgrading.left_count, "what has no checksum yet is not proven"
                self._tidying.wrote(self._naming.step())
            left_count = self._naming.left_count
        self._tidy_behind()
        return left_count

    def _tidy_behind(self) -> None:
        """Tidy up behind a step, in a hold of its own: a commit may come in between."""
        with self._writing, self._damages.noted(), translated("ledger.db"):
            if not self._is_closed:
                self._tidying.tidy()

    def close(self) -> None:
        """Wait for the step that runs, and begin no other."""
        with self._writing:
            self._is_closed = True

    @property
    def upgrade_count(self) -> int:
        """How many events have rows without checksums."""
        return self._upgrading.left_count

    @property
    def unnamed_count(self) -> int:
        """How many transactions of an older version are not indexed by the keys that they name."""
        return self._naming.left_count

    def _locate(self, ids: Iterable[str]) -> dict[str, int]:
        places = locate(self._connection, self.recent.generations, ids)
        return {id_: place.seq for id_, place in places.items()}

    def _locate_any(self, ids: Iterable[str]) -> dict[str, int]:
        def in_memory(id_: bytes) -> int | None:
            return None if (place := self.recent.known(id_)) is None else place.seq

        wanted = set(ids)
        found = locate_any(self._connection, in_memory, wanted)
        for id_ in wanted - found.keys():  # memory leaves out what is damaged
            for (seq,) in self._connection.execute(_UNLISTED, (bytes.fromhex(id_),)).fetchall():
                found[id_] = seq
        return found

    def _spent_seqs(self, effects: Effects) -> dict[str, int]:
        """Find where the transactions stand whose outputs are spent, those of this very block excepted."""
        ids = {i.fulfills.transaction_id for t in effects.transactions for i in t.inputs if i.fulfills is not None}
        ids.difference_update(t.id for t in effects.transactions)
        seqs = self._locate(ids)
        for id_ in ids - seqs.keys():
            raise damaged("transaction_index", f"of {id_}", "is missing")
        return seqs

    def _remember(self, rows: Rows, effects: Effects) -> None:
        """Add the index rows in memory, where readers drop them until the commit is done."""
        generation = self.recent.open
        generation.add_transactions((seq, id_, asset) for seq, id_, asset, *_ in rows.transactions)
        generation.add_outputs(row[:4] for row in rows.outputs)
        generation.add_named(row[:2] for row in rows.named)
        self.recent.spend(number for _, _, number in rows.spends)
        for one in effects.logged:
            event = one.event
            generation.add_block(bytes.fromhex(event.block_id), event.position, is_valid=event.reason is None)

    def _write(self, rows: Rows, effects: Effects) -> None:
        many = self._connection.executemany
        many("INSERT INTO transactions VALUES (?, ?, ?, ?, ?)", rows.transactions)
        many("INSERT INTO transaction_checksums VALUES (?, ?, ?)", rows.transaction_checksums)
        many("INSERT INTO outputs VALUES (?, ?, ?, ?, NULL, ?, NULL)", rows.outputs)
        many("INSERT INTO named VALUES (?, ?, ?)", rows.named)
        many("INSERT INTO assets_search (rowid, text) VALUES (?, ?)", rows.asset_texts)
        many("INSERT INTO metadata_search (rowid, text) VALUES (?, ?)", rows.metadata_texts)
        self._spend(rows.spends)
        many("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows.events)
        many("INSERT INTO event_checksums VALUES (?, ?, ?, ?, ?, ?)", rows.event_checksums)
        many("INSERT INTO votes VALUES (?, ?)", rows.votes)
        many("INSERT INTO proofs VALUES (?, ?)", rows.proofs)
        if effects.network is not None:
            write_network(self._connection, effects.network)
        write_tip(self._connection, effects.tip, rows.counts)

    def _spend(self, spends: list[tuple[int, int, int]]) -> None:
        if spends:
            spend = "UPDATE outputs SET spent_by = ?, spent_checksum = ? WHERE output = ? AND spent_by IS NULL"
            changed = self._connection.executemany(spend, spends).rowcount
            if changed != len(spends):  # L1: each was there, unspent, when the block was checked
                raise damaged("outputs", self._not_spent(spends), "is missing or is spent by another transaction")

    def _not_spent(self, spends: list[tuple[int, int, int]]) -> int:
        spent = "SELECT 1 FROM outputs WHERE output = ? AND spent_by = ?"
        return next(n for seq, _, n in spends if not self._connection.execute(spent, (n, seq)).fetchall())
