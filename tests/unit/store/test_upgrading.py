"""Rows of an older version get their checksums, step by step, and what was damaged before is never served."""

from contextlib import closing
from pathlib import Path
from shutil import copytree
from threading import RLock
from typing import Final

import pytest

from bigchaindb.errors import SchemaTooNew, StoreDamaged, StoreError
from bigchaindb.store import Store
from bigchaindb.store.checking import check_directory
from bigchaindb.store.checksums import NO_CHECKSUM, damaged
from bigchaindb.store.database import open_reader, open_writer
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.migrations import LEDGER_VERSION, NODE_VERSION, SUMMARY_VERSION, schema_of
from tests.support.chains import create
from tests.support.damage import DAMAGED, FEW_ROWS, GENERATION_ROWS, Whole, answers, make_older, write_older
from tests.support.decisions import Chain
from tests.support.flips import Column, flip

PAGE_BYTES: Final = 4096


class Holds:
    """The writer's lock, which counts how often it was taken."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = RLock()

    def __enter__(self) -> None:
        self._lock.acquire()
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_what_tidies_up_behind_a_step_holds_the_writer_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit would wait for both else, and moving the log's frames takes as long as a step."""
    directory = DataDirectory(tmp_path / "data")
    write_older(directory, 3)
    with closing(Store(directory.path)) as store:
        holds, tidied = Holds(), list[int]()
        monkeypatch.setattr(store.writer, "_writing", holds)
        monkeypatch.setattr(store.writer._tidying, "tidy", lambda: tidied.append(holds.count))
        store.writer.upgrade()
        assert (tidied, holds.count) == ([2], 2)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_older_ledger_goes_on_and_gets_its_checksums(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that is upgraded serves all that it had, before, during and after the step."""
    monkeypatch.setattr("bigchaindb.store.upgrading.STEP_COUNT_MAX", 3)
    directory = DataDirectory(tmp_path / "data")
    written = write_older(directory, version)
    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        before = answers(store, written)
        assert DAMAGED not in before.values()
        left = [store.writer.upgrade_count, store.writer.upgrade()]
        assert left == [written.position, written.position - 3]
        assert check_directory(directory, lambda *_: None).unchecked_count == left[-1]
        assert answers(store, written) == before
    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        assert store.writer.upgrade_count == left[-1], "a restart goes on where it was"
        store.writer.commit(Chain(store.writer.tip()).valid(create(1_000)))
        while store.writer.upgrade():
            pass
        checked = check_directory(directory, lambda *_: None)
        assert (checked.damages, checked.unchecked_count) == ((), 0)
        assert store.damages.first is None
        again = answers(store, written)
        kept = ("transaction ", "blocks of", "block ", "decision at", "entry", "event", "announcements")
        assert all(again[name] == before[name] for name in before if name.startswith(kept))
    with closing(Store(directory.path)) as store:
        assert store.writer.upgrade_count == 0


@pytest.mark.parametrize("is_later", [True, False], ids=["later", "damaged"])
def test_a_ledger_gets_no_step_beside_a_node_db_that_cannot_be_opened(tmp_path: Path, *, is_later: bool) -> None:
    """Else the start is refused, and the version before cannot open the ledger any more either."""
    directory = DataDirectory(tmp_path / "data")
    Store(directory.path).close()
    make_older(directory, SUMMARY_VERSION - 1)
    if is_later:
        with closing(open_writer(directory.node)) as connection:
            connection.execute(f"PRAGMA user_version = {NODE_VERSION + 1}")
    else:
        directory.node.write_bytes(bytes(100) + directory.node.read_bytes()[100:])
    with pytest.raises(SchemaTooNew if is_later else StoreError, match=r"^node\.db: "):
        Store(directory.path)
    assert schema_of(directory.ledger) == SUMMARY_VERSION - 1
    directory.node.unlink()
    Store(directory.path).close()
    assert schema_of(directory.ledger) == LEDGER_VERSION


def test_a_ledger_without_checksums_of_envelopes_is_summed_up_as_well(whole: Whole, tmp_path: Path) -> None:
    """There it takes the whole body, of which there is one; what is committed from now on has its own."""
    directory = DataDirectory(tmp_path / "data")
    copytree(whole.path, directory.path)
    make_older(directory, SUMMARY_VERSION - 1)
    checked = check_directory(directory, lambda *_: None)
    assert (checked.damages, checked.unchecked_count) == ((), 0)
    with closing(Store(directory.path, generation_rows=FEW_ROWS)) as store:
        assert store.writer.upgrade_count == 0
        assert answers(store, whole.written) == whole.answers
        store.writer.commit(Chain(store.writer.tip()).valid(create(1_000)))
    with closing(open_writer(directory.ledger)) as connection:
        [(filled,)] = connection.execute("SELECT count(envelope_checksum) FROM event_checksums").fetchall()
    assert filled == 1
    assert check_directory(directory, lambda *_: None).damages == ()


@pytest.mark.parametrize(
    "column",
    [
        Column("transactions", "body"),
        Column("transactions", "asset"),
        Column("outputs", "amount"),
        Column("outputs", "spent_by"),
        Column("events", "head"),
        Column("events", "digest"),
    ],
    ids=".".join,
)
def test_what_was_damaged_before_is_found_and_refused(column: Column, tmp_path: Path) -> None:
    """A checksum that is made of damage would make it good for ever."""
    directory = DataDirectory(tmp_path / "data")
    written = write_older(directory, 3)
    flip(directory.ledger, column, at=0.0)
    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        while store.writer.upgrade():
            pass
        assert store.damages.first is not None
        assert DAMAGED in answers(store, written).values()
    assert check_directory(directory, lambda *_: None).damages


@pytest.mark.parametrize(
    ("table", "name", "refused"),
    [("transactions", "body", [(1,)]), ("transactions", "id", []), ("events", "digest", [(1,)])],
)
def test_damage_ends_neither_the_step_nor_what_is_whole(
    table: str, name: str, refused: list[tuple[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start goes on behind a damaged row; what is whole there is served, and nothing of it unproven."""
    monkeypatch.setattr("bigchaindb.store.upgrading.STEP_COUNT_MAX", 1)
    directory = DataDirectory(tmp_path / "data")
    written = write_older(directory, 3)
    flip(directory.ledger, Column(table, name), at=0.0)
    statement = f"SELECT position FROM event_checksums WHERE row_checksum = {NO_CHECKSUM}"
    left = written.position
    while left:
        with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
            left = store.writer.upgrade()
    with closing(open_reader(directory.ledger)) as reader:
        assert reader.execute(statement).fetchall() == refused, "those behind it are whole"
    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        assert store.damages.first is not None
        assert answers(store, written)[f"event {written.position}"] is not DAMAGED


def test_a_vote_on_another_block_is_never_served(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    written = write_older(directory, 3)
    with closing(open_writer(directory.ledger)) as connection:
        ((vote, block),) = connection.execute(
            "SELECT v.body, hex(e.block_id) FROM votes AS v JOIN events AS e USING (position) WHERE position = 1"
        ).fetchall()
        changed = vote.replace(block.lower().encode(), b"0" * len(block))
        assert changed != vote
        connection.execute("UPDATE votes SET body = ? WHERE position = 1", (changed,))
    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        while store.writer.upgrade():
            pass
        assert answers(store, written)["decision at 1"] is DAMAGED


def test_a_page_that_cannot_be_read_ends_neither_the_step_nor_a_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first rows are in the index tables, so that a start does not read them into memory.
    monkeypatch.setattr("tests.support.damage.GENERATION_ROWS", 2)
    directory = DataDirectory(tmp_path / "data")
    written = write_older(directory, 3)
    content = bytearray(directory.ledger.read_bytes())
    page = content.index(written.transactions[0].body) // PAGE_BYTES * PAGE_BYTES
    content[page] = 0  # what kind of page it is
    directory.ledger.write_bytes(content)
    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        while store.writer.upgrade():
            pass
        assert store.damages.first is not None
        found = answers(store, written)
    rows = {(one.table, one.row) for one in check_directory(directory, lambda *_: None).damages}
    assert {("events", "1"), ("events", "3")} <= rows
    assert ("events", str(written.position)) not in rows
    assert found["event 1"] is DAMAGED
    assert found[f"event {written.position}"] is not DAMAGED


def test_a_step_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A validator must not vote on because the damage was met by a write."""
    directory = DataDirectory(tmp_path / "data")
    write_older(directory, 3)

    def fail(*_: object) -> None:
        raise damaged("outputs", 1)

    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        monkeypatch.setattr("bigchaindb.store.upgrading.seal_one", fail)
        with pytest.raises(StoreDamaged):
            store.writer.upgrade()
        assert store.damages.first is not None


def test_a_step_that_is_cut_short_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = DataDirectory(tmp_path / "data")
    written = write_older(directory, 3)
    with closing(Store(directory.path, generation_rows=GENERATION_ROWS)) as store:
        with monkeypatch.context() as patch:
            patch.setattr("bigchaindb.store.upgrading.seal_one", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                store.writer.upgrade()
        assert store.writer.upgrade_count == written.position
        assert store.writer.upgrade() == 0
        assert check_directory(directory, lambda *_: None).damages == ()
