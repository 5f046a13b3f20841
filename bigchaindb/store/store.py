"""The store of one node: owns the data directory and hands out the writer, the queries and readers of the log."""

import sqlite3
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Final

from bigchaindb.config import Limits
from bigchaindb.errors import HistoryLost, StartupError, StoreDamaged
from bigchaindb.files import sync
from bigchaindb.store.checksums import read_one, seal_one
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import Readers, batch, open_writer, translated
from bigchaindb.store.directory import DataDirectory, DirectoryLock, prepare
from bigchaindb.store.indexing import GENERATION_ROWS
from bigchaindb.store.log import Log
from bigchaindb.store.migrations import LEDGER_STEPS, NODE_STEPS, known_schema_of, migrate
from bigchaindb.store.node_db import NodeDb
from bigchaindb.store.node_rows import hold_access_keys
from bigchaindb.store.queries import LedgerQueries
from bigchaindb.store.rejected import RejectedLog, RejectedWriter
from bigchaindb.store.writer import Writer

WAL_BYTES_MAX: Final = 256 * 1024 * 1024
"""Size of the write-ahead log by default; the node passes `limits.wal_bytes_max`."""

RECENT_COUNT: Final = 1_000
"""Events at the end of the log that a start reads again."""
RECENT_BYTES: Final = 24 * 1024 * 1024
"""Bytes of their bodies after which it stops: a start of a large ledger may take 0.3 s more, and no longer."""


