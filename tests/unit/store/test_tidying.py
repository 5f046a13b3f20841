from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.errors import StoreDamaged
from bigchaindb.store import Store
from bigchaindb.store.checking import check_directory
from bigchaindb.store.database import open_writer
from bigchaindb.store.tidying import CHECKPOINT_FRAMES, MERGE_COMMITS, SEARCH_TABLES, SEGMENTS_MAX
from tests.support.damage import write
from tests.support.decisions import Chain, made
from tests.support.ledgers import wal_bytes
from tests.support.lists import whole


def committed(store: Store, decisions: Chain, count: int, *, tidy: bool = True) -> None:
    for _ in range(count):
        serial = decisions.tip.height
        transaction = made(serial, data={"text": f"some words {serial} of asset"}, metadata={"note": f"note {serial}"})
        store.writer.commit(decisions.valid(transaction))
        if tidy:
            store.writer.tidy()


def test_the_log_is_moved_home_so_that_its_file_stays_small(store: Store, data: Path) -> None:
    """Else it grows with every block, and every reader with it."""
    decisions = Chain()
    committed(store, decisions, 400)
    settled = wal_bytes(data)
    committed(store, decisions, 400)
    assert wal_bytes(data) <= settled + 256 * 1024


def test_segments_are_merged_so_that_searches_stay_fast(store: Store) -> None:
    committed(store, Chain(), 300)
    for table in SEARCH_TABLES:
        assert 1 <= store.writer._tidying.segment_count(table) <= 40
    assert len(whole(store.queries(), store.queries().search("assets", "words", 0))) == 300


def test_merges_come_one_by_one_so_that_a_block_waits_for_one(store: Store) -> None:
    """All at once, those of some large documents keep the writer for 100 ms."""
    decisions = Chain()
    for serial in range(3 * MERGE_COMMITS):
        words = " ".join(f"w{serial}x{number}" for number in range(8_000))
        store.writer.commit(decisions.valid(made(serial, data={"text": words})))
    piece_count = 1
    while store.writer.tidy():
        piece_count += 1
    assert piece_count > 4
    assert store.writer._tidying.segment_count("assets_search") <= SEGMENTS_MAX + 1


def test_large_bodies_count_as_the_frames_that_they_fill(store: Store, data: Path) -> None:
    """Else the log grows to 100 MB between two moves, and one move keeps the writer for 80 ms."""
    decisions = Chain()
    for serial in range(24):
        store.writer.commit(decisions.valid(made(serial, data={"text": 500_000 * "x"})))
        while store.writer.tidy():
            pass
    assert wal_bytes(data) < 2 * CHECKPOINT_FRAMES * 4096


@pytest.mark.parametrize("record", ["NULL", "x'00'", "7"])
def test_a_damaged_record_of_segments_is_damage(store: Store, record: str) -> None:
    """FTS5 notices it at its next look; a merge reads it without FTS5."""
    write(store)
    with closing(open_writer(store.directory.ledger)) as connection:
        statement = "DELETE FROM assets_search_data WHERE id = 10"
        if record != "NULL":
            statement = f"UPDATE assets_search_data SET block = {record} WHERE id = 10"
        connection.execute(statement)
    with pytest.raises(StoreDamaged, match="assets_search_data 10 does not list its segments"):
        store.writer._tidying.segment_count("assets_search")
    found = check_directory(store.directory, lambda _done, _all: None).damages
    assert found
    assert {one.table for one in found} <= {"assets_search", "assets_search_idx", "assets_search_data"}


def test_without_tidying_nothing_is_merged_within_a_commit(store: Store) -> None:
    """A merge within a commit delays its clients: 53 ms at worst."""
    committed(store, Chain(), 50, tidy=False)
    assert [store.writer._tidying.segment_count(table) for table in SEARCH_TABLES] == [50, 50]


@pytest.mark.parametrize("wal_bytes_max", [1024, 1 << 30])
def test_a_log_that_readers_kept_long_is_cut_when_they_are_gone(tmp_path: Path, wal_bytes_max: int) -> None:
    data = tmp_path / "data"
    with closing(Store(data, wal_bytes_max=wal_bytes_max)) as store:
        decisions = Chain()
        with store._readers.connection() as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM tip").fetchall()
            committed(store, decisions, 200)
            reader.execute("COMMIT")
        kept = wal_bytes(data)
        committed(store, decisions, 200)
        assert (wal_bytes(data) < kept) == (wal_bytes_max == 1024)


def test_a_table_with_much_to_merge_keeps_none_from_the_other(store: Store) -> None:
    """Else the other's segments pile up until a commit merges them all, and its clients wait for that."""
    decisions = Chain()
    for serial in range(3 * MERGE_COMMITS):
        words = " ".join(f"w{serial}x{number}" for number in range(8_000))
        store.writer.commit(decisions.valid(made(serial, data={"text": words}, metadata={"note": f"note {serial}"})))
    for _ in range(4):  # the log's frames, then two pieces for each table
        assert store.writer.tidy()
    assert store.writer._tidying.segment_count("assets_search") > SEGMENTS_MAX
    assert store.writer._tidying.segment_count("metadata_search") <= SEGMENTS_MAX
