"""A writer that is killed at any moment, with readers attached: what was acknowledged or shown is there for ever."""

import multiprocessing
import os
import random
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from bigchaindb.ledger.effects import NO_DIGEST, log_digest
from bigchaindb.ledger.ports import Record
from bigchaindb.store import Log, Store
from bigchaindb.store.database import open_reader
from bigchaindb.store.stored import block_of
from tests.integration.store.writing import GENERATION_ROWS, write
from tests.support import scale

ALL = 1 << 40


@dataclass
class Known:
    """What somebody outside the writer has seen: it must never be otherwise."""

    acknowledged: dict[int, bytes] = field(default_factory=dict)
    shown: dict[int, Record] = field(default_factory=dict)

    def take(self, pipe: Connection, log: Log) -> None:
        """Take what is there now, the log first: whatever it shows must survive."""
        for record in log.records(max(self.shown, default=0), ALL, count_max=1000, bytes_max=ALL):
            self.shown[record.position] = record
        while pipe.poll():
            message = pipe.recv_bytes()
            self.acknowledged[int.from_bytes(message[:8], "big")] = message[8:]


def killed_at(moment_s: float, path: Path, seed: int, known: Known) -> None:
    """Run a writer, look on, and kill it that long after its first acknowledgement."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([write.__module__])
    receiving, sending = context.Pipe(duplex=False)
    writer = context.Process(target=write, args=(path, seed, sending))
    writer.start()
    sending.close()
    assert receiving.poll(30), "the writer did not start"
    with closing(Log(path / "ledger.db")) as log, receiving:
        deadline = time.monotonic() + moment_s
        while time.monotonic() < deadline:
            known.take(receiving, log)
        assert writer.pid is not None
        os.kill(writer.pid, 9)
        writer.join()
        with suppress(EOFError):
            known.take(receiving, log)
    writer.close()


def check(path: Path, known: Known) -> None:
    """Open what the killed writer left and hold it to everything that was seen."""
    with closing(Store(path, generation_rows=GENERATION_ROWS)) as store, closing(store.log_reader()) as log:
        records = log.records(0, ALL, count_max=1 << 30, bytes_max=ALL)
        assert [r.position for r in records] == list(range(1, log.head() + 1))  # E2
        for position, digest in known.acknowledged.items():
            assert records[position - 1].digest == digest  # L5
        for position, record in known.shown.items():
            assert records[position - 1] == record  # P4, E5
        digest = NO_DIGEST
        for record in records:
            digest = log_digest(digest, record.type, record.height, block_of(record.body).header.id)
            assert record.digest == digest
        assert store.writer.tip().digest == digest
        assert store.writer.tip().position == len(records)
        with closing(open_reader(store.directory.ledger)) as connection:
            check_tables(connection)


def check_tables(connection: sqlite3.Connection) -> None:
    """Blocks, transactions, outputs, spends and indexes tell the same story (E1)."""

    def value(sql: str) -> object:
        return connection.execute(sql).fetchall()[0][0]

    assert value("PRAGMA integrity_check") == "ok"
    assert value("SELECT coalesce(sum(transaction_count), 0) FROM events WHERE reason IS NULL") == value(
        "SELECT count(*) FROM transactions"
    )
    assert value("SELECT transaction_count FROM tip") == value("SELECT max(seq) FROM transactions")
    assert value("SELECT output_count FROM tip") == value("SELECT count(*) FROM outputs")
    assert value("SELECT count(*) FROM votes") == value("SELECT count(*) FROM events")
    assert value("SELECT count(*) FROM outputs WHERE output >> 20 NOT IN (SELECT seq FROM transactions)") == 0
    transfers = value("SELECT count(*) FROM transactions WHERE asset IS NOT NULL")
    assert value("SELECT count(*) FROM outputs WHERE spent_by IS NOT NULL") == transfers
    moved = value("SELECT count(*) FROM transaction_index JOIN transactions USING (seq)")
    assert moved == value("SELECT count(*) FROM transaction_index")
    low = value("SELECT count(*) FROM transactions, indexing WHERE seq <= done_seq")
    high = value("SELECT count(*) FROM transactions, indexing WHERE seq <= sealed_seq")
    assert isinstance(low, int)
    assert isinstance(high, int)
    assert isinstance(moved, int)
    assert low <= moved <= high


@pytest.mark.timeout(60 + scale.STORE_KILLS)
def test_p1_p4_nothing_acknowledged_or_shown_is_lost_by_kills_at_any_moment(tmp_path: Path) -> None:
    """P1, P4, L5, E1, E2, E5 for the store alone."""
    draw = random.Random(scale.seed())
    known = Known()
    path = tmp_path / "data"
    for kill in range(scale.STORE_KILLS):
        killed_at(draw.random() ** 2 * 0.1, path, draw.getrandbits(32), known)
        if kill % 5 == 0 or kill == scale.STORE_KILLS - 1:
            check(path, known)
    assert len(known.acknowledged) > scale.STORE_KILLS
    assert len(known.shown) > scale.STORE_KILLS
