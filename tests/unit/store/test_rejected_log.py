"""The log of rejected transactions, over the real file: bounded, in order, and loud where rows are gone or damaged."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigchaindb.errors import HistoryLost, StoreDamaged, StoreFull
from bigchaindb.eventlog.selection import Selection
from bigchaindb.ledger.effects import NO_DIGEST
from bigchaindb.ledger.ports import Record, RejectedRow
from bigchaindb.reader.newest import Places, read_newest_rejected
from bigchaindb.store import rejected as rejected_module
from bigchaindb.store.backup import back_up_node
from bigchaindb.store.damages import Damages
from bigchaindb.store.database import Readers, open_writer
from bigchaindb.store.node_db import NodeDb
from bigchaindb.store.rejected import ROW_BYTES, RejectedLog, RejectedWriter
from bigchaindb.transaction import build
from tests.support import scale
from tests.support.chains import ALICE, create

BIG = 1 << 30


@dataclass
class Opened:
    node: NodeDb
    log: RejectedLog
    path: Path

    def add(self, *rows: RejectedRow, count_max: int = 100, bytes_max: int = BIG) -> int:
        return RejectedWriter(self.node, count_max=count_max, bytes_max=bytes_max).add(rows)

    def positions(self) -> list[int]:
        return [one.position for one in self.read(-1)]

    def read(self, after: int, selection: Selection | None = None, *, count_max: int = 100) -> list[Record]:
        return self.log.selected(after, self.log.head(), selection, count_max=count_max, bytes_max=1 << 20)[0]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    path = tmp_path / "node.db"
    with closing(NodeDb(path)) as node, closing(Readers(path, Damages())) as readers:
        yield Opened(node, RejectedLog(readers), path)


def row(number: int, body: bytes = b"{}") -> RejectedRow:
    return RejectedRow(f"{number:064x}", "aa" * 32, "DoubleSpend", f"input {number} was already spent", body)


def test_an_empty_log_has_a_beginning(opened: Opened) -> None:
    log = opened.log
    assert (log.first(), log.head(), opened.positions()) == (1, 0, [])
    entry = log.entry(0)
    assert entry is not None
    assert entry.digest == NO_DIGEST
    assert log.entry(1) is None
    assert log.of("ab" * 32) is None
    assert log.selected(-1, 0, None, count_max=1, bytes_max=1) == ([], 0)


def test_p21_what_is_added_is_read_again_in_order(opened: Opened) -> None:
    assert opened.add(row(1), row(2)) == 2
    assert opened.add(row(3)) == 3
    found = opened.read(0)
    assert [one.position for one in found] == [1, 2, 3]
    data = json.loads(found[1].body)
    assert data == {"error": "DoubleSpend", "message": "input 2 was already spent", "transaction": {}}
    assert opened.read(1) == found[1:]
    assert opened.log.records(0, 2, count_max=1, bytes_max=1) == found[:1]
    assert opened.log.of(row(2).id) == row(2)


def test_the_last_rejection_of_a_transaction_counts(opened: Opened) -> None:
    again = row(1)._replace(error="InputDoesNotExist")
    opened.add(row(1), again)
    assert opened.log.of(row(1).id) == again


def test_beyond_the_count_the_oldest_go(opened: Opened) -> None:
    for number in range(5):
        opened.add(row(number), count_max=3)
    assert opened.positions() == [3, 4, 5]
    assert opened.log.of(row(0).id) is None


@pytest.mark.parametrize("batch", [1, 4])
def test_beyond_the_bytes_the_oldest_go_and_one_always_stays(opened: Opened, batch: int) -> None:
    size = len(row(0).message) + ROW_BYTES + 1_000
    rows = [row(number, bytes(1_000)) for number in range(8)]
    for number in range(0, 8, batch):
        opened.add(*rows[number : number + batch], bytes_max=3 * size)
    assert opened.positions() == [6, 7, 8]
    opened.add(row(9, bytes(10_000)), bytes_max=3 * size)
    assert opened.positions() == [9]
    opened.add(row(8, bytes(1_000)), bytes_max=3 * size)
    assert opened.positions() == [10]
    opened.add(row(8, bytes(1_000)), bytes_max=3 * size)
    assert opened.positions() == [10, 11]


@settings(max_examples=scale.of(suite=40, long=1_000), deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3_000), min_size=1, max_size=6), min_size=1, max_size=8),
    st.integers(1, 8),
    st.integers(1, 9_000),
)
def test_the_newest_rows_that_fit_both_bounds_are_kept(
    batches: list[list[int]], count_max: int, bytes_max: int
) -> None:
    """Against brute force; the newest row stays in any case."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "node.db"
        with closing(NodeDb(path)) as node, closing(Readers(path)) as readers:
            opened, made = Opened(node, RejectedLog(readers), path), list[int]()
            writer = RejectedWriter(node, count_max=count_max, bytes_max=bytes_max)
            for batch in batches:
                writer.add([row(len(made) + number, bytes(size)) for number, size in enumerate(batch)])
                made += [len(row(len(made) + number).message) + ROW_BYTES + size for number, size in enumerate(batch)]
                kept, room = [len(made)], bytes_max - made[-1]
                while len(kept) < min(count_max, len(made)) and room >= made[kept[0] - 2]:
                    room -= made[kept[0] - 2]
                    kept.insert(0, kept[0] - 1)
                assert opened.positions() == kept


