import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.errors import DirectoryInUse, SchemaTooNew, StartupError, StoreDamaged, StoreError
from bigchaindb.store import Store
from bigchaindb.store.beside import known_chain
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.migrations import CHECKSUM_VERSION
from tests.support.damage import make_older
from tests.support.decisions import Chain, made


def test_a_second_owner_is_refused_until_the_first_is_gone(store: Store, data: Path) -> None:
    with pytest.raises(DirectoryInUse, match=str(os.getpid())):
        Store(data)
    store.close()
    Store(data).close()


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(StartupError, match="chmod 700"):
        Store(tmp_path)


@pytest.mark.parametrize("table", ["events", "transactions"])
def test_p7_no_event_is_ever_removed(store: Store, data: Path, table: str) -> None:
    """Nor what it consists of; not by this program, and not by another that opens the file."""
    store.writer.commit(Chain(store.writer.tip()).valid(made(1)))
    with closing(sqlite3.connect(data / "ledger.db")) as other:
        with pytest.raises(sqlite3.IntegrityError, match="the log lives as long as the ledger"):
            other.execute(f"DELETE FROM {table}")
        assert other.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


def test_each_start_is_counted(data: Path) -> None:
    """The count is the commit that makes recovered frames durable (P4)."""
    for run in (1, 2, 3):
        with closing(Store(data)) as store:
            assert store.run == run


def test_the_ledger_knows_its_node_db(data: Path) -> None:
    """With another one the plugins' cursors are lost, and nobody may go on as if they were not (P8)."""
    for _ in range(2):
        with closing(Store(data)) as store:
            assert store.knows_node
            store.writer.commit(Chain(store.writer.tip()).valid(made(store.run)))
    for name in ("node.db", "node.db-wal", "node.db-shm"):
        (data / name).unlink(missing_ok=True)

    for _ in range(2):
        with closing(Store(data)) as store:
            assert not store.knows_node
    with closing(Store(data)) as store:
        store.adopt_node()
        assert store.knows_node
    with closing(Store(data)) as store:
        assert store.knows_node
        assert store.writer.tip().height == 2


def test_what_cannot_be_opened_leaves_nothing_locked(data: Path) -> None:
    Store(data).close()
    with closing(sqlite3.connect(data / "ledger.db")) as later:
        later.execute("PRAGMA user_version = 99")
    for _ in range(2):
        with pytest.raises(SchemaTooNew, match=r"ledger\.db: schema 99"):
            Store(data)


def test_a_damaged_ledger_is_refused(data: Path) -> None:
    Store(data).close()
    (data / "ledger.db").write_bytes(b"\0" * 8192)
    with pytest.raises(StoreDamaged):
        Store(data)


def test_closing_twice_does_no_harm(data: Path) -> None:
    store = Store(data)
    store.close()
    store.close()


def test_e2_what_is_left_of_a_ledger_is_not_begun_anew(data: Path) -> None:
    """Its events would have the ids of those that consumers have seen."""
    Store(data).close()
    (data / "ledger.db").unlink()
    with pytest.raises(StartupError, match=r"ledger\.db` is missing, and `node\.db` beside it shows"):
        Store(data)
    assert not (data / "ledger.db").exists()


def test_a_first_start_that_is_cut_short_proves_no_ledger(data: Path) -> None:
    """node.db comes after ledger.db: a crash between them must not look like a ledger that was lost."""
    (data / "node.db").mkdir(parents=True)
    data.chmod(0o700)
    with pytest.raises(StoreError):
        Store(data)
    (data / "node.db").rmdir()
    with closing(Store(data)) as store:
        assert store.knows_node


def test_e5_a_ledger_keeps_its_chain_id(data: Path) -> None:
    """The chain id begins the id of every event."""
    with closing(Store(data)) as store:
        assert known_chain(store.directory) is None
        store.adopt_chain("one")
    with closing(Store(data)) as store:
        store.adopt_chain("one")
        with pytest.raises(StartupError, match=r"is of chain one, and .*chain_id` says another"):
            store.adopt_chain("another")
        assert known_chain(store.directory) == "one"


def test_a_damaged_chain_id_is_none_in_a_folder_of_the_version_before(data: Path) -> None:
    """Its row has a checksum: else a person is told to write the wrong id beside it."""
    with closing(Store(data)) as store:
        store.adopt_chain("one")
    make_older(DataDirectory(data), CHECKSUM_VERSION)
    with closing(sqlite3.connect(data / "ledger.db")) as connection, connection:
        connection.execute("UPDATE local SET chain_id = 'onf'")
    with pytest.raises(StoreDamaged):
        known_chain(DataDirectory(data))


def test_a_ledger_made_again_lets_lanes_go_on_only_with_their_node_db(data: Path) -> None:
    """P8: with a new node.db nobody knows where the plugins were; `now` would skip all that is in the log."""
    Store(data).close()
    for lost, knows in ((["ledger.db"], True), (["ledger.db", "node.db"], False)):
        for name in lost:
            (data / name).unlink()
        with closing(Store(data, replays=True)) as store:
            assert store.knows_node is knows
