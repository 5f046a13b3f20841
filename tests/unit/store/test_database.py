import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.errors import StoreDamaged, StoreError, StoreFull
from bigchaindb.store.database import (
    BACKUP_PAGES,
    READER_COUNT_MAX,
    Readers,
    backup,
    batch,
    open_reader,
    open_writer,
    snapshot,
    translated,
)

ENDLESS: Final = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some name?.db"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(path)) as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY, filling BLOB)")
        yield connection


def setting(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchall()[0][0]


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM numbers ORDER BY n").fetchall()]


def test_the_writer_syncs_each_commit_and_checkpoints_only_when_told(writer: sqlite3.Connection) -> None:
    """P1 stands on the first two."""
    assert setting(writer, "journal_mode") == "wal"
    assert setting(writer, "synchronous") == 2
    assert setting(writer, "wal_autocheckpoint") == 0
    assert setting(writer, "busy_timeout") == 0
    assert setting(writer, "mmap_size") == 0


def test_a_reader_can_neither_write_nor_checkpoint(writer: sqlite3.Connection, path: Path) -> None:
    """Commit and checkpoint from two connections can corrupt the file in SQLite 3.7.0 to 3.51.2."""
    writer.execute("INSERT INTO numbers (n) VALUES (1)")
    with closing(open_reader(path)) as reader:
        assert setting(reader, "busy_timeout") == 2000
        assert setting(reader, "mmap_size") == 0
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("INSERT INTO numbers (n) VALUES (2)")
        with pytest.raises(sqlite3.OperationalError):
            reader.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert path.with_name(path.name + "-wal").stat().st_size > 0


def test_a_batch_is_all_or_absent(writer: sqlite3.Connection) -> None:
    with batch(writer):
        writer.execute("INSERT INTO numbers (n) VALUES (1)")
    with pytest.raises(sqlite3.IntegrityError), batch(writer):
        writer.execute("INSERT INTO numbers (n) VALUES (2), (1)")
    assert numbers(writer) == [1]


def test_a_full_disk_writes_nothing_and_goes_on_when_there_is_room(writer: sqlite3.Connection) -> None:
    writer.execute("INSERT INTO numbers (n) VALUES (1)")
    writer.execute("PRAGMA max_page_count = 4").fetchall()
    with pytest.raises(StoreFull, match=r"^x\.db: no room on the disk"), translated("x.db"), batch(writer):
        writer.execute("INSERT INTO numbers VALUES (2, zeroblob(100000))")
    assert numbers(writer) == [1]

    writer.execute("PRAGMA max_page_count = 1000").fetchall()
    with batch(writer):
        writer.execute("INSERT INTO numbers VALUES (2, zeroblob(100000))")
    assert numbers(writer) == [1, 2]


def test_a_file_that_is_no_database_is_corrupt(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreDamaged, match="restore a backup"):
        open_writer(path)


def test_errors_that_are_neither_stop_the_node(writer: sqlite3.Connection) -> None:
    with pytest.raises(StoreError, match=r"^x\.db: no such table: absent") as error, translated("x.db"), batch(writer):
        writer.execute("INSERT INTO absent VALUES (1)")
    assert type(error.value) is StoreError


def test_a_file_that_is_not_there_cannot_be_read(path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open"):
        open_reader(path)
    assert not path.exists()


def test_a_snapshot_sees_one_state(writer: sqlite3.Connection, path: Path) -> None:
    with closing(open_reader(path)) as reader:
        with snapshot(reader):
            assert numbers(reader) == []
            writer.execute("INSERT INTO numbers (n) VALUES (1)")
            assert numbers(reader) == []
        assert numbers(reader) == [1]
        with pytest.raises(ZeroDivisionError), snapshot(reader):
            raise ZeroDivisionError
        assert not reader.in_transaction


def test_a_snapshot_that_the_database_ended_is_over(writer: sqlite3.Connection) -> None:
    with snapshot(writer):
        writer.execute("ROLLBACK")
    assert not writer.in_transaction


def test_readers_lend_the_connection_that_came_back_last(writer: sqlite3.Connection, path: Path) -> None:
    with closing(Readers(path)) as readers:
        with readers.connection() as one, readers.connection() as other:
            assert one is not other
        with readers.connection() as again:
            assert again is one
            assert numbers(again) == numbers(writer)


def test_readers_keep_a_bounded_number_and_none_after_closing(writer: sqlite3.Connection, path: Path) -> None:
    assert numbers(writer) == []
    readers = Readers(path)
    lent = [readers.connection() for _ in range(READER_COUNT_MAX + 1)]
    connections = [one.__enter__() for one in lent]
    for one in lent:
        one.__exit__(None, None, None)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        numbers(connections[-1])

    with readers.connection() as late:
        readers.close()
        assert numbers(late) == []
    for connection in connections:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            numbers(connection)


def test_reads_can_be_ended_from_another_thread(writer: sqlite3.Connection, path: Path) -> None:
    assert numbers(writer) == []
    with closing(Readers(path)) as readers, ThreadPoolExecutor(1) as thread:

        def read() -> None:
            with readers.connection() as connection:
                connection.execute(ENDLESS).fetchall()

        reading = thread.submit(read)
        while not reading.done():
            readers.interrupt()  # more than once: it may come before the statement begins
        with pytest.raises(StoreError, match="interrupted"):
            reading.result()
        assert not readers.interrupt()  # nobody reads any more
        with pytest.raises(StoreError, match="no more reads"), readers.connection():
            pass


def test_a_read_that_begins_beside_an_interrupt_is_refused(
    writer: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one search that nobody ends would hold the node at its stop."""
    assert numbers(writer) == []
    with closing(Readers(path)) as readers:

        def overtaken(path: Path) -> sqlite3.Connection:
            assert not readers.interrupt()  # sees nobody who reads
            return open_reader(path)

        monkeypatch.setattr("bigchaindb.store.database.open_reader", overtaken)
        with pytest.raises(StoreError, match="no more reads"), readers.connection():
            pass


def test_an_error_of_a_lent_connection_is_one_of_ours(writer: sqlite3.Connection, path: Path) -> None:
    assert numbers(writer) == []
    with (
        closing(Readers(path)) as readers,
        pytest.raises(StoreError, match="no such table"),
        readers.connection() as connection,
    ):
        connection.execute("SELECT * FROM absent")


def test_a_backup_is_a_whole_copy_of_a_database_in_use(writer: sqlite3.Connection, path: Path, tmp_path: Path) -> None:
    """It shows one moment, however long it takes, and ends although others write on."""
    writer.execute("INSERT INTO numbers (n) VALUES (1)")
    seen = []

    def write_on(copied: int, total: int) -> None:
        seen.append((copied, total))
        writer.execute("INSERT INTO numbers DEFAULT VALUES")

    with closing(open_reader(path)) as reader, snapshot(reader):
        assert numbers(reader) == [1]
        backup(reader, tmp_path / "copy.db", write_on)
    ((copied, total),) = seen
    assert copied == total > 0
    with closing(open_reader(tmp_path / "copy.db")) as copy:
        assert numbers(copy) == [1]


def test_a_backup_of_many_pages_tells_how_far_it_is(writer: sqlite3.Connection, path: Path, tmp_path: Path) -> None:
    writer.execute("CREATE TABLE large (body BLOB)")
    writer.execute("INSERT INTO large VALUES (zeroblob(?))", (2 * BACKUP_PAGES * 4096,))
    seen = []

    def write_on(copied: int, total: int) -> None:
        seen.append((copied, total))
        writer.execute("INSERT INTO numbers DEFAULT VALUES")

    with closing(open_reader(path)) as reader, snapshot(reader):
        assert numbers(reader) == []
        backup(reader, tmp_path / "copy.db", write_on)
    assert [copied for copied, _ in seen] == [BACKUP_PAGES, 2 * BACKUP_PAGES, seen[-1][1]]