def test_a_batch_that_was_not_committed_leaves_the_bounds_as_they_were(opened: Opened) -> None:
    size = len(row(0).message) + ROW_BYTES + 1_000
    writer = RejectedWriter(opened.node, count_max=100, bytes_max=3 * size)
    writer.add([row(0, bytes(1_000))])
    with suppress(StoreFull), opened.node.batch() as connection:
        writer.insert(connection, [row(1, bytes(100_000)), row(2, bytes(100_000))])
        raise StoreFull("no room")
    assert writer.add([row(1, bytes(1_000)), row(2, bytes(1_000))]) == 3
    assert opened.positions() == [1, 2, 3]
    assert opened.log.size() == (3, 3 * size)
    assert writer.add([row(3, bytes(1_000))]) == 4
    assert opened.positions() == [2, 3, 4]


def test_a_bound_that_was_lowered_holds_from_the_next_row_on(opened: Opened) -> None:
    opened.add(*map(row, range(10)))
    opened.add(row(10), count_max=2)
    assert opened.positions() == [10, 11]


def test_p8_a_place_before_the_first_row_is_lost_and_the_place_at_it_is_the_beginning(opened: Opened) -> None:
    opened.add(*map(row, range(5)))
    digests = [entry.digest for position in range(6) if (entry := opened.log.entry(position)) is not None]
    assert len(set(digests)) == 6
    opened.add(row(5), count_max=3)
    log = opened.log
    assert log.first() == 4
    assert log.entry(2) is None
    third = log.entry(3)
    assert third is not None
    assert third.digest == NO_DIGEST  # not what it was: it cannot be compared any more
    with pytest.raises(HistoryLost):
        opened.read(2)
    assert [one.position for one in opened.read(3)] == [4, 5, 6]


def test_rows_that_go_while_a_piece_is_read_are_no_damage(opened: Opened) -> None:
    """Told to restore a backup, an operator would lose what is whole."""
    opened.add(*map(row, range(1, 21)))
    with opened.log._readers.connection() as connection:
        # Before each statement of the reads another row comes, and the oldest goes.
        connection.set_trace_callback(lambda _: opened.add(row(0), count_max=20))
    found = [one.position for one in opened.log.selected(-1, 20, None, count_max=100, bytes_max=1 << 20)[0]]
    assert found == [*range(found[0], 21)]
    assert found[0] > 1
    opened.add(*map(row, range(20)), count_max=20)
    assert opened.log.selected(-1, 20, None, count_max=100, bytes_max=1 << 20) == ([], 0)


def test_a_row_that_is_missing_in_the_middle_is_damage(opened: Opened) -> None:
    """A gap that nobody made must not look as if nothing had been there."""
    opened.add(*map(row, range(4)))
    with closing(open_writer(opened.path)) as connection:
        connection.execute("DELETE FROM rejected_transactions WHERE seq = 3")
    with pytest.raises(StoreDamaged, match=r"node\.db: rejected_transactions 3 is missing"):
        opened.read(2)
    with pytest.raises(StoreDamaged, match="rejected_transactions 3 is missing"):
        opened.read(1)
    with pytest.raises(StoreDamaged, match="rejected_transactions 5 is missing"):  # the log was known to be longer
        opened.log.records(4, 5, count_max=1, bytes_max=1)


def test_what_stands_before_a_damaged_row_is_served(opened: Opened) -> None:
    opened.add(*map(row, range(3)))
    with closing(open_writer(opened.path)) as connection:
        connection.execute("UPDATE rejected_transactions SET message = 'x' WHERE seq = 3")
    assert opened.positions() == [1, 2]
    with pytest.raises(StoreDamaged, match=r"node\.db: rejected_transactions 3 is not what was written"):
        opened.read(2)
    with pytest.raises(StoreDamaged):
        opened.log.of(row(2).id)