class Store:
    """Everything on disk. Open it before anything is served, close it last.

    Attributes:
        directory: paths below the data directory.
        lock: makes this process the directory's owner.
        node: node.db.
        damages: what the reads of this process have found damaged.
        writer: the `LedgerStore`.
        run: counts the starts of this ledger, from 1.
        knows_node: whether this node.db is the one that the ledger was last used with; if not, no lane may go on by
            itself (P8).
    """

    def __init__(
        self,
        path: Path,
        *,
        wal_bytes_max: int = WAL_BYTES_MAX,
        generation_rows: int = GENERATION_ROWS,
        lock_wait_s: float = 0.0,
        replays: bool = False,
    ) -> None:
        """Take the data directory, made if need be, and make durable whatever a crash left in it.

        Args:
            path: of the data directory.
            wal_bytes_max: size of the write-ahead log from which the writer asks for a fresh one.
            generation_rows: index rows that are kept in memory before they move into the tables.
            lock_wait_s: how long to wait for another process to release the directory.
            replays: whether a ledger that is missing is about to be made again, with the same events.

        Raises:
            DirectoryInUse: another process owns it.
            StartupError: it cannot be made, or others may enter it; or its ledger is missing.
            SchemaTooNew: a later version wrote it.
            StoreError: its files cannot be used.
        """
        self.directory = directory = prepare(path)
        with ExitStack() as files:
            self.lock = files.enter_context(closing(DirectoryLock(directory, wait_s=lock_wait_s)))
            if not replays and (remains := directory.remains()):
                raise StartupError(
                    f"`{directory.ledger}` is missing, and `{remains[0].name}` beside it shows that there was a "
                    "ledger: `bigchaindb doctor` names the ways on"
                )
            self._open(files, replays=replays)
            with translated("ledger.db"):
                self.writer = Writer(
                    self._connection,
                    self._readers,
                    directory.ledger,
                    damages=self.damages,
                    wal_bytes_max=wal_bytes_max,
                    generation_rows=generation_rows,
                )
            self._files = files.pop_all()

    def _open(self, files: ExitStack, *, replays: bool) -> None:
        directory = self.directory
        self.damages = Damages(directory.damage)
        was_ledger = directory.has_ledger
        if directory.node.exists():  # before ledger.db gets a step with which no earlier version could open it
            known_schema_of(directory.node, NODE_STEPS)
        self._connection = files.enter_context(closing(open_writer(directory.ledger)))
        with translated("ledger.db"):
            migrate(self._connection, "ledger.db", LEDGER_STEPS)
        if not was_ledger:
            sync(directory.path)  # a node.db without ledger.db would prove that a ledger was lost
        self.node = files.enter_context(closing(NodeDb(directory.node, self.damages)))
        with translated("ledger.db"):
            # Of a ledger that is made again no lane may begin at "now" only because node.db was lost, too.
            own_id = "" if replays and self.node.is_new else self.node.id
            self.run, known_id = start_barrier(self._connection, own_id)
            read_one(self._connection, "unchecked")
        self.knows_node = known_id == self.node.id
        if not self.knows_node:
            with self.node.batch() as connection:
                hold_access_keys(connection)
        self._readers = files.enter_context(closing(Readers(directory.ledger, self.damages)))
        # Apart, for they are interrupted at a stop while the writer's still read.
        self._query_readers = files.enter_context(closing(Readers(directory.ledger, self.damages)))
        self._node_readers = files.enter_context(closing(Readers(directory.node, self.damages)))

    def queries(self) -> LedgerQueries:
        """Return the queries of the HTTP API; any thread may use them."""
        return LedgerQueries(self._query_readers, self.writer.recent, self.directory.ledger)

    def log_reader(self) -> Log:
        """Return a reader of the log for one thread, which closes it."""
        return Log(self.directory.ledger, self.damages)

    def rejected_log(self) -> RejectedLog:
        """Return the log of rejected transactions; any thread may use it."""
        return RejectedLog(self._node_readers)

    def rejected_writer(self, limits: Limits) -> RejectedWriter:
        """Return what appends to that log, for one thread."""
        count_max, bytes_max = limits.rejected_log_count_max, limits.rejected_log_bytes_max
        return RejectedWriter(self.node, count_max=count_max, bytes_max=bytes_max)

    def check_recent(self) -> None:
        """Read the last events and their transactions again, before anybody is served: damage is noted, not raised."""
        with closing(self.log_reader()) as log:
            head = log.head()
            end_bytes = 0
            for position in range(head, max(0, head - RECENT_COUNT), -1):
                with suppress(StoreDamaged, HistoryLost):
                    for record in log.records(position - 1, position, count_max=1, bytes_max=0):
                        end_bytes += len(record.body)
                    log.announcements(position)
                if end_bytes > RECENT_BYTES:
                    break

    def adopt_node(self) -> None:
        """Note that this node.db belongs to the ledger from now on: all lanes are GAPPED in it, or there are none."""
        with translated("ledger.db"), batch(self._connection):
            self._connection.execute("UPDATE local SET node_id = ?", (self.node.id,))
            seal_one(self._connection, "local")
        self.knows_node = True

    def adopt_chain(self, chain_id: str) -> None:
        """Note of which chain the ledger is; one that has an id already keeps it.

        Raises:
            StartupError: it is another chain.
        """
        ((known,),) = self._connection.execute("SELECT chain_id FROM local").fetchall()
        if known is None:
            with translated("ledger.db"), batch(self._connection):
                self._connection.execute("UPDATE local SET chain_id = ?", (chain_id,))
                seal_one(self._connection, "local")
        elif known != chain_id:
            raise StartupError(other_chain(self.directory, known, chain_id))

    def close(self) -> None:
        """Close every file and release the directory."""
        self.writer.close()
        self._files.close()


def other_chain(directory: DataDirectory, known: str, chain_id: str) -> str:
    """Return the sentence about a ledger of one chain in a directory of another; every event's id begins with it."""
    return (
        f"`{directory.ledger}` is of chain {known}, and `{directory.path / 'chain_id'}` says {chain_id}: events would "
        f"get other ids than before; write {known} into that file, or restore a whole backup: `bigchaindb restore DIR`"
    )


def start_barrier(connection: sqlite3.Connection, node_id: str) -> tuple[int, str]:
    """Commit one row, which makes durable every frame that a crash left behind it in the log (P4).

    The first to open a ledger after a crash recovers frames that may never have been synced, and would show them; this
    commit's sync is of the same file, so it covers them. Nothing may be served, announced or started before it.

    Returns:
        The number of this run, and the id of the node.db that the ledger belongs to; of a new ledger, `node_id`.
    """
    with batch(connection):
        read_one(connection, "local")
        connection.execute("UPDATE local SET run = run + 1, node_id = coalesce(node_id, ?)", (node_id,))
        seal_one(connection, "local")
    ((run, known_id),) = connection.execute("SELECT run, node_id FROM local").fetchall()
    return int(run), str(known_id)