def test_newest_first_it_is_the_same_log_whatever_the_bounds(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    opened.add(*map(row, range(7)), count_max=5)
    for name, bound in (("LOOK_COUNT_MAX", 256), ("LOOK_COUNT_MAX", 2), ("LOOK_BYTES_MAX", 1)):
        monkeypatch.setattr(rejected_module, name, bound)
        for after in (0, 2, 4, 6, 7):
            for count_max in (1, 2, 100):
                found, place = list[int](), 7
                while place > max(after, 2):
                    records, place = opened.log.newest(place, after, None, count_max=count_max, bytes_max=1 << 20)
                    found += [one.position for one in records]
                assert found == [*range(7, max(after, 2), -1)]
    assert opened.log.newest(2, 0, None, count_max=9, bytes_max=9) == ([], 2)


@pytest.mark.parametrize("pushed", [1, 2, 3])
def test_newest_first_rows_that_go_while_a_page_is_made_are_its_end(opened: Opened, pushed: int) -> None:
    """What was read is answered: of a full log rows go whenever others come."""

    def rows(first: int, count: int) -> list[RejectedRow]:
        made = [create(number) for number in range(first, first + count)]
        return [RejectedRow(one.id, one.id, "DoubleSpend", "already spent", one.body) for one in made]

    class Flooded(RejectedLog):
        def newest(self, *places: Any, **bounds: Any) -> tuple[list[Record], int]:
            found = super().newest(*places, **bounds)
            opened.add(*rows(3, pushed), count_max=3)
            return found

    opened.add(*rows(0, 3), count_max=3)
    flooded, places = Flooded(opened.log._readers), Places(None, "now", 3)
    page = json.loads(read_newest_rejected(flooded, "log", None, places, count_max=2, bytes_max=BIG).body)
    assert [one["subject"] for one in page["events"]] == [one.id for one in rows(1, 2)[::-1]]
    assert page["end"] is True
    before = Places(None, page["next"], opened.log.head())
    if pushed > 1:
        with pytest.raises(HistoryLost):
            read_newest_rejected(opened.log, "log", None, before, count_max=2, bytes_max=BIG)


def test_newest_first_a_missing_row_is_damage(opened: Opened) -> None:
    opened.add(*map(row, range(4)))
    with closing(open_writer(opened.path)) as connection:
        connection.execute("DELETE FROM rejected_transactions WHERE seq IN (2, 4)")
    bounds = {"count_max": 9, "bytes_max": 1 << 20}
    with pytest.raises(StoreDamaged, match="rejected_transactions 2 is missing"):
        opened.log.newest(3, 0, None, **bounds)
    with pytest.raises(StoreDamaged, match="rejected_transactions 4 is missing"):
        opened.log.newest(4, 3, None, **bounds)


@pytest.mark.parametrize("begins", [-(1 << 40), 1 << 40])
def test_damage_of_the_last_row_deletes_no_other(opened: Opened, begins: int) -> None:
    opened.add(*map(row, range(3)), bytes_max=10_000)
    with closing(open_writer(opened.path)) as connection:
        connection.execute("UPDATE rejected_transactions SET begins = ? WHERE seq = 3", (begins,))
    opened.add(row(3), bytes_max=10_000)
    assert opened.log.first() == 1


def test_one_read_is_bounded_whatever_matches(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    body = build.create([ALICE]).body
    opened.add(*[row(number, body) for number in range(6)])
    none = Selection(operation="TRANSFER")
    monkeypatch.setattr(rejected_module, "LOOK_COUNT_MAX", 2)
    assert opened.log.selected(0, 6, none, count_max=9, bytes_max=1 << 20) == ([], 2)
    monkeypatch.setattr(rejected_module, "LOOK_BYTES_MAX", 1)
    assert opened.log.selected(2, 6, none, count_max=9, bytes_max=1 << 20) == ([], 3)
    assert opened.log.selected(3, 6, None, count_max=9, bytes_max=1 << 20)[1] == 4


def test_a_selection_matches_transactions(opened: Opened) -> None:
    first = build.create([ALICE], metadata={"n": 1}).body
    opened.add(row(1, first), row(2, build.create([ALICE], metadata={"n": 2}).body), row(3, first))
    wanted = Selection(owner=ALICE.public_key, operation="CREATE")
    assert [one.position for one in opened.read(0, wanted, count_max=2)] == [1, 2]
    assert [one.position for one in opened.read(2, wanted)] == [3]


def test_time_finds_a_place(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    for now_s in (10.5, 20.5):
        monkeypatch.setattr(time, "time", lambda now_s=now_s: now_s)
        opened.add(row(1))
    assert [opened.log.first_at(time=at) for at in (0, 10, 11, 20, 21)] == [1, 1, 2, 2, 3]
    assert [one.time for one in opened.read(0)] == [10, 20]


def test_its_size_is_what_the_bounds_count(opened: Opened) -> None:
    assert opened.log.size() == (0, 0)
    for number in range(5):
        opened.add(row(number, bytes(1_000)), count_max=3)
    assert opened.log.size() == (3, 3 * (len(row(0).message) + ROW_BYTES + 1_000))


def test_p8_a_backup_has_the_rows_and_the_id_of_another_node(opened: Opened, tmp_path: Path) -> None:
    """So a token of before the restore is lost: under its number the restored node may have another row."""
    opened.add(row(1), row(2))
    back_up_node(opened.path, tmp_path / "copy.db")
    with closing(NodeDb(tmp_path / "copy.db")) as copied, closing(Readers(tmp_path / "copy.db")) as readers:
        assert RejectedLog(readers).of(row(2).id) == row(2)
        assert copied.id != opened.node.id


def test_messages_are_cut(opened: Opened) -> None:
    opened.add(row(1)._replace(message="é" * 5_000))
    found = opened.log.of(row(1).id)
    assert found is not None
    assert found.message == "é" * 1_000
